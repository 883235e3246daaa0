import io.github.imreuse.*;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/** Operations, reports and cancellations from many threads at once, until the engine is closed among them. */
public class StressTest {
  private static final int ROUNDS = 20;
  private static final int CALLS = 100;

  public void everythingAtOnce() throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      try (Im im = new Im(); Mock mock = new Mock(null)) {
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY).logger((level, line) -> {}));
        AtomicBoolean closed = new AtomicBoolean();
        AtomicInteger late = new AtomicInteger();
        e.watch(s -> {
          if (closed.get()) {
            late.incrementAndGet();
          }
        });
        AtomicInteger completions = new AtomicInteger();
        ConcurrentLinkedQueue<CompletableFuture<Void>> all = new ConcurrentLinkedQueue<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
          Random random = new Random(100 * round + i);
          boolean reports = i >= 4;
          Thread t = new Thread(() -> {
            for (int n = 0; n < CALLS; n++) {
              if (reports) {
                report(im.host, random.nextInt(6));
                e.status();
                continue;
              }
              CompletableFuture<Void> f = operation(e, random.nextInt(8));
              f.whenComplete((v, x) -> completions.incrementAndGet());
              all.add(f);
              if (random.nextInt(3) == 0) {
                f.cancel(true);
              }
            }
          });
          threads.add(t);
          t.start();
        }
        if (round % 2 == 0) {
          e.close();
          closed.set(true);
        }
        for (Thread t : threads) {
          t.join();
        }
        e.close();
        for (CompletableFuture<Void> f : all) {
          Check.until(f::isDone, "every operation completes");
        }
        Check.until(() -> completions.get() == all.size(), "completions");
        Check.equal(all.size(), 4 * CALLS, "operations");
        Check.equal(late.get(), 0, "calls of the watcher after close");
      }
    }
  }

  private static CompletableFuture<Void> operation(Engine e, int which) {
    switch (which) {
      case 0:
        return e.initIm();
      case 1:
        return e.loginIm(Im.ACCID, Im.TOKEN);
      case 2:
        return e.loginKit(Im.USER, Im.USER_TOKEN);
      case 3:
        return e.loginAnonymous();
      case 4:
        return e.renewKit(Im.USER, Im.USER_TOKEN);
      case 5:
        return e.logoutIm();
      case 6:
        CompletableFuture<Void> keep = e.keepKit(Im.USER, Im.USER_TOKEN);
        keep.cancel(true);
        return keep;
      default:
        return e.logoutKit();
    }
  }

  private static void report(HostIm im, int which) {
    switch (which) {
      case 0:
        im.loggedIn(Im.APP_KEY, Im.ACCID);
        break;
      case 1:
        im.loggedOut();
        break;
      case 2:
        im.kicked(KickReason.BY_OTHER, "another device");
        break;
      case 3:
        im.link(false);
        break;
      case 4:
        im.link(true);
        break;
      default:
        im.loggedOut(ImReuseException.TOKEN_EXPIRED, "\ud83d\ude00");
    }
  }
}
