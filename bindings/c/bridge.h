/* Between api.c and Go. Handles, the host's callbacks and its user pointers go
 * to Go as numbers, because a Go pointer must point somewhere. */
#ifndef IMREUSE_BRIDGE_H
#define IMREUSE_BRIDGE_H

#include "imreuse.h"

typedef const char *text; /* of the host's; NULL or UTF-8 with a 0 at the end */

typedef enum { INIT_IM, LOGIN_IM, LOGIN_KIT, LOGIN_ANONYMOUS, KEEP_KIT, RENEW_KIT, LOGOUT_KIT, LOGOUT_IM } operation;

/* keep makes s reachable from C, too: a leak checker does not look into Go's heap.
 * One thread at a time. */
char *keep(char *s);

/* The host's callbacks, called from Go. */

static inline void call_done(uintptr_t f, uintptr_t user, const imreuse_error *e) { ((imreuse_done)f)((void *)user, e); }
static inline void call_changed(uintptr_t f, uintptr_t user, const imreuse_status *s) { ((imreuse_changed)f)((void *)user, s); }
static inline void call_log(uintptr_t f, uintptr_t user, int level, const char *line) {
  ((void (*)(void *, int, const char *))f)((void *)user, level, line);
}
static inline void call_init(uintptr_t f, uintptr_t user, const char *app_key, uintptr_t request) {
  ((void (*)(void *, const char *, imreuse_request *))f)((void *)user, app_key, (imreuse_request *)request);
}
static inline void call_login(uintptr_t f, uintptr_t user, const char *app_key, const char *accid, const char *token, uintptr_t request) {
  ((void (*)(void *, const char *, const char *, const char *, imreuse_request *))f)((void *)user, app_key, accid, token, (imreuse_request *)request);
}
static inline void call_request(uintptr_t f, uintptr_t user, uintptr_t request) {
  ((void (*)(void *, imreuse_request *))f)((void *)user, (imreuse_request *)request);
}
static inline void call_token(uintptr_t f, uintptr_t user, const char *id, const char *refused, uintptr_t request) {
  ((void (*)(void *, const char *, const char *, imreuse_request *))f)((void *)user, id, refused, (imreuse_request *)request);
}

#endif
