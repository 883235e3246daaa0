package io.github.imreuse;

import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** Runs the host's code, and catches what it throws. */
final class Dispatcher {
  // The library calls back while it holds the lock that makes the callbacks of an
  // engine come one at a time. Code of the host's that may take long, or wait for
  // another callback, therefore runs on a thread of this pool. A pool without
  // bounds, because each task may wait for another one.
  private static final ThreadPoolExecutor POOL =
      new ThreadPoolExecutor(
          0, Integer.MAX_VALUE, 10, TimeUnit.SECONDS, new SynchronousQueue<>(), new Threads());

  private static final ThreadLocal<Boolean> INSIDE = new ThreadLocal<>(); // null means no

  private static final Consumer<Throwable> PRINT =
      t -> {
        System.err.println("imreuse: a callback of the host failed");
        t.printStackTrace();
      };
  private static volatile Consumer<Throwable> handler = PRINT;

  private Dispatcher() {}

  private static final class Threads implements ThreadFactory {
    private final AtomicInteger last = new AtomicInteger();

    @Override
    public Thread newThread(Runnable r) {
      Thread t = new Thread(r, "imreuse-callback-" + last.incrementAndGet());
      t.setDaemon(true);
      return t;
    }
  }

  /** Runs the host's code on another thread, or on this one if there can be no other. */
  static void execute(Runnable code) {
    try {
      POOL.execute(() -> call(code));
    } catch (OutOfMemoryError e) { // the system has no more threads
      call(code);
    }
  }

  /** Runs the host's code. It throws nothing. */
  static void call(Runnable code) {
    Boolean outer = INSIDE.get();
    INSIDE.set(true);
    try {
      code.run();
    } catch (Throwable t) {
      report(t);
    } finally {
      INSIDE.set(outer);
    }
  }

  /** Returns whether this thread is running a callback. */
  static boolean inCallback() {
    return INSIDE.get() != null;
  }

  static void setHandler(Consumer<Throwable> h) {
    handler = h == null ? PRINT : h;
  }

  /** Hands over what the host's code threw. */
  static void report(Throwable thrown) {
    try {
      handler.accept(thrown);
    } catch (Throwable t) {
      print(t, thrown);
    }
  }

  private static void print(Throwable t, Throwable suppressed) {
    try {
      if (t != suppressed) {
        t.addSuppressed(suppressed);
      }
      PRINT.accept(t);
    } catch (Throwable ignored) {
      // System.err throws as well, so there is no way left to say it.
    }
  }
}
