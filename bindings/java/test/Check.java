import io.github.imreuse.ImReuseException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;

/** Runs the tests of the classes that are named: each public method without parameters. */
public final class Check {
  /** The longest that a test waits for something that has to happen. */
  static final int SECONDS = 60;

  /** A test that takes longer counts as stuck. */
  private static final int STUCK_SECONDS = 300;

  private Check() {}

  public static void main(String[] classes) throws Exception {
    int passed = 0;
    int failed = 0;
    for (String name : classes) {
      for (Method test : Class.forName(name).getDeclaredMethods()) {
        if (!java.lang.reflect.Modifier.isPublic(test.getModifiers()) || test.getParameterCount() > 0) {
          continue;
        }
        String title = name + "." + test.getName();
        try {
          Object instance = Class.forName(name).getDeclaredConstructor().newInstance();
          Thread watchdog = watch(title);
          try {
            test.invoke(instance);
          } finally {
            watchdog.interrupt();
          }
          passed++;
          System.out.println("ok " + title);
        } catch (InvocationTargetException e) {
          failed++;
          System.out.println("FAIL " + title);
          e.getCause().printStackTrace(System.out);
        }
      }
    }
    System.out.println(passed + " passed, " + failed + " failed");
    // Threads that a failed test left behind must not keep the VM.
    System.exit(failed == 0 && passed > 0 ? 0 : 1);
  }

  private static Thread watch(String title) {
    Thread t = new Thread(() -> {
      try {
        Thread.sleep(TimeUnit.SECONDS.toMillis(STUCK_SECONDS));
      } catch (InterruptedException e) {
        return;
      }
      System.out.println("FAIL " + title + ": not over within " + STUCK_SECONDS + " s");
      dump();
      Runtime.getRuntime().halt(1);
    });
    t.setDaemon(true);
    t.start();
    return t;
  }

  static void that(boolean ok, String what) {
    if (!ok) {
      throw new AssertionError(what);
    }
  }

  static void equal(Object got, Object want, String what) {
    that(got == null ? want == null : got.equals(want), what + ": got " + got + ", want " + want);
  }

  /** Waits until a condition holds. */
  static void until(BooleanSupplier condition, String what) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        dump();
        throw new AssertionError("not within " + SECONDS + " s: " + what);
      }
      Thread.sleep(1); // between two looks
    }
  }

  static void await(CountDownLatch latch, String what) {
    try {
      if (latch.await(SECONDS, TimeUnit.SECONDS)) {
        return;
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    dump();
    throw new AssertionError("not within " + SECONDS + " s: " + what);
  }

  /** Waits for a future that has to succeed. */
  static <T> T get(CompletableFuture<T> f) throws Exception {
    try {
      return f.get(SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      dump();
      throw e;
    }
  }

  /** Waits for a future that has to fail with a code. */
  static ImReuseException fails(CompletableFuture<?> f, int code) throws Exception {
    try {
      get(f);
    } catch (ExecutionException e) {
      ImReuseException x = (ImReuseException) e.getCause();
      equal(x.code(), code, "code of: " + x.getMessage());
      return x;
    }
    throw new AssertionError("it succeeded; want code " + code);
  }

  /** Something that may throw. */
  interface Body {
    void run() throws Exception;
  }

  static ImReuseException throwsCode(Body body, int code) throws Exception {
    try {
      body.run();
    } catch (ImReuseException e) {
      equal(e.code(), code, "code of: " + e.getMessage());
      return e;
    }
    throw new AssertionError("nothing was thrown; want code " + code);
  }

  private static void dump() {
    for (Map.Entry<Thread, StackTraceElement[]> t : Thread.getAllStackTraces().entrySet()) {
      System.out.println(t.getKey());
      for (StackTraceElement e : t.getValue()) {
        System.out.println("    " + e);
      }
    }
  }
}
