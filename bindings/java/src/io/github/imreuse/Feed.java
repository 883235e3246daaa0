package io.github.imreuse;

import java.util.ArrayDeque;
import java.util.function.Consumer;

/**
 * The way of the changes to one watcher: in order, one at a time. A watcher that
 * is too slow loses the oldest ones and sees the gap in {@link Status#seq}.
 */
final class Feed {
  private static final int ROOM = 64;

  private final EngineCore core;
  private final Consumer<Status> watcher;
  private final ArrayDeque<Status> queue = new ArrayDeque<>();
  private boolean running; // a thread is calling the watcher
  private boolean stopped;

  Feed(EngineCore core, Consumer<Status> watcher) {
    this.core = core;
    this.watcher = watcher;
  }

  void offer(Status s) {
    synchronized (this) {
      if (stopped) {
        return;
      }
      if (queue.size() == ROOM) {
        queue.remove();
      }
      queue.add(s);
      if (running) {
        return;
      }
      running = true;
    }
    core.dispatch(this::run);
  }

  private void run() {
    for (Status s = next(); s != null; s = next()) {
      Status now = s;
      Dispatcher.call(() -> watcher.accept(now));
    }
  }

  private synchronized Status next() {
    Status s = queue.poll();
    running = s != null;
    return s;
  }

  synchronized void stop() {
    stopped = true;
    queue.clear();
  }
}
