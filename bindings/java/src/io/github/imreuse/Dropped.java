package io.github.imreuse;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Cleans up after objects that nobody closed and nobody refers to. */
final class Dropped extends PhantomReference<Object> {
  private static final ReferenceQueue<Object> QUEUE = new ReferenceQueue<>();
  private static final Set<Dropped> WAITING = ConcurrentHashMap.newKeySet();

  static {
    Thread t = new Thread(Dropped::run, "imreuse-cleaner");
    t.setDaemon(true);
    t.start();
  }

  private final Runnable clean;

  private Dropped(Object o, Runnable clean) {
    super(o, QUEUE);
    this.clean = clean;
  }

  /** Calls clean once o is unreachable. So clean must not refer to o. */
  static void watch(Object o, Runnable clean) {
    WAITING.add(new Dropped(o, clean));
  }

  private static void run() {
    for (; ; ) {
      try {
        Dropped d = (Dropped) QUEUE.remove();
        WAITING.remove(d);
        Dispatcher.call(d.clean);
      } catch (InterruptedException e) {
        return; // nobody interrupts this thread
      }
    }
  }
}
