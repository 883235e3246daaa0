import io.github.imreuse.*;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** An engine may be closed from anywhere, and calls nothing afterwards. */
public class CloseTest {
  private final AtomicReference<Engine> engine = new AtomicReference<>();
  private final CountDownLatch closed = new CountDownLatch(1);

  private void closeIt() {
    if (closed.getCount() > 0) {
      Check.await(made, "the engine is there");
      engine.get().close();
      closed.countDown();
    }
  }

  private final CountDownLatch made = new CountDownLatch(1);

  private Engine make(HostIm im, Mock mock, Options o) throws ImReuseException {
    engine.set(im == null ? new Engine(mock, o) : new Engine(im, mock, o));
    made.countDown();
    return engine.get();
  }

  private void ended() throws Exception {
    Check.await(closed, "the callback closes the engine");
    Check.get(engine.get().closeAsync());
    Check.fails(engine.get().initIm(), ImReuseException.CLOSED);
  }

  public void fromAWatcher() throws Exception {
    try (Mock mock = new Mock(null)) {
      make(null, mock, new Options(Im.APP_KEY)).watch(s -> closeIt());
      ended();
    }
  }

  public void fromACompletion() throws Exception {
    try (Mock mock = new Mock(null)) {
      make(null, mock, new Options(Im.APP_KEY)).initIm().thenRun(this::closeIt);
      ended();
    }
  }

  public void fromTheLogger() throws Exception {
    try (Mock mock = new Mock(null)) {
      make(null, mock, new Options(Im.APP_KEY).logger((level, line) -> closeIt())).initIm();
      ended();
    }
  }

  public void fromATokenSource() throws Exception {
    try (Mock mock = new Mock(null)) {
      CompletableFuture<Void> login = make(null, mock, new Options(Im.APP_KEY).kitToken((id, refused) -> {
        closeIt();
        return new CompletableFuture<>(); // never completes
      })).loginKit(Im.USER, null);
      ended();
      Check.fails(login, ImReuseException.INTERRUPTED);
    }
  }

  private class Closing extends Im {
    final String when;

    Closing(String when) {
      this.when = when;
    }

    private void on(String now) {
      if (now.equals(when)) {
        closeIt();
      }
    }

    @Override
    public void init(String appKey, Request r) {
      on("init");
      super.init(appKey, r);
    }

    @Override
    public void login(String appKey, String accid, String token, Request r) {
      on("login");
      super.login(appKey, accid, token, r);
    }

    @Override
    public void logout(Request r) {
      on("logout");
      super.logout(r);
    }

    @Override
    public void cancelled(Request r) {
      on("cancelled");
      super.cancelled(r);
    }
  }

  private void fromTheClient(String when) throws Exception {
    try (Closing im = new Closing(when); Mock mock = new Mock(null)) {
      Engine e = make(im.host, mock, new Options(Im.APP_KEY));
      im.hold = when.equals("cancelled");
      e.initIm();
      CompletableFuture<Void> login = e.loginIm(Im.ACCID, Im.TOKEN);
      if (im.hold) {
        Check.until(() -> im.held.get() != null, "the client is asked to log in");
        login.cancel(true);
      }
      if (when.equals("logout")) {
        Check.get(login); // a logout ends a login that has not reached the client
        e.logoutIm();
      }
      ended();
    }
  }

  public void fromInit() throws Exception {
    fromTheClient("init");
  }

  public void fromLogin() throws Exception {
    fromTheClient("login");
  }

  public void fromLogout() throws Exception {
    fromTheClient("logout");
  }

  public void fromCancelled() throws Exception {
    fromTheClient("cancelled");
  }

  public void fromTheErrorHandler() throws Exception {
    try (Mock mock = new Mock(null)) {
      Engine.errorHandler(t -> closeIt());
      make(null, mock, new Options(Im.APP_KEY)).watch(s -> {
        throw new Errors.Boom("watcher");
      });
      ended();
    } finally {
      Engine.errorHandler(null);
    }
  }

  public void fromTenThreads() throws Exception {
    for (int round = 0; round < 50; round++) {
      try (Im im = new Im(); Mock mock = new Mock(null)) {
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY));
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger late = new AtomicInteger();
        e.watch(s -> {
          if (over.get()) {
            late.incrementAndGet();
          }
        });
        List<CompletableFuture<Void>> operations = new ArrayList<>();
        operations.add(e.initIm());
        operations.add(e.loginKit(Im.USER, Im.USER_TOKEN));
        for (CompletableFuture<Void> f : operations) {
          f.whenComplete((v, x) -> {
            if (over.get()) {
              late.incrementAndGet();
            }
          });
        }
        CountDownLatch start = new CountDownLatch(1);
        AtomicInteger returned = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
          Thread t = new Thread(() -> {
            Check.await(start, "start");
            e.close();
            for (CompletableFuture<Void> f : operations) {
              Check.that(f.isDone(), "operations are over when close returns");
            }
            returned.incrementAndGet();
          });
          t.start();
          threads.add(t);
        }
        start.countDown();
        Check.until(() -> returned.get() == 10, "close returns in ten threads");
        over.set(true);
        for (Thread t : threads) {
          t.join();
        }
        Check.fails(e.loginKit(Im.USER, Im.USER_TOKEN), ImReuseException.CLOSED);
        Check.equal(late.get(), 0, "callbacks after close");
      }
    }
  }

  public void closeEndsALoginInProgress() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null)) {
      Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY));
      im.hold = true;
      Check.get(e.initIm());
      CompletableFuture<Void> login = e.loginIm(Im.ACCID, Im.TOKEN);
      Check.until(() -> im.held.get() != null, "the client is asked to log in");
      e.close();
      Check.that(login.isDone(), "the login is over");
      Check.fails(login, ImReuseException.INTERRUPTED);
    }
  }

  public void closeWaitsForAWatcher() throws Exception {
    try (Mock mock = new Mock(null)) {
      Engine e = new Engine(mock, new Options(Im.APP_KEY));
      CountDownLatch entered = new CountDownLatch(1);
      CountDownLatch go = new CountDownLatch(1);
      e.watch(s -> {
        entered.countDown();
        Check.await(go, "the test lets the watcher go");
      });
      Check.await(entered, "the watcher is called");
      CompletableFuture<Void> close = e.closeAsync();
      Check.until(() -> {
        try {
          Check.fails(e.initIm(), ImReuseException.CLOSED);
          return true;
        } catch (Exception x) {
          throw new AssertionError(x);
        }
      }, "the library has closed the engine");
      Check.that(!close.isDone(), "close waits for the watcher");
      go.countDown();
      Check.get(close);
    }
  }

  public void handlesOutliveEachOther() throws Exception {
    Im im = new Im();
    Mock mock = new Mock(null);
    Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY));
    im.close();
    im.close();
    mock.close();
    mock.close();
    // The engine keeps what it needs.
    Check.get(e.initIm());
    Check.get(e.loginIm(Im.ACCID, Im.TOKEN));
    e.close();
    im.host.loggingIn();
    im.host.loggedIn(Im.APP_KEY, Im.ACCID);
    im.host.link(false);
    im.host.kicked(KickReason.QUIETLY, null);
    im.host.loggedOut();
    mock.kick(Im.ACCID, KickReason.BY_CLIENT);
    mock.expire(Im.USER);
    mock.endIm(Im.ACCID, ImReuseException.KICKED);
    Check.throwsCode(() -> new Engine(im.host, mock, new Options(Im.APP_KEY)), ImReuseException.CLOSED);
  }
}
