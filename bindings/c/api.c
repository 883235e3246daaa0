//go:build cgo

/* The functions of imreuse.h. The compiler checks them against the header; Go
 * does the work (exports.go). */

#include <string.h>

#include "_cgo_export.h"
#include "bridge.h"

/* grown copies a struct of the host's, which may be of an older header and
 * smaller, or of a newer one and larger. It reports whether this library
 * understands it: what it does not know has to be 0. */
static bool grown(void *to, size_t size, const void *from) {
  size_t has;
  memset(to, 0, size);
  if (from == NULL) return false;
  memcpy(&has, from, sizeof has);
  if (has < sizeof has) return false;
  memcpy(to, from, has < size ? has : size);
  for (size_t i = size; i < has; i++) {
    if (((const char *)from)[i] != 0) return false;
  }
  return true;
}

char *keep(char *s) {
  static char *volatile kept[64]; /* each code has a text and a remedy; volatile, because nobody reads them */
  static size_t count;
  if (count < sizeof kept / sizeof *kept) kept[count++] = s;
  return s;
}

const char *imreuse_version(void) { return IMREUSE_VERSION; }
const char *imreuse_code_text(int code) { return goCodeText(code); }
const char *imreuse_code_remedy(int code) { return goCodeRemedy(code); }
int imreuse_code_in(int code, imreuse_profile p) { return goCodeIn(code, p); }

void imreuse_request_done(imreuse_request *r, int code, const char *message) { goRequestDone((uintptr_t)r, code, message); }
void imreuse_request_token(imreuse_request *r, const char *token) { goRequestToken((uintptr_t)r, token); }

imreuse_im *imreuse_im_new(const imreuse_im_client *client, imreuse_error *e) {
  imreuse_im_client c;
  return (imreuse_im *)goNewIM(grown(&c, sizeof c, client), &c, e);
}
void imreuse_im_release(imreuse_im *im) { goReleaseIM((uintptr_t)im); }
void imreuse_im_logging_in(imreuse_im *im) { goLoggingIn((uintptr_t)im); }
void imreuse_im_logged_in(imreuse_im *im, const char *app_key, const char *accid) { goLoggedIn((uintptr_t)im, app_key, accid); }
void imreuse_im_logged_out(imreuse_im *im, int code, imreuse_kick_reason reason, const char *message) {
  goLoggedOut((uintptr_t)im, code, (int)reason, message);
}
void imreuse_im_link(imreuse_im *im, bool online) { goLink((uintptr_t)im, online); }

imreuse_kit *imreuse_kit_new(const imreuse_kit_options *options, imreuse_error *e) {
  imreuse_kit_options o;
  return (imreuse_kit *)goNewKit(grown(&o, sizeof o, options), &o, e);
}
void imreuse_kit_release(imreuse_kit *kit) { goReleaseKit((uintptr_t)kit); }

imreuse_engine *imreuse_new(const imreuse_options *options, imreuse_error *e) {
  imreuse_options o;
  return (imreuse_engine *)goNew(grown(&o, sizeof o, options), &o, e);
}

static imreuse_op *start(imreuse_engine *e, operation which, const char *id, const char *token, imreuse_done done, void *user) {
  return (imreuse_op *)goStart((uintptr_t)e, which, id, token, (uintptr_t)done, (uintptr_t)user);
}
imreuse_op *imreuse_init_im(imreuse_engine *e, imreuse_done done, void *user) { return start(e, INIT_IM, NULL, NULL, done, user); }
imreuse_op *imreuse_login_im(imreuse_engine *e, const char *accid, const char *token, imreuse_done done, void *user) {
  return start(e, LOGIN_IM, accid, token, done, user);
}
imreuse_op *imreuse_login_kit(imreuse_engine *e, const char *user_uuid, const char *user_token, imreuse_done done, void *user) {
  return start(e, LOGIN_KIT, user_uuid, user_token, done, user);
}
imreuse_op *imreuse_login_anonymous(imreuse_engine *e, imreuse_done done, void *user) {
  return start(e, LOGIN_ANONYMOUS, NULL, NULL, done, user);
}
imreuse_op *imreuse_keep_kit(imreuse_engine *e, const char *user_uuid, const char *user_token, imreuse_done done, void *user) {
  return start(e, KEEP_KIT, user_uuid, user_token, done, user);
}
imreuse_op *imreuse_renew_kit(imreuse_engine *e, const char *user_uuid, const char *user_token, imreuse_done done, void *user) {
  return start(e, RENEW_KIT, user_uuid, user_token, done, user);
}
imreuse_op *imreuse_logout_kit(imreuse_engine *e, imreuse_done done, void *user) { return start(e, LOGOUT_KIT, NULL, NULL, done, user); }
imreuse_op *imreuse_logout_im(imreuse_engine *e, imreuse_done done, void *user) { return start(e, LOGOUT_IM, NULL, NULL, done, user); }
void imreuse_close(imreuse_engine *e, imreuse_done done, void *user) { goClose((uintptr_t)e, (uintptr_t)done, (uintptr_t)user); }
void imreuse_cancel(imreuse_op *op) { goCancel((uintptr_t)op); }

bool imreuse_get_status(imreuse_engine *e, imreuse_status *s) { return goStatus((uintptr_t)e, s); }
imreuse_watch *imreuse_watch_start(imreuse_engine *e, imreuse_changed changed, void *user) {
  return (imreuse_watch *)goWatch((uintptr_t)e, (uintptr_t)changed, (uintptr_t)user);
}
void imreuse_watch_stop(imreuse_watch *w) { goStopWatch((uintptr_t)w); }

imreuse_mock *imreuse_mock_new(const char *accounts_json, imreuse_error *e) { return (imreuse_mock *)goNewMock(accounts_json, e); }
void imreuse_mock_release(imreuse_mock *m) { goReleaseMock((uintptr_t)m); }
imreuse_im *imreuse_mock_im(imreuse_mock *m) { return (imreuse_im *)goMockIM((uintptr_t)m); }
imreuse_kit *imreuse_mock_kit(imreuse_mock *m) { return (imreuse_kit *)goMockKit((uintptr_t)m); }
void imreuse_mock_kick(imreuse_mock *m, const char *accid, imreuse_kick_reason reason) { goMockKick((uintptr_t)m, accid, (int)reason); }
void imreuse_mock_end_im(imreuse_mock *m, const char *accid, int code) { goMockEndIM((uintptr_t)m, accid, code); }
void imreuse_mock_expire(imreuse_mock *m, const char *user_uuid) { goMockExpire((uintptr_t)m, user_uuid); }
