import io.github.imreuse.*;
import java.lang.ref.WeakReference;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;

/** Objects that nobody closed and nobody refers to are closed by a cleaner. */
public class DroppedTest {
  private final List<String> lines = new CopyOnWriteArrayList<>();

  private boolean collected(WeakReference<?> r) {
    System.gc();
    return r.get() == null;
  }

  private WeakReference<Engine> open(Mock mock) throws Exception {
    // The lambda must not refer to the engine, so it gets the list alone.
    List<String> lines = this.lines;
    Engine e = new Engine(mock, new Options(Im.APP_KEY).logger((level, line) -> lines.add(level + " " + line)));
    Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
    e.watch(s -> lines.add("watcher " + s.via()));
    return new WeakReference<>(e);
  }

  public void engine() throws Exception {
    try (Mock mock = new Mock(null); Engine other = new Engine(mock, new Options(Im.APP_KEY))) {
      WeakReference<Engine> dropped = open(mock);
      Check.until(() -> collected(dropped), "the engine is collected");
      Check.until(() -> lines.contains("watcher close"), "the cleaner closes the engine; lines: " + lines);
      Check.that(lines.stream().anyMatch(l -> l.startsWith("4 ") && l.contains("without close")), "it says so: " + lines);
      Check.get(other.initIm());
    }
  }

  private WeakReference<Engine> openWithClient() throws Exception {
    Engine e = new Engine(new Im().host, new KitServer(Im.APP_KEY, null), new Options(Im.APP_KEY));
    Check.get(e.initIm());
    return new WeakReference<>(e);
  }

  public void silentEngine() throws Exception {
    WeakReference<Engine> dropped = openWithClient();
    Check.until(() -> collected(dropped), "the engine is collected");
  }

  private WeakReference<Engine> openAndClose(Mock mock) throws Exception {
    List<String> lines = this.lines;
    Engine e = new Engine(mock, new Options(Im.APP_KEY).logger((level, line) -> lines.add(line)));
    e.close();
    return new WeakReference<>(e);
  }

  public void closedEngineSaysNothing() throws Exception {
    try (Mock mock = new Mock(null)) {
      WeakReference<Engine> first = openAndClose(mock);
      Check.until(() -> collected(first), "the engine is collected");
      WeakReference<Engine> second = open(mock); // the cleaner takes them in turn
      Check.until(() -> collected(second) && lines.contains("watcher close"), "the cleaner closes the second one");
      Check.equal(lines.stream().filter(l -> l.contains("without close")).count(), 1L, "lines about dropped engines");
    }
  }

  private CompletableFuture<Void> startAndDrop(Im im, Mock mock) throws Exception {
    Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY));
    Check.get(e.initIm());
    return e.loginIm(Im.ACCID, Im.TOKEN);
  }

  public void operationKeepsItsEngine() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null)) {
      im.hold = true;
      CountDownLatch done = new CountDownLatch(1);
      startAndDrop(im, mock).thenRun(done::countDown); // the future is dropped, too
      Check.until(() -> im.held.get() != null, "the client is asked to log in");
      WeakReference<Object> garbage = new WeakReference<>(new Object());
      Check.until(() -> collected(garbage), "a collection");
      im.host.loggedIn(Im.APP_KEY, Im.ACCID);
      im.held.get().done();
      Check.await(done, "the login succeeds");
    }
  }

  private WeakReference<HostIm.Client> makeAndDrop() throws Exception {
    new Mock(null);
    new KitServer(Im.APP_KEY, null);
    HostIm.Client client = new HostIm.Client() {
      @Override
      public void login(String appKey, String accid, String token, Request r) {
        r.done();
      }

      @Override
      public void logout(Request r) {
        r.done();
      }
    };
    new HostIm(client);
    return new WeakReference<>(client);
  }

  public void roles() throws Exception {
    WeakReference<HostIm.Client> client = makeAndDrop();
    Check.until(() -> collected(client), "the client is let go");
  }
}
