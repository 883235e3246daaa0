/* A loop runs operations one after the other: each callback starts the next one, as an app would. */
#ifndef LOOP_H
#define LOOP_H

#include "../check.h"

typedef struct loop loop;
struct loop {
  world w;
  void (*step)(loop *, int i); /* starts operation i, with loop_next as its callback */
  int i, end;
  outcome over;
};

void loop_open(loop *, void (*step)(loop *, int)); /* an engine over a client of the host's that answers at once */
void loop_next(void *loop, const imreuse_error *); /* an imreuse_done */
void loop_run(loop *, int operations);
void loop_close(loop *);

#endif
