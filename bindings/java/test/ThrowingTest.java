import io.github.imreuse.*;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;

/** An exception of a callback reaches the error handler, and harms nothing. */
public class ThrowingTest {
  private static final class Throwing extends Im {
    volatile String what = "";

    private void maybe(String now) {
      if (what.equals(now)) {
        what = "";
        throw new Errors.Boom(now);
      }
    }

    @Override
    public void init(String appKey, Request r) {
      maybe("init");
      super.init(appKey, r);
    }

    @Override
    public void login(String appKey, String accid, String token, Request r) {
      maybe("login");
      super.login(appKey, accid, token, r);
      maybe("login, answered");
    }

    @Override
    public void logout(Request r) {
      maybe("logout");
      super.logout(r);
    }

    @Override
    public void cancelled(Request r) {
      maybe("cancelled");
      super.cancelled(r);
    }
  }

  public void client() throws Exception {
    try (Errors errors = new Errors(); Throwing im = new Throwing(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY))) {
      im.what = "init";
      ImReuseException x = Check.fails(e.initIm(), ImReuseException.OTHER);
      Check.that(x.getMessage().contains("Boom"), "message: " + x.getMessage());
      errors.until("init");
      Check.get(e.initIm());
      im.what = "login";
      Check.fails(e.loginIm(Im.ACCID, Im.TOKEN), ImReuseException.OTHER);
      errors.until("login");
      im.what = "login, answered";
      Check.get(e.loginIm(Im.ACCID, Im.TOKEN));
      errors.until("login, answered");
      im.what = "logout";
      Check.fails(e.logoutIm(), ImReuseException.OTHER);
      errors.until("logout");
      im.hold = true;
      im.what = "cancelled";
      im.held.set(null);
      CompletableFuture<Void> f = e.loginIm(Im.ACCID, Im.TOKEN);
      Check.until(() -> im.held.get() != null, "the client is asked to log in");
      f.cancel(true);
      Check.fails(f, ImReuseException.OTHER);
      errors.until("cancelled");
      im.hold = false;
      Check.get(e.loginIm(Im.ACCID, Im.TOKEN));
      Check.equal(errors.all.size(), 5, "exceptions: " + errors.all);
    }
  }

  public void watcher() throws Exception {
    try (Errors errors = new Errors(); Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      e.watch(s -> {
        throw new Errors.Boom("watcher at " + s.via());
      });
      errors.until("watcher at ");
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      errors.until("watcher at login_kit"); // it is called again
    }
  }

  public void logger() throws Exception {
    try (Errors errors = new Errors(); Mock mock = new Mock(null);
        Engine e = new Engine(mock, new Options(Im.APP_KEY).logger((level, line) -> {
          throw new Errors.Boom("logger at " + level);
        }))) {
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      errors.until("logger at 0");
      Check.fails(e.loginKit("another", Im.USER_TOKEN), ImReuseException.KIT_IN_USE);
      errors.until("logger at 4");
    }
  }

  public void tokenSource() throws Exception {
    try (Errors errors = new Errors(); Mock mock = new Mock(null);
        Engine e = new Engine(mock, new Options(Im.APP_KEY).kitToken((id, refused) -> {
          throw new Errors.Boom("kitToken");
        }).imToken((id, refused) -> null))) {
      ImReuseException x = Check.fails(e.loginKit(Im.USER, null), ImReuseException.OTHER);
      Check.equal(x.call(), "KitToken", "call");
      Check.that(!x.getMessage().contains("kitToken"), "the exception's own text, which could be a token: " + x.getMessage());
      errors.until("kitToken");
      Check.get(e.initIm());
      x = Check.fails(e.loginIm(Im.ACCID, null), ImReuseException.OTHER);
      Check.equal(x.call(), "IMToken", "call");
      Check.until(() -> errors.all.stream().anyMatch(t -> t instanceof NullPointerException), "the NullPointerException");
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
    }
  }

  public void completion() throws Exception {
    try (Errors errors = new Errors(); Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      CompletableFuture<Void> dependent = e.loginKit(Im.USER, Im.USER_TOKEN).thenRun(() -> {
        throw new Errors.Boom("completion");
      });
      try {
        Check.get(dependent);
        Check.that(false, "the dependent future succeeded");
      } catch (ExecutionException x) {
        Check.equal(x.getCause().getMessage(), "completion", "cause");
      }
      Check.equal(errors.all.size(), 0, "exceptions that the handler got");
      Check.get(e.logoutKit());
    }
  }

  /** On threads that Go made, the JVM depends on Go to forward its signals. */
  public void exceptionsOfTheVirtualMachine() throws Exception {
    try (Errors errors = new Errors(); Mock mock = new Mock(null);
        Engine e = new Engine(mock, new Options(Im.APP_KEY).logger((level, line) -> {
          int caught = 0;
          for (int i = 0; i < 20_000; i++) { // until it is compiled, and the check for null is a page fault
            caught += nullPointer(null);
          }
          Check.equal(caught, 20_000, "exceptions");
          endless(0);
        }))) {
      Check.get(e.initIm());
      Check.until(() -> errors.all.stream().anyMatch(t -> t instanceof StackOverflowError), "the StackOverflowError");
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
    }
  }

  private static int nullPointer(String s) {
    try {
      return s.length();
    } catch (NullPointerException e) {
      return 1;
    }
  }

  private static int endless(int n) {
    return endless(n + 1) + 1;
  }

  public void handlerThatThrows() throws Exception {
    PrintStream err = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setErr(new PrintStream(printed, true));
    CountDownLatch called = new CountDownLatch(1);
    Engine.errorHandler(t -> {
      called.countDown();
      throw new Errors.Boom("handler");
    });
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      AutoCloseable watch = e.watch(s -> {
        throw new Errors.Boom("watcher");
      });
      Check.await(called, "the handler is called");
      watch.close();
      Check.until(() -> printed.toString().contains("handler") && printed.toString().contains("watcher"),
          "both are printed");
      Check.get(e.initIm());
    } finally {
      Engine.errorHandler(null);
      System.setErr(err);
    }
  }

  public void nowhereToPrint() throws Exception {
    PrintStream err = System.err;
    System.setErr(new PrintStream(new ByteArrayOutputStream()) {
      @Override
      public void println(Object o) {
        throw new Errors.Boom("System.err");
      }

      @Override
      public void println(String s) {
        throw new Errors.Boom("System.err");
      }
    });
    AtomicInteger watched = new AtomicInteger();
    try (Mock mock = new Mock(null);
        Engine e = new Engine(mock, new Options(Im.APP_KEY).logger((level, line) -> {
          throw new Errors.Boom("logger");
        }))) {
      e.watch(s -> {
        watched.incrementAndGet();
        throw new Errors.Boom("watcher");
      });
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      Check.until(() -> watched.get() == 4, "the watcher is called again; calls: " + watched);
    } finally {
      System.setErr(err);
    }
  }

  public void defaultHandlerPrints() throws Exception {
    PrintStream err = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setErr(new PrintStream(printed, true));
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      e.watch(s -> {
        throw new Errors.Boom("to be printed");
      });
      Check.until(() -> printed.toString().contains("to be printed"), "the exception is printed");
      Check.get(e.initIm());
    } finally {
      System.setErr(err);
    }
  }
}
