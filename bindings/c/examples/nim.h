/* An IM client for the examples. It stands in for the vendor's SDK (nim::Client in C++), and calls back from threads of its
 * own, as the SDK does.
 *
 * If IMREUSE_GATEWAY_URL and IMREUSE_GATEWAY_SECRET are set, it logs in through that gateway ("imreuse gateway"), which runs
 * the vendor's SDK for JavaScript. Without them, every login succeeds, in memory. */
#ifndef NIM_H
#define NIM_H

#ifdef __cplusplus
extern "C" {
#endif

enum { NIM_OK = 200 };

typedef struct nim nim;
typedef void (*nim_result)(void *user, int code);         /* NIM_OK, or why it failed */
typedef void (*nim_kicked)(void *user, int reason);       /* 1 by a login on another device, 2 by the server, 3 by another client */

nim *nim_init(const char *app_key, nim_kicked, void *user); /* NULL: out of memory */
void nim_login(nim *, const char *accid, const char *token, nim_result, void *user);
void nim_logout(nim *, nim_result, void *user);
void nim_free(nim *);                                     /* waits until nothing is called any more */

#ifdef __cplusplus
}
#endif
#endif
