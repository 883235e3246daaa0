/* Many operations of every kind leave nothing behind: no handle, no goroutine, no memory. The argument is how many. It links a
 * library that was built with "-tags counts". */
#include "loop.h"

#include <unistd.h>

int imreuse_test_handles(void);
int imreuse_test_goroutines(void);

enum { PER_ENGINE = 1000, KILOBYTES = 4 << 10 }; /* what RSS may grow by, once it is warm */

static long rss(void) {
  long pages = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  CHECK(f != NULL && fscanf(f, "%ld %ld", &pages, &resident) == 2, "no statm");
  fclose(f);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void ignore(void *user, const imreuse_status *s) { (void)user, (void)s; }

/* The operations that a loop runs through, in this order. */
static void step(loop *l, int i) {
  imreuse_engine *e = l->w.engine;
  switch (i % 10) {
    case 0: imreuse_login_kit(e, USER, USER_TOKEN, loop_next, l); return;
    case 1: imreuse_renew_kit(e, USER, NULL, loop_next, l); return; /* asks the token source */
    case 2: imreuse_cancel(imreuse_keep_kit(e, USER, USER_TOKEN, loop_next, l)); return;
    case 3: imreuse_logout_kit(e, loop_next, l); return;
    case 4: imreuse_login_im(e, ACCID, IM_TOKEN, loop_next, l); return;
    case 5: imreuse_watch_stop(imreuse_watch_start(e, ignore, NULL)); imreuse_login_kit(e, USER, NULL, loop_next, l); return;
    case 6: imreuse_login_kit(e, "nobody", "nothing", loop_next, l); return; /* fails */
    case 7: imreuse_logout_im(e, loop_next, l); return;
    case 8: imreuse_cancel(imreuse_login_im(e, ACCID, IM_TOKEN, loop_next, l)); return;
    default: imreuse_watch_start(e, ignore, NULL); imreuse_logout_im(e, loop_next, l); return; /* the watch ends with the engine */
  }
}

static void round_of(int operations) {
  loop l;
  loop_open(&l, step);
  loop_run(&l, operations);
  loop_close(&l);
}

int main(int argc, char **argv) {
  long operations = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
  round_of(PER_ENGINE);
  int handles = imreuse_test_handles(), goroutines = imreuse_test_goroutines();
  CHECK(handles == 0, "%d handles after one engine", handles);
  long warm = 0;
  for (long done = 0; done < operations; done += PER_ENGINE) {
    round_of(PER_ENGINE);
    CHECK(imreuse_test_handles() == 0, "%d handles after %ld operations", imreuse_test_handles(), done);
    if (warm == 0 && done >= operations / 5) warm = rss();
  }
  WAIT_FOR(imreuse_test_goroutines() <= goroutines);
  long grown = rss() - warm;
  printf("%ld operations: no handle, %d goroutines, RSS %ld KiB, %+ld KiB since the first fifth\n", operations, imreuse_test_goroutines(), warm + grown, grown);
  CHECK(grown < KILOBYTES, "RSS has grown by %ld KiB", grown);
  return 0;
}
