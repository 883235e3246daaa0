package io.github.imreuse;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The objects that the library calls back, under the numbers that it knows them
 * by. A number that is no longer here is ignored, so no callback can reach an
 * object that is gone.
 */
final class Registry {
  private static final ConcurrentHashMap<Integer, Object> OBJECTS = new ConcurrentHashMap<>();
  private static final AtomicInteger LAST = new AtomicInteger();

  private Registry() {}

  /** Returns a number for o. It is never 0. */
  static int add(Object o) {
    for (; ; ) {
      int id = LAST.incrementAndGet();
      if (id != 0 && OBJECTS.putIfAbsent(id, o) == null) {
        return id;
      }
    }
  }

  /** Returns the object with this number if it is a t, or else null. */
  static <T> T get(int id, Class<T> t) {
    Object o = OBJECTS.get(id);
    return t.isInstance(o) ? t.cast(o) : null;
  }

  static <T> T remove(int id, Class<T> t) {
    Object o = OBJECTS.remove(id);
    return t.isInstance(o) ? t.cast(o) : null;
  }

  static void remove(int id) {
    OBJECTS.remove(id);
  }

  /** Returns how many objects are there. For tests. */
  static int size() {
    return OBJECTS.size();
  }
}
