import io.github.imreuse.HostIm;
import io.github.imreuse.ImReuseException;
import io.github.imreuse.Request;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;

/**
 * An IM SDK of the host's. It answers at once, unless a test takes a step away
 * from it.
 */
class Im implements HostIm.Client, AutoCloseable {
  static final String APP_KEY = "app1";
  static final String ACCID = "myaccid";
  static final String TOKEN = "myToken";
  static final String USER = "myaccid";
  static final String USER_TOKEN = "myUserToken";

  final HostIm host = new HostIm(this);
  final List<String> calls = new CopyOnWriteArrayList<>();
  final AtomicReference<Request> held = new AtomicReference<>();
  final AtomicReference<Request> cancelled = new AtomicReference<>();
  volatile boolean hold; // logins are not answered
  volatile boolean anyToken;

  @Override
  public void init(String appKey, Request r) {
    calls.add("init " + appKey);
    r.done();
  }

  @Override
  public void login(String appKey, String accid, String token, Request r) {
    calls.add("login " + appKey + " " + accid + " " + token);
    if (hold) {
      held.set(r);
      return;
    }
    if (!anyToken && !token.equals(TOKEN)) {
      r.fail(ImReuseException.TOKEN_REJECTED, "the SDK said 302");
      return;
    }
    host.loggedIn(appKey, accid);
    r.done();
  }

  @Override
  public void logout(Request r) {
    calls.add("logout");
    host.loggedOut();
    r.done();
  }

  @Override
  public void cancelled(Request r) {
    calls.add("cancelled");
    cancelled.set(r);
    r.fail(ImReuseException.OTHER, "it was cancelled");
  }

  @Override
  public void close() {
    host.close();
  }
}
