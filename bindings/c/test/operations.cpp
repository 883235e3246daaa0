// Rules 1 to 4 and 7: operations complete exactly once, with a future and with a
// Done; errors, statuses and watches have what the engine's have.
#include "check.hpp"

using namespace imreuse;

static void testFutures() {
  Mock mock;
  Engine e(mock, options());
  CHECK(codeOf(e.initIm()) == IMREUSE_OK, "init");
  CHECK(codeOf(e.loginIm(accid, imToken)) == IMREUSE_OK, "login");
  CHECK(codeOf(e.loginAnonymous()) == IMREUSE_ERR_REUSE_NO_ANONYMOUS, "anonymous");
  CHECK(codeOf(e.loginKit(user, userToken)) == IMREUSE_OK, "login");
  CHECK(codeOf(e.renewKit(user, userToken)) == IMREUSE_OK, "renew");
  CHECK(codeOf(e.renewKit(user, "another")) == IMREUSE_ERR_TOKEN_REJECTED, "renew");
  CHECK(codeOf(e.logoutKit()) == IMREUSE_OK && e.status().state == State::ImLoggedIn, "logout");
  CHECK(codeOf(e.logoutIm()) == IMREUSE_OK && e.status().state == State::ImInitialized, "logout");
  auto kept = e.keepKit(user, userToken);
  waitFor("no login", [&] { return e.status().state == State::KitLoggedIn; });
  CHECK(kept.wait_for(std::chrono::seconds(0)) == std::future_status::timeout, "keepKit is over");
  CHECK(codeOf(e.close()) == IMREUSE_OK, "close");
  CHECK(codeOf(std::move(kept)) == IMREUSE_ERR_INTERRUPTED, "keep");
  CHECK(codeOf(e.close()) == IMREUSE_ERR_CLOSED && codeOf(e.initIm()) == IMREUSE_ERR_CLOSED, "closed");
}

static void testOnce() {
  Mock mock;
  Engine e(mock, options());
  std::atomic<int> calls{0}, failures{0};
  auto done = [&](const Error *error) {
    failures += error != nullptr;
    calls++;
  };
  e.initIm(done);
  e.loginIm(accid, imToken, done);
  e.loginKit(user, userToken, done);
  e.loginKit("", "", done); // fails
  waitFor("not all completed", [&] { return calls == 4; });
  e.logoutKit(Done()); // earlier, it would end the logins
  CHECK(codeOf(e.close()) == IMREUSE_OK, "close");
  CHECK(calls == 4 && failures == 1, calls << " calls, " << failures << " failures");
  e.initIm(done);
  waitFor("a closed engine does not complete", [&] { return calls == 5; });
}

static void testCancel() {
  Mock mock;
  Engine e(mock, options());
  Box<std::optional<Error>> outcome;
  auto done = [&](const Error *error) { outcome.put(error ? std::optional<Error>(*error) : std::nullopt); };
  get(e.initIm());
  Operation op = e.keepKit(user, userToken, done);
  waitFor("no login", [&] { return e.status().state == State::KitLoggedIn; });
  CHECK(outcome.size() == 0, "KeepKit is over");
  op.cancel();
  std::optional<Error> error = outcome.wait(0);
  CHECK(error && error->code == IMREUSE_ERR_OTHER && error->op == "KeepKit" && error->remedy.empty(), "canceled");
  op.cancel();
  Operation().cancel();
  CHECK(e.status().state == State::KitLoggedIn, "canceling KeepKit logged out");
}

static void testErrors() {
  Mock mock;
  Engine e(mock, options(Mode::ReuseIm));
  try {
    get(e.loginKit(user, userToken));
    CHECK(false, "it succeeded");
  } catch (const Error &error) {
    CHECK(error.code == IMREUSE_ERR_IM_NOT_LOGGED_IN && error.op == "LoginKit" && error.call.empty(), error.what());
    CHECK(error.remedy == imreuse_code_remedy(IMREUSE_ERR_IM_NOT_LOGGED_IN) && !error.remedy.empty(), error.remedy);
    CHECK(std::string(error.what()).find("the host has not logged IM in") != std::string::npos, error.what());
    CHECK(error.in(Profile::Desktop) == 1801 && error.in(Profile::RoomKit1) == -6, error.in(Profile::Desktop));
  }
  get(e.initIm());
  get(e.loginIm(accid, imToken));
  try {
    get(e.loginKit(user, "a-wrong-one"));
    CHECK(false, "it succeeded");
  } catch (const Error &error) {
    CHECK(error.code == IMREUSE_ERR_TOKEN_REJECTED && error.call == "Authenticate", error.what());
    CHECK(std::string(error.what()).find("a-wrong-one") == std::string::npos, error.what());
  }
  CHECK(codeOf(e.loginKit(std::string_view("a\0b", 3), userToken)) == IMREUSE_ERR_ARGUMENT, "a 0 in an id");
  CHECK(codeFrom([&] { Engine(mock, Options{}); }) == IMREUSE_ERR_ARGUMENT, "no appKey");
  CHECK(codeFrom([&] { Engine(nullptr, mock, options()); }) == IMREUSE_ERR_ARGUMENT, "no IM");
  CHECK(codeFrom([] { Mock("nonsense"); }) == IMREUSE_ERR_ARGUMENT, "bad accounts");
  KitOptions kit;
  CHECK(codeFrom([&] { KitServer{kit}; }) == IMREUSE_ERR_ARGUMENT, "no appKey");
  kit.appKey = appKey;
  kit.kitUrl = "http://192.0.2.1/";
  CHECK(codeFrom([&] { KitServer{kit}; }) == IMREUSE_ERR_ARGUMENT, "plain HTTP to another machine");
  kit.plainHttp = true;
  KitServer fine(kit), moved(std::move(fine));
  fine = std::move(moved);
}

static void testStatus() {
  Mock mock("{\"appKey\": \"app1\", \"im\": [{\"accid\": \"b\", \"token\": \"t\"}], "
            "\"kit\": [{\"userUuid\": \"u\", \"userToken\": \"ut\", \"accid\": \"b\"}]}");
  Engine e(mock, options());
  Box<Status> seen;
  Watch watch = e.watch([&](const Status &s) { seen.put(s); });
  CHECK(seen.wait(0).seq == 0 && seen.at(0).state == State::Uninitialized && seen.at(0).via.empty() && !seen.at(0).cause, "first");
  get(e.initIm());
  get(e.loginIm("B", "t"));
  get(e.loginKit("u", "ut"));
  Status s = e.status();
  CHECK(s.seq == 3 && s.state == State::KitLoggedIn && s.floor == State::ImLoggedIn && s.via == "login_kit", s.via);
  CHECK(s.accid == "b" && s.userUuid == "u" && s.session.size() == 36, s.session);
  CHECK(s.online && s.reused && !s.anonymous && !s.expired && !s.cause, "flags");
  mock.expire("u");
  waitFor("the session did not expire", [&] { return e.status().state == State::ImLoggedIn; });
  CHECK(e.status().cause && e.status().cause->code == IMREUSE_ERR_TOKEN_EXPIRED, "cause");
  mock.kick("b", KickReason::ByOther);
  waitFor("no kick", [&] { return e.status().state == State::ImInitialized; });
  get(e.loginIm("b", "t"));
  mock.endIm("b", IMREUSE_ERR_ACCOUNT_BANNED);
  waitFor("no ban", [&] { return e.status().state == State::ImInitialized; });
  get(e.close());
  const char *via[] = {"", "init_im", "login_im", "login_kit", "kit_lost", "im_lost", "login_im", "im_lost", "close"};
  for (std::size_t i = 0; i < std::size(via); i++) CHECK(seen.at(i).seq == i && seen.at(i).via == via[i], i << " via " << seen.at(i).via);
  CHECK(seen.size() == std::size(via) && seen.at(5).cause->code == IMREUSE_ERR_KICKED, seen.size());
  CHECK(e.status().seq == 0 && e.status().state == State::Uninitialized, "a closed engine has a status");
}

static void testTokens() {
  Mock mock;
  Box<std::pair<std::string, Request>> asked;
  std::string log;
  Options o = options();
  o.log = [&](int, std::string_view line) { log.append(line).append("\n"); };
  o.kitToken = [&](const std::string &id, const std::string &refused, Request r) {
    CHECK(id == user, id);
    asked.put({refused, r});
  };
  {
    Engine e(mock, o);
    auto login = e.loginKit(user, "");
    CHECK(asked.wait(0).first.empty(), "nothing was refused");
    asked.at(0).second.token("a-wrong-one");
    asked.at(0).second.token(userToken);
    CHECK(asked.wait(1).first == "a-wrong-one", asked.at(1).first);
    asked.at(1).second.token(userToken);
    CHECK(codeOf(std::move(login)) == IMREUSE_OK, "login");
    get(e.logoutKit());
    login = e.loginKit(user, "");
    asked.wait(2).second.fail(IMREUSE_OK, "no answer is a failure, too");
    CHECK(codeOf(std::move(login)) == IMREUSE_ERR_OTHER, "fail");
  }
  CHECK(log.find("trigger=login_kit") != std::string::npos && log.find(userToken) == std::string::npos && log.find("a-wrong-one") == std::string::npos, log);
}

static void testMoves() {
  Mock mock;
  Engine first(mock, options()), second(mock, options());
  get(first.initIm());
  Engine moved(std::move(first));
  CHECK(moved.status().state == State::ImInitialized, "a move changed the state");
  CHECK(codeOf(first.initIm()) == IMREUSE_ERR_CLOSED && codeOf(first.close()) == IMREUSE_ERR_CLOSED && first.status().seq == 0, "moved from");
  Watch none = first.watch([](const Status &) { CHECK(false, "a status of no engine"); });
  none.stop();
  second = std::move(moved); // closes the second one
  CHECK(second.status().state == State::ImInitialized, "a move changed the state");
  std::atomic<int> a{0}, b{0};
  Watch one = second.watch([&](const Status &) { a++; }), other = second.watch([&](const Status &) { b++; });
  waitFor("no status", [&] { return a == 1 && b == 1; });
  one = std::move(other); // stops the first one
  get(second.loginAnonymous());
  waitFor("no status", [&] { return b >= 2; });
  CHECK(a == 1, "a stopped watcher was called");
  Mock another;
  another = std::move(mock);
}

void testOperations() {
  testFutures();
  testOnce();
  testCancel();
  testErrors();
  testStatus();
  testTokens();
  testMoves();
}

int main() {
  testOperations();
  testHostIm();
  testExceptions();
  testClose();
  testThreads();
}
