import io.github.imreuse.*;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/** Watchers see the present status, then each change, in order, and hold nothing up. */
public class WatchTest {
  private final List<Status> seen = Collections.synchronizedList(new ArrayList<>());

  private void until(String via) throws InterruptedException {
    Check.until(() -> !seen.isEmpty() && seen.get(seen.size() - 1).via().equals(via), "the watcher sees " + via);
  }

  private String vias() {
    StringBuilder b = new StringBuilder();
    synchronized (seen) {
      for (Status s : seen) {
        b.append(s.via()).append(' ');
      }
    }
    return b.toString().trim();
  }

  public void presentThenChanges() throws Exception {
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      Check.get(e.initIm());
      e.watch(seen::add);
      until("init_im");
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      Check.get(e.logoutKit());
      until("logout_im");
      e.close();
      Check.equal(vias(), "init_im login_im login_kit logout_kit logout_im close", "changes");
      for (int i = 1; i < seen.size(); i++) {
        Check.equal(seen.get(i).seq(), seen.get(i - 1).seq() + 1, "seq of change " + i);
      }
      Check.equal(seen.get(5).state(), State.UNINITIALIZED, "last state");
    }
  }

  public void oneCallAtATime() throws Exception {
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      e.watch(s -> {
        most.accumulateAndGet(running.incrementAndGet(), Math::max);
        Thread.yield();
        seen.add(s);
        running.decrementAndGet();
      });
      for (int i = 0; i < 100; i++) {
        Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
        Check.get(e.logoutKit());
      }
    }
    Check.equal(most.get(), 1, "calls at once");
    for (int i = 1; i < seen.size(); i++) {
      Check.that(seen.get(i).seq() > seen.get(i - 1).seq(), "order of the changes");
    }
    Check.equal(seen.get(seen.size() - 1).via(), "close", "the last change");
  }

  public void slowWatcherHoldsNothingUp() throws Exception {
    CountDownLatch entered = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY).mode(Mode.AUTO_LOGIN))) {
      e.watch(s -> {
        seen.add(s);
        entered.countDown();
        Check.await(go, "the test lets the watcher go");
      });
      List<Status> quick = Collections.synchronizedList(new ArrayList<>());
      e.watch(quick::add);
      Check.await(entered, "the watcher is called");
      int rounds = 100;
      for (int i = 0; i < rounds; i++) { // completions, the client and another watcher get through
        Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
        long seq = e.status().seq();
        Check.until(() -> quick.get(quick.size() - 1).seq() >= seq, "the quick watcher");
        Check.get(e.logoutKit());
      }
      Check.equal(seen.size(), 1, "calls of the slow watcher");
      go.countDown();
      Status now = e.status();
      Check.until(() -> seen.get(seen.size() - 1).seq() == now.seq(), "the slow watcher catches up");
      // 64 waited for it here, and up to 64 more in the engine.
      Check.that(seen.size() > 60 && seen.size() <= 1 + 64 + 64, "changes that it saw: " + seen.size());
      Check.that(seen.get(1).seq() > 1 + seen.get(0).seq(), "a gap after " + seen.get(0) + ", before " + seen.get(1));
      for (int i = 1; i < seen.size(); i++) {
        Check.that(seen.get(i).seq() > seen.get(i - 1).seq(), "order of the changes");
      }
    }
  }

  public void closeOfTheWatch() throws Exception {
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      CountDownLatch closed = new CountDownLatch(1);
      AutoCloseable[] watch = new AutoCloseable[1];
      CountDownLatch started = new CountDownLatch(1);
      watch[0] = e.watch(s -> {
        Check.await(started, "watch has returned");
        seen.add(s);
        try {
          watch[0].close(); // from within itself
        } catch (Exception x) {
          throw new AssertionError(x);
        }
        closed.countDown();
      });
      started.countDown();
      Check.await(closed, "the watcher is called");
      Check.get(e.initIm());
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      watch[0].close(); // again
      e.close();
      watch[0].close(); // after the engine
      Check.equal(seen.size(), 1, "calls");
    }
  }

  public void manyWatchers() throws Exception {
    int n = 50;
    AtomicInteger last = new AtomicInteger();
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      for (int i = 0; i < n; i++) {
        e.watch(s -> {
          if (s.via().equals("close")) {
            last.incrementAndGet();
          }
        });
      }
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
    }
    Check.equal(last.get(), n, "watchers that saw the close before close returned");
  }
}
