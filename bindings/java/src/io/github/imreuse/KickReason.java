package io.github.imreuse;

/** Why the service ended an IM login. */
public enum KickReason {
  /** Another device logged in, and the app allows only one. */
  BY_CLIENT,
  /** Somebody used the server API or the console. */
  BY_SERVER,
  /** Another device asked for it. */
  BY_OTHER,
  /** The same device logged in again. */
  QUIETLY;

  /** The library's number for the reason. They start at 1; 0 means no kick. */
  int number() {
    return ordinal() + 1;
  }
}
