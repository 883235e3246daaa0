/* What the tests share: a check, an outcome to wait for, and a world to test in. */
#ifndef CHECK_H
#define CHECK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "imreuse.h"

#define CHECK(condition, ...)                                        \
  do {                                                               \
    if (!(condition)) {                                              \
      fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      fprintf(stderr, __VA_ARGS__);                                  \
      fprintf(stderr, "\n");                                         \
      exit(1);                                                       \
    }                                                                \
  } while (0)

enum { PATIENCE = 60 }; /* seconds until a test gives up; only a bug takes that long */

/* An outcome is where an operation's completion goes. */
typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int calls;
  pthread_t thread; /* of the last call */
  imreuse_error last;
} outcome;

void outcome_init(outcome *);
void outcome_done(void *outcome, const imreuse_error *); /* an imreuse_done */
int outcome_calls(outcome *);
void outcome_wait(outcome *, int calls);
int outcome_code(outcome *, int calls); /* waits, and returns the code of the last call */

void nap(void); /* lets others run, between two looks at a condition */
#define WAIT_FOR(condition)                                              \
  do {                                                                   \
    time_t start_ = time(NULL);                                          \
    while (!(condition)) {                                               \
      CHECK(time(NULL) - start_ < PATIENCE, "it did not come in time");  \
      nap();                                                             \
    }                                                                    \
  } while (0)

/* A world is an engine over a mock. */
typedef struct {
  imreuse_mock *mock;
  imreuse_im *im; /* a device of the mock, or the host's */
  imreuse_kit *kit;
  imreuse_options options;
  imreuse_engine *engine;
} world;

/* The accounts of the guides. */
#define APP_KEY "app1"
#define ACCID "myaccid"
#define IM_TOKEN "myToken"
#define USER "myaccid"
#define USER_TOKEN "myUserToken"

void world_prepare(world *);                              /* all but the engine; the IM is a device of the mock */
void world_prepare_host(world *, const imreuse_im_client *); /* the same with the host's IM */
void world_open(world *);
void world_make(world *); /* both */
void world_end(world *);  /* closes the engine and releases the rest */

typedef imreuse_op *(*simple)(imreuse_engine *, imreuse_done, void *);
typedef imreuse_op *(*login)(imreuse_engine *, const char *, const char *, imreuse_done, void *);
int run_simple(world *, simple); /* runs an operation and returns its code */
int run_login(world *, login, const char *id, const char *token);

imreuse_status status_of(world *);

/* The tests, one function for each file. */
void test_operations(void);
void test_values(void);
void test_watch(void);
void test_host_im(void);
void test_tokens(void);
void test_handles(void);
void test_close(void);
void test_threads(void);

#endif
