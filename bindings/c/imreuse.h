/* imreuse: one IM login for the app and for the kit. C99.
 *
 * Every function may be called from any thread, also from a callback. Nothing blocks on the network. Callbacks come on
 * threads of the library, one at a time for each engine. Strings that are passed in are copied; what a callback is given is
 * valid until it returns. Handles are checked: a closed or invalid one is ignored, or the error is IMREUSE_ERR_CLOSED. */
#ifndef IMREUSE_H
#define IMREUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IMREUSE_VERSION "0.2.0"
const char *imreuse_version(void); /* of the library that is linked */

typedef struct imreuse_im      imreuse_im;      /* the IM role: the host's IM client, or a mock's */
typedef struct imreuse_kit     imreuse_kit;     /* the kit role */
typedef struct imreuse_engine  imreuse_engine;
typedef struct imreuse_op      imreuse_op;      /* an operation in flight */
typedef struct imreuse_request imreuse_request; /* what the host was asked for, and has to answer */
typedef struct imreuse_watch   imreuse_watch;
typedef struct imreuse_mock    imreuse_mock;    /* an IM cloud and kit server in memory, for tests */

typedef enum { IMREUSE_UNINITIALIZED, IMREUSE_IM_INITIALIZED, IMREUSE_IM_LOGGED_IN, IMREUSE_KIT_LOGGED_IN } imreuse_state;
typedef enum { IMREUSE_AUTO_DETECT, IMREUSE_REUSE_IM, IMREUSE_AUTO_LOGIN } imreuse_mode;
typedef enum { IMREUSE_PROFILE_MEETING, IMREUSE_PROFILE_ROOM, IMREUSE_PROFILE_DESKTOP, IMREUSE_PROFILE_ROOMKIT1, IMREUSE_PROFILE_MEETING1 } imreuse_profile;
typedef enum { IMREUSE_KICKED_BY_CLIENT = 1, IMREUSE_KICKED_BY_SERVER, IMREUSE_KICKED_BY_OTHER, IMREUSE_KICKED_QUIETLY } imreuse_kick_reason;

enum { /* the codes of an imreuse_error; states.md has them in full */
  IMREUSE_OK = 0,
  IMREUSE_ERR_OTHER = -1, /* one without a code, such as a cancellation */
  IMREUSE_ERR_IM_NOT_LOGGED_IN = 100004, IMREUSE_ERR_IM_ACCOUNT_MISMATCH = 100005, IMREUSE_ERR_REUSE_NO_ANONYMOUS = 112001,
  IMREUSE_ERR_CLOSED = -20001, IMREUSE_ERR_STATE = -20002, IMREUSE_ERR_ARGUMENT = -20003, IMREUSE_ERR_IM_IN_USE = -20004,
  IMREUSE_ERR_KIT_IN_USE = -20005, IMREUSE_ERR_APP_KEY_MISMATCH = -20006, IMREUSE_ERR_TOKEN_REJECTED = -20007,
  IMREUSE_ERR_TOKEN_EXPIRED = -20008, IMREUSE_ERR_ACCOUNT_BANNED = -20009, IMREUSE_ERR_NO_IM_ACCOUNT = -20010,
  IMREUSE_ERR_NOT_ENABLED = -20011, IMREUSE_ERR_KICKED = -20012, IMREUSE_ERR_IM_LOGGED_OUT = -20013,
  IMREUSE_ERR_UNAVAILABLE = -20014, IMREUSE_ERR_INTERRUPTED = -20015, IMREUSE_ERR_SECONDARY_PROCESS = -20016
};
const char *imreuse_code_text(int code);                  /* one sentence; never NULL */
const char *imreuse_code_remedy(int code);                /* what to do about it; "" for none */
int imreuse_code_in(int code, imreuse_profile);           /* the number of that platform; 0: it has none */

typedef struct {
  int  code;                                              /* IMREUSE_OK: no error, and the rest is empty */
  char op[32], call[32];                                  /* "LoginKit"; the call of the backend that failed, or "" */
  char message[512], remedy[256];                         /* UTF-8, never with a token */
} imreuse_error;

typedef struct {
  uint64_t seq;                                           /* one more with each change; a gap: this watcher was too slow */
  imreuse_state state, floor;
  char via[16];                                           /* the trigger that led here, as in states.md; "" at first */
  imreuse_error cause;                                    /* why, where the host did not ask for it */
  bool online, reused, anonymous, expired;
  char session[40], accid[40], user_uuid[136];
} imreuse_status;

typedef void (*imreuse_done)(void *user, const imreuse_error *);     /* NULL: it succeeded */
typedef void (*imreuse_changed)(void *user, const imreuse_status *);

/* -- The IM role: the host's own IM client ------------------------------------------------------------------------- */

typedef struct {
  size_t struct_size;                                     /* sizeof(imreuse_im_client) */
  void *user;
  /* Each starts its work and returns; the request is answered by imreuse_request_done, now or later, from any thread. */
  void (*init)  (void *user, const char *app_key, imreuse_request *);                                   /* NULL: the host initialises IM itself */
  void (*login) (void *user, const char *app_key, const char *accid, const char *token, imreuse_request *); /* NULL: only the host logs IM in */
  void (*logout)(void *user, imreuse_request *);                                                        /* NULL: likewise */
  void (*cancel)(void *user, imreuse_request *);                                                        /* nobody waits for the request any more, and an answer is ignored; may be NULL */
} imreuse_im_client;

/* code 0: done. A kick: IMREUSE_ERR_KICKED. message may be NULL. Answered twice, or after the engine has gone: ignored. */
void imreuse_request_done(imreuse_request *, int code, const char *message);

imreuse_im *imreuse_im_new(const imreuse_im_client *, imreuse_error *); /* NULL: it failed; the error may be NULL */
void imreuse_im_release(imreuse_im *);                    /* the host reports no more; engines keep it as long as they need it */
/* Report what the host's SDK says, in the SDK's order, no matter who asked for the login. They never block. */
void imreuse_im_logging_in(imreuse_im *);
void imreuse_im_logged_in (imreuse_im *, const char *app_key, const char *accid);
void imreuse_im_logged_out(imreuse_im *, int code, imreuse_kick_reason, const char *text); /* code 0: the host did it; reason 0 and text NULL where it is no kick */
void imreuse_im_link      (imreuse_im *, bool online);

/* -- The kit role: a kit server over HTTP -------------------------------------------------------------------------- */

typedef struct {
  size_t struct_size;
  const char *app_key;
  const char *kit_url, *device_id;                        /* NULL: the default */
  bool dynamic_token, plain_http;
} imreuse_kit_options;
imreuse_kit *imreuse_kit_new(const imreuse_kit_options *, imreuse_error *);
void imreuse_kit_release(imreuse_kit *);

/* -- The engine ---------------------------------------------------------------------------------------------------- */

typedef struct {
  size_t struct_size;
  const char *app_key;
  imreuse_im *im;                                         /* may serve several engines */
  imreuse_kit *kit;                                       /* of this engine alone */
  imreuse_mode mode;
  bool require_online, secondary_process;
  void *user;
  void (*log)(void *user, int level, const char *line);   /* slog's levels: -4, 0, 4, 8; NULL: silent */
  void (*kit_token)(void *user, const char *user_uuid, const char *refused, imreuse_request *); /* a token source; answered by imreuse_request_token; NULL: none */
  void (*im_token) (void *user, const char *accid, const char *refused, imreuse_request *);
} imreuse_options;
void imreuse_request_token(imreuse_request *, const char *token);

imreuse_engine *imreuse_new(const imreuse_options *, imreuse_error *);
/* Operations. done comes exactly once, also where the engine is NULL or closed; it may be NULL. The result may be given to
   imreuse_cancel until done was called, needs no release, and may be ignored. */
imreuse_op *imreuse_init_im        (imreuse_engine *, imreuse_done, void *user);
imreuse_op *imreuse_login_im       (imreuse_engine *, const char *accid, const char *token, imreuse_done, void *user);
imreuse_op *imreuse_login_kit      (imreuse_engine *, const char *user_uuid, const char *user_token, imreuse_done, void *user); /* token NULL: the source */
imreuse_op *imreuse_login_anonymous(imreuse_engine *, imreuse_done, void *user);
imreuse_op *imreuse_keep_kit       (imreuse_engine *, const char *user_uuid, const char *user_token, imreuse_done, void *user);
imreuse_op *imreuse_renew_kit      (imreuse_engine *, const char *user_uuid, const char *user_token, imreuse_done, void *user);
imreuse_op *imreuse_logout_kit     (imreuse_engine *, imreuse_done, void *user);
imreuse_op *imreuse_logout_im      (imreuse_engine *, imreuse_done, void *user);
void        imreuse_close          (imreuse_engine *, imreuse_done, void *user); /* after done nothing of this engine is called any more, and the handle is gone */
void        imreuse_cancel         (imreuse_op *);

bool imreuse_get_status(imreuse_engine *, imreuse_status *);             /* false: no such engine. Never blocks */
imreuse_watch *imreuse_watch_start(imreuse_engine *, imreuse_changed, void *user); /* now, then each change, in order; ends with the engine */
/* Never blocks. At most one more call is made: one that is running, or about to begin, on another thread. It returns before the next
   callback of the engine. So user may be freed in a callback of the engine that stops the watch, or that comes later, such as the done
   of an operation that is started after the stop. */
void imreuse_watch_stop(imreuse_watch *);

/* -- A mock, for the host's own tests ------------------------------------------------------------------------------ */

imreuse_mock *imreuse_mock_new(const char *accounts_json, imreuse_error *); /* NULL: the accounts of the guides; the format is the sandbox's */
void imreuse_mock_release(imreuse_mock *);
imreuse_im  *imreuse_mock_im (imreuse_mock *);                           /* a new device */
imreuse_kit *imreuse_mock_kit(imreuse_mock *);
void imreuse_mock_kick  (imreuse_mock *, const char *accid, imreuse_kick_reason);
void imreuse_mock_end_im(imreuse_mock *, const char *accid, int code);
void imreuse_mock_expire(imreuse_mock *, const char *user_uuid);

#ifdef __cplusplus
}
#endif
#endif
