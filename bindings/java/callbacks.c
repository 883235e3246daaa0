/* The library's callbacks, each handed on to the method of Callbacks with its
 * name. */
#include <pthread.h>

#include "border.h"

static JavaVM *vm;
static pthread_key_t attached; /* set on each thread that this file attached */

static jclass callbacks;
static jmethodID cb_done, cb_changed, cb_log, cb_kit_token, cb_im_token, cb_init, cb_login, cb_logout, cb_cancelled;

/* A thread has to be detached before it ends. */
static void detach(void *unused) {
  (void)unused;
  (*vm)->DetachCurrentThread(vm);
}

/* Returns the environment of this thread, which belongs to the library, with a
 * frame for local references. It attaches the thread if it is a new one. NULL: the
 * VM is ending, or has no memory left. */
static JNIEnv *enter(void) {
  JNIEnv *env = NULL;
  if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_6) != JNI_OK) {
    JavaVMAttachArgs args = {JNI_VERSION_1_6, (char *)"imreuse", NULL};
    if ((*vm)->AttachCurrentThreadAsDaemon(vm, (void *)&env, &args) != JNI_OK)
      return NULL;
    pthread_setspecific(attached, vm);
  }
  if ((*env)->PushLocalFrame(env, 16) != 0) {
    (*env)->ExceptionClear(env);
    return NULL;
  }
  return env;
}

/* No exception goes on into the library. Callbacks catches the host's. */
static void leave(JNIEnv *env) {
  if ((*env)->ExceptionCheck(env)) {
    (*env)->ExceptionDescribe(env);
    (*env)->ExceptionClear(env);
  }
  (*env)->PopLocalFrame(env, NULL);
}

bool load_callbacks(JavaVM *v, JNIEnv *env) {
  vm = v;
  if (pthread_key_create(&attached, detach) != 0 || (callbacks = find_class(env, PACKAGE "Callbacks")) == NULL)
    return false;
  const struct {
    jmethodID *id;
    const char *name, *signature;
  } methods[] = {
      {&cb_done, "done", "(IIL" PACKAGE "ImReuseException;)V"},
      {&cb_changed, "changed", "(IL" PACKAGE "Status;)V"},
      {&cb_log, "log", "(II" STRING ")V"},
      {&cb_kit_token, "kitToken", "(I" STRING STRING "J)V"},
      {&cb_im_token, "imToken", "(I" STRING STRING "J)V"},
      {&cb_init, "init", "(I" STRING "J)V"},
      {&cb_login, "login", "(I" STRING STRING STRING "J)V"},
      {&cb_logout, "logout", "(IJ)V"},
      {&cb_cancelled, "cancelled", "(IJ)V"},
  };
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if ((*methods[i].id = (*env)->GetStaticMethodID(env, callbacks, methods[i].name, methods[i].signature)) == NULL)
      return false;
  return true;
}

#define CALL(env, method, ...) (*(env))->CallStaticVoidMethod(env, callbacks, method, __VA_ARGS__)

void on_done(void *user, const imreuse_error *e) {
  JNIEnv *env = enter();
  if (env == NULL)
    return;
  CALL(env, cb_done, from_user(user), e == NULL ? (jint)IMREUSE_OK : (jint)e->code, failure(env, e));
  leave(env);
}

void on_changed(void *user, const imreuse_status *s) {
  JNIEnv *env = enter();
  if (env == NULL)
    return;
  jobject now = status_of(env, s);
  if (now != NULL)
    CALL(env, cb_changed, from_user(user), now);
  leave(env);
}

void on_log(void *user, int level, const char *line) {
  JNIEnv *env = enter();
  if (env == NULL)
    return;
  CALL(env, cb_log, from_user(user), (jint)level, text(env, line));
  leave(env);
}

static void on_token(jmethodID method, void *user, const char *id, const char *refused, imreuse_request *r) {
  JNIEnv *env = enter();
  if (env == NULL)
    return;
  CALL(env, method, from_user(user), text(env, id), text(env, refused == NULL ? "" : refused), from_handle(r));
  leave(env);
}

void on_kit_token(void *user, const char *user_uuid, const char *refused, imreuse_request *r) {
  on_token(cb_kit_token, user, user_uuid, refused, r);
}

void on_im_token(void *user, const char *accid, const char *refused, imreuse_request *r) {
  on_token(cb_im_token, user, accid, refused, r);
}

void on_init(void *user, const char *app_key, imreuse_request *r) {
  JNIEnv *env = enter();
  if (env == NULL)
    return;
  CALL(env, cb_init, from_user(user), text(env, app_key), from_handle(r));
  leave(env);
}

void on_login(void *user, const char *app_key, const char *accid, const char *token, imreuse_request *r) {
  JNIEnv *env = enter();
  if (env == NULL)
    return;
  CALL(env, cb_login, from_user(user), text(env, app_key), text(env, accid), text(env, token), from_handle(r));
  leave(env);
}

static void on_request(jmethodID method, void *user, imreuse_request *r) {
  JNIEnv *env = enter();
  if (env == NULL)
    return;
  CALL(env, method, from_user(user), from_handle(r));
  leave(env);
}

void on_logout(void *user, imreuse_request *r) { on_request(cb_logout, user, r); }
void on_cancel(void *user, imreuse_request *r) { on_request(cb_cancelled, user, r); }
