package io.github.imreuse;

import java.lang.annotation.Native;

/**
 * A failure of the engine. The message never contains a token.
 *
 * <p>The constants are the codes. A failure with {@link #OTHER} has no code; a
 * canceled operation is one.
 */
public final class ImReuseException extends Exception {
  private static final long serialVersionUID = 1;

  // The compiler writes these constants to a C header, and jni.c compares them
  // with the ones of imreuse.h.

  /** A failure without a code, such as a cancellation. */
  @Native public static final int OTHER = -1;
  /** IM reuse is on and the host has not logged IM in. */
  @Native public static final int IM_NOT_LOGGED_IN = 100004;
  /** The IM account that is logged in is not the one the kit account is bound to. */
  @Native public static final int IM_ACCOUNT_MISMATCH = 100005;
  /** IM reuse does not support anonymous login. */
  @Native public static final int REUSE_NO_ANONYMOUS = 112001;
  /** The engine is closed. */
  @Native public static final int CLOSED = -20001;
  /** An earlier step is missing. */
  @Native public static final int STATE = -20002;
  /** An argument is bad. */
  @Native public static final int ARGUMENT = -20003;
  /** IM is already logged in. */
  @Native public static final int IM_IN_USE = -20004;
  /** The kit is already logged in with another account. */
  @Native public static final int KIT_IN_USE = -20005;
  /** IM and the kit use different AppKeys. */
  @Native public static final int APP_KEY_MISMATCH = -20006;
  /** The service rejected the account or its token. */
  @Native public static final int TOKEN_REJECTED = -20007;
  /** The token has expired. */
  @Native public static final int TOKEN_EXPIRED = -20008;
  /** The account is disabled. */
  @Native public static final int ACCOUNT_BANNED = -20009;
  /** The kit account is bound to no IM account. */
  @Native public static final int NO_IM_ACCOUNT = -20010;
  /** The NERoom component is not enabled for this AppKey. */
  @Native public static final int NOT_ENABLED = -20011;
  /** The service ended the IM login. */
  @Native public static final int KICKED = -20012;
  /** IM was logged out behind the engine's back. */
  @Native public static final int IM_LOGGED_OUT = -20013;
  /** The service cannot be reached or does not answer properly. */
  @Native public static final int UNAVAILABLE = -20014;
  /** A logout or a close ended the login. */
  @Native public static final int INTERRUPTED = -20015;
  /** IM runs only in the main process. */
  @Native public static final int SECONDARY_PROCESS = -20016;

  /** See {@link #code()}. */
  private final int code;

  /** See {@link #op()}. */
  private final String op;

  /** See {@link #call()}. */
  private final String call;

  /** See {@link #remedy()}. */
  private final String remedy;

  /**
   * Makes the failure of a function of the host's, such as a {@link TokenSource}
   * whose server says that the user's session has ended.
   *
   * @param code a constant of this class
   * @param message what happened, without a token
   */
  public ImReuseException(int code, String message) {
    this(code, "", "", message, "");
  }

  // jni.c calls this constructor.
  ImReuseException(int code, String op, String call, String message, String remedy) {
    super(message);
    this.code = code;
    this.op = op;
    this.call = call;
    this.remedy = remedy;
  }

  /**
   * Returns the code, which is one of the constants of this class.
   *
   * @return the code
   */
  public int code() {
    return code;
  }

  /**
   * Returns what to do about the failure.
   *
   * @return a sentence in English; empty if nothing is known
   */
  public String remedy() {
    return remedy;
  }

  /**
   * Returns the operation that failed, such as {@code LoginKit}. For the cause of
   * a loss it may be a trigger.
   *
   * @return the operation; empty if it was none
   */
  public String op() {
    return op;
  }

  /**
   * Returns the call that failed within the operation, such as {@code
   * Authenticate}.
   *
   * @return the call; empty if it was none
   */
  public String call() {
    return call;
  }

  /**
   * Returns the number that the kits of a platform use for this failure.
   *
   * @param p the platform
   * @return the number; 0 if the platform has none
   */
  public int in(Profile p) {
    return Jni.codeIn(code, p.ordinal());
  }
}
