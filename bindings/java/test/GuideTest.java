import io.github.imreuse.*;
import java.util.Arrays;

/** The steps of the vendor's guides, with the host's own IM client. */
public class GuideTest {
  public void threeSteps() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY).mode(Mode.REUSE_IM))) {
      Status s = e.status();
      Check.equal(s.state(), State.UNINITIALIZED, "state of a new engine");
      Check.equal(s.via(), "", "via of a new engine");
      Check.equal(s.cause(), null, "cause of a new engine");
      Check.get(e.initIm());
      Check.equal(e.status().state(), State.IM_INITIALIZED, "state");
      Check.get(e.loginIm("MyAccid", Im.TOKEN));
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      s = e.status();
      Check.equal(s.state(), State.KIT_LOGGED_IN, "state");
      Check.equal(s.floor(), State.IM_LOGGED_IN, "floor");
      Check.equal(s.via(), "login_kit", "via");
      Check.equal(s.accid(), "myaccid", "accid");
      Check.equal(s.userUuid(), "myaccid", "userUuid");
      Check.equal(s.session().length(), 36, "length of the session");
      Check.that(s.reused() && s.online() && !s.anonymous() && !s.expired(), "flags of " + s);
      Check.that(s.seq() >= 3, "seq of " + s);
      Check.equal(s.cause(), null, "cause");
      Check.get(e.logoutKit());
      Check.equal(e.status().state(), State.IM_LOGGED_IN, "state");
      Check.get(e.logoutIm());
      Check.equal(im.calls, Arrays.asList("init app1", "login app1 MyAccid myToken", "logout"), "calls of the client");
    }
  }

  public void tooEarly() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY).mode(Mode.REUSE_IM))) {
      Check.get(e.initIm());
      ImReuseException x =
          Check.fails(e.loginKit(Im.USER, Im.USER_TOKEN), ImReuseException.IM_NOT_LOGGED_IN);
      Check.equal(x.op(), "LoginKit", "op");
      Check.that(x.remedy().startsWith("Log IM in"), "remedy: " + x.remedy());
      Check.that(x.getMessage().contains("LoginKit"), "message: " + x.getMessage());
      Check.that(!x.toString().contains(Im.USER_TOKEN), "a token in " + x);
      int[] numbers = {100004, 100004, 1801, -6, -3};
      for (Profile p : Profile.values()) {
        Check.equal(x.in(p), numbers[p.ordinal()], "number in " + p);
      }
    }
  }

  public void wrongAccount() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY).mode(Mode.REUSE_IM))) {
      Check.get(e.initIm());
      Check.get(e.loginIm("someoneelse", Im.TOKEN));
      Check.fails(e.loginKit(Im.USER, Im.USER_TOKEN), ImReuseException.IM_ACCOUNT_MISMATCH);
      Check.fails(e.loginAnonymous(), ImReuseException.REUSE_NO_ANONYMOUS);
    }
  }

  public void hostLogsInByItself() throws Exception {
    try (HostIm im = new HostIm(null); Mock mock = new Mock(null);
        Engine e = new Engine(im, mock, new Options(Im.APP_KEY))) {
      im.loggingIn();
      im.loggedIn(Im.APP_KEY, Im.ACCID);
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      Check.that(e.status().reused(), "the host's login is reused: " + e.status());
      im.link(false);
      Check.until(() -> !e.status().online(), "the link is down");
      im.link(true);
      Check.until(() -> e.status().online(), "the link is up");
      im.kicked(KickReason.BY_SERVER, "see you");
      Check.until(() -> e.status().state() == State.IM_INITIALIZED, "the kick");
      ImReuseException cause = e.status().cause();
      Check.equal(e.status().via(), "im_lost", "via");
      Check.equal(cause.code(), ImReuseException.KICKED, "code of the cause");
      Check.that(cause.getMessage().contains("by the server") && cause.getMessage().contains("see you"),
          "message of the cause: " + cause.getMessage());
      Check.fails(e.loginIm(Im.ACCID, Im.TOKEN), ImReuseException.STATE);
      im.loggedIn(Im.APP_KEY, Im.ACCID);
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      im.loggedOut(ImReuseException.TOKEN_EXPIRED, null);
      Check.until(() -> e.status().state() == State.IM_INITIALIZED, "the logout");
      Check.equal(e.status().cause().code(), ImReuseException.TOKEN_EXPIRED, "code of the cause");
    }
  }

  public void engineLogsInByItself() throws Exception {
    try (Mock mock = new Mock(null);
        Engine e = new Engine(mock, new Options(Im.APP_KEY).mode(Mode.AUTO_LOGIN))) {
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
      Check.that(!e.status().reused(), "not reused: " + e.status());
      Check.get(e.logoutKit());
      Check.equal(e.status().state(), State.IM_INITIALIZED, "state");
      Check.get(e.loginAnonymous());
      Check.that(e.status().anonymous(), "anonymous: " + e.status());
    }
  }

  public void mockCloud() throws Exception {
    try (Mock mock = new Mock("{\"appKey\": \"k\", \"im\": [{\"accid\": \"a\", \"token\": \"t\"}],"
        + " \"kit\": [{\"userUuid\": \"u\", \"userToken\": \"v\", \"accid\": \"a\"}]}");
        Engine e = new Engine(mock, new Options("k")); Engine other = new Engine(mock, new Options("k"))) {
      Check.get(e.loginKit("u", "v"));
      mock.kick("a", KickReason.BY_OTHER);
      Check.until(() -> e.status().state() == State.IM_INITIALIZED, "the kick");
      Check.equal(e.status().cause().code(), ImReuseException.KICKED, "cause");
      Check.get(e.loginKit("u", "v"));
      mock.endIm("a", ImReuseException.ACCOUNT_BANNED);
      Check.until(() -> e.status().state() == State.IM_INITIALIZED, "the end");
      Check.equal(e.status().cause().code(), ImReuseException.ACCOUNT_BANNED, "cause");
      Check.get(e.loginKit("u", "v"));
      mock.expire("u");
      Check.until(() -> e.status().state() != State.KIT_LOGGED_IN, "the end of the kit login");
      Check.equal(e.status().cause().code(), ImReuseException.TOKEN_EXPIRED, "cause");
      Check.equal(other.status().state(), State.UNINITIALIZED, "the other device");
    }
  }

  public void badArguments() throws Exception {
    Check.throwsCode(() -> new Mock("{"), ImReuseException.ARGUMENT);
    Check.throwsCode(() -> new KitServer(null, null), ImReuseException.ARGUMENT);
    Check.throwsCode(() -> new KitServer(Im.APP_KEY, "ftp://example.com"), ImReuseException.ARGUMENT);
    Check.throwsCode(() -> new KitServer(new KitOptions(Im.APP_KEY).kitUrl("http://example.com")), ImReuseException.ARGUMENT);
    new KitServer(new KitOptions(Im.APP_KEY).kitUrl("http://example.com").plainHttp(true).deviceId("d1").dynamicToken(true)).close();
    try (Im im = new Im(); Mock mock = new Mock(null)) {
      Check.throwsCode(() -> new Engine(null, mock, new Options(Im.APP_KEY)), ImReuseException.ARGUMENT);
      Check.throwsCode(() -> new Engine(im.host, (Mock) null, new Options(Im.APP_KEY)), ImReuseException.ARGUMENT);
      Check.throwsCode(() -> new Engine(im.host, (KitServer) null, new Options(Im.APP_KEY)), ImReuseException.ARGUMENT);
      Check.throwsCode(() -> new Engine(null, new Options(Im.APP_KEY)), ImReuseException.ARGUMENT);
      Check.throwsCode(() -> new Engine(mock, new Options(null)), ImReuseException.ARGUMENT);
      Check.throwsCode(() -> new Engine(mock, null), ImReuseException.ARGUMENT);
      try (Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY))) {
        Check.get(e.initIm());
        Check.fails(e.loginIm(null, Im.TOKEN), ImReuseException.ARGUMENT);
        Check.fails(e.loginIm(Im.ACCID, null), ImReuseException.ARGUMENT);
        Check.fails(e.loginKit("", Im.USER_TOKEN), ImReuseException.ARGUMENT);
        Check.fails(e.loginKit(Im.USER, null), ImReuseException.ARGUMENT);
        Check.fails(e.keepKit(null, null), ImReuseException.ARGUMENT);
        Check.fails(e.renewKit(Im.USER, Im.USER_TOKEN), ImReuseException.STATE);
        Check.equal(im.calls, Arrays.asList("init app1"), "calls of the client");
        try {
          e.watch(null);
          Check.that(false, "watch(null) succeeded");
        } catch (NullPointerException expected) {
          // as everywhere in Java
        }
      }
    }
  }

  public void kitServerOfOneEngine() throws Exception {
    try (Im im = new Im(); KitServer kit = new KitServer(Im.APP_KEY, null);
        Engine e = new Engine(im.host, kit, new Options(Im.APP_KEY))) {
      Check.throwsCode(() -> new Engine(im.host, kit, new Options(Im.APP_KEY)), ImReuseException.ARGUMENT);
    }
  }

  public void secondaryProcess() throws Exception {
    try (Mock mock = new Mock(null); Engine e = new Engine(mock, new Options(Im.APP_KEY).secondaryProcess(true))) {
      Check.fails(e.initIm(), ImReuseException.SECONDARY_PROCESS);
    }
  }

  public void requireOnline() throws Exception {
    try (HostIm im = new HostIm(null); Mock mock = new Mock(null);
        Engine e = new Engine(im, mock, new Options(Im.APP_KEY).mode(Mode.REUSE_IM).requireOnline(true))) {
      im.loggedIn(Im.APP_KEY, Im.ACCID);
      im.link(false);
      Check.fails(e.loginKit(Im.USER, Im.USER_TOKEN), ImReuseException.IM_NOT_LOGGED_IN);
      im.link(true);
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
    }
  }
}
