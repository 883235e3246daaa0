import io.github.imreuse.*;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/** The three steps of the meeting guide. {@code java Meeting [KIT_URL]}: a kit server, or a mock. */
public class Meeting {
  /** Stands for the app's own IM SDK, which calls back later, on a thread of its own. */
  static class Im implements HostIm.Client {
    final HostIm reports = new HostIm(this);

    public void login(String appKey, String accid, String token, Request r) {
      CompletableFuture.runAsync(() -> reports.loggedIn(appKey, accid)).thenRun(r::done);
    }

    public void logout(Request r) {
      CompletableFuture.runAsync(reports::loggedOut).thenRun(r::done);
    }
  }

  public static void main(String[] args) throws Exception {
    HostIm im = new Im().reports;
    Options reuse = new Options("app1").mode(Mode.REUSE_IM); // step 1: switch IM reuse on
    try (Engine engine = args.length == 0 ? new Engine(im, new Mock(null), reuse)
        : new Engine(im, new KitServer("app1", args[0]), reuse)) {
      engine.initIm().get();
      try {
        engine.loginKit("myaccid", "myUserToken").get(); // too early
      } catch (ExecutionException e) {
        ImReuseException why = (ImReuseException) e.getCause();
        System.out.println(why.code() + ": " + why.remedy());
      }
      engine.loginIm("myaccid", "myToken").get(); // step 2: log IM in
      engine.loginKit("myaccid", "myUserToken").get(); // step 3: log the kit in
      System.out.println(engine.status().state() + ", reused: " + engine.status().reused());
      engine.logoutKit().get();
      System.out.println(engine.status().state() + ": the app's chat goes on");
    }
  }
}
