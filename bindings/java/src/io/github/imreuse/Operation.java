package io.github.imreuse;

import java.util.concurrent.CompletableFuture;

/**
 * An operation in flight. While the library has it, it keeps its Engine from
 * being collected.
 */
final class Operation extends CompletableFuture<Void> implements Callbacks.Completion {
  /** Starts the operation in the library, and returns its handle. */
  interface Start {
    long start(long engine, int user);
  }

  private volatile Engine engine; // null once the library has completed it
  private volatile long handle;
  private volatile boolean canceled;

  private Operation(Engine engine) {
    this.engine = engine;
  }

  static Operation start(Engine engine, Start s) {
    Operation o = new Operation(engine);
    int user = Registry.add(o);
    try {
      o.handle = s.start(engine.core.handle(), user);
    } catch (Throwable t) { // memory is short, and the library was not called
      Registry.remove(user);
      throw t;
    }
    return o;
  }

  @Override
  public void done(ImReuseException error) {
    EngineCore core = engine.core;
    engine = null;
    core.dispatch(() -> {
      if (error == null) {
        complete(null);
      } else {
        completeExceptionally(error);
      }
    });
  }

  // The engine decides how a canceled operation ends, and first undoes what it
  // did.
  @Override
  public boolean cancel(boolean mayInterruptIfRunning) {
    if (isDone()) {
      return isCancelled();
    }
    canceled = true;
    Jni.cancel(handle);
    return true;
  }

  @Override
  public boolean isCancelled() {
    return canceled && isCompletedExceptionally();
  }
}
