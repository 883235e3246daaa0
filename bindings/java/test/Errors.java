import io.github.imreuse.Engine;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Collects what callbacks throw, instead of printing it. */
final class Errors implements AutoCloseable {
  final List<Throwable> all = new CopyOnWriteArrayList<>();

  Errors() {
    Engine.errorHandler(all::add);
  }

  /** Waits until the handler has got a Boom with this text. */
  void until(String text) throws InterruptedException {
    Check.until(() -> all.stream().anyMatch(t -> t instanceof Boom && text.equals(t.getMessage())),
        "the error handler gets " + text + "; it has " + all);
  }

  @Override
  public void close() {
    Engine.errorHandler(null);
  }

  /** What callbacks throw in tests. */
  static final class Boom extends RuntimeException {
    private static final long serialVersionUID = 1;

    Boom(String text) {
      super(text);
    }
  }
}
