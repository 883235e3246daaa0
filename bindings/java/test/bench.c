/* What a host in C pays, beside Bench.java: one login and one logout of the kit at
 * a time, over an IM client of its own that answers at once. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "imreuse.h"

static imreuse_im *im;

static void init(void *user, const char *app_key, imreuse_request *r) {
  (void)user, (void)app_key;
  imreuse_request_done(r, 0, NULL);
}

static void login(void *user, const char *app_key, const char *accid, const char *token, imreuse_request *r) {
  (void)user, (void)token;
  imreuse_im_logged_in(im, app_key, accid);
  imreuse_request_done(r, 0, NULL);
}

static void logout(void *user, imreuse_request *r) {
  (void)user;
  imreuse_im_logged_out(im, 0, 0, NULL);
  imreuse_request_done(r, 0, NULL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int completed;

static void done(void *user, const imreuse_error *e) {
  (void)user;
  if (e != NULL) {
    fprintf(stderr, "%s\n", e->message);
    exit(1);
  }
  pthread_mutex_lock(&mutex);
  completed = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
}

static void wait_done(void) {
  pthread_mutex_lock(&mutex);
  while (!completed) pthread_cond_wait(&changed, &mutex);
  completed = 0;
  pthread_mutex_unlock(&mutex);
}

static void login_and_logout(imreuse_engine *e) {
  imreuse_login_kit(e, "myaccid", "myUserToken", done, NULL);
  wait_done();
  imreuse_logout_kit(e, done, NULL);
  wait_done();
}

static void nothing_to_do(imreuse_engine *e) {
  imreuse_init_im(e, done, NULL);
  wait_done();
}

static void status(imreuse_engine *e) {
  imreuse_status s;
  imreuse_get_status(e, &s);
}

static void measure(const char *what, const char *mode, int n, void (*f)(imreuse_engine *), imreuse_engine *e) {
  double best = 1e300;
  for (int round = 0; round < 5; round++) {
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < n; i++) f(e);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double us = ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / 1e3 / n;
    if (us < best) best = us;
  }
  char label[64];
  snprintf(label, sizeof label, "C: %s, %s", what, mode);
  printf("%-50s %8.2f µs\n", label, best);
}

int main(void) {
  const imreuse_im_client client = {.struct_size = sizeof client, .init = init, .login = login, .logout = logout};
  im = imreuse_im_new(&client, NULL);
  imreuse_mock *mock = imreuse_mock_new(NULL, NULL);
  const imreuse_mode modes[] = {IMREUSE_AUTO_LOGIN, IMREUSE_REUSE_IM};
  const char *names[] = {"AUTO_LOGIN", "REUSE_IM"};
  for (int i = 0; i < 2; i++) {
    const imreuse_options o = {.struct_size = sizeof o, .app_key = "app1", .im = im, .kit = imreuse_mock_kit(mock), .mode = modes[i]};
    imreuse_engine *e = imreuse_new(&o, NULL);
    nothing_to_do(e);
    if (modes[i] == IMREUSE_REUSE_IM) {
      imreuse_login_im(e, "myaccid", "myToken", done, NULL);
      wait_done();
    }
    measure("login and logout", names[i], 20000, login_and_logout, e);
    measure("an operation with nothing to do", names[i], 50000, nothing_to_do, e);
    measure("status", names[i], 1000000, status, e);
    imreuse_close(e, done, NULL);
    wait_done();
  }
  return 0;
}
