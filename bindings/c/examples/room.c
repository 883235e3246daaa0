/* A C app that has an IM client of its own, and lets the kit reuse its login: the three steps of the vendor's guides.
 *
 * IMREUSE_KIT_URL is the kit server ("imreuse sandbox -env" prints it, and what nim.h needs). Without it, everything is in
 * memory. */
#include <imreuse.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "nim.h"

static const char app_key[] = "app1", accid[] = "myaccid";

/* An app with an event loop would post the outcome there. This one waits for it. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int outcomes;

static void over(void) {
  pthread_mutex_lock(&mutex);
  outcomes++;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
}

static void wait_for_outcome(void) {
  pthread_mutex_lock(&mutex);
  while (outcomes == 0) pthread_cond_wait(&changed, &mutex);
  outcomes--;
  pthread_mutex_unlock(&mutex);
}

static void done(void *user, const imreuse_error *e) {
  imreuse_error *outcome = user;
  outcome->code = IMREUSE_OK;
  if (e != NULL) *outcome = *e;
  over();
}

static void on_status(void *user, const imreuse_status *s) {
  (void)user;
  if (s->cause.code != IMREUSE_OK) printf("lost: %s\n", s->cause.message);
  fflush(stdout);
}

/* The app's IM client. What it learns from the SDK it reports. */

static void on_login(void *user, int code) {
  imreuse_im *im = user;
  if (code == NIM_OK) {
    imreuse_im_logged_in(im, app_key, accid);
  } else {
    imreuse_im_logged_out(im, IMREUSE_ERR_OTHER, (imreuse_kick_reason)0, "the SDK failed");
  }
  over();
}

static void on_logout(void *user, int code) {
  (void)code;
  imreuse_im_logged_out(user, IMREUSE_OK, (imreuse_kick_reason)0, NULL);
  over();
}

static void on_kicked(void *user, int reason) { imreuse_im_logged_out(user, IMREUSE_ERR_KICKED, (imreuse_kick_reason)reason, NULL); }

static int run(imreuse_im *im, imreuse_kit *server, nim *sdk) {
  imreuse_error e;
  imreuse_status s;
  imreuse_options options = {0};
  imreuse_engine *kit;

  /* Step 1: IM first, then the kit, with reuse switched on. */
  options.struct_size = sizeof options;
  options.app_key = app_key;
  options.im = im;
  options.kit = server;
  options.mode = IMREUSE_REUSE_IM;
  kit = imreuse_new(&options, &e);
  if (kit == NULL) {
    printf("failed: %d: %s\n", e.code, e.message);
    return 1;
  }
  imreuse_watch_start(kit, on_status, NULL);

  /* Step 2: the app logs IM in, when it likes, but before the kit. */
  imreuse_im_logging_in(im);
  nim_login(sdk, accid, "myToken", on_login, im);
  wait_for_outcome();

  /* Step 3: log the kit in. The result says whether IM reuse works. */
  imreuse_login_kit(kit, "myaccid", "myUserToken", done, &e);
  wait_for_outcome();
  if (e.code == IMREUSE_OK && imreuse_get_status(kit, &s)) {
    printf("in as %s over %s%s\n", s.user_uuid, s.accid, s.reused ? ", reused" : ", not reused");
    fflush(stdout);
    getchar(); /* the app runs */
    imreuse_logout_kit(kit, done, &e);
    wait_for_outcome();
    imreuse_get_status(kit, &s);
    printf("out%s\n", s.state == IMREUSE_IM_LOGGED_IN ? ", and IM is still logged in" : "");
  } else {
    printf("failed: %d: %s What to do: %s\n", e.code, e.message, e.remedy);
  }
  int code = e.code;
  imreuse_close(kit, done, &e); /* nothing is called any more when it is done */
  wait_for_outcome();
  nim_logout(sdk, on_logout, im);
  wait_for_outcome();
  return code != IMREUSE_OK;
}

int main(void) {
  const char *url = getenv("IMREUSE_KIT_URL");
  imreuse_error e = {0};
  imreuse_im_client only_reports = {0};
  imreuse_kit_options server = {0};
  only_reports.struct_size = sizeof only_reports;
  server.struct_size = sizeof server;
  server.app_key = app_key;
  server.kit_url = url;

  imreuse_mock *mock = imreuse_mock_new(NULL, NULL);
  imreuse_im *im = imreuse_im_new(&only_reports, &e);
  imreuse_kit *kit = url != NULL ? imreuse_kit_new(&server, &e) : imreuse_mock_kit(mock);
  nim *sdk = nim_init(app_key, on_kicked, im);
  int code = 1;
  if (im != NULL && kit != NULL && sdk != NULL) {
    code = run(im, kit, sdk);
  } else {
    printf("failed: %s\n", e.message);
  }
  nim_free(sdk);
  imreuse_im_release(im);
  imreuse_kit_release(kit);
  imreuse_mock_release(mock);
  return code;
}
