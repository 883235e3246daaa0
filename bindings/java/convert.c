/* Strings and structs, from C to Java and back. */
#include <stdlib.h>
#include <string.h>

#include "border.h"

static jclass exception, status;
static jmethodID new_exception, new_status;

bool load_structs(JNIEnv *env) {
  return (exception = find_class(env, PACKAGE "ImReuseException")) != NULL &&
         (status = find_class(env, PACKAGE "Status")) != NULL &&
         (new_exception = (*env)->GetMethodID(env, exception, "<init>", "(I" STRING STRING STRING STRING ")V")) != NULL &&
         (new_status = (*env)->GetMethodID(
              env, status, "<init>", "(JII" STRING "L" PACKAGE "ImReuseException;ZZZZ" STRING STRING STRING ")V")) != NULL;
}

/* JNI's own functions for UTF-8 use a variant of it for U+0000 and for
 * characters beyond U+FFFF, so these two convert from and to UTF-16. */

/* Decodes one character at *s, and moves on. Bytes that are not UTF-8 become
 * U+FFFD. */
static uint32_t decode(const unsigned char **s) {
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  const unsigned char *p = *s;
  uint32_t c = *p++;
  int more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : -1;
  *s = p;
  if (more < 0)
    return 0xFFFD;
  c &= more == 0 ? 0x7F : 0x3Fu >> more;
  for (int i = 0; i < more; i++, p++) {
    if (*p >> 6 != 2)
      return 0xFFFD;
    c = c << 6 | (*p & 0x3F);
  }
  *s = p;
  return c < least[more] || c > 0x10FFFF || c >> 11 == 27 ? 0xFFFD : c;
}

jstring text(JNIEnv *env, const char *s) {
  if (s == NULL)
    return NULL;
  jchar small[512], *out = small;
  size_t most = strlen(s), n = 0; /* UTF-16 never has more units than UTF-8 */
  if (most > sizeof small / sizeof *small && (out = malloc(most * sizeof *out)) == NULL)
    return NULL;
  out[0] = 0; /* for an empty string, and for gcc */
  for (const unsigned char *p = (const unsigned char *)s; *p != 0;) {
    uint32_t c = decode(&p);
    if (c > 0xFFFF) {
      out[n++] = (jchar)(0xD800 + ((c - 0x10000) >> 10));
      c = 0xDC00 + ((c - 0x10000) & 0x3FF);
    }
    out[n++] = (jchar)c;
  }
  jstring result = (*env)->NewString(env, out, (jsize)n);
  if (out != small)
    free(out);
  if (result == NULL)
    (*env)->ExceptionClear(env);
  return result;
}

/* Writes c to p, and returns the end. U+0000 and half a surrogate pair become
 * bytes that are not UTF-8, so the engine refuses them; C would end at a zero. */
static char *encode(char *p, uint32_t c) {
  if (c != 0 && c < 0x80) {
    *p++ = (char)c;
    return p;
  }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  *p++ = (char)(0xFF00u >> (more + 1) | c >> 6 * more);
  while (more-- > 0)
    *p++ = (char)(0x80 | (c >> 6 * more & 0x3F));
  return p;
}

/* Overwrites a text that may be a token. */
static void wipe(void *p, size_t n) {
  for (volatile char *c = p; n > 0; n--)
    *c++ = 0;
}

void throw_out_of_memory(JNIEnv *env) {
  jclass e = (*env)->FindClass(env, "java/lang/OutOfMemoryError");
  if (e != NULL)
    (*env)->ThrowNew(env, e, "imreuse");
}

bool utf8(JNIEnv *env, jstring s, char **out) {
  *out = NULL;
  if (s == NULL)
    return true;
  size_t length = (size_t)(*env)->GetStringLength(env, s);
  size_t room = 3 * length + 1; /* a unit of UTF-16 takes up to 3 bytes */
  room += room % 2;
  char *buffer = malloc(room + 2 * length);
  if (buffer == NULL) {
    throw_out_of_memory(env);
    return false;
  }
  jchar *units = (jchar *)(buffer + room);
  (*env)->GetStringRegion(env, s, 0, (jsize)length, units);
  char *end = buffer;
  for (size_t i = 0; i < length; i++) {
    uint32_t c = units[i];
    if (c >> 10 == 54 && i + 1 < length && units[i + 1] >> 10 == 55)
      c = 0x10000 + ((c & 0x3FF) << 10) + (units[++i] & 0x3FFu);
    end = encode(end, c);
  }
  *end = 0;
  wipe(units, 2 * length);
  *out = buffer;
  return true;
}

void drop(char *s) {
  if (s != NULL)
    wipe(s, strlen(s));
  free(s);
}

jthrowable failure(JNIEnv *env, const imreuse_error *e) {
  if (e == NULL || e->code == IMREUSE_OK)
    return NULL;
  jstring op = text(env, e->op), call = text(env, e->call), message = text(env, e->message),
          remedy = text(env, e->remedy);
  jthrowable result = (*env)->NewObject(env, exception, new_exception, (jint)e->code, op, call, message, remedy);
  if ((*env)->ExceptionCheck(env)) {
    (*env)->ExceptionClear(env);
    return NULL;
  }
  return result;
}

jobject status_of(JNIEnv *env, const imreuse_status *s) {
  jthrowable cause = failure(env, &s->cause);
  jstring via = text(env, s->via), session = text(env, s->session), accid = text(env, s->accid),
          user_uuid = text(env, s->user_uuid);
  return (*env)->NewObject(env, status, new_status, (jlong)s->seq, (jint)s->state, (jint)s->floor, via, cause,
                           (jboolean)s->online, (jboolean)s->reused, (jboolean)s->anonymous, (jboolean)s->expired,
                           session, accid, user_uuid);
}
