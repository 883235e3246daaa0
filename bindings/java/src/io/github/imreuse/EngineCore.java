package io.github.imreuse;

import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;

/**
 * What the library knows of an Engine, and what has to go when it is closed. It
 * does not refer to the Engine, so that an Engine can be collected.
 */
final class EngineCore {
  final BiConsumer<Integer, String> logger;
  final TokenSource kitToken;
  final TokenSource imToken;

  private final int user = Registry.add(this);
  private final long handle;
  private final HostIm.Hold client; // null if there is none
  private final Set<Integer> watches = ConcurrentHashMap.newKeySet();

  // The engine in the library, and each callback that is waiting or running.
  private final AtomicInteger users = new AtomicInteger(1);
  private final AtomicReference<CompletableFuture<Void>> closed = new AtomicReference<>();
  private volatile ImReuseException closeError;

  EngineCore(Options o, long im, long kit, HostIm.Hold client) throws ImReuseException {
    logger = o.logger;
    kitToken = o.kitToken;
    imToken = o.imToken;
    this.client = client;
    try {
      handle = Jni.engineNew(user, o.appKey, im, kit, o.mode == null ? 0 : o.mode.ordinal(),
          o.requireOnline, o.secondaryProcess, logger != null, kitToken != null, imToken != null);
    } catch (Throwable t) {
      letGo();
      throw t;
    }
  }

  long handle() {
    return handle;
  }

  /** Runs the host's code on another thread. The engine is not closed before it returns. */
  void dispatch(Runnable code) {
    users.incrementAndGet();
    Dispatcher.execute(() -> {
      try {
        code.run();
      } finally {
        leave();
      }
    });
  }

  private void leave() {
    if (users.decrementAndGet() > 0) {
      return;
    }
    CompletableFuture<Void> f = closed.get();
    if (f != null) {
      settle(f, closeError);
    }
  }

  private static void settle(CompletableFuture<Void> f, Throwable error) {
    if (error == null) {
      f.complete(null);
    } else {
      f.completeExceptionally(error);
    }
  }

  void keep(int watch) {
    watches.add(watch);
  }

  void forget(int watch) {
    watches.remove(watch);
    Registry.remove(watch);
  }

  /** Closes the engine once. Each caller gets a future of its own. */
  CompletableFuture<Void> close() {
    CompletableFuture<Void> first = new CompletableFuture<>();
    if (closed.compareAndSet(null, first)) {
      Jni.close(handle, Registry.add((Callbacks.Completion) this::libraryClosed));
    }
    CompletableFuture<Void> copy = new CompletableFuture<>();
    closed.get().whenComplete((v, e) -> settle(copy, e));
    return copy;
  }

  boolean isClosed() {
    return closed.get() != null;
  }

  // From here on the library calls nothing of this engine any more.
  private void libraryClosed(ImReuseException error) {
    closeError = error;
    letGo();
    Dispatcher.execute(this::leave);
  }

  private void letGo() {
    Registry.remove(user);
    for (int watch : watches) {
      Registry.remove(watch);
    }
    watches.clear();
    if (client != null) {
      client.release();
    }
  }

  /** Closes an engine that the host has dropped, and says so. */
  void dropped() {
    if (isClosed()) {
      return;
    }
    if (logger != null) {
      Dispatcher.call(() -> logger.accept(4,
          "imreuse: an Engine was dropped without close; it is being closed now"));
    }
    close();
  }
}
