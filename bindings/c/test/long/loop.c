#include "loop.h"

static void on_init(void *user, const char *app_key, imreuse_request *r) {
  (void)user, (void)app_key;
  imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_login(void *user, const char *app_key, const char *accid, const char *token, imreuse_request *r) {
  (void)user, (void)app_key, (void)accid, (void)token;
  imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_logout(void *user, imreuse_request *r) {
  (void)user;
  imreuse_request_done(r, IMREUSE_OK, NULL);
}
static void on_cancel(void *user, imreuse_request *r) { (void)user, (void)r; }
static void on_token(void *user, const char *id, const char *refused, imreuse_request *r) {
  (void)user, (void)id, (void)refused;
  imreuse_request_token(r, USER_TOKEN);
}

void loop_open(loop *l, void (*step)(loop *, int)) {
  imreuse_im_client c = {0};
  c.struct_size = sizeof c;
  c.init = on_init;
  c.login = on_login;
  c.logout = on_logout;
  c.cancel = on_cancel;
  memset(l, 0, sizeof *l);
  l->step = step;
  outcome_init(&l->over);
  world_prepare_host(&l->w, &c);
  l->w.options.kit_token = on_token;
  world_open(&l->w);
  CHECK(run_simple(&l->w, imreuse_init_im) == IMREUSE_OK, "init");
}

void loop_next(void *user, const imreuse_error *e) {
  loop *l = user;
  if (l->i < l->end) {
    l->step(l, l->i++);
  } else {
    outcome_done(&l->over, e);
  }
}

void loop_run(loop *l, int operations) {
  int calls = outcome_calls(&l->over) + 1;
  l->i = 0;
  l->end = operations;
  loop_next(l, NULL);
  outcome_wait(&l->over, calls);
}

void loop_close(loop *l) { world_end(&l->w); }
