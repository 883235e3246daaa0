/* Benchmarks, in the form of Go's. */
#include "loop.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void report(const char *name, int n, double ns) { printf("Benchmark%-28s %10d %12.1f ns/op\n", name, n, ns / n); }

static void cycle(loop *l, int i) {
  if (i % 2 == 0) {
    imreuse_login_kit(l->w.engine, USER, USER_TOKEN, loop_next, l);
  } else {
    imreuse_logout_kit(l->w.engine, loop_next, l);
  }
}

static void bench_cycle(void) {
  enum { N = 40000 };
  loop l;
  loop_open(&l, cycle);
  loop_run(&l, 2000); /* warm */
  double start = now();
  loop_run(&l, 2 * N);
  report("LoginLogoutCycle", N, now() - start);
  loop_close(&l);
}

static void bench_status(void) {
  enum { N = 4000000 };
  world w;
  imreuse_status s;
  world_make(&w);
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  double start = now();
  for (int i = 0; i < N; i++) imreuse_get_status(w.engine, &s);
  report("Status", N, now() - start);
  CHECK(s.state == IMREUSE_KIT_LOGGED_IN, "state %d", (int)s.state);
  world_end(&w);
}

int main(void) {
  bench_cycle();
  bench_status();
  return 0;
}
