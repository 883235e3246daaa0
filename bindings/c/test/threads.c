/* Rules 1, 6 and 7 with everything at once: ten threads of operations, foreign
 * threads of reports, watchers, and close in the middle. */
#include "check.h"

static atomic_int running, ran, completions;
static atomic_bool over, reporting;
static imreuse_im *im;

static void enter(void) {
  CHECK(atomic_fetch_add(&running, 1) == 0, "two callbacks of one engine at once");
  CHECK(!atomic_load(&over), "a callback after close");
  atomic_fetch_add(&ran, 1);
  atomic_fetch_sub(&running, 1);
}

static void on_done(void *user, const imreuse_error *e) {
  (void)e;
  enter();
  atomic_fetch_add(&completions, 1);
  if (user != NULL) atomic_fetch_sub((atomic_int *)user, 1);
}
static void on_refused(void *user, const imreuse_error *e) { /* the engine has gone; so the callback is no longer its */
  CHECK(e != NULL, "it succeeded");
  atomic_fetch_sub((atomic_int *)user, 1);
}
static void on_changed(void *user, const imreuse_status *s) {
  (void)user, (void)s;
  enter();
}
static void on_init(void *user, const char *app_key, imreuse_request *r) {
  (void)user, (void)app_key;
  enter();
  imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_login(void *user, const char *app_key, const char *accid, const char *token, imreuse_request *r) {
  (void)user, (void)token;
  enter();
  imreuse_im_logging_in(im);
  imreuse_im_logged_in(im, app_key, accid);
  imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_logout(void *user, imreuse_request *r) {
  (void)user;
  enter();
  imreuse_im_logged_out(im, 0, 0, NULL);
  imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_cancel(void *user, imreuse_request *r) {
  (void)user;
  enter();
  imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_closed(void *user, const imreuse_error *e) {
  atomic_store(&over, true);
  outcome_done(user, e);
}

static void *report(void *user) {
  (void)user;
  for (int i = 0; atomic_load(&reporting); i++) {
    imreuse_im_logging_in(im);
    imreuse_im_logged_in(im, APP_KEY, i % 3 ? ACCID : "another");
    imreuse_im_link(im, i % 2);
    imreuse_im_logged_out(im, i % 5 ? 0 : IMREUSE_ERR_KICKED, i % 5 ? 0 : IMREUSE_KICKED_BY_OTHER, NULL);
    imreuse_request_done((imreuse_request *)(uintptr_t)(i * 16), 0, NULL);
    if (i % 16 == 0) nap();
  }
  return NULL;
}

static void *operate(void *user) {
  imreuse_engine *e = user;
  for (int i = 0; i < 60; i++) {
    atomic_int open = 4;
    imreuse_watch *w = imreuse_watch_start(e, on_changed, NULL);
    imreuse_op *op = imreuse_login_kit(e, USER, USER_TOKEN, on_done, &open);
    imreuse_init_im(e, on_done, &open);
    if (i % 2) imreuse_cancel(op);
    imreuse_logout_kit(e, on_done, &open);
    imreuse_cancel(imreuse_login_im(e, ACCID, IM_TOKEN, on_done, &open));
    WAIT_FOR(atomic_load(&open) == 0);
    imreuse_cancel(op);
    imreuse_watch_stop(w);
  }
  return NULL;
}

void test_threads(void) {
  enum { OPERATORS = 10, REPORTERS = 3 };
  world w;
  pthread_t threads[OPERATORS], reporters[REPORTERS];
  imreuse_im_client c = {0};
  c.struct_size = sizeof c;
  c.init = on_init;
  c.login = on_login;
  c.logout = on_logout;
  c.cancel = on_cancel;
  world_prepare_host(&w, &c);
  im = w.im;
  world_open(&w);
  atomic_store(&reporting, true);
  for (int i = 0; i < REPORTERS; i++) CHECK(pthread_create(&reporters[i], NULL, report, NULL) == 0, "no thread");
  for (int i = 0; i < OPERATORS; i++) CHECK(pthread_create(&threads[i], NULL, operate, w.engine) == 0, "no thread");
  for (int i = 0; i < OPERATORS; i++) pthread_join(threads[i], NULL);
  CHECK(atomic_load(&completions) == OPERATORS * 60 * 4, "%d completions", atomic_load(&completions));

  outcome closed;
  outcome_init(&closed);
  for (int i = 0; i < 20; i++) imreuse_login_kit(w.engine, USER, USER_TOKEN, on_done, NULL);
  imreuse_close(w.engine, on_closed, &closed);
  outcome_wait(&closed, 1);
  atomic_int open = 1;
  imreuse_init_im(w.engine, on_refused, &open);
  WAIT_FOR(atomic_load(&open) == 0);
  atomic_store(&reporting, false);
  for (int i = 0; i < REPORTERS; i++) pthread_join(reporters[i], NULL);
  CHECK(atomic_load(&completions) == OPERATORS * 60 * 4 + 20, "%d completions", atomic_load(&completions));
  world_end(&w);
}
