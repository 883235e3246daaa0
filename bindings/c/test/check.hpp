// What the C++ tests share: a check, conditions to wait for, and an IM client.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <thread>
#include <vector>

#include "imreuse.hpp"

#define CHECK(condition, shown)                                                                                  \
  do {                                                                                                           \
    if (!(condition)) {                                                                                          \
      std::ostringstream text_;                                                                                  \
      text_ << __FILE__ << ":" << __LINE__ << ": " << #condition << ": " << shown << "\n";                       \
      std::cerr << text_.str();                                                                                  \
      std::exit(1);                                                                                              \
    }                                                                                                            \
  } while (0)

constexpr auto patience = std::chrono::seconds(60); // until a test gives up; only a bug takes that long

template <class Condition> void waitFor(const char *what, Condition condition) {
  auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    CHECK(std::chrono::steady_clock::now() < end, what);
    std::this_thread::sleep_for(std::chrono::milliseconds(1)); // lets others run
  }
}

template <class T> T get(std::future<T> future) {
  CHECK(future.wait_for(patience) == std::future_status::ready, "the future is not ready");
  return future.get();
}

// codeOf waits for an operation, and returns its code.
inline int codeOf(std::future<void> future) {
  try {
    get(std::move(future));
    return IMREUSE_OK;
  } catch (const imreuse::Error &e) {
    return e.code;
  }
}

// codeFrom runs f, which may throw an Error, and returns the code.
template <class F> int codeFrom(F f) {
  try {
    f();
    return IMREUSE_OK;
  } catch (const imreuse::Error &e) {
    CHECK(e.what()[0] != 0 && e.op.find('\n') == std::string::npos, e.what());
    return e.code;
  }
}

// The accounts of the guides.
constexpr auto appKey = "app1", accid = "myaccid", imToken = "myToken", user = "myaccid", userToken = "myUserToken";

inline imreuse::Options options(imreuse::Mode mode = imreuse::Mode::AutoDetect) {
  imreuse::Options o;
  o.appKey = appKey;
  o.mode = mode;
  return o;
}

// A Box keeps what callbacks of one thread say to another.
template <class T> class Box {
 public:
  void put(T value) {
    std::lock_guard<std::mutex> lock(mutex);
    values.push_back(std::move(value));
  }
  std::size_t size() const {
    std::lock_guard<std::mutex> lock(mutex);
    return values.size();
  }
  T at(std::size_t i) const {
    std::lock_guard<std::mutex> lock(mutex);
    return values.at(i);
  }
  T wait(std::size_t i) const {
    waitFor("a value did not come", [&] { return size() > i; });
    return at(i);
  }

 private:
  mutable std::mutex mutex;
  std::vector<T> values;
};

// The tests, one function for each file.
void testOperations();
void testHostIm();
void testExceptions();
void testClose();
void testThreads();

#endif
