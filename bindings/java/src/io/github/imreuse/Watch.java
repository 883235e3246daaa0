package io.github.imreuse;

import java.util.function.Consumer;

/** A watch as the host holds it. It keeps its Engine from being collected. */
final class Watch implements AutoCloseable {
  private final Engine engine;
  private final Feed feed;
  private final int user;
  private final long handle;

  Watch(Engine engine, Consumer<Status> changed) {
    this.engine = engine;
    feed = new Feed(engine.core, changed);
    user = Registry.add(feed);
    engine.core.keep(user);
    handle = Jni.watchStart(engine.core.handle(), user);
    if (handle == 0) { // the engine is closed
      engine.core.forget(user);
    }
  }

  @Override
  public void close() {
    feed.stop();
    Jni.watchStop(handle);
    engine.core.forget(user);
  }
}
