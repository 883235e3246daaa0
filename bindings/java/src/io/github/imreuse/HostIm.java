package io.github.imreuse;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * The host's own IM client. The engine asks it to log in and out, and the host
 * reports what its IM SDK says. Several engines may share one.
 *
 * <p>The host makes the reports in the order in which its SDK calls back, no
 * matter who asked for the login: {@link #loggingIn} before each login of its own,
 * then {@link #loggedIn} or {@link #loggedOut}, and {@link #link} when the
 * connection goes or comes back. Reports never block, and may be made on any
 * thread, also in a callback.
 */
public final class HostIm implements AutoCloseable {
  /**
   * The functions of the host's IM SDK. Each starts its work and returns; the
   * request is answered now or later, from any thread. They are called on threads of
   * the library. A function that throws has failed, and the exception goes to {@link
   * Engine#errorHandler}.
   */
  public interface Client {
    /**
     * Initialises the SDK. By default this does nothing and succeeds.
     *
     * @param appKey the AppKey of the app
     * @param r to be answered once the SDK is initialised
     */
    default void init(String appKey, Request r) {
      r.done();
    }

    /**
     * Logs IM in. The answer comes once the outcome is certain. If the host is
     * logged in or about to be, the answer is {@link ImReuseException#IM_IN_USE}.
     *
     * @param appKey the AppKey of the app
     * @param accid the IM account
     * @param token its token
     * @param r to be answered once the account is logged in, or certainly will not be
     */
    void login(String appKey, String accid, String token, Request r);

    /**
     * Logs out whoever is logged in or logging in. Succeeds if nobody is.
     *
     * @param r to be answered once nobody is logged in
     */
    void logout(Request r);

    /**
     * Says that nobody waits for the answer to a request any more. The host may
     * stop the work. By default this does nothing.
     *
     * @param r equal to the request in question
     */
    default void cancelled(Request r) {}
  }

  /** A client stays in the registry as long as the host's object or an engine holds it. */
  static final class Hold {
    private final int user;
    private final AtomicInteger holders = new AtomicInteger(1);

    Hold(Client c) {
      user = c == null ? 0 : Registry.add(c);
    }

    Hold retain() {
      holders.incrementAndGet();
      return this;
    }

    void release() {
      if (holders.decrementAndGet() == 0) {
        Registry.remove(user);
      }
    }
  }

  /** Lets go of a HostIm, once. It does not refer to it. */
  private static final class Closer {
    final Hold hold;
    final long handle;
    private final AtomicInteger calls = new AtomicInteger();

    Closer(Client c) {
      hold = new Hold(c);
      try {
        handle = Jni.imNew(hold.user);
      } catch (ImReuseException e) {
        throw new IllegalStateException(e);
      }
    }

    void close() {
      if (calls.getAndIncrement() == 0) {
        Jni.imRelease(handle);
        hold.release();
      }
    }
  }

  private final Closer closer;

  /**
   * Makes an IM role in which nobody is logged in. If somebody is, report it with
   * {@link #loggedIn} at once. No function of the client is called here.
   *
   * @param c the host's client; {@code null} if only the host initialises IM and
   *     logs it in and out
   */
  public HostIm(Client c) {
    closer = new Closer(c);
    Dropped.watch(this, closer::close);
  }

  long handle() {
    return closer.handle;
  }

  /** Holds the client for an engine. */
  Hold hold() {
    return closer.hold.retain();
  }

  /**
   * Reports that a login has begun. Call it before each login of the host's own.
   * Until its end is reported, operations that look for a login wait for it.
   */
  public void loggingIn() {
    Jni.loggingIn(closer.handle);
  }

  /**
   * Reports that an account is logged in and online. Repeating it has no effect.
   *
   * @param appKey the AppKey that IM was initialised with
   * @param accid the IM account
   */
  public void loggedIn(String appKey, String accid) {
    Jni.loggedIn(closer.handle, appKey, accid);
  }

  /** Reports that the host logged out. */
  public void loggedOut() {
    loggedOut(0, null);
  }

  /**
   * Reports that a login has ended, or that the login which {@link #loggingIn}
   * announced has failed. If only the link is down, or the SDK will try again, call
   * {@link #link} instead.
   *
   * @param code why: a constant of {@link ImReuseException}, or a number of the
   *     host's IM SDK; 0 if the host logged out
   * @param text the SDK's own words, without a token; may be {@code null}
   */
  public void loggedOut(int code, String text) {
    Jni.loggedOut(closer.handle, code, 0, text);
  }

  /**
   * Reports that the service ended the login.
   *
   * @param reason why
   * @param text the SDK's own words, without a token; may be {@code null}
   */
  public void kicked(KickReason reason, String text) {
    Jni.loggedOut(closer.handle, ImReuseException.KICKED, reason.number(), text);
  }

  /**
   * Reports whether the connection under the login is up.
   *
   * @param online whether it is up
   */
  public void link(boolean online) {
    Jni.link(closer.handle, online);
  }

  /**
   * Ends the reports: later ones are ignored. Engines keep the client as long as
   * they need it. A second call has no effect.
   */
  @Override
  public void close() {
    closer.close();
  }
}
