package io.github.imreuse;

/** A kit server over HTTP. It belongs to one engine. */
public final class KitServer implements AutoCloseable {
  private final long handle;

  /**
   * Makes a client of a kit server. Nothing is sent.
   *
   * @param appKey the AppKey of the app
   * @param kitUrl the address of the server; {@code null} for the vendor's public one
   * @throws ImReuseException if an argument is bad
   */
  public KitServer(String appKey, String kitUrl) throws ImReuseException {
    this(new KitOptions(appKey).kitUrl(kitUrl));
  }

  /**
   * Makes a client of a kit server. Nothing is sent.
   *
   * @param o the options
   * @throws ImReuseException if an option is bad
   */
  public KitServer(KitOptions o) throws ImReuseException {
    long kit = Jni.kitNew(o.appKey, o.kitUrl, o.deviceId, o.dynamicToken, o.plainHttp);
    handle = kit;
    Dropped.watch(this, () -> Jni.kitRelease(kit));
  }

  long handle() {
    return handle;
  }

  /** Lets go of the client. An engine that has it keeps it until it is closed. */
  @Override
  public void close() {
    Jni.kitRelease(handle);
  }
}
