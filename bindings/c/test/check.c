#include "check.h"

void outcome_init(outcome *o) {
  memset(o, 0, sizeof *o);
  pthread_mutex_init(&o->mutex, NULL);
  pthread_cond_init(&o->changed, NULL);
}

void outcome_done(void *user, const imreuse_error *e) {
  outcome *o = user;
  pthread_mutex_lock(&o->mutex);
  o->calls++;
  o->thread = pthread_self();
  if (e != NULL) {
    o->last = *e;
  } else {
    memset(&o->last, 0, sizeof o->last);
  }
  pthread_cond_broadcast(&o->changed);
  pthread_mutex_unlock(&o->mutex);
}

int outcome_calls(outcome *o) {
  pthread_mutex_lock(&o->mutex);
  int calls = o->calls;
  pthread_mutex_unlock(&o->mutex);
  return calls;
}

void outcome_wait(outcome *o, int calls) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += PATIENCE;
  pthread_mutex_lock(&o->mutex);
  while (o->calls < calls) {
    int e = pthread_cond_timedwait(&o->changed, &o->mutex, &end);
    CHECK(e == 0, "%d of %d completions came", o->calls, calls);
  }
  CHECK(o->calls == calls, "%d completions came, want %d", o->calls, calls);
  pthread_mutex_unlock(&o->mutex);
}

int outcome_code(outcome *o, int calls) {
  outcome_wait(o, calls);
  return o->last.code;
}

void nap(void) {
  struct timespec t = {0, 1000000};
  nanosleep(&t, NULL);
}

void world_prepare_host(world *w, const imreuse_im_client *c) {
  imreuse_error e;
  memset(w, 0, sizeof *w);
  w->mock = imreuse_mock_new(NULL, &e);
  CHECK(w->mock != NULL && e.code == IMREUSE_OK, "%s", e.message);
  w->im = c == NULL ? imreuse_mock_im(w->mock) : imreuse_im_new(c, &e);
  CHECK(w->im != NULL, "no IM");
  w->kit = imreuse_mock_kit(w->mock);
  CHECK(w->kit != NULL, "no kit");
  w->options.struct_size = sizeof w->options;
  w->options.app_key = APP_KEY;
  w->options.im = w->im;
  w->options.kit = w->kit;
}

void world_prepare(world *w) { world_prepare_host(w, NULL); }

void world_open(world *w) {
  imreuse_error e;
  w->engine = imreuse_new(&w->options, &e);
  CHECK(w->engine != NULL && e.code == IMREUSE_OK, "%s", e.message);
}

void world_make(world *w) {
  world_prepare(w);
  world_open(w);
}

void world_end(world *w) {
  outcome o;
  outcome_init(&o);
  imreuse_close(w->engine, outcome_done, &o);
  outcome_wait(&o, 1);
  imreuse_im_release(w->im);
  imreuse_kit_release(w->kit);
  imreuse_mock_release(w->mock);
}

int run_simple(world *w, simple f) {
  outcome o;
  outcome_init(&o);
  f(w->engine, outcome_done, &o);
  return outcome_code(&o, 1);
}

int run_login(world *w, login f, const char *id, const char *token) {
  outcome o;
  outcome_init(&o);
  f(w->engine, id, token, outcome_done, &o);
  return outcome_code(&o, 1);
}

imreuse_status status_of(world *w) {
  imreuse_status s;
  CHECK(imreuse_get_status(w->engine, &s), "no status");
  return s;
}
