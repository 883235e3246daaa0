/* Rules 1 and 2: each operation completes exactly once, can be canceled, and
 * fails with code, message, remedy, operation and call. */
#include "check.h"

static void test_each_completes(void) {
  world w;
  world_make(&w);
  int code;
  CHECK((code = run_simple(&w, imreuse_init_im)) == IMREUSE_OK, "%d", code);
  CHECK((code = run_login(&w, imreuse_login_im, ACCID, IM_TOKEN)) == IMREUSE_OK, "%d", code);
  CHECK((code = run_simple(&w, imreuse_login_anonymous)) == IMREUSE_ERR_REUSE_NO_ANONYMOUS, "%d", code);
  CHECK((code = run_login(&w, imreuse_login_kit, USER, USER_TOKEN)) == IMREUSE_OK, "%d", code);
  CHECK((code = run_login(&w, imreuse_renew_kit, USER, USER_TOKEN)) == IMREUSE_OK, "%d", code);
  CHECK((code = run_login(&w, imreuse_renew_kit, USER, "another")) == IMREUSE_ERR_TOKEN_REJECTED, "%d", code);
  CHECK((code = run_simple(&w, imreuse_logout_kit)) == IMREUSE_OK, "%d", code);
  imreuse_status s = status_of(&w);
  CHECK(s.state == IMREUSE_IM_LOGGED_IN, "state %d after the kit's logout", (int)s.state);
  CHECK((code = run_simple(&w, imreuse_logout_im)) == IMREUSE_OK, "%d", code);
  CHECK((code = run_simple(&w, imreuse_login_anonymous)) == IMREUSE_OK, "%d", code);
  s = status_of(&w);
  CHECK(s.state == IMREUSE_KIT_LOGGED_IN && s.anonymous && !s.reused, "state %d", (int)s.state);
  world_end(&w);
}

/* Operations take their turns in the order of the calls, without waiting. */
static void test_order(void) {
  for (int i = 0; i < 100; i++) {
    world w;
    outcome o;
    world_make(&w);
    outcome_init(&o);
    imreuse_init_im(w.engine, outcome_done, &o);
    imreuse_login_im(w.engine, ACCID, IM_TOKEN, outcome_done, &o);
    imreuse_login_kit(w.engine, USER, USER_TOKEN, outcome_done, &o);
    outcome_wait(&o, 3);
    imreuse_status s = status_of(&w);
    CHECK(s.reused && s.seq == 3, "reused %d after %d changes", s.reused, (int)s.seq);
    world_end(&w);
  }
}

static void test_no_callback(void) {
  world w;
  world_make(&w);
  imreuse_cancel(imreuse_init_im(w.engine, NULL, NULL));
  imreuse_login_kit(w.engine, USER, USER_TOKEN, NULL, NULL);
  imreuse_login_kit(NULL, USER, USER_TOKEN, NULL, NULL);
  WAIT_FOR(status_of(&w).state == IMREUSE_KIT_LOGGED_IN);
  world_end(&w);
}

static void test_failure(void) {
  world w;
  outcome o;
  world_prepare(&w);
  w.options.mode = IMREUSE_REUSE_IM;
  world_open(&w);
  outcome_init(&o);
  imreuse_login_kit(w.engine, USER, USER_TOKEN, outcome_done, &o);
  outcome_wait(&o, 1);
  CHECK(o.last.code == IMREUSE_ERR_IM_NOT_LOGGED_IN, "%d", o.last.code);
  CHECK(strcmp(o.last.op, "LoginKit") == 0, "%s", o.last.op);
  CHECK(o.last.call[0] == 0, "%s", o.last.call);
  CHECK(strstr(o.last.message, "IM reuse is on and the host has not logged IM in"), "%s", o.last.message);
  CHECK(strcmp(o.last.remedy, imreuse_code_remedy(o.last.code)) == 0 && o.last.remedy[0], "%s", o.last.remedy);
  CHECK(!pthread_equal(o.thread, pthread_self()), "the callback came on the thread of the caller");

  CHECK(run_simple(&w, imreuse_init_im) == IMREUSE_OK, "init");
  CHECK(run_login(&w, imreuse_login_im, ACCID, IM_TOKEN) == IMREUSE_OK, "login");
  imreuse_login_kit(w.engine, USER, "a-wrong-one", outcome_done, &o);
  outcome_wait(&o, 2);
  CHECK(o.last.code == IMREUSE_ERR_TOKEN_REJECTED, "%d", o.last.code);
  CHECK(strcmp(o.last.call, "Authenticate") == 0, "%s", o.last.call);
  CHECK(!strstr(o.last.message, "a-wrong-one"), "%s", o.last.message);
  const char *bad[] = {NULL, "", "a\nb", "\xff"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    imreuse_login_kit(w.engine, bad[i], USER_TOKEN, outcome_done, &o);
    CHECK(outcome_code(&o, 3 + (int)i) == IMREUSE_ERR_ARGUMENT, "%d: %s", o.last.code, o.last.message);
  }
  world_end(&w);
}

static void test_cancel(void) {
  world w;
  outcome o;
  world_make(&w);
  outcome_init(&o);
  CHECK(run_simple(&w, imreuse_init_im) == IMREUSE_OK, "init");
  /* KeepKit stays until it is canceled. The login that it made holds. */
  imreuse_op *op = imreuse_keep_kit(w.engine, USER, USER_TOKEN, outcome_done, &o);
  WAIT_FOR(status_of(&w).state == IMREUSE_KIT_LOGGED_IN);
  CHECK(outcome_calls(&o) == 0, "KeepKit is over");
  imreuse_cancel(op);
  CHECK(outcome_code(&o, 1) == IMREUSE_ERR_OTHER, "%d", o.last.code);
  CHECK(strcmp(o.last.op, "KeepKit") == 0 && o.last.message[0] && !o.last.remedy[0], "%s", o.last.message);
  imreuse_cancel(op);
  imreuse_cancel(op);
  CHECK(status_of(&w).state == IMREUSE_KIT_LOGGED_IN, "state %d", (int)status_of(&w).state);
  imreuse_keep_kit(w.engine, USER, USER_TOKEN, outcome_done, &o);
  CHECK(run_simple(&w, imreuse_logout_kit) == IMREUSE_OK, "logout");
  CHECK(outcome_code(&o, 2) == IMREUSE_ERR_INTERRUPTED, "%d", o.last.code);
  world_end(&w);
}

void test_operations(void) {
  test_each_completes();
  test_order();
  test_no_callback();
  test_failure();
  test_cancel();
}
