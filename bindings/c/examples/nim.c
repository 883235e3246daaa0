#define _POSIX_C_SOURCE 200809L
#include "nim.h"

#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT = 256, BODY = 1024, REPLY = 8192 };

struct nim {
  char app_key[TEXT];
  nim_kicked kicked;
  void *user;

  pthread_mutex_t mutex; /* protects the following fields */
  pthread_cond_t ended;  /* a thread has ended */
  int threads;
  bool stopping;
  long session; /* of the login, 0: none */
};

typedef struct {
  nim *n;
  bool login;
  char accid[TEXT], token[TEXT];
  nim_result result;
  void *user;
} job;

/* call sends one request to the slot of this process, and returns the HTTP status; 0: nobody answered. */
static int call(const char *method, const char *path, const char *body, char reply[REPLY]) {
  char host[TEXT] = "", port[16] = "", request[2 * BODY];
  const char *secret = getenv("IMREUSE_GATEWAY_SECRET");
  struct addrinfo hints = {0}, *address = NULL;
  size_t length = 0;
  ssize_t n;
  int status = 0, fd;
  reply[0] = 0;
  if (sscanf(getenv("IMREUSE_GATEWAY_URL"), "http://%255[^:]:%15[0-9]", host, port) != 2 || secret == NULL) return 0;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host, port, &hints, &address) != 0) return 0;
  fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
  if (fd >= 0 && connect(fd, address->ai_addr, address->ai_addrlen) == 0) {
    int size = snprintf(request, sizeof request,
                        "%s /v1/im/example-%ld%s HTTP/1.0\r\nHost: %s:%s\r\nAuthorization: Bearer %s\r\n"
                        "%sContent-Length: %zu\r\n\r\n%s",
                        method, (long)getpid(), path, host, port, secret, *body ? "Content-Type: application/json\r\n" : "", strlen(body), body);
    if (size < (int)sizeof request && write(fd, request, (size_t)size) == size) {
      while (length < REPLY - 1 && (n = read(fd, reply + length, REPLY - 1 - length)) > 0) length += (size_t)n;
      reply[length] = 0;
      if (sscanf(reply, "HTTP/1.%*d %d", &status) != 1) status = 0;
    }
  }
  if (fd >= 0) close(fd);
  freeaddrinfo(address);
  return status;
}

/* number returns the number after a name in JSON, and missing if the name is not there. */
static long number(const char *json, const char *name, long missing) {
  const char *found = strstr(json, name);
  return found == NULL ? missing : strtol(found + strlen(name), NULL, 10);
}

static bool has_gateway(void) { return getenv("IMREUSE_GATEWAY_URL") != NULL; }

static int run(const job *j, char reply[REPLY]) {
  char body[BODY], deployment[BODY / 2] = "";
  const char *lbs = getenv("IMREUSE_LBS_URL"), *link = getenv("IMREUSE_LINK_ADDR");
  int status;
  if (!has_gateway()) return NIM_OK;
  if (!j->login) return call("POST", "/logout", "{}", reply);
  if (lbs != NULL && link != NULL) snprintf(deployment, sizeof deployment, ",\"lbsUrl\":\"%s\",\"linkAddr\":\"%s\",\"linkPlain\":true", lbs, link);
  snprintf(body, sizeof body, "{\"appKey\":\"%s\"%s}", j->n->app_key, deployment);
  status = call("PUT", "", body, reply);
  if (status != 200) return status;
  snprintf(body, sizeof body, "{\"accid\":\"%s\",\"token\":\"%s\",\"owner\":\"example\"}", j->accid, j->token);
  return call("POST", "/login", body, reply);
}

/* watch follows the session until it has ended. */
static void watch(nim *n, long session, long seq) {
  char reply[REPLY], path[64];
  for (;;) {
    pthread_mutex_lock(&n->mutex);
    bool over = n->stopping || n->session != session;
    pthread_mutex_unlock(&n->mutex);
    if (over) return;
    snprintf(path, sizeof path, "?after=%ld&waitMs=500", seq);
    if (call("GET", path, "", reply) != 200) return;
    seq = number(reply, "\"seq\":", seq);
    if (number(reply, "\"session\":", 0) != session) {
      if (strstr(reply, "\"kick\":") != NULL) n->kicked(n->user, (int)number(reply, "\"reason\":", 0));
      return;
    }
  }
}

static void leave(nim *n) {
  pthread_mutex_lock(&n->mutex);
  n->threads--;
  pthread_cond_broadcast(&n->ended);
  pthread_mutex_unlock(&n->mutex);
}

static void *work(void *user) {
  job *j = user;
  nim *n = j->n;
  char reply[REPLY] = "";
  int code = run(j, reply);
  long session = code == NIM_OK && j->login ? number(reply, "\"session\":", 0) : 0;
  pthread_mutex_lock(&n->mutex);
  n->session = session;
  pthread_mutex_unlock(&n->mutex);
  j->result(j->user, code);
  memset(j->token, 0, sizeof j->token);
  free(j);
  if (session != 0) watch(n, session, number(reply, "\"seq\":", 0));
  leave(n);
  return NULL;
}

static void start(nim *n, bool login, const char *accid, const char *token, nim_result result, void *user) {
  pthread_t thread;
  job *j = calloc(1, sizeof *j);
  if (j == NULL) {
    result(user, 500);
    return;
  }
  j->n = n;
  j->login = login;
  j->result = result;
  j->user = user;
  strncpy(j->accid, accid, TEXT - 1);
  strncpy(j->token, token, TEXT - 1);
  pthread_mutex_lock(&n->mutex);
  n->threads++;
  pthread_mutex_unlock(&n->mutex);
  if (pthread_create(&thread, NULL, work, j) == 0) {
    pthread_detach(thread);
    return;
  }
  free(j);
  leave(n);
  result(user, 500);
}

nim *nim_init(const char *app_key, nim_kicked kicked, void *user) {
  nim *n = calloc(1, sizeof *n);
  if (n == NULL) return NULL;
  strncpy(n->app_key, app_key, TEXT - 1);
  n->kicked = kicked;
  n->user = user;
  pthread_mutex_init(&n->mutex, NULL);
  pthread_cond_init(&n->ended, NULL);
  return n;
}

void nim_login(nim *n, const char *accid, const char *token, nim_result result, void *user) { start(n, true, accid, token, result, user); }

void nim_logout(nim *n, nim_result result, void *user) { start(n, false, "", "", result, user); }

void nim_free(nim *n) {
  char reply[REPLY];
  if (n == NULL) return;
  pthread_mutex_lock(&n->mutex);
  n->stopping = true;
  while (n->threads > 0) pthread_cond_wait(&n->ended, &n->mutex);
  pthread_mutex_unlock(&n->mutex);
  if (has_gateway()) call("DELETE", "", "", reply);
  pthread_mutex_destroy(&n->mutex);
  pthread_cond_destroy(&n->ended);
  free(n);
}
