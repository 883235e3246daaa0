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
// deployments have one. Replies come in the vendor's envelopes, and browsers
// may call from any origin (CORS). An unknown path gets HTTP 404 and a body of
// more than 64 KiB gets 413; the code in the envelope is then the same number.
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
// A dynamic token (header authType: 1) is checked like any other token.
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
//	102302  the account is unknown, or the token is wrong
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

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest/internal/gatewaydouble"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/loopback"
)

// The accounts of the vendor's guides: one IM account, and a kit account that
// is bound to it. A server without Options.World has them. Both have the same
// id, because the vendor's web kit compares the IM account with the userUuid.
const (
	AppKey    = "app1"
	Accid     = "myaccid"
	IMToken   = "myToken"
	UserUUID  = "myaccid"
	UserToken = "myUserToken"
	AppSecret = "secret1" // signs calls of the server API
)

// Options configure a server. The zero value is useful.
type Options struct {
	World     *mockim.Service // nil: a new one with the accounts of the vendor's guides, as the constants of this package name them
	AppKey    string          // the only one that kit server and server API serve; "": the constant AppKey where World is nil, else any
	AppSecret string          // what signs calls of the server API and dynamic tokens; "": the constant AppSecret where World is nil, else nothing does, and all of them are refused
	Addr      string          // where kit server and server API listen, on loopback; "": 127.0.0.1:0
	MaxGuests int             // temporary accounts that it keeps; 0 or less: 1000
	Logger    *slog.Logger    // of each request, without queries, headers and bodies; nil: none is logged

	// AppKey is the only AppKey that the kit server and the server API serve.
	// If it is empty, they serve every AppKey, or only the constant AppKey if
	// World is nil.
	AppKey string

	Now func() time.Time // the server's clock, which signatures, dynamic tokens and the header Date go by; nil: time.Now
}

// A Server is a running kit server, server API and IM gateway. It is safe for
// concurrent use.
type Server struct {
	world     *mockim.Service
	appKey    string        // "" for any
	appSecret func() string // "" for none; a func, so that fmt cannot print it
	now       func() time.Time
	url       string
	listener  *loopback.Server
	stop      context.CancelFunc // cuts delayed replies short
	close     func() error
	gateway   *gatewaydouble.Gateway // nil for none
	guests    guests

	api sync.Mutex // held for all of a call of the server API, and while a dynamic token is looked at, so that no account is made twice; taken before any other

	// mu protects the following fields. It is never held during a call of the
	// world. Values with tokens are behind pointers, which fmt does not follow
	// here.
	mu       sync.Mutex
	profiles map[string]*profile // by user
	sessions map[sessionKey]*session
	opened   uint64
	expired  map[string][]*session // by user: sessions whose tokens have expired
	faults   []*Fault
	requests []*Request
}

const (
	maxHeader   = 32 << 10
	maxBody     = 64 << 10
	maxRequests = 1000
	timeout     = 15 * time.Second // to read a request, and again to write the reply
)

// Start starts a server. It fails with engine.ErrArgument if an address is not
// on loopback, and with the error of net.Listen if it cannot listen, for
// example because the port is taken.
func Start(o Options) (*Server, error) {
	if o.World == nil {
		if o.AppKey == "" {
			o.AppKey = AppKey
		}
		if o.AppSecret == "" {
			o.AppSecret = AppSecret
		}
		o.World = guideWorld(o.AppKey)
	}
	if o.MaxGuests <= 0 {
		o.MaxGuests = 1000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	listener, err := loopback.Listen(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("nimhttptest: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		world:     o.World,
		appKey:    o.AppKey,
		appSecret: func() string { return o.AppSecret },
		now:       o.Now,
		guests:    guests{most: o.MaxGuests},
		url:       "http://" + listener.Addr(),
		listener:  listener,
		stop:      stop,
		profiles:  map[string]*profile{},
		sessions:  map[sessionKey]*session{},
		expired:   map[string][]*session{},
	}
	s.close = sync.OnceValue(s.shutDown)
	listener.Serve(&http.Server{
		Handler:           loopback.LogRequests(http.HandlerFunc(s.serve), o.Logger),
		ReadHeaderTimeout: timeout,
		ReadTimeout:       timeout,
		WriteTimeout:      timeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	})
	if !o.NoGateway {
		s.gateway, err = gatewaydouble.Start(gatewaydouble.Options{
			World:  o.World,
			Addr:   o.GatewayAddr,
			Secret: cmp.Or(o.GatewaySecret, newID()),
			Logger: o.Logger,
			Answer: s.answerGateway,
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("nimhttptest: %w", err), s.Close())
		}
	}
	return s, nil
}

// New starts a server for a test and closes it when t ends. If the server does
// not start, t fails.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("nimhttptest: %v", err)
		}
	})
	return s
}

func guideWorld(appKey string) *mockim.Service {
	world := mockim.NewService(mockim.ServiceOptions{AppKey: appKey})
	world.AddIM(engine.IMAccount{Accid: Accid, Token: IMToken})
	world.Bind(engine.KitAccount{UserUUID: UserUUID, Token: UserToken}, Accid)
	return world
}

// KitURL returns the base URL of the kit server, such as
// http://127.0.0.1:40000.
func (s *Server) KitURL() string { return s.url }

// APIURL returns the base URL of the server API, for IM, NERoom and the meeting
// kit. It is the same as KitURL; some of the vendor's servers share a host too.
func (s *Server) APIURL() string { return s.url }

// GatewayURL returns the base URL of the IM gateway, or "" if there is none.
func (s *Server) GatewayURL() string {
	if s.gateway == nil {
		return ""
	}
	return s.gateway.URL()
}

// GatewaySecret returns the secret that a client of the IM gateway must send,
// or "" if there is no gateway.
func (s *Server) GatewaySecret() string {
	if s.gateway == nil {
		return ""
	}
	return s.gateway.Secret()
}

// Link takes an account's connection to IM down, or brings it back up, in all
// slots of the gateway. While it is down, the account's sessions stay, but in
// the world they are logged out. When it is back, they log in again by
// themselves; a session ends if the world refuses that. A login that begins
// while the connection is down waits, at most until its deadline. Without a
// gateway, Link has no effect.
func (s *Server) Link(accid string, online bool) {
	if s.gateway != nil {
		s.gateway.Link(accid, online)
	}
}

// RestartGateway behaves as if the IM gateway had been killed and started again
// with the same address and secret. Its slots are gone, their accounts are
// logged out, requests in progress are cut off, and it has a new boot id.
// Without a gateway, or after Close, RestartGateway has no effect.
func (s *Server) RestartGateway() {
	if s.gateway != nil {
		s.gateway.Restart()
	}
}

// World returns the world that has the accounts.
func (s *Server) World() *mockim.Service { return s.world }

// A Request is a request that reached the server. Header includes the tokens,
// so that tests can check them.
type Request struct {
	Method string
	Path   string // as sent: with any prefix, and still escaped
	Header http.Header
}

// Requests returns the requests that reached the server, in order. It includes
// the preflight requests of browsers and the requests that met a [Fault]. Only
// the last thousand are kept.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.requests))
	for i, r := range s.requests {
		all[i] = Request{r.Method, r.Path, r.Header.Clone()}
	}
	return all
}

// Close stops the server. Replies in progress may finish, but a reply that a
// [Fault] delays is cut off, and a call that waits at the gateway is answered
// at once. Close ends the kit sessions and the gateway's logins in the world;
// the world itself stays usable. When Close returns, none of the server's
// goroutines is left. Calling it again has no effect.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutDown() error {
	s.stop()
	err := s.listener.Close()
	if s.gateway != nil {
		err = errors.Join(err, s.gateway.Close())
	}
	s.endSessions()
	return err
}
