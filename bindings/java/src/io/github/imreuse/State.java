package io.github.imreuse;

/**
 * The four states of an engine. Each includes the ones before it, so states can
 * be compared: {@code s.compareTo(IM_LOGGED_IN) >= 0} means that IM is logged
 * in, no matter who did it.
 */
public enum State {
  /** Nothing is set up. A new engine starts here, and a closed one ends here. */
  UNINITIALIZED,
  /** The IM SDK is initialised, and nobody is logged in. */
  IM_INITIALIZED,
  /** One IM account is logged in. */
  IM_LOGGED_IN,
  /** The kit account that is bound to the IM account is logged in, too. */
  KIT_LOGGED_IN
}
