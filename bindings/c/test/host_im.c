/* Rules 5 and 9: the host's own IM client. */
#include "check.h"

/* An sdk is a client whose requests the test answers. */
typedef struct {
  imreuse_im_client client;
  imreuse_im *im;
  pthread_mutex_t mutex;
  imreuse_request *init, *login, *logout, *cancelled; /* the last of each */
  int inits, logins, logouts, cancels;
  char app_key[64], accid[64], token[64];
  bool reports, answers; /* it reports what happens, and answers at once */
} sdk;

static void note(sdk *s, imreuse_request **which, imreuse_request *r, int *count) {
  pthread_mutex_lock(&s->mutex);
  *which = r;
  ++*count;
  pthread_mutex_unlock(&s->mutex);
}

static int count(sdk *s, int *which) {
  pthread_mutex_lock(&s->mutex);
  int n = *which;
  pthread_mutex_unlock(&s->mutex);
  return n;
}

static void on_init(void *user, const char *app_key, imreuse_request *r) {
  sdk *s = user;
  strncpy(s->app_key, app_key, sizeof s->app_key - 1);
  note(s, &s->init, r, &s->inits);
  if (s->answers) imreuse_request_done(r, IMREUSE_OK, NULL);
}

static void on_login(void *user, const char *app_key, const char *accid, const char *token, imreuse_request *r) {
  sdk *s = user;
  strncpy(s->app_key, app_key, sizeof s->app_key - 1);
  strncpy(s->accid, accid, sizeof s->accid - 1);
  strncpy(s->token, token, sizeof s->token - 1);
  if (s->reports) {
    imreuse_im_logging_in(s->im);
    imreuse_im_logged_in(s->im, app_key, accid);
  }
  if (s->answers) imreuse_request_done(r, IMREUSE_OK, NULL);
  note(s, &s->login, r, &s->logins);
}

static void on_logout(void *user, imreuse_request *r) {
  sdk *s = user;
  if (s->reports) imreuse_im_logged_out(s->im, 0, 0, NULL);
  if (s->answers) imreuse_request_done(r, IMREUSE_OK, NULL);
  note(s, &s->logout, r, &s->logouts);
}

static void on_cancel(void *user, imreuse_request *r) {
  sdk *s = user;
  note(s, &s->cancelled, r, &s->cancels);
}

static void sdk_init(sdk *s) {
  memset(s, 0, sizeof *s);
  pthread_mutex_init(&s->mutex, NULL);
  s->client.struct_size = sizeof s->client;
  s->client.user = s;
  s->client.init = on_init;
  s->client.login = on_login;
  s->client.logout = on_logout;
  s->client.cancel = on_cancel;
}

static void open_with(world *w, sdk *s) {
  world_prepare_host(w, &s->client);
  s->im = w->im;
  world_open(w);
}

/* Answers come later, from another thread than the request. */
static void test_later(void) {
  world w;
  sdk s;
  outcome o;
  sdk_init(&s);
  open_with(&w, &s);
  outcome_init(&o);
  imreuse_login_kit(w.engine, USER, USER_TOKEN, outcome_done, &o);
  WAIT_FOR(count(&s, &s.inits) == 1);
  imreuse_request_done(s.init, IMREUSE_OK, NULL);
  WAIT_FOR(count(&s, &s.logins) == 1);
  CHECK(strcmp(s.app_key, APP_KEY) == 0 && strcmp(s.accid, ACCID) == 0 && strcmp(s.token, IM_TOKEN) == 0, "asked for %s of %s", s.accid, s.app_key);
  CHECK(outcome_calls(&o) == 0, "it is over before the answer");
  imreuse_request_done(s.login, IMREUSE_OK, NULL);
  imreuse_request_done(s.login, IMREUSE_ERR_KICKED, "too late");
  CHECK(outcome_code(&o, 1) == IMREUSE_OK, "%s", o.last.message);
  imreuse_im_link(w.im, false);
  CHECK(!status_of(&w).online && !status_of(&w).reused, "online");
  imreuse_im_link(w.im, true);
  CHECK(status_of(&w).online, "offline");
  imreuse_logout_kit(w.engine, outcome_done, &o);
  WAIT_FOR(count(&s, &s.logouts) == 1);
  imreuse_request_done(s.logout, IMREUSE_OK, NULL);
  CHECK(outcome_code(&o, 2) == IMREUSE_OK, "%s", o.last.message);
  world_end(&w);
}

static void test_failures(void) {
  const struct {
    int code;
    const char *message;
    int want;
    const char *says;
  } rows[] = {
      {IMREUSE_ERR_TOKEN_REJECTED, "302 from the SDK", IMREUSE_ERR_TOKEN_REJECTED, "302 from the SDK"},
      {IMREUSE_ERR_TOKEN_REJECTED, NULL, IMREUSE_ERR_TOKEN_REJECTED, imreuse_code_text(IMREUSE_ERR_TOKEN_REJECTED)},
      {IMREUSE_ERR_KICKED, "another device", IMREUSE_ERR_KICKED, "another device"},
      {302, "no such token", IMREUSE_ERR_OTHER, "302: no such token"},
      {IMREUSE_ERR_OTHER, "disk full", IMREUSE_ERR_OTHER, "disk full"},
      {IMREUSE_ERR_UNAVAILABLE, "sent " IM_TOKEN " in vain", IMREUSE_ERR_UNAVAILABLE, ""},
      {415, "sent " IM_TOKEN " in vain", IMREUSE_ERR_OTHER, ""},
  };
  world w;
  sdk s;
  outcome o;
  sdk_init(&s);
  s.client.init = NULL; /* the host initialises IM itself */
  open_with(&w, &s);
  outcome_init(&o);
  for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
    imreuse_login_kit(w.engine, USER, USER_TOKEN, outcome_done, &o);
    WAIT_FOR(count(&s, &s.logins) == i + 1);
    imreuse_request_done(s.login, rows[i].code, rows[i].message);
    CHECK(outcome_code(&o, i + 1) == rows[i].want, "row %d: %d: %s", i, o.last.code, o.last.message);
    CHECK(strstr(o.last.message, rows[i].says) && !strstr(o.last.message, IM_TOKEN), "row %d: %s", i, o.last.message);
    CHECK(strcmp(o.last.call, "LoginIM") == 0, "row %d: call %s", i, o.last.call);
  }
  world_end(&w);
}

/* A client that never completes: cancel ends the operation, tells the client
 * once, and ignores what it answers later. So does close. */
static void test_never(void) {
  world w;
  sdk s;
  outcome o;
  sdk_init(&s);
  s.client.init = NULL;
  open_with(&w, &s);
  outcome_init(&o);
  CHECK(run_simple(&w, imreuse_init_im) == IMREUSE_OK, "init");
  imreuse_op *op = imreuse_login_im(w.engine, ACCID, IM_TOKEN, outcome_done, &o);
  WAIT_FOR(count(&s, &s.logins) == 1);
  imreuse_cancel(op);
  CHECK(outcome_code(&o, 1) == IMREUSE_ERR_OTHER, "%d", o.last.code);
  WAIT_FOR(count(&s, &s.cancels) == 1 && count(&s, &s.logouts) == 1); /* nobody knows how far it got */
  CHECK(s.cancelled == s.login, "another request was canceled");
  imreuse_request_done(s.login, IMREUSE_OK, NULL);
  imreuse_request_done(s.logout, IMREUSE_OK, NULL);
  CHECK(status_of(&w).state == IMREUSE_IM_INITIALIZED, "state %d", (int)status_of(&w).state);

  imreuse_login_im(w.engine, ACCID, IM_TOKEN, outcome_done, &o);
  WAIT_FOR(count(&s, &s.logins) == 2);
  outcome closed;
  outcome_init(&closed);
  imreuse_close(w.engine, outcome_done, &closed);
  CHECK(outcome_code(&o, 2) == IMREUSE_ERR_INTERRUPTED, "%d", o.last.code);
  WAIT_FOR(count(&s, &s.logouts) == 2);
  imreuse_request_done(s.logout, IMREUSE_OK, NULL);
  outcome_wait(&closed, 1);
  imreuse_request_done(s.login, IMREUSE_OK, NULL);
  imreuse_request_done(s.logout, IMREUSE_OK, NULL);
  CHECK(count(&s, &s.cancels) == 2, "%d cancels", s.cancels);
  world_end(&w);
}

/* Reuse: only the host logs IM in and out, and reports it. */
static void test_reuse(void) {
  world w;
  imreuse_im_client none = {0};
  none.struct_size = sizeof none;
  world_prepare_host(&w, &none);
  w.options.mode = IMREUSE_REUSE_IM;
  world_open(&w);
  outcome o;
  outcome_init(&o);
  int code;
  CHECK((code = run_login(&w, imreuse_login_kit, USER, USER_TOKEN)) == IMREUSE_ERR_IM_NOT_LOGGED_IN, "%d", code);
  imreuse_im_logging_in(w.im);
  imreuse_login_kit(w.engine, USER, USER_TOKEN, outcome_done, &o); /* waits for the host's login */
  imreuse_im_logged_in(w.im, APP_KEY, "another");
  CHECK(outcome_code(&o, 1) == IMREUSE_ERR_IM_ACCOUNT_MISMATCH, "%d", o.last.code);
  imreuse_im_logged_out(w.im, 0, 0, NULL);
  imreuse_im_logging_in(w.im);
  imreuse_im_logged_in(w.im, APP_KEY, ACCID);
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  CHECK(status_of(&w).reused, "not reused");
  imreuse_im_logged_out(w.im, IMREUSE_ERR_KICKED, IMREUSE_KICKED_BY_CLIENT, "on the phone");
  WAIT_FOR(status_of(&w).state < IMREUSE_IM_LOGGED_IN);
  imreuse_status s = status_of(&w);
  CHECK(s.cause.code == IMREUSE_ERR_KICKED && strstr(s.cause.message, "by a login on another device: on the phone"), "%s", s.cause.message);

  imreuse_im_logged_in(w.im, APP_KEY, ACCID);
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  imreuse_im_logged_out(w.im, 0, 0, NULL);
  WAIT_FOR(status_of(&w).state < IMREUSE_IM_LOGGED_IN);
  CHECK(status_of(&w).cause.code == IMREUSE_ERR_IM_LOGGED_OUT, "%d", status_of(&w).cause.code);
  CHECK((code = run_login(&w, imreuse_login_im, ACCID, IM_TOKEN)) == IMREUSE_ERR_STATE, "%d", code);
  world_end(&w);
}

/* One IM serves two engines, each with a kit of its own. */
static void test_shared(void) {
  world w;
  sdk s;
  sdk_init(&s);
  s.reports = s.answers = true;
  open_with(&w, &s);
  world second = w;
  second.kit = second.options.kit = imreuse_mock_kit(w.mock);
  world_open(&second);
  CHECK(run_simple(&w, imreuse_init_im) == IMREUSE_OK, "init");
  imreuse_im_logged_in(w.im, APP_KEY, ACCID);
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  CHECK(run_login(&second, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  imreuse_im_release(w.im); /* the engines keep it */
  imreuse_im_logged_out(w.im, 0, 0, NULL);
  CHECK(status_of(&w).reused && status_of(&second).reused, "a released IM reports");
  CHECK(run_simple(&second, imreuse_logout_im) == IMREUSE_OK && count(&s, &s.logouts) == 1, "logout");
  WAIT_FOR(status_of(&w).state < IMREUSE_IM_LOGGED_IN);
  outcome o;
  outcome_init(&o);
  imreuse_close(second.engine, outcome_done, &o);
  outcome_wait(&o, 1);
  imreuse_kit_release(second.kit);
  world_end(&w);
}

/* Reports on a mock's IM act on the mock, as the host would. */
static void test_mock_reports(void) {
  world w;
  world_prepare(&w);
  w.options.mode = IMREUSE_REUSE_IM;
  world_open(&w);
  imreuse_im_logging_in(w.im);
  imreuse_im_logged_in(w.im, APP_KEY, ACCID);
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  imreuse_im_link(w.im, false);
  CHECK(!status_of(&w).online, "online");
  imreuse_im_logged_out(w.im, 0, 0, NULL);
  WAIT_FOR(status_of(&w).cause.code == IMREUSE_ERR_IM_LOGGED_OUT);
  imreuse_im_logged_in(w.im, APP_KEY, "nobody");
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_ERR_IM_NOT_LOGGED_IN, "login");
  world_end(&w);
}

void test_host_im(void) {
  test_later();
  test_failures();
  test_never();
  test_reuse();
  test_shared();
  test_mock_reports();
}
