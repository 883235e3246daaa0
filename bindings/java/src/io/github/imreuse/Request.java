package io.github.imreuse;

/**
 * What the host's IM client was asked for, and has to answer, now or later, from
 * any thread. The first answer counts; another one is ignored, and so is one that
 * comes after the engine has gone.
 *
 * <p>Two objects for the same request are equal, so the request of {@link
 * HostIm.Client#cancelled} can be looked up in a map.
 */
public final class Request {
  private final long handle;

  Request(long handle) {
    this.handle = handle;
  }

  /** Answers that the client has done it. */
  public void done() {
    Jni.requestDone(handle, 0, null);
  }

  /**
   * Answers that the client has failed.
   *
   * @param code a constant of {@link ImReuseException}, or a number of the host's
   *     IM SDK. 0 means {@link ImReuseException#OTHER}.
   * @param message what happened, without a token; may be {@code null}
   */
  public void fail(int code, String message) {
    Jni.requestDone(handle, code == 0 ? ImReuseException.OTHER : code, message);
  }

  void token(String token) {
    Jni.requestToken(handle, token);
  }

  @Override
  public boolean equals(Object o) {
    return o instanceof Request && ((Request) o).handle == handle;
  }

  @Override
  public int hashCode() {
    return (int) (handle ^ handle >>> 32);
  }
}
