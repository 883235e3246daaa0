package io.github.imreuse;

import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;

/**
 * Takes one IM login and one kit login through their lifecycle.
 *
 * <p>An operation names the state that the host wants; if the engine is already
 * there, it does nothing and succeeds. Operations take turns in the order in which
 * they were called, but a logout ends the logins that it makes pointless. They
 * return at once. The future fails with an {@link ImReuseException}.
 *
 * <p>{@link CompletableFuture#cancel cancel} on such a future cancels the
 * operation. The future completes when the engine has undone what the operation
 * did, with the engine's own error, which is no {@link
 * java.util.concurrent.CancellationException}; or with success if it came too late.
 *
 * <p>Close an engine that is no longer needed. One that nobody closed is closed
 * once nobody refers to it, with a line to its logger. Operations in flight refer to
 * their engine, and so do the watches that {@link #watch} returned. Watchers, token
 * sources, the logger and the IM client of an engine that is not closed stay
 * reachable, so an engine to which one of them refers is never closed in this way.
 */
public final class Engine implements AutoCloseable {
  final EngineCore core;

  // The library keeps what it needs of these two, but the host's objects would be
  // collected.
  private final AutoCloseable im;
  private final AutoCloseable kit;

  /**
   * Makes an engine over the host's own IM client and a kit server.
   *
   * @param im the IM client; it may serve several engines
   * @param kit the kit server; it serves this engine alone
   * @param o the options
   * @throws ImReuseException if an argument is bad
   */
  public Engine(HostIm im, KitServer kit, Options o) throws ImReuseException {
    this(im, kit, handle(im), kit == null ? 0 : kit.handle(), o, im == null ? null : im.hold());
  }

  /**
   * Makes an engine over the host's own IM client and the kit server of a mock.
   *
   * @param im the IM client; it may serve several engines
   * @param kit the mock
   * @param o the options
   * @throws ImReuseException if an argument is bad
   */
  public Engine(HostIm im, Mock kit, Options o) throws ImReuseException {
    this(im, kit, handle(im), kit == null ? 0 : Jni.mockKit(kit.handle()), o,
        im == null ? null : im.hold());
  }

  /**
   * Makes an engine over a mock's kit server and its IM, on a device of its own.
   *
   * @param mock the mock
   * @param o the options
   * @throws ImReuseException if an argument is bad
   */
  public Engine(Mock mock, Options o) throws ImReuseException {
    this(mock, mock, mock == null ? 0 : Jni.mockIm(mock.handle()),
        mock == null ? 0 : Jni.mockKit(mock.handle()), o, null);
  }

  private Engine(
      AutoCloseable im, AutoCloseable kit, long imHandle, long kitHandle, Options o, HostIm.Hold c)
      throws ImReuseException {
    this.im = im;
    this.kit = kit;
    try {
      core = new EngineCore(o == null ? new Options(null) : o, imHandle, kitHandle, c);
    } finally {
      // The handles of a mock were made for this engine, which keeps what it needs.
      if (im instanceof Mock) {
        Jni.imRelease(imHandle);
      }
      if (kit instanceof Mock) {
        Jni.kitRelease(kitHandle);
      }
    }
    Dropped.watch(this, core::dropped);
  }

  private static long handle(HostIm im) {
    return im == null ? 0 : im.handle();
  }

  /**
   * Sets what happens to an exception that a callback of the host's throws,
   * anywhere in this process: a watcher, a logger, a token source or a function of
   * an IM client. By default it is printed. An exception of a function that depends
   * on a future stays in the future that {@link CompletableFuture} returned for it.
   *
   * @param h called on the thread that the callback ran on; {@code null} for the
   *     default
   */
  public static void errorHandler(Consumer<Throwable> h) {
    Dispatcher.setHandler(h);
  }

  /**
   * Initialises IM. If the host's own IM client is logged in, the engine adopts
   * that login.
   *
   * @return the outcome
   */
  public CompletableFuture<Void> initIm() {
    return Operation.start(this, Jni::initIm);
  }

  /**
   * Logs IM in.
   *
   * @param accid the IM account
   * @param token its token; {@code null} if {@link Options#imToken} is to fetch it
   * @return the outcome
   */
  public CompletableFuture<Void> loginIm(String accid, String token) {
    return Operation.start(this, (e, user) -> Jni.loginIm(e, accid, token, user));
  }

  /**
   * Logs the kit in, over the host's IM login or one of the engine's: see {@link
   * Mode}.
   *
   * @param userUuid the kit account
   * @param userToken its token; {@code null} if {@link Options#kitToken} is to fetch
   *     it
   * @return the outcome
   */
  public CompletableFuture<Void> loginKit(String userUuid, String userToken) {
    return Operation.start(this, (e, user) -> Jni.loginKit(e, userUuid, userToken, user));
  }

  /**
   * Logs the kit in with a temporary account. IM reuse does not support that.
   *
   * @return the outcome
   */
  public CompletableFuture<Void> loginAnonymous() {
    return Operation.start(this, Jni::loginAnonymous);
  }

  /**
   * Logs the kit in and keeps it logged in: the engine logs in again after each
   * failure or loss that passes. The future completes only when a failure does not
   * pass, or when the host logs out, closes the engine or cancels.
   *
   * @param userUuid the kit account
   * @param userToken its token; {@code null} if {@link Options#kitToken} is to fetch
   *     it
   * @return why it ended
   */
  public CompletableFuture<Void> keepKit(String userUuid, String userToken) {
    return Operation.start(this, (e, user) -> Jni.keepKit(e, userUuid, userToken, user));
  }

  /**
   * Gives the kit login another token.
   *
   * @param userUuid the kit account that is logged in
   * @param userToken the new token; {@code null} if {@link Options#kitToken} is to
   *     fetch it
   * @return the outcome
   */
  public CompletableFuture<Void> renewKit(String userUuid, String userToken) {
    return Operation.start(this, (e, user) -> Jni.renewKit(e, userUuid, userToken, user));
  }

  /**
   * Logs the kit out, and also IM if the engine logged it in. Ends a kit login in
   * progress.
   *
   * @return the outcome; even if it is a failure, the kit is logged out
   */
  public CompletableFuture<Void> logoutKit() {
    return Operation.start(this, Jni::logoutKit);
  }

  /**
   * Logs the kit out, and then IM, no matter who logged it in. Ends a login in
   * progress.
   *
   * @return the outcome; even if it is a failure, both are logged out
   */
  public CompletableFuture<Void> logoutIm() {
    return Operation.start(this, Jni::logoutIm);
  }

  /**
   * Ends the engine for good. It logs the kit out, then IM, unless the host made
   * that login itself. The future completes when no callback of this engine runs any
   * more, and none comes after it. So do not wait for it in a callback. Canceling it
   * has no effect on the engine. A second call waits for the first one.
   *
   * @return the outcome; even if it is a failure, the engine is closed
   */
  public CompletableFuture<Void> closeAsync() {
    return core.close();
  }

  /**
   * Returns the present status. It never blocks.
   *
   * @return the status; that of a new engine if this one is closed
   */
  public Status status() {
    return Jni.status(core.handle());
  }

  /**
   * Calls a watcher with the present status and then with each change, in order, one
   * at a time, until the engine is closed. A slow watcher holds nothing up. It misses
   * the oldest changes if more than 64 wait for it, and sees the gap in {@link
   * Status#seq}. A closed engine calls nothing.
   *
   * @param changed the watcher. It may take its time and call everything here.
   * @return stops the watcher when it is closed. That does not wait: one call may
   *     still be running, or about to begin, on another thread. No other one comes.
   */
  public AutoCloseable watch(Consumer<Status> changed) {
    return new Watch(this, Objects.requireNonNull(changed, "changed"));
  }

  /**
   * Closes the engine as {@link #closeAsync} does, and waits for it, but not from
   * within a callback. It ignores a failure, since the engine is closed all the same.
   */
  @Override
  public void close() {
    CompletableFuture<Void> f = closeAsync();
    if (Dispatcher.inCallback()) {
      return; // the engine is not closed before this callback returns
    }
    try {
      f.join();
    } catch (CompletionException e) {
      // closeAsync returns it to hosts that want it.
    }
  }
}
