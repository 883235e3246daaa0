package io.github.imreuse;

/** Lets the tests look inside. */
public final class Inside {
  private Inside() {}

  /** Returns how many objects the library can call back. */
  public static int registered() {
    return Registry.size();
  }
}
