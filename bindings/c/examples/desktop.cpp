// A desktop app that has an IM client of its own, and lets the kit reuse its
// login: the three steps of the vendor's guide for NERoom in C++.
//
// IMREUSE_KIT_URL is the kit server ("imreuse sandbox -env" prints it, and what
// nim.h needs). Without it, everything is in memory.
#include <imreuse.hpp>

#include <cstdlib>
#include <iostream>

#include "nim.h"

// Im is the app's IM client. What it learns from the SDK it reports.
class Im : public imreuse::HostIm {
 public:
  explicit Im(std::string key) : appKey(std::move(key)), sdk(nim_init(appKey.c_str(), onKicked, this)) {}
  ~Im() override { nim_free(sdk); }

  std::future<int> signIn(const std::string &accid, const std::string &token) {
    loggingIn();
    auto *call = new Call{*this, accid, {}};
    std::future<int> result = call->result.get_future();
    nim_login(sdk, accid.c_str(), token.c_str(), onLogin, call);
    return result;
  }
  std::future<int> signOut() {
    auto *call = new Call{*this, {}, {}};
    std::future<int> result = call->result.get_future();
    nim_logout(sdk, onLogout, call);
    return result;
  }

 private:
  struct Call {
    Im &im;
    std::string accid;
    std::promise<int> result;
  };
  static void onLogin(void *user, int code) {
    std::unique_ptr<Call> call(static_cast<Call *>(user));
    if (code == NIM_OK) {
      call->im.loggedIn(call->im.appKey, call->accid);
    } else {
      call->im.loggedOut(IMREUSE_ERR_OTHER, "the SDK failed with " + std::to_string(code));
    }
    call->result.set_value(code);
  }
  static void onLogout(void *user, int code) {
    std::unique_ptr<Call> call(static_cast<Call *>(user));
    call->im.loggedOut();
    call->result.set_value(code);
  }
  static void onKicked(void *self, int reason) { static_cast<Im *>(self)->kicked(static_cast<imreuse::KickReason>(reason)); }

  std::string appKey;
  nim *sdk;
};

int main() try {
  const std::string appKey = "app1";

  // Step 1: IM first, then the kit, with reuse switched on.
  auto im = std::make_shared<Im>(appKey);
  imreuse::Options options;
  options.appKey = appKey;
  options.mode = imreuse::Mode::ReuseIm;
  const char *url = std::getenv("IMREUSE_KIT_URL");
  imreuse::KitOptions server;
  server.appKey = appKey;
  server.kitUrl = url ? url : "";
  imreuse::Engine kit = url ? imreuse::Engine(im, imreuse::KitServer(server), options) : imreuse::Engine(im, imreuse::Mock(), options);
  imreuse::Watch watch = kit.watch([](const imreuse::Status &s) {
    if (s.cause) std::cout << "lost: " << s.cause->what() << std::endl;
  });

  // Step 2: the app logs IM in, when it likes, but before the kit.
  im->signIn("myaccid", "myToken").get();

  // Step 3: log the kit in. The result says whether IM reuse works.
  kit.loginKit("myaccid", "myUserToken").get();
  imreuse::Status s = kit.status();
  std::cout << "in as " << s.userUuid << " over " << s.accid << (s.reused ? ", reused" : ", not reused") << std::endl;

  std::cin.get(); // the app runs
  kit.logoutKit().get();
  std::cout << "out" << (kit.status().state == imreuse::State::ImLoggedIn ? ", and IM is still logged in" : "") << std::endl;
  watch.stop();
  im->signOut().get();
  return 0;
} catch (const imreuse::Error &e) {
  std::cout << "failed: " << e.code << ": " << e.what() << " What to do: " << e.remedy << std::endl;
  return 1;
}
