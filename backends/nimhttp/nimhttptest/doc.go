// Package nimhttptest provides a double of the vendor's kit server, of its
// server API, and of an IM gateway. All of them run in this process, and their
// accounts are those of a mockim world. Use it to test apps that log in over
// HTTP, and app servers that make accounts. It is also behind imreuse sandbox,
// which serves clients in any language.
//
//	server := nimhttptest.New(t, nimhttptest.Options{})
//	backend, err := nimhttp.New(nimhttp.Options{
//		AppKey:        nimhttptest.AppKey,
//		KitURL:        server.KitURL(),
//		GatewayURL:    server.GatewayURL(),
//		GatewaySecret: server.GatewaySecret(),
//	})
//	account := engine.KitAccount{UserUUID: nimhttptest.UserUUID, Token: nimhttptest.UserToken}
//
// The paths of the vendor's servers may have any prefix, because private
// deployments have one. Replies come in the vendor's envelopes. An unknown path
// gets HTTP 404 and a body of more than 64 KiB gets 413; the code in the
// envelope is then the same number.
//
// Every web page may call (CORS), as with the vendor's servers, unless
// Options.Origins names those that may.
//
// # Kit server
//
// The kit server has the kit login, the anonymous login, the token check and
// the environment of a private deployment. For the meeting kit it also has the
// configuration and the account information. A refusal has HTTP status 200, or
// 405 for a wrong method, and one of these codes:
//
//	404   the AppKey in the path is not served, or the header has another AppKey
//	401   the header AppKey, user or token is missing
//	402   the account is unknown, the token is wrong, or the session was ended
//	1021  the kit account is not bound to an IM account
//	1026  the token has expired
//	701   the kit account is bound to an IM account that does not exist
//	403   the world has no temporary accounts
//	503   all Options.MaxGuests temporary accounts are logged in to IM
//
// For 503, the HTTP status is 503 too. If there are already MaxGuests temporary
// accounts, a new one replaces the oldest that is not logged in to IM. The
// replaced account is removed from the world, and its kit session ends.
//
// With the header authType: 1, the token is a dynamic IM token. It must be signed
// with the AppSecret for the IM account that the kit account is bound to. If the
// accid equals the userUuid, the signature must spell it as the header user does,
// and otherwise in lower case. A user with an IM account and no kit account gets
// a kit account, as with the vendor's loginByIM; that the server creates it is
// our guess. The reply has no imToken, because the client has a token already. A
// server without an AppSecret refuses every dynamic token with 402.
//
// A login opens a kit session in the world, for its user and deviceId. After
// mockim.Service.EndKit has ended the session, the token check and every other
// call of the session are refused until the user logs in again. If the cause is
// engine.ErrTokenExpired, the code is 1026, and a login with that token is
// refused too. For any other cause the code is 402. A token check with another
// valid token renews the session.
//
// # Server API
//
// The server API makes, changes and shows the accounts of the same world. A
// request must be signed for the AppKey and AppSecret of Options.
//
//	POST, GET ?account_ids=a,b         /im/v2/accounts
//	GET, PATCH                         /im/v2/accounts/{account_id}
//	POST, GET ?user_uuids=a,b          /neroom/v3/users
//	GET, PATCH                         /neroom/v3/users/{user_uuid}
//	POST                               /scene/meeting/api/v2/add-user
//	GET ?userUuids=a,b                 /scene/meeting/api/v2/batch-get-user
//
// Success has code 200 from IM, and 0 from the other servers. A refusal has
// HTTP status 200 and one of these codes:
//
//	IM      NERoom, meeting
//	403     401  the signature is missing, wrong, or more than five minutes off
//	101303  401  the AppKey is not served
//	414     400  a value is missing, too long or malformed, or the body is not JSON
//	414     405  the path does not have this method
//	414     415  the Content-Type is not JSON in UTF-8
//	102404  404  the account does not exist
//	102405  409  the account already exists
//	        701  the IM account to bind does not exist
//	        703  the IM account already exists, and the request has no IM token to bind it
//	        704  the IM token is wrong
//
// NERoom and the meeting kit share their kit accounts. A kit account is bound
// to the IM account with the same id. If a create has no IM token, the server
// makes the IM account too.
//
// The kit server keeps a copy of the IM token from the create, and a login
// returns that copy. When the IM account gets a new token, a PATCH with
// im_token must update the copy. For an account that the test itself has bound
// in the world, the kit server always has the current IM token.
//
// The name and icon of a kit account are kept. The user information of an IM
// account is checked and then dropped; its configuration is always the default
// one.
//
// We do not know which codes the vendor's server returns in the cases of 703,
// 704 and 409, or what batch-get-user replies (docs/vendor/http.md#not-known).
// Here, they are guesses. Trace ids are in the headers of [Server.Requests]; a
// repeated trace id has no effect.
//
// # IM gateway
//
// The gateway follows the same contract as the real one, openapi.yaml of
// package gateway, and passes the same tests. It needs no Node. Its IM is the
// world: it checks the server addresses that a client names, but does not call
// them. It listens on its own address and does not serve browsers (no CORS).
//
// A login is a device in the world. The gateway refuses it with one of the
// SDK's codes:
//
//	403     the token is a dynamic one, and there is no AppSecret
//	102302  the account is unknown, or the token is wrong or has expired
//	101303  the world has another AppKey
//
// If the world ends the login, the client sees it. A kick ends the session with
// its reason. A cause that has one of the codes below ends the session with
// that error. After any other cause the link goes down and comes back in the
// same session, perhaps before a client notices, because everything is in
// memory. For an outage that lasts, use [Server.Link].
//
//	102302  engine.ErrTokenRejected, engine.ErrTokenExpired
//	102422  engine.ErrAccountBanned
//	101301  engine.ErrNotEnabled
//	101303  engine.ErrAppKeyMismatch
package nimhttptest
