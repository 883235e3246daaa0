/* The host's process stays the host's: its signal handlers, and its child processes. */
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int signals;
static void on_signal(int number) {
  (void)number;
  atomic_fetch_add(&signals, 1);
}

static sigjmp_buf back;
static void on_fault(int number) {
  (void)number;
  siglongjmp(back, 1);
}

static struct sigaction handle(int number, void (*f)(int)) {
  struct sigaction a = {0}, before;
  a.sa_handler = f;
  a.sa_flags = SA_ONSTACK | SA_RESTART;
  CHECK(sigaction(number, &a, &before) == 0, "no handler");
  return before;
}

/* The kernel hands a signal of the process to any thread, even to a thread of the library. */
static void test_signals(void) {
  world w;
  world_make(&w);
  struct sigaction before = handle(SIGUSR1, on_signal);
  CHECK(before.sa_handler == SIG_DFL, "the library handles SIGUSR1");
  for (int i = 0; i < 200; i++) {
    int seen = atomic_load(&signals);
    imreuse_login_kit(w.engine, USER, USER_TOKEN, NULL, NULL);
    kill(getpid(), SIGUSR1);
    CHECK(run_simple(&w, imreuse_logout_kit) == IMREUSE_OK, "logout");
    WAIT_FOR(atomic_load(&signals) > seen);
  }
  sigaction(SIGUSR1, &before, NULL);

  before = handle(SIGSEGV, on_fault); /* a fault in the host's code is the host's */
  volatile bool faulted = false;
  if (sigsetjmp(back, 1) == 0) {
    raise(SIGSEGV);
  } else {
    faulted = true;
  }
  sigaction(SIGSEGV, &before, NULL);
  CHECK(faulted, "the host's handler was not called");
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  world_end(&w);
}

/* fork and exec, which is all that a child may do. */
static void test_fork(void) {
  world w;
  world_make(&w);
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  for (int i = 0; i < 5; i++) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
      execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
      _exit(1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %d", status);
  }
  CHECK(run_simple(&w, imreuse_logout_kit) == IMREUSE_OK, "logout");
  world_end(&w);
}

void test_process(void) {
  test_signals();
  test_fork();
}
