/* Rule 4: the present status first, then each change in order; a slow watcher
 * sees the gap. */
#include "check.h"

#include <sched.h>

enum { KEPT = 32 };

typedef struct {
  pthread_mutex_t mutex;
  int calls;
  imreuse_status seen[KEPT]; /* the first ones */
  imreuse_status last;
  atomic_bool hold; /* the watcher does not return */
  imreuse_watch *stop; /* is stopped from within */
} record;

static void record_init(record *r) {
  memset(r, 0, sizeof *r);
  pthread_mutex_init(&r->mutex, NULL);
}

static void on_change(void *user, const imreuse_status *s) {
  record *r = user;
  pthread_mutex_lock(&r->mutex);
  if (r->calls < KEPT) r->seen[r->calls] = *s;
  r->calls++;
  r->last = *s;
  imreuse_watch *stop = r->stop;
  pthread_mutex_unlock(&r->mutex);
  imreuse_watch_stop(stop);
  while (atomic_load(&r->hold)) nap();
}

static int record_calls(record *r) {
  pthread_mutex_lock(&r->mutex);
  int calls = r->calls;
  pthread_mutex_unlock(&r->mutex);
  return calls;
}

static void test_order(void) {
  world w;
  record r;
  world_make(&w);
  record_init(&r);
  imreuse_watch *watch = imreuse_watch_start(w.engine, on_change, &r);
  CHECK(watch != NULL, "no watch");
  imreuse_init_im(w.engine, NULL, NULL);
  imreuse_login_im(w.engine, ACCID, IM_TOKEN, NULL, NULL);
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  imreuse_mock_kick(w.mock, ACCID, IMREUSE_KICKED_BY_OTHER);
  WAIT_FOR(record_calls(&r) == 5);
  const char *via[] = {"", "init_im", "login_im", "login_kit", "im_lost"};
  const imreuse_state states[] = {IMREUSE_UNINITIALIZED, IMREUSE_IM_INITIALIZED, IMREUSE_IM_LOGGED_IN, IMREUSE_KIT_LOGGED_IN, IMREUSE_IM_INITIALIZED};
  for (int i = 0; i < 5; i++) {
    CHECK(r.seen[i].seq == (uint64_t)i && r.seen[i].state == states[i] && strcmp(r.seen[i].via, via[i]) == 0, "change %d is %d, state %d via %s", i,
          (int)r.seen[i].seq, (int)r.seen[i].state, r.seen[i].via);
  }
  CHECK(r.seen[4].cause.code == IMREUSE_ERR_KICKED && r.seen[3].cause.code == IMREUSE_OK, "cause %d", r.seen[4].cause.code);

  record second; /* starts with the status of now */
  record_init(&second);
  imreuse_watch_start(w.engine, on_change, &second);
  WAIT_FOR(record_calls(&second) == 1);
  CHECK(second.seen[0].seq == 4, "starts at %d", (int)second.seen[0].seq);
  world_end(&w); /* ends the watches, after the last change */
  CHECK(record_calls(&r) == 6 && strcmp(r.last.via, "close") == 0, "%d calls, the last via %s", record_calls(&r), r.last.via);
  imreuse_watch_stop(watch);
}

static void test_slow(void) {
  world w;
  record r;
  world_make(&w);
  record_init(&r);
  atomic_store(&r.hold, true);
  imreuse_watch_start(w.engine, on_change, &r);
  WAIT_FOR(record_calls(&r) == 1);
  imreuse_init_im(w.engine, NULL, NULL);
  for (uint64_t seq = 1; seq < 200;) { /* the engine does not wait for the watcher */
    imreuse_login_kit(w.engine, USER, USER_TOKEN, NULL, NULL);
    WAIT_FOR(status_of(&w).state == IMREUSE_KIT_LOGGED_IN);
    imreuse_logout_kit(w.engine, NULL, NULL);
    WAIT_FOR(status_of(&w).state == IMREUSE_IM_INITIALIZED);
    seq = status_of(&w).seq;
  }
  uint64_t last = status_of(&w).seq;
  atomic_store(&r.hold, false);
  WAIT_FOR(record_calls(&r) > 1);
  pthread_mutex_lock(&r.mutex);
  CHECK(r.seen[0].seq == 0 && r.seen[1].seq > 1, "no gap: %d, %d", (int)r.seen[0].seq, (int)r.seen[1].seq);
  pthread_mutex_unlock(&r.mutex);
  for (;;) {
    pthread_mutex_lock(&r.mutex);
    uint64_t seen = r.last.seq;
    pthread_mutex_unlock(&r.mutex);
    if (seen == last) break;
    nap();
  }
  world_end(&w);
}

static void test_stop(void) {
  world w;
  record r, from_within;
  world_make(&w);
  record_init(&r);
  record_init(&from_within);
  imreuse_watch *watch = imreuse_watch_start(w.engine, on_change, &r);
  imreuse_watch *within = imreuse_watch_start(w.engine, on_change, &from_within);
  CHECK(run_simple(&w, imreuse_init_im) == IMREUSE_OK, "init");
  WAIT_FOR(record_calls(&r) == 2 && record_calls(&from_within) == 2);
  imreuse_watch_stop(watch);
  imreuse_watch_stop(watch);
  imreuse_watch_stop(NULL);
  pthread_mutex_lock(&from_within.mutex);
  from_within.stop = within;
  pthread_mutex_unlock(&from_within.mutex);
  CHECK(run_login(&w, imreuse_login_im, ACCID, IM_TOKEN) == IMREUSE_OK, "login");
  WAIT_FOR(record_calls(&from_within) == 3);
  CHECK(run_simple(&w, imreuse_logout_im) == IMREUSE_OK, "logout");
  world_end(&w);
  CHECK(record_calls(&r) == 2 && record_calls(&from_within) == 3, "%d and %d calls after the stop", record_calls(&r), record_calls(&from_within));
}

/* A view is what a watcher uses, and what the host frees. */
typedef struct {
  atomic_bool inside, hold; /* hold: the watcher does not return */
  uint64_t seq;
} view;

/* An ending frees a view in a callback of the engine. */
typedef struct {
  world *world;
  view *view;
  imreuse_watch *stop; /* is stopped first; NULL: it was stopped before */
  outcome outcome;
} ending;

static void on_view(void *user, const imreuse_status *s) {
  view *v = user;
  atomic_store(&v->inside, true);
  while (atomic_load(&v->hold)) nap();
  v->seq = s->seq;
  atomic_store(&v->inside, false);
}

static void change(world *w) { imreuse_im_link(w->im, !status_of(w).online); }

static void on_end(void *user, const imreuse_error *e) {
  ending *end = user;
  change(end->world);
  for (int i = 0; i < 50; i++) sched_yield(); /* lets the watcher come as far as it gets */
  imreuse_watch_stop(end->stop);
  CHECK(!atomic_load(&end->view->inside), "the watcher runs beside another callback");
  free(end->view);
  outcome_done(&end->outcome, e);
}

static void end_watch(world *w, bool within, bool held) {
  ending end;
  outcome_init(&end.outcome);
  end.world = w;
  end.view = calloc(1, sizeof *end.view);
  view *v = end.view;
  atomic_store(&v->hold, held);
  imreuse_watch *watch = imreuse_watch_start(w->engine, on_view, v);
  if (held) WAIT_FOR(atomic_load(&v->inside));
  if (!within) imreuse_watch_stop(watch); /* does not wait for the watcher */
  end.stop = within ? watch : NULL;
  imreuse_logout_kit(w->engine, on_end, &end);
  if (held) { /* the second operation shows that the first is over, but for its done */
    imreuse_logout_im(w->engine, NULL, NULL);
    WAIT_FOR(status_of(w).state == IMREUSE_IM_INITIALIZED);
    atomic_store(&v->hold, false);
  }
  outcome_wait(&end.outcome, 1);
}

/* The header says when the host may free what its watcher uses. The address
 * sanitizer sees a watcher that comes later. */
static void test_stop_and_free(void) {
  world w;
  world_make(&w);
  CHECK(run_simple(&w, imreuse_init_im) == IMREUSE_OK, "init");
  for (int i = 0; i < 1000; i++) {
    bool held = i % 50 < 2;
    if (i % 50 <= 2) CHECK(run_login(&w, imreuse_login_im, ACCID, IM_TOKEN) == IMREUSE_OK, "login");
    end_watch(&w, i % 2, held);
  }
  world_end(&w);
}

void test_watch(void) {
  test_order();
  test_slow();
  test_stop();
  test_stop_and_free();
}
