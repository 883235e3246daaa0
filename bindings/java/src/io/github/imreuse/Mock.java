package io.github.imreuse;

/** An IM cloud and a kit server in memory, for the host's own tests. */
public final class Mock implements AutoCloseable {
  private final long handle;

  /**
   * Makes a cloud with accounts.
   *
   * @param accountsJson the accounts, in the form of {@code imreuse sandbox -accounts};
   *     {@code null} for the accounts of the vendor's guides
   * @throws ImReuseException if the JSON is bad
   */
  public Mock(String accountsJson) throws ImReuseException {
    long mock = Jni.mockNew(accountsJson);
    handle = mock;
    Dropped.watch(this, () -> Jni.mockRelease(mock));
  }

  /** The kit server and, for a new device, the IM cloud. */
  long handle() {
    return handle;
  }

  /**
   * Kicks every IM login of an account. The host's own IM client is not part of
   * this cloud; it reports its kicks itself.
   *
   * @param accid the IM account
   * @param r why
   */
  public void kick(String accid, KickReason r) {
    Jni.mockKick(handle, accid, r.number());
  }

  /**
   * Ends every IM login of an account.
   *
   * @param accid the IM account
   * @param code why: a constant of {@link ImReuseException}
   */
  public void endIm(String accid, int code) {
    Jni.mockEndIm(handle, accid, code);
  }

  /**
   * Lets the token of a kit account run out.
   *
   * @param userUuid the kit account
   */
  public void expire(String userUuid) {
    Jni.mockExpire(handle, userUuid);
  }

  /** Lets go of the cloud. Engines that use it keep it. */
  @Override
  public void close() {
    Jni.mockRelease(handle);
  }
}
