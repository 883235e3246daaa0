package io.github.imreuse;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * What jni.c calls, on threads of the library. Nothing here throws, because an
 * exception must not reach the library.
 */
final class Callbacks {
  private Callbacks() {}

  /** Something that the library completes once. */
  interface Completion {
    void done(ImReuseException error);
  }

  /** A code of 0 means success. If memory is short, the error may be missing. */
  static void done(int user, int code, ImReuseException error) {
    Completion c = Registry.remove(user, Completion.class);
    if (c == null) {
      return;
    }
    c.done(code == 0 || error != null ? error : new ImReuseException(code, "", "", "", ""));
  }

  static void changed(int user, Status s) {
    Feed f = Registry.get(user, Feed.class);
    if (f != null) {
      f.offer(s);
    }
  }

  static void log(int user, int level, String line) {
    EngineCore core = Registry.get(user, EngineCore.class);
    if (core != null) {
      Dispatcher.call(() -> core.logger.accept(level, line));
    }
  }

  static void kitToken(int user, String userUuid, String refused, long request) {
    fetch(user, core -> core.kitToken, userUuid, refused, new Request(request));
  }

  static void imToken(int user, String accid, String refused, long request) {
    fetch(user, core -> core.imToken, accid, refused, new Request(request));
  }

  private static void fetch(
      int user, Function<EngineCore, TokenSource> source, String id, String refused, Request r) {
    EngineCore core = Registry.get(user, EngineCore.class);
    if (core == null) {
      r.fail(ImReuseException.CLOSED, null);
      return;
    }
    answer(r, "the token source", () -> {
      CompletableFuture<String> token = source.apply(core).token(id, refused);
      if (token == null) {
        throw new NullPointerException("a TokenSource returned null instead of a future");
      }
      token.whenComplete((t, e) -> {
        if (e == null) {
          r.token(t);
        } else {
          fail(r, e);
        }
      });
    });
  }

  /** The host's future failed, and that is an answer. */
  private static void fail(Request r, Throwable e) {
    Throwable cause = e instanceof CompletionException && e.getCause() != null ? e.getCause() : e;
    boolean known = cause instanceof ImReuseException;
    String message = cause.getMessage();
    r.fail(
        known ? ((ImReuseException) cause).code() : ImReuseException.OTHER,
        message == null || message.isEmpty() ? cause.getClass().getName() : message);
  }

  static void init(int user, String appKey, long request) {
    ask(user, request, (c, r) -> c.init(appKey, r));
  }

  static void login(int user, String appKey, String accid, String token, long request) {
    ask(user, request, (c, r) -> c.login(appKey, accid, token, r));
  }

  static void logout(int user, long request) {
    ask(user, request, HostIm.Client::logout);
  }

  private static void ask(int user, long request, BiConsumer<HostIm.Client, Request> call) {
    Request r = new Request(request);
    HostIm.Client c = Registry.get(user, HostIm.Client.class);
    if (c == null) {
      r.fail(ImReuseException.CLOSED, null);
      return;
    }
    answer(r, "the host's IM client", () -> call.accept(c, r));
  }

  static void cancelled(int user, long request) {
    HostIm.Client c = Registry.get(user, HostIm.Client.class);
    if (c != null) {
      Dispatcher.call(() -> c.cancelled(new Request(request)));
    }
  }

  /**
   * Runs code that answers r now or later. If it throws, that is the answer. The
   * exception's message is left out, because it could have a token.
   */
  private static void answer(Request r, String who, Runnable code) {
    Dispatcher.call(() -> {
      try {
        code.run();
      } catch (Throwable t) {
        r.fail(ImReuseException.OTHER, who + " threw " + t.getClass().getName());
        throw t;
      }
    });
  }
}
