package io.github.imreuse;

/**
 * The functions of imreuse.h. Handles are the library's, as numbers; it checks
 * them at each use. A user is a number in the {@link Registry}.
 */
final class Jni {
  static {
    Loader.load();
  }

  private Jni() {}

  static native int codeIn(int code, int profile);

  static native void requestDone(long request, int code, String message);

  static native void requestToken(long request, String token);

  /** A user of 0 means that only the host logs IM in. */
  static native long imNew(int user) throws ImReuseException;

  static native void imRelease(long im);

  static native void loggingIn(long im);

  static native void loggedIn(long im, String appKey, String accid);

  static native void loggedOut(long im, int code, int reason, String text);

  static native void link(long im, boolean online);

  static native long kitNew(
      String appKey, String kitUrl, String deviceId, boolean dynamicToken, boolean plainHttp)
      throws ImReuseException;

  static native void kitRelease(long kit);

  static native long engineNew(
      int user,
      String appKey,
      long im,
      long kit,
      int mode,
      boolean requireOnline,
      boolean secondaryProcess,
      boolean logger,
      boolean kitToken,
      boolean imToken)
      throws ImReuseException;

  static native long initIm(long engine, int user);

  static native long loginIm(long engine, String accid, String token, int user);

  static native long loginKit(long engine, String userUuid, String userToken, int user);

  static native long loginAnonymous(long engine, int user);

  static native long keepKit(long engine, String userUuid, String userToken, int user);

  static native long renewKit(long engine, String userUuid, String userToken, int user);

  static native long logoutKit(long engine, int user);

  static native long logoutIm(long engine, int user);

  static native void close(long engine, int user);

  static native void cancel(long op);

  static native Status status(long engine);

  static native long watchStart(long engine, int user);

  static native void watchStop(long watch);

  static native long mockNew(String accountsJson) throws ImReuseException;

  static native void mockRelease(long mock);

  static native long mockIm(long mock);

  static native long mockKit(long mock);

  static native void mockKick(long mock, String accid, int reason);

  static native void mockEndIm(long mock, String accid, int code);

  static native void mockExpire(long mock, String userUuid);
}
