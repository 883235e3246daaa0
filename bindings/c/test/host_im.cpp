// Rule 5: the host's own IM client, as a class.
#include "check.hpp"

using namespace imreuse;

namespace {

// A Client's requests are answered by the test.
class Client : public HostIm {
 public:
  Client() : HostIm(true) {}
  Box<Request> logins, logouts, cancels;
  Box<std::string> accounts;

 protected:
  void login(const std::string &key, const std::string &id, const std::string &token, Request r) override {
    accounts.put(key + " " + id + " " + token);
    logins.put(r);
  }
  void logout(Request r) override { logouts.put(r); }
  void cancelled(Request r) override { cancels.put(r); }
};

// A Reporter only reports: the host logs IM in and out by itself.
class Reporter : public HostIm {};

} // namespace

static void testClient() {
  Mock mock;
  auto client = std::make_shared<Client>();
  Engine e(client, mock, options());
  auto login = e.loginKit(user, userToken);
  Request r = client->logins.wait(0);
  CHECK(client->accounts.at(0) == "app1 myaccid myToken", client->accounts.at(0));
  CHECK(login.wait_for(std::chrono::seconds(0)) == std::future_status::timeout, "it is over before the answer");
  r.done();
  r.fail(IMREUSE_ERR_KICKED, "too late");
  CHECK(codeOf(std::move(login)) == IMREUSE_OK, "login");
  client->link(false);
  CHECK(!e.status().online, "online");
  client->kicked(KickReason::ByServer, "by an admin");
  waitFor("no kick", [&] { return e.status().state == State::ImInitialized; });
  CHECK(e.status().cause->code == IMREUSE_ERR_KICKED && std::string(e.status().cause->what()).find("by an admin") != std::string::npos, e.status().cause->what());

  login = e.loginIm(accid, imToken);
  client->logins.wait(1).fail(302, "not myToken");
  try {
    get(std::move(login));
    CHECK(false, "it succeeded");
  } catch (const Error &error) {
    CHECK(error.code == IMREUSE_ERR_OTHER && error.call == "LoginIM" && std::string(error.what()).find(imToken) == std::string::npos, error.what());
  }
}

// A client that never completes: cancel and close end the operation, and tell the
// client once. Its late answers are ignored.
static void testNever() {
  Mock mock;
  auto client = std::make_shared<Client>();
  std::atomic<int> code{0};
  {
    Engine e(client, mock, options());
    get(e.initIm());
    auto done = [&](const Error *error) { code = error ? error->code : 1; };
    Operation op = e.loginIm(accid, imToken, done);
    client->logins.wait(0);
    op.cancel();
    client->logouts.wait(0).done(); // nobody knows how far the login got
    waitFor("no completion", [&] { return code == IMREUSE_ERR_OTHER; });
    CHECK(client->cancels.wait(0) == client->logins.at(0) && client->cancels.at(0) != client->logouts.at(0), "the wrong request");
    client->logins.at(0).done();
    CHECK(e.status().state == State::ImInitialized, "a late answer logged in");
    e.loginIm(accid, imToken, done);
    client->logins.wait(1);
    auto closed = e.close();
    client->logouts.wait(1).done();
    CHECK(codeOf(std::move(closed)) == IMREUSE_OK && code == IMREUSE_ERR_INTERRUPTED, code);
  }
  client->logins.at(1).done();
  CHECK(client->cancels.size() == 2, client->cancels.size());
}

static void testReuse() {
  Mock mock;
  auto host = std::make_shared<Reporter>();
  Engine e(host, mock, options(Mode::ReuseIm));
  CHECK(codeOf(e.loginKit(user, userToken)) == IMREUSE_ERR_IM_NOT_LOGGED_IN, "reuse");
  host->loggingIn();
  auto login = e.loginKit(user, userToken); // waits for the host's login
  host->loggedIn(appKey, "another");
  CHECK(codeOf(std::move(login)) == IMREUSE_ERR_IM_ACCOUNT_MISMATCH, "reuse");
  host->loggedOut();
  host->loggedIn(appKey, accid);
  CHECK(codeOf(e.loginKit(user, userToken)) == IMREUSE_OK && e.status().reused, "reuse");
  host->loggedOut(IMREUSE_ERR_TOKEN_EXPIRED, "on the server");
  waitFor("no loss", [&] { return e.status().state < State::ImLoggedIn; });
  CHECK(e.status().cause->code == IMREUSE_ERR_TOKEN_EXPIRED, e.status().cause->what());
  CHECK(codeOf(e.loginIm(accid, imToken)) == IMREUSE_ERR_STATE, "only the host logs in");
}

// One client serves two engines. Both keep it, and reports reach both.
static void testShared() {
  Mock mock;
  auto host = std::make_shared<Reporter>();
  std::weak_ptr<HostIm> watched = host;
  Engine first(host, mock, options(Mode::ReuseIm));
  {
    Engine second(host, mock, options(Mode::ReuseIm));
    host->loggedIn(appKey, accid);
    CHECK(codeOf(first.loginKit(user, userToken)) == IMREUSE_OK && codeOf(second.loginKit(user, userToken)) == IMREUSE_OK, "login");
    host->loggedOut();
    waitFor("no loss", [&] { return first.status().state < State::ImLoggedIn && second.status().state < State::ImLoggedIn; });
  }
  host.reset();
  CHECK(!watched.expired(), "the engine does not keep its client");
  get(first.close());
  { Engine gone(std::move(first)); }
  CHECK(watched.expired(), "the engine keeps its client after close");
}

void testHostIm() {
  testClient();
  testNever();
  testReuse();
  testShared();
}
