// Rule 8: an exception that leaves a callback harms nothing, and goes to the one
// handler of the process.
#include "check.hpp"

#include <cstdio>
#include <unistd.h>

using namespace imreuse;

namespace {

class Thrower : public HostIm {
 public:
  Thrower() : HostIm(true) {}
  std::atomic<bool> init_{false}, login_{false}, logout_{false}, cancelled_{false}, answers{true};
  std::atomic<int> cancels{0}, logins{0};

 protected:
  void init(const std::string &, Request r) override {
    if (init_) throw std::runtime_error("from init");
    r.done();
  }
  void login(const std::string &, const std::string &, const std::string &, Request r) override {
    logins++;
    if (login_) throw 42;
    if (answers) r.done();
  }
  void logout(Request r) override {
    if (logout_) throw std::runtime_error("from logout");
    r.done();
  }
  void cancelled(Request) override {
    cancels++;
    if (cancelled_) throw std::runtime_error("from cancelled");
  }
};

Box<std::string> handled;

std::string textOf(std::exception_ptr e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::exception &known) {
    return known.what();
  } catch (...) {
    return "unknown";
  }
}

} // namespace

static void testEach() {
  setExceptionHandler([](std::exception_ptr e) { handled.put(textOf(e)); });
  Mock mock;
  auto host = std::make_shared<Thrower>();
  Options o = options();
  std::atomic<bool> logThrows{false}, sourceThrows{true};
  o.log = [&](int, std::string_view) {
    if (logThrows) throw std::runtime_error("from log");
  };
  o.kitToken = [&](const std::string &, const std::string &, Request r) {
    if (sourceThrows) throw std::runtime_error("from kitToken");
    r.token(userToken);
  };
  Engine e(host, mock, o);
  std::size_t n = 0;

  host->init_ = true;
  CHECK(codeOf(e.initIm()) == IMREUSE_ERR_OTHER && handled.wait(n++) == "from init", handled.at(n - 1));
  host->init_ = false;
  get(e.initIm());
  host->login_ = true;
  CHECK(codeOf(e.loginIm(accid, imToken)) == IMREUSE_ERR_OTHER && handled.wait(n++) == "unknown", handled.at(n - 1));
  host->login_ = false;
  get(e.loginIm(accid, imToken));
  CHECK(codeOf(e.loginKit(user, "")) == IMREUSE_ERR_OTHER && handled.wait(n++) == "from kitToken", handled.at(n - 1));
  sourceThrows = false;

  logThrows = true;
  get(e.loginKit(user, ""));
  CHECK(handled.wait(n++) == "from log", handled.at(n - 1));
  logThrows = false;

  std::atomic<int> calls{0};
  e.initIm([&](const Error *) {
    calls++;
    throw std::runtime_error("from done");
  });
  CHECK(handled.wait(n++) == "from done" && calls == 1, handled.at(n - 1));

  Watch watch = e.watch([&](const Status &) { throw std::runtime_error("from watch"); });
  CHECK(handled.wait(n++) == "from watch", handled.at(n - 1));
  get(e.logoutKit());
  CHECK(handled.wait(n++) == "from watch", handled.at(n - 1));
  watch.stop();

  host->logout_ = true; // the step down is taken all the same
  CHECK(codeOf(e.logoutIm()) == IMREUSE_ERR_OTHER && handled.wait(n++) == "from logout", handled.at(n - 1));
  CHECK(e.status().state == State::ImInitialized, "it is still logged in");
  host->logout_ = false;

  host->answers = false;
  host->cancelled_ = true;
  int logins = host->logins;
  Operation op = e.loginIm(accid, imToken, nullptr);
  waitFor("no login", [&] { return host->logins > logins; });
  op.cancel();
  CHECK(handled.wait(n++) == "from cancelled" && host->cancels == 1, handled.at(n - 1));
  get(e.close());
  CHECK(handled.size() == n, handled.size() << " exceptions, want " << n);
}

// Without a handler, exceptions are printed. A handler that throws is no better
// than none.
static void testHandlers() {
  std::fflush(stderr);
  char name[] = "/tmp/imreuse-test-XXXXXX";
  int file = mkstemp(name), before = dup(2);
  CHECK(file >= 0 && before >= 0 && dup2(file, 2) == 2, "no file");
  Mock mock;
  auto complete = [&](Done done) {
    Engine e(mock, options());
    e.initIm(std::move(done));
  }; // the destructor waits for done
  setExceptionHandler(nullptr);
  complete([](const Error *) { throw std::runtime_error("printed"); });
  complete([](const Error *) { throw 42; });
  setExceptionHandler([](std::exception_ptr) { throw std::runtime_error("lost"); });
  complete([](const Error *) { throw std::runtime_error("not printed"); });
  setExceptionHandler(nullptr);
  dup2(before, 2);
  char text[4096];
  ssize_t n = pread(file, text, sizeof text, 0);
  close(file);
  close(before);
  std::remove(name);
  CHECK(n > 0 && std::string(text, static_cast<std::size_t>(n)) == "imreuse: an exception left a callback: printed\nimreuse: an exception left a callback\n",
        std::string(text, static_cast<std::size_t>(n > 0 ? n : 0)));
}

void testExceptions() {
  testEach();
  testHandlers();
}
