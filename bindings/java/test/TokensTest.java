import io.github.imreuse.*;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;

/** Tokens come from the host's sources, and are never shown. */
public class TokensTest {
  public void sources() throws Exception {
    List<String> asked = new CopyOnWriteArrayList<>();
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY)
            .kitToken((id, refused) -> {
              asked.add("kit " + id + "," + refused);
              return CompletableFuture.supplyAsync(() -> asked.size() == 1 ? "stale" : Im.USER_TOKEN);
            })
            .imToken((id, refused) -> {
              asked.add("im " + id + "," + refused);
              return CompletableFuture.completedFuture(Im.TOKEN);
            }))) {
      Check.get(e.loginKit(Im.USER, null));
      Check.equal(asked.toString(), "[kit myaccid,, kit myaccid,stale]", "what the sources were asked");
      Check.get(e.logoutIm());
      asked.clear();
      Check.get(e.loginIm(Im.ACCID, null));
      Check.equal(asked.toString(), "[im myaccid,]", "what the sources were asked");
    }
  }

  public void renewal() throws Exception {
    CompletableFuture<Void> asked = new CompletableFuture<>();
    CompletableFuture<String> token = new CompletableFuture<>();
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY)
        .kitToken((id, refused) -> {
          asked.complete(null);
          return token;
        }))) {
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      mock.expire(Im.USER);
      Check.get(asked);
      Check.that(e.status().expired() && e.status().state() == State.KIT_LOGGED_IN, "status: " + e.status());
      token.complete("nonsense"); // the server refuses it
      Check.until(() -> e.status().state() != State.KIT_LOGGED_IN, "the end of the kit login");
      Check.equal(e.status().cause().code(), ImReuseException.TOKEN_REJECTED, "code of the cause");
    }
  }

  public void failures() throws Exception {
    AtomicReference<CompletableFuture<String>> next = new AtomicReference<>();
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY)
        .kitToken((id, refused) -> next.get()))) {
      next.set(CompletableFuture.completedFuture(null));
      Check.fails(e.loginKit(Im.USER, null), ImReuseException.ARGUMENT);
      CompletableFuture<String> f = new CompletableFuture<>();
      f.completeExceptionally(new IllegalStateException("the app server is down"));
      next.set(f);
      ImReuseException x = Check.fails(e.loginKit(Im.USER, null), ImReuseException.OTHER);
      Check.that(x.getMessage().contains("the app server is down"), "message: " + x.getMessage());
      Check.equal(x.call(), "KitToken", "call");
      next.set(CompletableFuture.supplyAsync(() -> {
        throw new CompletionException(new IllegalStateException());
      }));
      x = Check.fails(e.loginKit(Im.USER, null), ImReuseException.OTHER);
      Check.that(x.getMessage().contains("IllegalStateException"), "message: " + x.getMessage());
      next.set(f = new CompletableFuture<>());
      f.completeExceptionally(Check.throwsCode(() -> new Mock("{"), ImReuseException.ARGUMENT));
      Check.fails(e.loginKit(Im.USER, null), ImReuseException.ARGUMENT);
      next.set(f = new CompletableFuture<>());
      f.completeExceptionally(new ImReuseException(ImReuseException.ACCOUNT_BANNED, "the session has ended"));
      x = Check.fails(e.loginKit(Im.USER, null), ImReuseException.ACCOUNT_BANNED);
      Check.that(x.getMessage().contains("the session has ended"), "message: " + x.getMessage());
    }
  }

  public void lateAnswersAreIgnored() throws Exception {
    CompletableFuture<String> token = new CompletableFuture<>();
    CompletableFuture<Void> asked = new CompletableFuture<>();
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY)
        .kitToken((id, refused) -> {
          asked.complete(null);
          return token;
        }))) {
      CompletableFuture<Void> login = e.loginKit(Im.USER, null);
      Check.get(asked);
      login.cancel(true);
      Check.fails(login, ImReuseException.OTHER);
      token.complete(Im.USER_TOKEN);
      Check.equal(e.status().state(), State.UNINITIALIZED, "state");
      e.close();
    }
  }

  public void neverShown() throws Exception {
    StringBuffer shown = new StringBuffer();
    String secret = "s3cr3t-t0ken";
    Options o = new Options(Im.APP_KEY).logger((level, line) -> shown.append(line).append('\n'))
        .kitToken((id, refused) -> CompletableFuture.completedFuture(secret));
    try (Im im = new Im(); Mock mock = new Mock(null); Engine e = new Engine(im.host, mock, o)) {
      Check.get(e.initIm());
      CompletableFuture<Void> f = e.loginIm(Im.ACCID, secret);
      shown.append(Check.fails(f, ImReuseException.TOKEN_REJECTED)).append(f);
      f = e.loginKit(Im.USER, secret);
      shown.append(Check.fails(f, ImReuseException.TOKEN_REJECTED)).append(f);
      f = e.loginKit(Im.USER, null);
      shown.append(Check.fails(f, ImReuseException.TOKEN_REJECTED)).append(f);
      im.hold = true;
      f = e.loginIm(Im.ACCID, secret);
      Check.until(() -> im.held.get() != null, "the client is asked to log in");
      im.held.get().fail(ImReuseException.TOKEN_REJECTED, "no: " + secret);
      shown.append(Check.fails(f, ImReuseException.TOKEN_REJECTED));
      shown.append(e).append(e.status()).append(o).append(im.host).append(im.held.get()).append(mock);
    }
    Check.that(shown.indexOf("LoginKit") > 0, "the log has lines: " + shown);
    Check.that(shown.indexOf(secret) < 0, "a token in: " + shown);
  }
}
