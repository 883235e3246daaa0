import io.github.imreuse.*;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;

/** Each operation completes exactly once, and can be cancelled. */
public class OperationsTest {
  public void completeExactlyOnce() throws Exception {
    int rounds = 200;
    AtomicInteger completions = new AtomicInteger();
    List<CompletableFuture<Void>> all = new ArrayList<>();
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY))) {
      for (int i = 0; i < rounds; i++) {
        all.add(e.initIm());
        all.add(e.loginIm(Im.ACCID, Im.TOKEN));
        all.add(e.loginKit(Im.USER, Im.USER_TOKEN));
        all.add(e.loginAnonymous());
        all.add(e.renewKit(Im.USER, Im.USER_TOKEN));
        CompletableFuture<Void> keep = e.keepKit(Im.USER, Im.USER_TOKEN);
        keep.cancel(true);
        all.add(keep);
        all.add(e.logoutKit());
        all.add(e.logoutIm());
      }
      for (CompletableFuture<Void> f : all) {
        f.whenComplete((v, x) -> completions.incrementAndGet());
      }
      Check.get(e.closeAsync());
    }
    for (CompletableFuture<Void> f : all) {
      Check.that(f.isDone(), "every operation is over once the engine is closed");
    }
    Check.equal(completions.get(), all.size(), "completions");
  }

  public void closedEngine() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null)) {
      Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY));
      Check.get(e.initIm());
      e.close();
      e.close();
      Check.get(e.closeAsync());
      Check.fails(e.initIm(), ImReuseException.CLOSED);
      Check.fails(e.loginIm(Im.ACCID, Im.TOKEN), ImReuseException.CLOSED);
      Check.fails(e.loginKit(Im.USER, Im.USER_TOKEN), ImReuseException.CLOSED);
      Check.fails(e.loginAnonymous(), ImReuseException.CLOSED);
      Check.fails(e.keepKit(Im.USER, Im.USER_TOKEN), ImReuseException.CLOSED);
      Check.fails(e.renewKit(Im.USER, Im.USER_TOKEN), ImReuseException.CLOSED);
      Check.fails(e.logoutKit(), ImReuseException.CLOSED);
      Check.fails(e.logoutIm(), ImReuseException.CLOSED);
      Check.equal(e.status().state(), State.UNINITIALIZED, "state of a closed engine");
      AtomicInteger changes = new AtomicInteger();
      e.watch(s -> changes.incrementAndGet()).close();
      Check.equal(changes.get(), 0, "calls of a watcher of a closed engine");
    }
  }

  public void cancelLogin() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY))) {
      im.hold = true;
      Check.get(e.initIm());
      CompletableFuture<Void> login = e.loginIm(Im.ACCID, Im.TOKEN);
      Check.until(() -> im.held.get() != null, "the client is asked to log in");
      Check.that(!login.isDone() && !login.isCancelled(), "the login is in flight");
      Check.that(login.cancel(true), "cancel");
      ImReuseException x = Check.fails(login, ImReuseException.OTHER);
      Check.equal(x.op(), "LoginIM", "op");
      Check.equal(x.remedy(), "", "remedy");
      Check.that(login.isCancelled() && login.isCompletedExceptionally(), "the login is cancelled");
      Check.until(() -> im.cancelled.get() != null, "the client is told");
      Check.equal(im.cancelled.get(), im.held.get(), "the request that was cancelled");
      Check.equal(im.cancelled.get().hashCode(), im.held.get().hashCode(), "its hash");
      im.held.get().done(); // too late
      im.held.get().fail(ImReuseException.KICKED, "much too late");
      im.hold = false;
      Check.get(e.loginIm(Im.ACCID, Im.TOKEN));
      Check.equal(e.status().state(), State.IM_LOGGED_IN, "state");
    }
  }

  public void cancelTooLate() throws Exception {
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      CompletableFuture<Void> login = e.loginKit(Im.USER, Im.USER_TOKEN);
      Check.get(login);
      Check.that(!login.cancel(true), "an operation that is over cannot be cancelled");
      Check.that(!login.isCancelled(), "it is not cancelled");
      Check.get(login);
      Check.equal(e.status().state(), State.KIT_LOGGED_IN, "state");
    }
  }

  public void cancelInTheQueue() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY))) {
      im.hold = true;
      Check.get(e.initIm());
      CompletableFuture<Void> first = e.loginIm(Im.ACCID, Im.TOKEN);
      CompletableFuture<Void> second = e.loginKit(Im.USER, Im.USER_TOKEN);
      Check.until(() -> im.held.get() != null, "the client is asked to log in");
      second.cancel(false);
      Check.fails(second, ImReuseException.OTHER);
      Check.that(!first.isDone(), "the first login goes on");
      im.host.loggedIn(Im.APP_KEY, Im.ACCID);
      im.held.get().done();
      Check.get(first);
    }
  }

  public void keepUntilLogout() throws Exception {
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      CompletableFuture<Void> keep = e.keepKit(Im.USER, Im.USER_TOKEN);
      Check.until(() -> e.status().state() == State.KIT_LOGGED_IN, "the login");
      Check.that(!keep.isDone(), "keepKit goes on");
      Check.get(e.logoutKit());
      Check.fails(keep, ImReuseException.INTERRUPTED);
      CompletableFuture<Void> again = e.keepKit(Im.USER, Im.USER_TOKEN);
      Check.until(() -> e.status().state() == State.KIT_LOGGED_IN, "the login");
      again.cancel(true);
      Check.fails(again, ImReuseException.OTHER);
    }
  }

  public void theClientFails() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY))) {
      Check.get(e.initIm());
      ImReuseException x = Check.fails(e.loginIm(Im.ACCID, "another"), ImReuseException.TOKEN_REJECTED);
      Check.that(x.getMessage().contains("the SDK said 302"), "message: " + x.getMessage());
      Check.equal(x.call(), "LoginIM", "call");
      im.hold = true;
      CompletableFuture<Void> f = e.loginIm(Im.ACCID, Im.TOKEN);
      Check.until(() -> im.held.get() != null, "the client is asked to log in");
      im.held.getAndSet(null).fail(0, null);
      Check.fails(f, ImReuseException.OTHER);
      f = e.loginIm(Im.ACCID, Im.TOKEN);
      Check.until(() -> im.held.get() != null, "the client is asked to log in");
      im.held.get().fail(4711, "\ud83d\ude00 \u4f60\u597d");
      x = Check.fails(f, ImReuseException.OTHER);
      Check.that(x.getMessage().contains("4711") && x.getMessage().contains("\ud83d\ude00 \u4f60\u597d"),
          "message: " + x.getMessage());
    }
  }

  public void textOfAnyKind() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY).mode(Mode.AUTO_LOGIN))) {
      Check.get(e.initIm());
      String smiley = "\ud83d\ude00";
      ImReuseException x = Check.fails(e.loginIm(smiley, Im.TOKEN), ImReuseException.ARGUMENT);
      Check.that(x.getMessage().contains(smiley), "message: " + x.getMessage());
      // C would end these at the zero.
      Check.fails(e.loginIm(Im.ACCID + "\0x", Im.TOKEN), ImReuseException.ARGUMENT);
      Check.fails(e.loginIm(Im.ACCID, Im.TOKEN + "\0"), ImReuseException.ARGUMENT);
      Check.fails(e.loginIm(Im.ACCID, "\ud83d"), ImReuseException.ARGUMENT);
      StringBuilder longest = new StringBuilder();
      for (int i = 0; i < 100_000; i++) {
        longest.append('\u597d');
      }
      Check.fails(e.loginIm(longest.toString(), Im.TOKEN), ImReuseException.ARGUMENT);
      Check.fails(e.loginIm(Im.ACCID, longest.toString()), ImReuseException.TOKEN_REJECTED);
      Check.that(im.calls.contains("login app1 myaccid " + longest), "the client gets the long token");
    }
  }

  public void dependentsMayWait() throws Exception {
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY))) {
      CountDownLatch watched = new CountDownLatch(1);
      CompletableFuture<Void> all = e.initIm().thenRun(() -> {
        // A completion holds no lock of the library, so another operation and a
        // watcher get through while it waits for them.
        e.loginKit(Im.USER, Im.USER_TOKEN).join();
        e.watch(s -> watched.countDown());
        Check.await(watched, "the watcher is called during a completion");
        e.logoutKit().thenRun(() -> e.loginAnonymous().join()).join();
      });
      Check.get(all);
      Check.that(e.status().anonymous(), "status: " + e.status());
    }
  }

  public void ownCompletionWins() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY))) {
      im.hold = true;
      Check.get(e.initIm());
      CompletableFuture<Void> login = e.loginIm(Im.ACCID, Im.TOKEN);
      Check.until(() -> im.held.get() != null, "the client is asked to log in");
      login.completeExceptionally(new IllegalStateException("the host gave up"));
      im.host.loggedIn(Im.APP_KEY, Im.ACCID);
      im.held.get().done();
      Check.until(() -> e.status().state() == State.IM_LOGGED_IN, "the operation goes on");
      try {
        Check.get(login);
        Check.that(false, "the future changed its mind");
      } catch (ExecutionException x) {
        Check.that(x.getCause() instanceof IllegalStateException, "cause: " + x.getCause());
      }
    }
  }
}
