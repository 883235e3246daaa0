/* Rules 6 and 7: close from within each kind of callback, and from ten threads at
 * once. Nothing of the engine is called after it has completed. */
#include "check.h"

enum kind { DONE, CHANGED, LOG, INIT, LOGIN, LOGOUT, CANCEL, TOKEN, CLOSE_DONE, KINDS };

typedef struct {
  world w;
  enum kind closes; /* the kind of callback that closes the engine */
  atomic_bool closing, closed;
  atomic_bool asked; /* the client was asked to log in */
  outcome outcome, operations;
} scene;

static void on_closed(void *user, const imreuse_error *e) {
  scene *s = user;
  atomic_store(&s->closed, true);
  imreuse_close(s->w.engine, NULL, NULL);
  outcome_done(&s->outcome, e); /* the last use of s, which lives on the stack of the test */
}

static void enter(scene *s, enum kind k) {
  CHECK(!atomic_load(&s->closed), "a callback of kind %d after close, which was called in kind %d", (int)k, (int)s->closes);
  if (k == s->closes && !atomic_exchange(&s->closing, true)) imreuse_close(s->w.engine, on_closed, s);
}

static void on_done(void *user, const imreuse_error *e) {
  scene *s = user;
  enter(s, DONE);
  outcome_done(&s->operations, e);
}
static void on_changed(void *user, const imreuse_status *status) {
  if (status->seq > 0) enter(user, CHANGED);
}
static void on_log(void *user, int level, const char *line) {
  (void)level, (void)line;
  enter(user, LOG);
}
static void on_init(void *user, const char *app_key, imreuse_request *r) {
  (void)app_key;
  enter(user, INIT);
  imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_login(void *user, const char *app_key, const char *accid, const char *token, imreuse_request *r) {
  scene *s = user;
  (void)app_key, (void)accid, (void)token;
  enter(s, LOGIN);
  atomic_store(&s->asked, true);
  if (s->closes != CANCEL) imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_logout(void *user, imreuse_request *r) {
  enter(user, LOGOUT);
  imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_cancel(void *user, imreuse_request *r) {
  (void)r;
  enter(user, CANCEL);
}
static void on_token(void *user, const char *id, const char *refused, imreuse_request *r) {
  (void)id, (void)refused;
  enter(user, TOKEN);
  imreuse_request_token(r, USER_TOKEN);
}

static void scene_open(scene *s, enum kind closes) {
  imreuse_im_client c = {0};
  c.struct_size = sizeof c;
  c.user = s;
  c.init = on_init;
  c.login = on_login;
  c.logout = on_logout;
  c.cancel = on_cancel;
  memset(s, 0, sizeof *s);
  s->closes = closes;
  outcome_init(&s->outcome);
  outcome_init(&s->operations);
  world_prepare_host(&s->w, &c);
  s->w.options.user = s;
  s->w.options.log = on_log;
  s->w.options.kit_token = on_token;
  world_open(&s->w);
}

static void test_from(enum kind closes) {
  scene s;
  scene_open(&s, closes);
  imreuse_watch_start(s.w.engine, on_changed, &s);
  if (closes == CLOSE_DONE) imreuse_close(s.w.engine, on_closed, &s);
  imreuse_op *op = imreuse_login_kit(s.w.engine, USER, NULL, on_done, &s);
  if (closes == LOGOUT) {
    outcome_wait(&s.operations, 1);
    imreuse_logout_kit(s.w.engine, on_done, &s);
  }
  if (closes == CANCEL) {
    WAIT_FOR(atomic_load(&s.asked));
    imreuse_cancel(op);
  }
  outcome_wait(&s.outcome, 1);
  CHECK(s.outcome.last.code == IMREUSE_OK, "%s", s.outcome.last.message);
  imreuse_close(s.w.engine, NULL, NULL);
  imreuse_im_release(s.w.im);
  imreuse_kit_release(s.w.kit);
  imreuse_mock_release(s.w.mock);
}

typedef struct {
  imreuse_engine *engine;
  outcome *outcome;
} closer;

static void *close_it(void *user) {
  closer *c = user;
  imreuse_close(c->engine, outcome_done, c->outcome);
  return NULL;
}

static void test_ten_at_once(void) {
  for (int round = 0; round < 50; round++) {
    scene s;
    pthread_t threads[10];
    outcome o;
    outcome_init(&o);
    scene_open(&s, KINDS);
    closer c = {s.w.engine, &o};
    imreuse_watch_start(s.w.engine, on_changed, &s);
    imreuse_login_kit(s.w.engine, USER, USER_TOKEN, on_done, &s);
    for (int i = 0; i < 10; i++) CHECK(pthread_create(&threads[i], NULL, close_it, &c) == 0, "no thread");
    for (int i = 0; i < 10; i++) pthread_join(threads[i], NULL);
    outcome_wait(&o, 10);
    outcome_wait(&s.operations, 1);
    atomic_store(&s.closed, true);
    world_end(&s.w);
  }
}

void test_close(void) {
  for (enum kind k = DONE; k < KINDS; k++) test_from(k);
  test_ten_at_once();
}
