// Rules 1, 6, 7 and 8 with everything at once: operations, cancellations,
// watchers, exceptions, and reports from foreign threads.
#include "check.hpp"

using namespace imreuse;

namespace {

std::atomic<int> running{0}, completions{0}, thrown{0};
std::atomic<bool> over{false}, reporting{true};

void callback() {
  CHECK(running.fetch_add(1) == 0, "two callbacks of one engine at once");
  CHECK(!over, "a callback after close");
  running--;
}

class Client : public HostIm {
 public:
  Client() : HostIm(true) {}

 protected:
  void login(const std::string &key, const std::string &id, const std::string &, Request r) override {
    callback();
    loggingIn();
    loggedIn(key, id);
    r.done();
  }
  void logout(Request r) override {
    callback();
    loggedOut();
    r.done();
  }
  void cancelled(Request r) override {
    callback();
    r.done();
  }
};

} // namespace

static void report(Client &client) {
  for (int i = 0; reporting; i++) {
    client.loggingIn();
    client.loggedIn(appKey, i % 3 ? accid : "another");
    client.link(i % 2);
    if (i % 5) {
      client.loggedOut();
    } else {
      client.kicked(KickReason::ByOther);
    }
    if (i % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1)); // lets the others in
  }
}

static void operate(Engine &e) {
  for (int i = 0; i < 60; i++) {
    std::atomic<int> open{3};
    auto done = [&](const Error *) {
      callback();
      completions++;
      bool throws = i % 7 == 0;
      thrown += throws;
      open--; // the last use of what is on the stack of operate
      if (throws) throw std::runtime_error("from done");
    };
    Watch watch = e.watch([](const Status &) { callback(); });
    Operation op = e.loginKit(user, userToken, done);
    e.initIm(done);
    if (i % 2) op.cancel();
    e.logoutKit(done);
    auto login = e.loginIm(accid, imToken);
    waitFor("not all completed", [&] { return open == 0; });
    op.cancel();
    login.wait();
  }
}

void testThreads() {
  constexpr int operators = 10, reporters = 3;
  std::atomic<int> caught{0};
  setExceptionHandler([&](std::exception_ptr) { caught++; });
  Mock mock;
  auto client = std::make_shared<Client>();
  {
    Engine e(client, mock, options());
    std::vector<std::thread> reports, operations;
    for (int i = 0; i < reporters; i++) reports.emplace_back([&] { report(*client); });
    for (int i = 0; i < operators; i++) operations.emplace_back([&] { operate(e); });
    for (auto &t : operations) t.join();
    auto done = [](const Error *) { callback(); };
    for (int i = 0; i < 20; i++) e.loginKit(user, userToken, done);
    e.close([](const Error *) { over = true; });
    codeOf(e.close()); // completes with the first, or finds it closed
    CHECK(over, "the second close completes before the first");
    reporting = false;
    for (auto &t : reports) t.join();
  }
  CHECK(completions == operators * 60 * 3, completions << " completions");
  CHECK(caught == thrown && thrown > 0, caught << " of " << thrown << " exceptions");
  setExceptionHandler(nullptr);
}
