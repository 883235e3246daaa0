/* What the C files of this folder share. None of it is exported. */
#ifndef BORDER_H
#define BORDER_H

#include <jni.h>
#include <stdbool.h>
#include <stdint.h>

#include "imreuse.h"

#define PACKAGE "io/github/imreuse/"
#define STRING "Ljava/lang/String;"

/* A handle of the library crosses as a long. The library's user pointers are
 * numbers in the Registry of Java, so C keeps no references to the host's
 * objects. */
static inline void *to_user(jint id) { return (void *)(intptr_t)id; }
static inline jint from_user(void *user) { return (jint)(intptr_t)user; }
static inline void *to_handle(jlong handle) { return (void *)(intptr_t)handle; }
static inline jlong from_handle(const void *handle) { return (jlong)(intptr_t)handle; }

/* Finds a class once and for all, because the threads of the library cannot find
 * it. NULL, with an exception pending: there is no such class. */
jclass find_class(JNIEnv *, const char *name);

/* -- convert.c -------------------------------------------------------------- */

bool load_structs(JNIEnv *);

/* Returns s as a string of Java. NULL: s is NULL, or there is no memory left. */
jstring text(JNIEnv *, const char *s);

/* Puts s as UTF-8 into *out, for drop; NULL for null. It returns false, with an
 * exception pending, if there is no memory left. */
bool utf8(JNIEnv *, jstring s, char **out);

void throw_out_of_memory(JNIEnv *);

/* Overwrites a text of utf8, which may be a token, and frees it. */
void drop(char *);

/* Returns e as an ImReuseException. NULL: no error, or no memory left. */
jthrowable failure(JNIEnv *, const imreuse_error *e);

/* Returns s as a Status. NULL, with an exception pending: no memory left. */
jobject status_of(JNIEnv *, const imreuse_status *s);

/* -- callbacks.c ------------------------------------------------------------ */

bool load_callbacks(JavaVM *, JNIEnv *);

void on_done(void *user, const imreuse_error *);
void on_changed(void *user, const imreuse_status *);
void on_log(void *user, int level, const char *line);
void on_kit_token(void *user, const char *user_uuid, const char *refused, imreuse_request *);
void on_im_token(void *user, const char *accid, const char *refused, imreuse_request *);
void on_init(void *user, const char *app_key, imreuse_request *);
void on_login(void *user, const char *app_key, const char *accid, const char *token, imreuse_request *);
void on_logout(void *user, imreuse_request *);
void on_cancel(void *user, imreuse_request *);

#endif
