/* Token sources, and rule 9: no token in the log. */
#include "check.h"

typedef struct {
  pthread_mutex_t mutex;
  imreuse_request *request;
  int asked;
  char id[64], refused[64];
  char log[16000];
} host;

static void on_token(void *user, const char *id, const char *refused, imreuse_request *r) {
  host *h = user;
  pthread_mutex_lock(&h->mutex);
  h->request = r;
  h->asked++;
  strncpy(h->id, id, sizeof h->id - 1);
  strncpy(h->refused, refused, sizeof h->refused - 1);
  pthread_mutex_unlock(&h->mutex);
}

static void on_log(void *user, int level, const char *line) {
  host *h = user;
  size_t n = strlen(h->log);
  snprintf(h->log + n, sizeof h->log - n, "%d %s\n", level, line);
}

static int asked(host *h) {
  pthread_mutex_lock(&h->mutex);
  int n = h->asked;
  pthread_mutex_unlock(&h->mutex);
  return n;
}

void test_tokens(void) {
  world w;
  host h;
  outcome o;
  memset(&h, 0, sizeof h);
  pthread_mutex_init(&h.mutex, NULL);
  outcome_init(&o);
  world_prepare(&w);
  w.options.user = &h;
  w.options.kit_token = w.options.im_token = on_token;
  w.options.log = on_log;
  world_open(&w);

  imreuse_login_kit(w.engine, USER, NULL, outcome_done, &o);
  WAIT_FOR(asked(&h) == 1);
  CHECK(strcmp(h.id, USER) == 0 && !h.refused[0], "asked for %s, refused %s", h.id, h.refused);
  imreuse_request_token(h.request, "a-wrong-one");
  imreuse_request_token(h.request, USER_TOKEN);
  WAIT_FOR(asked(&h) == 2); /* the server refused the first */
  CHECK(strcmp(h.refused, "a-wrong-one") == 0, "refused %s", h.refused);
  imreuse_request_token(h.request, USER_TOKEN);
  CHECK(outcome_code(&o, 1) == IMREUSE_OK, "%s", o.last.message);

  imreuse_mock_expire(w.mock, USER); /* the engine renews it by itself */
  WAIT_FOR(asked(&h) == 3);
  CHECK(status_of(&w).expired && status_of(&w).state == IMREUSE_KIT_LOGGED_IN, "state %d", (int)status_of(&w).state);
  CHECK(run_simple(&w, imreuse_logout_im) == IMREUSE_OK, "logout");
  imreuse_request_token(h.request, "too late");

  imreuse_op *op = imreuse_login_im(w.engine, ACCID, NULL, outcome_done, &o);
  WAIT_FOR(asked(&h) == 4);
  imreuse_request_done(h.request, IMREUSE_ERR_UNAVAILABLE, "the app server is away");
  CHECK(outcome_code(&o, 2) == IMREUSE_ERR_UNAVAILABLE && strstr(o.last.message, "away"), "%s", o.last.message);
  CHECK(strcmp(o.last.call, "IMToken") == 0, "%s", o.last.call);
  op = imreuse_login_im(w.engine, ACCID, NULL, outcome_done, &o);
  WAIT_FOR(asked(&h) == 5);
  imreuse_cancel(op);
  CHECK(outcome_code(&o, 3) == IMREUSE_ERR_OTHER, "%d", o.last.code);
  imreuse_request_token(h.request, IM_TOKEN);
  imreuse_login_im(w.engine, ACCID, NULL, outcome_done, &o);
  WAIT_FOR(asked(&h) == 6);
  imreuse_request_token(h.request, NULL);
  outcome_wait(&o, 4);
  CHECK(o.last.code != IMREUSE_OK, "a login without a token");
  world_end(&w);
  CHECK(strstr(h.log, "0 msg=transition") && strstr(h.log, "trigger=login_kit") && strstr(h.log, "4 msg=\"operation failed\""), "%s", h.log);
  CHECK(!strstr(h.log, USER_TOKEN) && !strstr(h.log, IM_TOKEN) && !strstr(h.log, "a-wrong-one"), "a token in the log: %s", h.log);
}
