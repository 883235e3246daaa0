/* Rule 7: a handle that was closed, or never was one. */
#include "check.h"

/* try_all calls every function that takes a handle with p, which is none. */
static void try_all(void *p) {
  outcome o;
  imreuse_status s;
  imreuse_error e;
  outcome_init(&o);
  imreuse_engine *engine = p;
  imreuse_init_im(engine, outcome_done, &o);
  imreuse_login_im(engine, NULL, NULL, outcome_done, &o);
  imreuse_login_kit(engine, USER, USER_TOKEN, outcome_done, &o);
  imreuse_login_anonymous(engine, outcome_done, &o);
  imreuse_keep_kit(engine, USER, USER_TOKEN, outcome_done, &o);
  imreuse_renew_kit(engine, USER, USER_TOKEN, outcome_done, &o);
  imreuse_logout_kit(engine, outcome_done, &o);
  imreuse_cancel(imreuse_logout_im(engine, outcome_done, &o));
  imreuse_close(engine, outcome_done, &o);
  imreuse_close(engine, NULL, NULL);
  CHECK(outcome_code(&o, 9) == IMREUSE_ERR_CLOSED, "%d: %s", o.last.code, o.last.message);
  CHECK(!imreuse_get_status(engine, &s), "a status of %p", p);
  CHECK(imreuse_watch_start(engine, NULL, NULL) == NULL, "a watch of %p", p);
  imreuse_cancel(p);
  imreuse_watch_stop(p);
  imreuse_request_done(p, 0, NULL);
  imreuse_request_token(p, "t");
  imreuse_im_logging_in(p);
  imreuse_im_logged_in(p, APP_KEY, ACCID);
  imreuse_im_logged_out(p, 0, 0, NULL);
  imreuse_im_link(p, true);
  imreuse_im_release(p);
  imreuse_kit_release(p);
  CHECK(imreuse_mock_im(p) == NULL && imreuse_mock_kit(p) == NULL, "a mock at %p", p);
  imreuse_mock_kick(p, ACCID, IMREUSE_KICKED_BY_SERVER);
  imreuse_mock_end_im(p, ACCID, 0);
  imreuse_mock_expire(p, USER);
  imreuse_mock_release(p);
  if (p != NULL) {
    world w;
    world_prepare(&w);
    w.options.im = p;
    CHECK(imreuse_new(&w.options, &e) == NULL && e.code == IMREUSE_ERR_CLOSED, "%d: %s", e.code, e.message);
    w.options.im = w.im;
    w.options.kit = p;
    CHECK(imreuse_new(&w.options, &e) == NULL && e.code == IMREUSE_ERR_CLOSED, "%d: %s", e.code, e.message);
    w.options.kit = w.kit;
    world_open(&w);
    world_end(&w);
  }
}

static void test_garbage(void) {
  int local = 0;
  void *heap = malloc(64);
  const uintptr_t numbers[] = {0, 1, 8, 4095, 4096, 4097, 1 << 20, UINTPTR_MAX, UINTPTR_MAX / 2 + 1, 0xc000000000, 0xc000123450};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) try_all((void *)numbers[i]);
  try_all(&local);
  try_all(heap);
  free(heap);
}

/* A handle of another kind is none, either. */
static void test_wrong_kind(void) {
  world w;
  world_make(&w);
  try_all(w.mock == NULL ? NULL : (void *)&w);
  imreuse_status s;
  CHECK(!imreuse_get_status((void *)w.mock, &s) && !imreuse_get_status((void *)w.im, &s), "a status of what is no engine");
  imreuse_cancel((void *)w.engine);
  imreuse_im_release((void *)w.engine);
  imreuse_kit_release((void *)w.engine);
  imreuse_mock_release((void *)w.engine);
  CHECK(run_simple(&w, imreuse_init_im) == IMREUSE_OK, "the engine has gone");
  world_end(&w);
}

static void test_closed(void) {
  world w;
  world_make(&w);
  outcome o;
  outcome_init(&o);
  imreuse_op *op = imreuse_init_im(w.engine, outcome_done, &o);
  outcome_wait(&o, 1);
  imreuse_watch *none = imreuse_watch_start(w.engine, NULL, NULL);
  CHECK(none == NULL, "a watch without a watcher");
  CHECK(!imreuse_get_status(w.engine, NULL), "a status into nothing");
  imreuse_close(w.engine, outcome_done, &o);
  CHECK(outcome_code(&o, 2) == IMREUSE_OK, "%s", o.last.message);
  imreuse_cancel(op);
  try_all(w.engine);
  imreuse_im_release(w.im);
  try_all(w.im);
  imreuse_kit_release(w.kit);
  try_all(w.kit);
  imreuse_mock_release(w.mock);
  try_all(w.mock);
}

/* User pointers are the host's: they need not be pointers. */
static _Atomic(uintptr_t) passed;
static void on_done(void *user, const imreuse_error *e) {
  (void)e;
  passed = (uintptr_t)user;
}

static void test_user_numbers(void) {
  const uintptr_t numbers[] = {1, 5, 4095, UINTPTR_MAX, 0xc000123456};
  world w;
  world_prepare(&w);
  w.options.user = (void *)3;
  world_open(&w);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    imreuse_init_im(w.engine, on_done, (void *)numbers[i]);
    WAIT_FOR(passed == numbers[i]);
  }
  world_end(&w);
}

void test_handles(void) {
  test_garbage();
  test_wrong_kind();
  test_closed();
  test_user_numbers();
}
