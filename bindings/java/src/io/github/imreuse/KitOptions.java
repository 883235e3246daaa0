package io.github.imreuse;

/** Options of a {@link KitServer}. Each method sets one and returns the same object. */
public final class KitOptions {
  final String appKey;
  String kitUrl;
  String deviceId;
  boolean dynamicToken;
  boolean plainHttp;

  /**
   * Starts with the defaults.
   *
   * @param appKey the AppKey of the app
   */
  public KitOptions(String appKey) {
    this.appKey = appKey;
  }

  /**
   * Sets the address of the kit server. The default is the vendor's public one.
   *
   * @param url an https address; http only for this machine, see {@link #plainHttp}
   * @return this
   */
  public KitOptions kitUrl(String url) {
    kitUrl = url;
    return this;
  }

  /**
   * Sets the id of this device. The default is a new one.
   *
   * @param id the id
   * @return this
   */
  public KitOptions deviceId(String id) {
    deviceId = id;
    return this;
  }

  /**
   * Says that the kit's tokens are dynamic ones.
   *
   * @param b whether they are
   * @return this
   */
  public KitOptions dynamicToken(boolean b) {
    dynamicToken = b;
    return this;
  }

  /**
   * Allows http to other machines. Tokens are then sent unencrypted.
   *
   * @param b whether it is allowed
   * @return this
   */
  public KitOptions plainHttp(boolean b) {
    plainHttp = b;
    return this;
  }
}
