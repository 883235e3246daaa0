/* The border between io.github.imreuse and imreuse.h: the methods of Jni. They
 * carry calls across, and decide nothing. */
#include <string.h>

#include "border.h"
#include "io_github_imreuse_ImReuseException.h"
#include "io_github_imreuse_Jni.h"

#define NATIVE(result, name) JNIEXPORT result JNICALL Java_io_github_imreuse_Jni_##name

/* -- Java's codes are the library's ---------------------------------------- */

#define SAME(name)                                                                                \
  _Static_assert(io_github_imreuse_ImReuseException_##name == (jint)IMREUSE_ERR_##name, "ImReuseException." #name)
SAME(OTHER);
SAME(IM_NOT_LOGGED_IN);
SAME(IM_ACCOUNT_MISMATCH);
SAME(REUSE_NO_ANONYMOUS);
SAME(CLOSED);
SAME(STATE);
SAME(ARGUMENT);
SAME(IM_IN_USE);
SAME(KIT_IN_USE);
SAME(APP_KEY_MISMATCH);
SAME(TOKEN_REJECTED);
SAME(TOKEN_EXPIRED);
SAME(ACCOUNT_BANNED);
SAME(NO_IM_ACCOUNT);
SAME(NOT_ENABLED);
SAME(KICKED);
SAME(IM_LOGGED_OUT);
SAME(UNAVAILABLE);
SAME(INTERRUPTED);
SAME(SECONDARY_PROCESS);

jclass find_class(JNIEnv *env, const char *name) {
  jclass local = (*env)->FindClass(env, name);
  return local == NULL ? NULL : (*env)->NewGlobalRef(env, local);
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
  (void)reserved;
  JNIEnv *env;
  if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_6) != JNI_OK || !load_structs(env) || !load_callbacks(vm, env))
    return JNI_ERR;
  return JNI_VERSION_1_6;
}

static void throw_failure(JNIEnv *env, const imreuse_error *e) {
  if (e->code == IMREUSE_OK)
    return;
  jthrowable t = failure(env, e);
  if (t != NULL)
    (*env)->Throw(env, t);
  else
    throw_out_of_memory(env);
}

/* -- Requests --------------------------------------------------------------- */

NATIVE(jint, codeIn)(JNIEnv *env, jclass c, jint code, jint profile) {
  (void)env, (void)c;
  return imreuse_code_in(code, (imreuse_profile)profile);
}

NATIVE(void, requestDone)(JNIEnv *env, jclass c, jlong request, jint code, jstring message) {
  (void)c;
  char *m;
  if (!utf8(env, message, &m))
    return;
  imreuse_request_done(to_handle(request), code, m);
  drop(m);
}

NATIVE(void, requestToken)(JNIEnv *env, jclass c, jlong request, jstring token) {
  (void)c;
  char *t;
  if (!utf8(env, token, &t))
    return;
  imreuse_request_token(to_handle(request), t);
  drop(t);
}

/* -- The IM role ------------------------------------------------------------ */

NATIVE(jlong, imNew)(JNIEnv *env, jclass c, jint user) {
  (void)c;
  imreuse_im_client client = {.struct_size = sizeof client, .user = to_user(user)};
  if (user != 0) {
    client.init = on_init;
    client.login = on_login;
    client.logout = on_logout;
    client.cancel = on_cancel;
  }
  imreuse_error e = {0};
  imreuse_im *im = imreuse_im_new(&client, &e);
  throw_failure(env, &e);
  return from_handle(im);
}

NATIVE(void, imRelease)(JNIEnv *env, jclass c, jlong im) {
  (void)env, (void)c;
  imreuse_im_release(to_handle(im));
}

NATIVE(void, loggingIn)(JNIEnv *env, jclass c, jlong im) {
  (void)env, (void)c;
  imreuse_im_logging_in(to_handle(im));
}

NATIVE(void, loggedIn)(JNIEnv *env, jclass c, jlong im, jstring app_key, jstring accid) {
  (void)c;
  char *k, *a;
  if (utf8(env, app_key, &k)) {
    if (utf8(env, accid, &a)) {
      imreuse_im_logged_in(to_handle(im), k, a);
      drop(a);
    }
    drop(k);
  }
}

NATIVE(void, loggedOut)(JNIEnv *env, jclass c, jlong im, jint code, jint reason, jstring words) {
  (void)c;
  char *w;
  if (!utf8(env, words, &w))
    return;
  imreuse_im_logged_out(to_handle(im), code, (imreuse_kick_reason)reason, w);
  drop(w);
}

NATIVE(void, link)(JNIEnv *env, jclass c, jlong im, jboolean online) {
  (void)env, (void)c;
  imreuse_im_link(to_handle(im), online);
}

/* -- The kit role ----------------------------------------------------------- */

NATIVE(jlong, kitNew)(JNIEnv *env, jclass c, jstring app_key, jstring kit_url, jstring device_id, jboolean dynamic, jboolean plain_http) {
  (void)c;
  char *k = NULL, *u = NULL, *d = NULL;
  imreuse_kit *kit = NULL;
  if (utf8(env, app_key, &k) && utf8(env, kit_url, &u) && utf8(env, device_id, &d)) {
    imreuse_kit_options o = {.struct_size = sizeof o, .app_key = k, .kit_url = u, .device_id = d,
                             .dynamic_token = dynamic, .plain_http = plain_http};
    imreuse_error e = {0};
    kit = imreuse_kit_new(&o, &e);
    throw_failure(env, &e);
  }
  drop(k), drop(u), drop(d);
  return from_handle(kit);
}

NATIVE(void, kitRelease)(JNIEnv *env, jclass c, jlong kit) {
  (void)env, (void)c;
  imreuse_kit_release(to_handle(kit));
}

/* -- The engine ------------------------------------------------------------- */

NATIVE(jlong, engineNew)(JNIEnv *env, jclass c, jint user, jstring app_key, jlong im, jlong kit, jint mode, jboolean require_online, jboolean secondary, jboolean log, jboolean kit_token, jboolean im_token) {
  (void)c;
  char *k;
  if (!utf8(env, app_key, &k))
    return 0;
  imreuse_options o = {
      .struct_size = sizeof o, .app_key = k, .im = to_handle(im), .kit = to_handle(kit),
      .mode = (imreuse_mode)mode, .require_online = require_online, .secondary_process = secondary,
      .user = to_user(user), .log = log ? on_log : NULL, .kit_token = kit_token ? on_kit_token : NULL,
      .im_token = im_token ? on_im_token : NULL};
  imreuse_error e = {0};
  imreuse_engine *engine = imreuse_new(&o, &e);
  drop(k);
  throw_failure(env, &e);
  return from_handle(engine);
}

#define OPERATION(name, function)                                                                 \
  NATIVE(jlong, name)(JNIEnv *env, jclass c, jlong engine, jint user) {                           \
    (void)env, (void)c;                                                                           \
    return from_handle(function(to_handle(engine), on_done, to_user(user)));                      \
  }
OPERATION(initIm, imreuse_init_im)
OPERATION(loginAnonymous, imreuse_login_anonymous)
OPERATION(logoutKit, imreuse_logout_kit)
OPERATION(logoutIm, imreuse_logout_im)

typedef imreuse_op *(*with_account)(imreuse_engine *, const char *, const char *, imreuse_done, void *);

static jlong start(JNIEnv *env, with_account f, jlong engine, jstring id, jstring token, jint user) {
  char *i, *t;
  imreuse_op *op = NULL;
  if (utf8(env, id, &i)) {
    if (utf8(env, token, &t)) {
      op = f(to_handle(engine), i, t, on_done, to_user(user));
      drop(t);
    }
    drop(i);
  }
  return from_handle(op);
}

#define OPERATION_OF(name, function)                                                              \
  NATIVE(jlong, name)(JNIEnv *env, jclass c, jlong engine, jstring id, jstring token, jint user) { \
    (void)c;                                                                                      \
    return start(env, function, engine, id, token, user);                                         \
  }
OPERATION_OF(loginIm, imreuse_login_im)
OPERATION_OF(loginKit, imreuse_login_kit)
OPERATION_OF(keepKit, imreuse_keep_kit)
OPERATION_OF(renewKit, imreuse_renew_kit)

NATIVE(void, close)(JNIEnv *env, jclass c, jlong engine, jint user) {
  (void)env, (void)c;
  imreuse_close(to_handle(engine), on_done, to_user(user));
}

NATIVE(void, cancel)(JNIEnv *env, jclass c, jlong op) {
  (void)env, (void)c;
  imreuse_cancel(to_handle(op));
}

NATIVE(jobject, status)(JNIEnv *env, jclass c, jlong engine) {
  (void)c;
  imreuse_status s;
  if (!imreuse_get_status(to_handle(engine), &s))
    memset(&s, 0, sizeof s);
  return status_of(env, &s);
}

NATIVE(jlong, watchStart)(JNIEnv *env, jclass c, jlong engine, jint user) {
  (void)env, (void)c;
  return from_handle(imreuse_watch_start(to_handle(engine), on_changed, to_user(user)));
}

NATIVE(void, watchStop)(JNIEnv *env, jclass c, jlong watch) {
  (void)env, (void)c;
  imreuse_watch_stop(to_handle(watch));
}

/* -- The mock --------------------------------------------------------------- */

NATIVE(jlong, mockNew)(JNIEnv *env, jclass c, jstring accounts) {
  (void)c;
  char *a;
  if (!utf8(env, accounts, &a))
    return 0;
  imreuse_error e = {0};
  imreuse_mock *mock = imreuse_mock_new(a, &e);
  drop(a);
  throw_failure(env, &e);
  return from_handle(mock);
}

NATIVE(void, mockRelease)(JNIEnv *env, jclass c, jlong mock) {
  (void)env, (void)c;
  imreuse_mock_release(to_handle(mock));
}

NATIVE(jlong, mockIm)(JNIEnv *env, jclass c, jlong mock) {
  (void)env, (void)c;
  return from_handle(imreuse_mock_im(to_handle(mock)));
}

NATIVE(jlong, mockKit)(JNIEnv *env, jclass c, jlong mock) {
  (void)env, (void)c;
  return from_handle(imreuse_mock_kit(to_handle(mock)));
}

NATIVE(void, mockKick)(JNIEnv *env, jclass c, jlong mock, jstring accid, jint reason) {
  (void)c;
  char *a;
  if (!utf8(env, accid, &a))
    return;
  imreuse_mock_kick(to_handle(mock), a, (imreuse_kick_reason)reason);
  drop(a);
}

NATIVE(void, mockEndIm)(JNIEnv *env, jclass c, jlong mock, jstring accid, jint code) {
  (void)c;
  char *a;
  if (!utf8(env, accid, &a))
    return;
  imreuse_mock_end_im(to_handle(mock), a, code);
  drop(a);
}

NATIVE(void, mockExpire)(JNIEnv *env, jclass c, jlong mock, jstring user_uuid) {
  (void)c;
  char *u;
  if (!utf8(env, user_uuid, &u))
    return;
  imreuse_mock_expire(to_handle(mock), u);
  drop(u);
}
