package io.github.imreuse;

import java.util.function.BiConsumer;

/**
 * Options of an {@link Engine}. Each method sets one and returns the same object.
 * The engine reads them once, when it is made.
 */
public final class Options {
  final String appKey;
  Mode mode = Mode.AUTO_DETECT;
  boolean requireOnline;
  boolean secondaryProcess;
  BiConsumer<Integer, String> logger;
  TokenSource kitToken;
  TokenSource imToken;

  /**
   * Starts with the defaults.
   *
   * @param appKey the AppKey of the app; the same for IM and for the kit
   */
  public Options(String appKey) {
    this.appKey = appKey;
  }

  /**
   * Sets who logs IM in. The default is {@link Mode#AUTO_DETECT}.
   *
   * @param m the mode
   * @return this
   */
  public Options mode(Mode m) {
    mode = m;
    return this;
  }

  /**
   * Makes kit logins fail if the link of the IM login that they would reuse is
   * down.
   *
   * @param b whether they fail
   * @return this
   */
  public Options requireOnline(boolean b) {
    requireOnline = b;
    return this;
  }

  /**
   * Says that this is not the app's main process. IM runs only in the main
   * process, so every login fails here.
   *
   * @param b whether this is another process
   * @return this
   */
  public Options secondaryProcess(boolean b) {
    secondaryProcess = b;
    return this;
  }

  /**
   * Sets a function that gets a line for each change of state and for each failed
   * operation. It is called on threads of the library in the middle of operations,
   * which wait until it returns. Without it the engine is silent.
   *
   * @param l gets the level, which is -4, 0, 4 or 8 for debug, info, warning or
   *     error, and the line, which never contains a token
   * @return this
   */
  public Options logger(BiConsumer<Integer, String> l) {
    logger = l;
    return this;
  }

  /**
   * Sets where kit tokens come from. Then {@link Engine#loginKit} needs no token,
   * and a token that runs out during a login is renewed.
   *
   * @param s the source
   * @return this
   */
  public Options kitToken(TokenSource s) {
    kitToken = s;
    return this;
  }

  /**
   * Sets where IM tokens come from. Then {@link Engine#loginIm} needs no token.
   *
   * @param s the source
   * @return this
   */
  public Options imToken(TokenSource s) {
    imToken = s;
    return this;
  }
}
