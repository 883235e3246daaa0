// imreuse: one IM login for the app and for the kit. C++17, header only, over
// imreuse.h.
//
// Every function may be called from any thread, also from a callback, and none
// waits for the network. Callbacks come on threads of the library, one at a time
// for each engine. So a callback must not wait for a future of the same engine,
// which cannot be ready before the callback returns.
//
// An exception that leaves a callback harms nothing: it goes to the handler that
// setExceptionHandler set.
#ifndef IMREUSE_HPP
#define IMREUSE_HPP

#include "imreuse.h"

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace imreuse {

enum class State { Uninitialized, ImInitialized, ImLoggedIn, KitLoggedIn };
enum class Mode { AutoDetect, ReuseIm, AutoLogin };
enum class Profile { Meeting, Room, Desktop, RoomKit1, Meeting1 };
enum class KickReason { ByClient = 1, ByServer, ByOther, Quietly };

// An Error is why something failed. what() is one sentence; no field has a token.
struct Error : std::runtime_error {
  explicit Error(const imreuse_error &e) : std::runtime_error(e.message), code(e.code), remedy(e.remedy), op(e.op), call(e.call) {}

  int code;           // IMREUSE_ERR_…
  std::string remedy; // what to do about it; "" if nothing is known
  std::string op;     // the operation, such as "LoginKit"
  std::string call;   // the call of the backend that failed; "" if none did

  // in returns the number of that platform, or 0 if it has none.
  int in(Profile p) const { return imreuse_code_in(code, static_cast<imreuse_profile>(p)); }
};

// A Status is a snapshot of an engine.
struct Status {
  std::uint64_t seq = 0; // one more with each change; a gap: this watcher was too slow
  State state = State::Uninitialized;
  State floor = State::Uninitialized; // the highest rung that the host reached
  std::string via;                    // the trigger that led here; "" at first
  std::optional<Error> cause;         // why, if the host did not ask for it
  bool online = false, reused = false, anonymous = false, expired = false;
  std::string session, accid, userUuid;
};

// Done is called when an operation is over: with nullptr if it succeeded. The
// Error is valid until Done returns.
using Done = std::function<void(const Error *)>;

using ExceptionHandler = std::function<void(std::exception_ptr)>;

namespace detail {

// What the process has one of. It is never destroyed, because callbacks may come
// while the process exits.
struct Process {
  std::mutex mutex; // protects the following fields
  ExceptionHandler handler;
  std::uintptr_t last = 0;
  std::unordered_map<std::uintptr_t, std::shared_ptr<void>> targets; // of callbacks that may come at any time
};

inline Process &process() {
  static Process *p = new Process;
  return *p;
}

// add returns a number for a target. C gets the number as its user pointer, so a
// callback that comes too late finds nothing, instead of freed memory.
inline std::uintptr_t add(std::shared_ptr<void> target) {
  Process &p = process();
  std::lock_guard<std::mutex> lock(p.mutex);
  p.targets[++p.last] = std::move(target);
  return p.last;
}

inline void *number(std::uintptr_t n) { return reinterpret_cast<void *>(n); }

template <class T> std::shared_ptr<T> find(void *user) {
  Process &p = process();
  std::lock_guard<std::mutex> lock(p.mutex);
  auto found = p.targets.find(reinterpret_cast<std::uintptr_t>(user));
  return found == p.targets.end() ? nullptr : std::static_pointer_cast<T>(found->second);
}

inline void forget(std::uintptr_t n) {
  Process &p = process();
  std::shared_ptr<void> target; // is destroyed without the lock
  std::lock_guard<std::mutex> lock(p.mutex);
  auto found = p.targets.find(n);
  if (found != p.targets.end()) {
    target = std::move(found->second);
    p.targets.erase(found);
  }
}

inline void printException(std::exception_ptr e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::exception &known) {
    std::fprintf(stderr, "imreuse: an exception left a callback: %s\n", known.what());
  } catch (...) {
    std::fprintf(stderr, "imreuse: an exception left a callback\n");
  }
}

inline void handleException(std::exception_ptr e) noexcept {
  try {
    ExceptionHandler handler;
    {
      std::lock_guard<std::mutex> lock(process().mutex);
      handler = process().handler;
    }
    handler ? handler(e) : printException(e);
  } catch (...) { // the handler's own exception has nowhere to go
  }
}

// depth is how many callbacks this thread is in.
inline int &depth() {
  static thread_local int d = 0;
  return d;
}

// guarded calls f, from a callback of the library. It returns false if f threw.
template <class F> bool guarded(F &&f) noexcept {
  struct Inside {
    Inside() { depth()++; }
    ~Inside() { depth()--; }
  } inside;
  try {
    f();
    return true;
  } catch (...) {
    handleException(std::current_exception());
    return false;
  }
}

// text returns s for C. A 0 in it would cut it short, so it becomes another
// control character, which the engine refuses.
inline std::string text(std::string_view s) {
  std::string t(s);
  for (char &c : t) {
    if (c == '\0') c = '\1';
  }
  return t;
}

inline const char *orNull(const std::string &s) { return s.empty() ? nullptr : s.c_str(); }

template <class Handle> Handle *orThrow(Handle *h, const imreuse_error &e) {
  if (h == nullptr) throw Error(e);
  return h;
}

inline Status statusOf(const imreuse_status &from) {
  Status s;
  s.seq = from.seq;
  s.state = static_cast<State>(from.state);
  s.floor = static_cast<State>(from.floor);
  s.via = from.via;
  if (from.cause.code != IMREUSE_OK) s.cause.emplace(from.cause);
  s.online = from.online;
  s.reused = from.reused;
  s.anonymous = from.anonymous;
  s.expired = from.expired;
  s.session = from.session;
  s.accid = from.accid;
  s.userUuid = from.user_uuid;
  return s;
}

struct EngineState;

} // namespace detail

// setExceptionHandler sets what gets the exceptions that leave callbacks, in the
// whole process. An empty handler, as at first, prints them to stderr.
inline void setExceptionHandler(ExceptionHandler handler) {
  detail::Process &p = detail::process();
  std::lock_guard<std::mutex> lock(p.mutex);
  p.handler.swap(handler); // the old one is destroyed without the lock
}

// A Request is what the host was asked for, and has to answer: now or later, from
// any thread. Copies are the same request. It is answered once; another answer is
// ignored, and so is one that comes when nobody waits for it any more.
class Request {
 public:
  explicit Request(imreuse_request *r = nullptr) : request(r) {} // without r, an answer is ignored
  void done() const { imreuse_request_done(request, IMREUSE_OK, nullptr); }
  void fail(int code, std::string_view message = {}) const {
    imreuse_request_done(request, code == IMREUSE_OK ? static_cast<int>(IMREUSE_ERR_OTHER) : code, detail::text(message).c_str());
  }
  void token(std::string_view token) const { imreuse_request_token(request, detail::text(token).c_str()); }
  friend bool operator==(const Request &a, const Request &b) { return a.request == b.request; }
  friend bool operator!=(const Request &a, const Request &b) { return a.request != b.request; }

 private:
  imreuse_request *request;
};

// HostIm is the IM client that the app already has. Derive from it, make it with
// std::make_shared, and report what the SDK says, in the SDK's order, no matter
// who asked for the login. Reports never block. Several engines may share
// a HostIm; each keeps the HostIm until that engine is closed.
class HostIm : public std::enable_shared_from_this<HostIm> {
 public:
  virtual ~HostIm() {
    imreuse_im_release(im);
    detail::forget(id);
  }
  HostIm(const HostIm &) = delete;
  HostIm &operator=(const HostIm &) = delete;

  void loggingIn() { imreuse_im_logging_in(im); }
  void loggedIn(std::string_view appKey, std::string_view accid) {
    imreuse_im_logged_in(im, detail::text(appKey).c_str(), detail::text(accid).c_str());
  }
  // code 0: the host did it.
  void loggedOut(int code = 0, std::string_view text = {}) {
    imreuse_im_logged_out(im, code, static_cast<imreuse_kick_reason>(0), detail::text(text).c_str());
  }
  void kicked(KickReason reason, std::string_view text = {}) {
    imreuse_im_logged_out(im, IMREUSE_ERR_KICKED, static_cast<imreuse_kick_reason>(reason), detail::text(text).c_str());
  }
  void link(bool online) { imreuse_im_link(im, online); }

 protected:
  // logsIn: the engine may log IM in and out, with the functions below. Without
  // it only the host does, and they are not called.
  explicit HostIm(bool logsIn = false) : entry(std::make_shared<Entry>()), id(detail::add(entry)) {
    imreuse_im_client c = {};
    c.struct_size = sizeof c;
    c.user = detail::number(id);
    if (logsIn) {
      c.init = onInit;
      c.login = onLogin;
      c.logout = onLogout;
      c.cancel = onCancel;
    }
    imreuse_error e;
    im = imreuse_im_new(&c, &e);
    if (im == nullptr) {
      detail::forget(id);
      throw Error(e);
    }
  }

  // Each starts its work and returns; the request is answered now or later.
  virtual void init(const std::string & /*appKey*/, Request r) { r.done(); }
  virtual void login(const std::string & /*appKey*/, const std::string & /*accid*/, const std::string & /*token*/, Request r) {
    r.fail(IMREUSE_ERR_STATE, "this HostIm does not log in");
  }
  virtual void logout(Request r) { r.fail(IMREUSE_ERR_STATE, "this HostIm does not log out"); }
  // Nobody waits for the request any more.
  virtual void cancelled(Request) {}

 private:
  friend struct detail::EngineState;
  struct Entry {
    std::mutex mutex;
    std::weak_ptr<HostIm> host;
  };
  std::shared_ptr<Entry> entry;
  std::uintptr_t id;
  imreuse_im *im = nullptr;

  // bind lets the callbacks find this object. A constructor cannot do that.
  imreuse_im *bind() {
    std::lock_guard<std::mutex> lock(entry->mutex);
    entry->host = weak_from_this();
    return im;
  }

  template <class F> static void with(void *user, imreuse_request *request, F &&f) noexcept {
    std::shared_ptr<HostIm> host;
    if (auto entry = detail::find<Entry>(user)) {
      std::lock_guard<std::mutex> lock(entry->mutex);
      host = entry->host.lock();
    }
    if (!host) return imreuse_request_done(request, IMREUSE_ERR_CLOSED, "the HostIm is gone");
    // The last reference may be this one: then the destructor runs inside, too.
    bool fine = detail::guarded([&] {
      f(*host, Request(request));
      host.reset();
    });
    if (!fine) imreuse_request_done(request, IMREUSE_ERR_OTHER, "the HostIm threw an exception");
  }
  static void onInit(void *user, const char *appKey, imreuse_request *r) {
    with(user, r, [&](HostIm &h, Request request) { h.init(appKey, request); });
  }
  static void onLogin(void *user, const char *appKey, const char *accid, const char *token, imreuse_request *r) {
    with(user, r, [&](HostIm &h, Request request) { h.login(appKey, accid, token, request); });
  }
  static void onLogout(void *user, imreuse_request *r) {
    with(user, r, [&](HostIm &h, Request request) { h.logout(request); });
  }
  static void onCancel(void *user, imreuse_request *r) {
    with(user, r, [&](HostIm &h, Request request) { h.cancelled(request); });
  }
};

struct KitOptions {
  std::string appKey = {};
  std::string kitUrl = {}, deviceId = {}; // "": the default
  bool dynamicToken = false, plainHttp = false;
};

// A KitServer is a kit server over HTTP. It serves one engine. The constructor
// sends nothing, and throws Error.
class KitServer {
 public:
  explicit KitServer(const KitOptions &o) {
    std::string appKey = detail::text(o.appKey), kitUrl = detail::text(o.kitUrl), deviceId = detail::text(o.deviceId);
    imreuse_kit_options c = {};
    c.struct_size = sizeof c;
    c.app_key = appKey.c_str();
    c.kit_url = detail::orNull(kitUrl);
    c.device_id = detail::orNull(deviceId);
    c.dynamic_token = o.dynamicToken;
    c.plain_http = o.plainHttp;
    imreuse_error e;
    kit = detail::orThrow(imreuse_kit_new(&c, &e), e);
  }
  KitServer(KitServer &&from) noexcept : kit(std::exchange(from.kit, nullptr)) {}
  KitServer &operator=(KitServer &&from) noexcept {
    std::swap(kit, from.kit);
    return *this;
  }
  ~KitServer() { imreuse_kit_release(kit); }

 private:
  friend class Engine;
  imreuse_kit *kit;
};

// A Mock is an IM cloud and a kit server in memory, for the host's own tests.
// accountsJson has the form of "imreuse sandbox"; without it, the mock has the
// accounts of the vendor's guides.
class Mock {
 public:
  explicit Mock(std::string_view accountsJson = {}) {
    std::string json = detail::text(accountsJson);
    imreuse_error e;
    mock = detail::orThrow(imreuse_mock_new(detail::orNull(json), &e), e);
  }
  Mock(Mock &&from) noexcept : mock(std::exchange(from.mock, nullptr)) {}
  Mock &operator=(Mock &&from) noexcept {
    std::swap(mock, from.mock);
    return *this;
  }
  ~Mock() { imreuse_mock_release(mock); }

  void kick(std::string_view accid, KickReason reason) {
    imreuse_mock_kick(mock, detail::text(accid).c_str(), static_cast<imreuse_kick_reason>(reason));
  }
  void endIm(std::string_view accid, int code) { imreuse_mock_end_im(mock, detail::text(accid).c_str(), code); }
  void expire(std::string_view userUuid) { imreuse_mock_expire(mock, detail::text(userUuid).c_str()); }

 private:
  friend class Engine;
  imreuse_mock *mock;
};

struct Options {
  std::string appKey = {};
  Mode mode = Mode::AutoDetect;
  bool requireOnline = false, secondaryProcess = false;
  std::function<void(int level, std::string_view line)> log = {}; // slog's levels: -4, 0, 4, 8; empty: silent
  std::function<void(const std::string &id, const std::string &refused, Request)> kitToken = {}, imToken = {}; // token sources; answer with Request::token
};

// An Operation is in flight. Copies are the same operation.
class Operation {
 public:
  explicit Operation(imreuse_op *o = nullptr) : op(o) {}
  // cancel ends it, with an Error in its Done. It has no effect once Done was called.
  void cancel() const { imreuse_cancel(op); }

 private:
  imreuse_op *op;
};

namespace detail {

struct WatchState {
  using Watcher = std::function<void(const Status &)>;
  Watcher changed; // not replaced before stopped is set and nobody runs it
  std::uintptr_t id = 0;
  imreuse_watch *watch = nullptr;
  std::mutex mutex; // protects the following fields
  std::condition_variable returned;
  bool stopped = false;
  bool awaited = false; // stop waits for the watcher to return
  int running = 0;

  static void onChanged(void *user, const imreuse_status *s) {
    auto w = find<WatchState>(user);
    if (!w || !w->enter()) return;
    guarded([&] { w->changed(statusOf(*s)); });
    w->leave();
  }
  bool enter() {
    std::lock_guard<std::mutex> lock(mutex);
    if (!stopped) running++;
    return !stopped;
  }
  // Whoever comes last destroys the watcher: leave, or a stop that has waited for
  // it. What the host captured may do anything then, such as close the engine.
  void leave() {
    Watcher over;
    {
      std::lock_guard<std::mutex> lock(mutex);
      running--;
      if (stopped && !awaited && running == 0) over.swap(changed);
      returned.notify_all();
    }
    guarded([&] { over = nullptr; });
  }
  void stop() {
    Watcher over; // is destroyed without the lock
    imreuse_watch_stop(watch);
    forget(id);
    std::unique_lock<std::mutex> lock(mutex);
    stopped = true;
    awaited = depth() == 0;
    if (awaited) returned.wait(lock, [&] { return running == 0; });
    if (running == 0) over.swap(changed);
  }
};

} // namespace detail

// A Watch ends with stop, with its destructor, and with the engine.
class Watch {
 public:
  Watch() = default; // of nothing
  Watch(Watch &&) noexcept = default;
  Watch &operator=(Watch &&from) noexcept {
    stop();
    state = std::move(from.state);
    return *this;
  }
  ~Watch() { stop(); }
  // stop returns when the watcher is not called any more, and is destroyed. From
  // within a callback it does not wait: the watcher may still be running, on this
  // thread or on another one.
  void stop() {
    if (auto s = std::exchange(state, nullptr)) s->stop();
  }

 private:
  friend class Engine;
  explicit Watch(std::shared_ptr<detail::WatchState> s) : state(std::move(s)) {}
  std::shared_ptr<detail::WatchState> state;
};

namespace detail {

// EngineState is what the callbacks of an engine need, until it is closed.
struct EngineState {
  struct Gone {
    std::promise<void> promise;
    ~Gone() { promise.set_value(); }
  } gone; // the first member is destroyed last, after what is the host's
  Options options;
  std::shared_ptr<HostIm> host;
  imreuse_engine *engine = nullptr;

  EngineState(std::shared_ptr<HostIm> h, Options o) : options(std::move(o)), host(std::move(h)) {}

  imreuse_im *bind() { return host ? host->bind() : nullptr; }

  void open(imreuse_im *im, imreuse_kit *kit) {
    std::string appKey = text(options.appKey);
    imreuse_options c = {};
    c.struct_size = sizeof c;
    c.app_key = appKey.c_str();
    c.im = im;
    c.kit = kit;
    c.mode = static_cast<imreuse_mode>(options.mode);
    c.require_online = options.requireOnline;
    c.secondary_process = options.secondaryProcess;
    c.user = this;
    if (options.log) c.log = onLog;
    if (options.kitToken) c.kit_token = onKitToken;
    if (options.imToken) c.im_token = onImToken;
    imreuse_error e;
    engine = orThrow(imreuse_new(&c, &e), e);
  }
  static void onLog(void *user, int level, const char *line) {
    guarded([&] { static_cast<EngineState *>(user)->options.log(level, line); });
  }
  static void onKitToken(void *user, const char *id, const char *refused, imreuse_request *r) {
    fetch(static_cast<EngineState *>(user)->options.kitToken, id, refused, r);
  }
  static void onImToken(void *user, const char *id, const char *refused, imreuse_request *r) {
    fetch(static_cast<EngineState *>(user)->options.imToken, id, refused, r);
  }
  template <class Source> static void fetch(const Source &source, const char *id, const char *refused, imreuse_request *r) {
    if (!guarded([&] { source(id, refused, Request(r)); })) {
      imreuse_request_done(r, IMREUSE_ERR_OTHER, "the token source threw an exception");
    }
  }
};

// Pending is an operation that has not called back.
struct Pending {
  std::shared_ptr<EngineState> keep; // of a close: until nothing of the engine is called any more, and done is gone
  Done done;

  static void onDone(void *user, const imreuse_error *e) {
    std::unique_ptr<Pending> p(static_cast<Pending *>(user));
    guarded([&] {
      if (!p->done) return;
      if (e == nullptr) return p->done(nullptr);
      Error error(*e);
      p->done(&error);
    });
    guarded([&] { p.reset(); }); // what the host captured may do anything, too
  }
};

} // namespace detail

// An Engine takes one IM login and one kit login through their lifecycle. Its
// constructors throw Error. Its destructor closes it. Unless it runs in a callback,
// it waits: afterwards nothing of the engine is called any more, the functions in
// Options are destroyed, and so is the HostIm if nobody else has it.
//
// Each operation comes twice: with a future, whose get throws Error, and with
// a Done, which is called exactly once.
class Engine {
 public:
  Engine(std::shared_ptr<HostIm> im, KitServer kit, Options o) : state(std::make_shared<detail::EngineState>(std::move(im), std::move(o))) {
    state->open(state->bind(), kit.kit);
  }
  Engine(std::shared_ptr<HostIm> im, const Mock &mock, Options o) : state(std::make_shared<detail::EngineState>(std::move(im), std::move(o))) {
    Released<imreuse_kit, imreuse_kit_release> kit{imreuse_mock_kit(mock.mock)};
    state->open(state->bind(), kit.handle);
  }
  Engine(const Mock &mock, Options o) : state(std::make_shared<detail::EngineState>(nullptr, std::move(o))) {
    Released<imreuse_im, imreuse_im_release> im{imreuse_mock_im(mock.mock)};
    Released<imreuse_kit, imreuse_kit_release> kit{imreuse_mock_kit(mock.mock)};
    state->open(im.handle, kit.handle);
  }
  Engine(Engine &&) noexcept = default;
  Engine &operator=(Engine &&from) noexcept {
    if (this != &from) {
      shutDown();
      state = std::move(from.state);
    }
    return *this;
  }
  ~Engine() { shutDown(); }

  std::future<void> initIm() { return later([&](Done d) { initIm(std::move(d)); }); }
  std::future<void> loginIm(std::string_view accid, std::string_view token) { return later([&](Done d) { loginIm(accid, token, std::move(d)); }); }
  // An empty userToken means that Options::kitToken fetches one.
  std::future<void> loginKit(std::string_view userUuid, std::string_view userToken) { return later([&](Done d) { loginKit(userUuid, userToken, std::move(d)); }); }
  std::future<void> loginAnonymous() { return later([&](Done d) { loginAnonymous(std::move(d)); }); }
  std::future<void> keepKit(std::string_view userUuid, std::string_view userToken) { return later([&](Done d) { keepKit(userUuid, userToken, std::move(d)); }); }
  std::future<void> renewKit(std::string_view userUuid, std::string_view userToken) { return later([&](Done d) { renewKit(userUuid, userToken, std::move(d)); }); }
  std::future<void> logoutKit() { return later([&](Done d) { logoutKit(std::move(d)); }); }
  std::future<void> logoutIm() { return later([&](Done d) { logoutIm(std::move(d)); }); }
  // A second close fails: the engine is closed already.
  std::future<void> close() { return later([&](Done d) { close(std::move(d)); }); }

  Operation initIm(Done done) { return start(imreuse_init_im, std::move(done)); }
  Operation loginIm(std::string_view accid, std::string_view token, Done done) { return start(imreuse_login_im, accid, token, std::move(done)); }
  Operation loginKit(std::string_view userUuid, std::string_view userToken, Done done) { return start(imreuse_login_kit, userUuid, userToken, std::move(done)); }
  Operation loginAnonymous(Done done) { return start(imreuse_login_anonymous, std::move(done)); }
  Operation keepKit(std::string_view userUuid, std::string_view userToken, Done done) { return start(imreuse_keep_kit, userUuid, userToken, std::move(done)); }
  Operation renewKit(std::string_view userUuid, std::string_view userToken, Done done) { return start(imreuse_renew_kit, userUuid, userToken, std::move(done)); }
  Operation logoutKit(Done done) { return start(imreuse_logout_kit, std::move(done)); }
  Operation logoutIm(Done done) { return start(imreuse_logout_im, std::move(done)); }
  // After done, nothing of this engine is called any more. Nothing cancels a close.
  Operation close(Done done) {
    imreuse_close(engine(), detail::Pending::onDone, new detail::Pending{state, std::move(done)});
    return Operation();
  }

  // status never blocks. For a closed engine it returns a Status{}.
  Status status() const {
    imreuse_status s;
    return imreuse_get_status(engine(), &s) ? detail::statusOf(s) : Status{};
  }
  // watch calls changed with the status of now, and then with each change, in order.
  [[nodiscard]] Watch watch(std::function<void(const Status &)> changed) {
    auto w = std::make_shared<detail::WatchState>();
    w->changed = std::move(changed);
    w->id = detail::add(w);
    w->watch = imreuse_watch_start(engine(), detail::WatchState::onChanged, detail::number(w->id));
    return Watch(std::move(w));
  }

 private:
  template <class Handle, void (*release)(Handle *)> struct Released {
    Handle *handle;
    ~Released() { release(handle); }
  };

  imreuse_engine *engine() const { return state ? state->engine : nullptr; }

  Operation start(imreuse_op *(*f)(imreuse_engine *, imreuse_done, void *), Done done) {
    return Operation(f(engine(), detail::Pending::onDone, new detail::Pending{nullptr, std::move(done)}));
  }
  Operation start(imreuse_op *(*f)(imreuse_engine *, const char *, const char *, imreuse_done, void *), std::string_view id, std::string_view token, Done done) {
    std::string idText = detail::text(id), tokenText = detail::text(token);
    return Operation(f(engine(), idText.c_str(), tokenText.c_str(), detail::Pending::onDone, new detail::Pending{nullptr, std::move(done)}));
  }

  template <class F> static std::future<void> later(F &&run) {
    auto promise = std::make_shared<std::promise<void>>();
    std::future<void> future = promise->get_future();
    run([promise](const Error *e) { e ? promise->set_exception(std::make_exception_ptr(*e)) : promise->set_value(); });
    return future;
  }

  void shutDown() {
    if (!state) return;
    std::future<void> gone = state->gone.promise.get_future();
    close(Done());
    state = nullptr;
    if (detail::depth() == 0) gone.wait();
  }

  std::shared_ptr<detail::EngineState> state;
};

} // namespace imreuse

#endif
