// Rules 6 and 7: an engine is closed or destroyed from within each kind of its
// callbacks, and from ten threads at once. Nothing comes after it has completed.
#include "check.hpp"

using namespace imreuse;

namespace {

enum class Kind { Done, Changed, Log, Init, Login, Logout, Cancelled, Token, End };

// A Scene is an engine that ends within a callback of the kind closes.
struct Scene {
  Kind closes;
  bool destroys; // by its destructor, not by close
  std::mutex mutex; // protects engine
  std::unique_ptr<Engine> engine;
  std::atomic<bool> ending{false}, closed{false}, asked{false};
  std::promise<int> outcome;

  Scene(Kind k, bool d) : closes(k), destroys(d) {}

  void enter(Kind k) {
    CHECK(!closed, "a callback of kind " << static_cast<int>(k) << " after close, which was called in kind " << static_cast<int>(closes));
    if (k != closes || ending.exchange(true)) return;
    std::lock_guard<std::mutex> lock(mutex);
    engine->close([this](const Error *e) {
      closed = true;
      outcome.set_value(e ? e->code : IMREUSE_OK);
    });
    if (destroys) engine.reset();
  }
};

class Client : public HostIm {
 public:
  explicit Client(Scene &s) : HostIm(true), scene(s) {}

 protected:
  void init(const std::string &, Request r) override {
    scene.enter(Kind::Init);
    r.done();
  }
  void login(const std::string &, const std::string &, const std::string &, Request r) override {
    scene.enter(Kind::Login);
    scene.asked = true;
    if (scene.closes != Kind::Cancelled) r.done();
  }
  void logout(Request r) override {
    scene.enter(Kind::Logout);
    r.done();
  }
  void cancelled(Request) override { scene.enter(Kind::Cancelled); }
  Scene &scene;
};

} // namespace

static void testFrom(Kind kind, bool destroys) {
  Mock mock;
  Scene scene(kind, destroys);
  Options o = options();
  o.log = [&](int, std::string_view) { scene.enter(Kind::Log); };
  o.kitToken = [&](const std::string &, const std::string &, Request r) {
    scene.enter(Kind::Token);
    r.token(userToken);
  };
  auto done = [&](const Error *) { scene.enter(Kind::Done); };
  Watch watch;
  {
    std::lock_guard<std::mutex> lock(scene.mutex);
    scene.engine = std::make_unique<Engine>(std::make_shared<Client>(scene), mock, o);
    watch = scene.engine->watch([&](const Status &s) {
      if (s.seq > 0) scene.enter(Kind::Changed);
    });
    Operation op = scene.engine->loginKit(user, "", done);
    if (kind == Kind::Logout) {
      waitFor("no login", [&] { return scene.engine->status().state == State::KitLoggedIn; });
      scene.engine->logoutKit(done);
    }
    if (kind == Kind::Cancelled) {
      waitFor("no login", [&] { return scene.asked.load(); });
      op.cancel();
    }
  }
  CHECK(get(scene.outcome.get_future()) == IMREUSE_OK, "close failed");
}

// The destructor waits, so what the callbacks use may go after it.
static void testDestructor() {
  Mock mock;
  for (int i = 0; i < 100; i++) {
    auto over = std::make_unique<std::atomic<int>>(0);
    auto *counter = over.get();
    {
      Engine e(mock, options());
      Watch watch = e.watch([counter](const Status &) { ++*counter; });
      e.loginKit(user, userToken, [counter](const Error *) { ++*counter; });
    }
    CHECK(*over >= 1, "the login did not complete");
    over.reset();
  }
}

static void testTenAtOnce() {
  for (int round = 0; round < 50; round++) {
    Mock mock;
    std::atomic<bool> closed{false};
    std::atomic<int> completions{0}, codes{0};
    Engine e(mock, options());
    auto callback = [&] { CHECK(!closed, "a callback after close"); };
    Watch watch = e.watch([&](const Status &) { callback(); });
    e.loginKit(user, userToken, [&](const Error *) { callback(); });
    std::vector<std::thread> threads;
    for (int i = 0; i < 10; i++) {
      threads.emplace_back([&] {
        imreuse::Operation close = e.close([&](const Error *error) {
          closed = true;
          codes += error != nullptr && error->code != IMREUSE_ERR_CLOSED;
          completions++;
        });
        close.cancel(); // has no effect
      });
    }
    for (auto &t : threads) t.join();
    waitFor("not all completed", [&] { return completions == 10; });
    CHECK(codes == 0, codes << " failed with something else than closed");
  }
}

// stop returns when the watcher runs no more, and may be called from within it.
static void testStop() {
  Mock mock;
  Engine e(mock, options());
  get(e.initIm());
  std::atomic<bool> inside{false}, go{false}, stopped{false};
  Watch watch = e.watch([&](const Status &) {
    inside = true;
    waitFor("nobody lets the watcher go", [&] { return go.load(); });
    std::this_thread::yield();
    CHECK(!stopped, "the watcher runs after stop");
  });
  waitFor("no status", [&] { return inside.load(); });
  std::thread stopper([&] {
    watch.stop();
    stopped = true;
  });
  go = true;
  stopper.join();

  Box<Status> seen;
  std::mutex mutex; // protects within
  Watch within;
  {
    std::lock_guard<std::mutex> lock(mutex);
    within = e.watch([&](const Status &s) {
      seen.put(s);
      std::lock_guard<std::mutex> inner(mutex);
      within.stop();
    });
  }
  waitFor("no status", [&] { return seen.size() == 1; });
  get(e.loginAnonymous());
  get(e.close());
  CHECK(seen.size() == 1, seen.size() << " calls of a watcher that stopped itself");
}

// A watcher that stops itself may be the last owner of its engine. The engine is
// then destroyed on the thread that it calls back on, and is closed all the same.
static void testLastOwner() {
  struct Session {
    Engine engine;
    Watch watch;
    explicit Session(const Mock &mock, Options o) : engine(mock, std::move(o)) {}
  };
  Mock mock;
  auto token = std::make_shared<int>(); // the engine has it until it is closed
  std::weak_ptr<int> open = token;
  Options o = options();
  o.log = [token = std::move(token)](int, std::string_view) {};
  auto session = std::make_shared<Session>(mock, std::move(o));
  std::weak_ptr<Session> owned = session;
  std::atomic<bool> alone{false};
  session->watch = session->engine.watch([&alone, session](const Status &) {
    waitFor("the test keeps the session", [&] { return alone.load(); });
    session->watch.stop();
  });
  session.reset();
  alone = true;
  waitFor("the session was not destroyed", [&] { return owned.expired(); });
  waitFor("the engine was not closed", [&] { return open.expired(); });
}

// What the host gives to an engine: a HostIm, and what callbacks captured. The
// host may destroy what they need when a destructor or stop has returned. So none
// may be left then.
static std::atomic<int> parts{0};

struct Part {
  Part() { parts++; }
  Part(const Part &) { parts++; }
  ~Part() { parts--; }
};

struct PartialIm : HostIm {
  Part part;
};

static void testDestructorLeavesNothing() {
  Mock mock;
  for (int i = 0; i < 500; i++) {
    {
      Options o = options();
      o.log = [part = Part()](int, std::string_view) {};
      Engine e(std::make_shared<PartialIm>(), mock, std::move(o));
      if (i % 2) e.close([part = Part()](const Error *) {});
    }
    CHECK(parts == 0, parts << " parts are left in round " << i);
  }
}

static void testStopLeavesNothing() {
  Mock mock;
  Engine e(mock, options());
  for (int i = 0; i < 5000; i++) {
    std::atomic<bool> inside{false};
    Watch watch = e.watch([part = Part(), &inside](const Status &) { inside = true; });
    if (i % 2) waitFor("no status", [&] { return inside.load(); });
    watch.stop();
    CHECK(parts == 0, parts << " parts are left in round " << i);
  }
}

void testClose() {
  for (bool destroys : {false, true}) {
    for (Kind k = Kind::Done; k < Kind::End; k = static_cast<Kind>(static_cast<int>(k) + 1)) testFrom(k, destroys);
  }
  testDestructor();
  testTenAtOnce();
  testStop();
  testLastOwner();
  testDestructorLeavesNothing();
  testStopLeavesNothing();
}
