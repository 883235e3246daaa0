// Package nimhttptest is the vendor's kit server and server API, and an IM
// gateway, in process and over a mockim world: for tests of hosts that log in over
// HTTP and of app servers that make accounts, and behind imreuse sandbox for any
// client in any language.
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
// Paths of the vendor's servers may have any prefix, as private deployments have
// one. Replies come in their envelopes, and browsers are answered too (CORS).
// An unknown path is HTTP 404, and a body of more than 64 KiB 413, each with that
// code in an envelope.
//
// # Kit server
//
// It serves kit login, anonymous login, the token check, the environment of a
// private deployment, and of the meeting layer its configuration and the
// account's. What it refuses is HTTP 200, or 405 for a wrong method, and one of
// these codes:
//
//	404   the AppKey of the path is not served, or the header has another one
//	401   the header AppKey, user or token is missing
//	402   the account is not known, or that is not its token, or the session has been ended
//	1021  the kit account is bound to no IM account
//	1026  the token has expired
//	701   the kit account is bound to an IM account that does not exist
//	403   there are no temporary accounts
//	503   there are Options.MaxGuests temporary accounts, and all are logged in to IM
//
// The last one is also the HTTP status. A temporary account that would be one too
// many replaces the oldest that is not logged in to IM: that one is removed from
// the world, and its kit session ends.
//
// With the header authType: 1 the token is a dynamic IM token. It must be signed
// with the AppSecret for the IM account that the kit account is bound to. If the
// accid is the userUuid, the server expects it spelled as in the header user, and
// else in lower case. A user without a kit account who has an IM account gets a
// kit account, as with the vendor's loginByIM; that it is made is our guess. The
// reply has no imToken, because the client has one. A server without an AppSecret
// refuses every dynamic token with 402.
//
// A login is a kit session of its user and deviceId in the world. When
// mockim.Service.EndKit ends it, the token check and every other call of that
// session are refused until it logs in again: with 1026 where the cause is
// engine.ErrTokenExpired, and then no login with that token succeeds either;
// with 402 for any other cause. A token check with another token that is good
// renews the session.
//
// # Server API
//
// It makes, changes and shows the accounts of the same world, for the AppKey and
// AppSecret of Options:
//
//	POST, GET ?account_ids=a,b         /im/v2/accounts
//	GET, PATCH                         /im/v2/accounts/{account_id}
//	POST, GET ?user_uuids=a,b          /neroom/v3/users
//	GET, PATCH                         /neroom/v3/users/{user_uuid}
//	POST                               /scene/meeting/api/v2/add-user
//	GET ?userUuids=a,b                 /scene/meeting/api/v2/batch-get-user
//
// Success is code 200 for IM, else 0. What it refuses is HTTP 200 and a code:
//
//	IM      NERoom, meeting
//	403     401  it is not signed, or not well, or more than five minutes off
//	101303  401  the AppKey is not served
//	414     400  a value is missing, too long or malformed, or the body is no JSON
//	414     405  the path does not have this method
//	414     415  the body is not said to be JSON in UTF-8
//	102404  404  there is no such account
//	102405  409  there is one already
//	        701  the IM account to be bound does not exist
//	        703  it does exist, and there is no IM token with which to bind it
//	        704  that is not its IM token
//
// A kit account, of NERoom or of the meeting kit, is one and the same, and is
// bound to the IM account of its id. With no IM token the IM account is made too.
// The kit server keeps a copy of the IM token that it was told, and a login
// returns the copy: when the IM account gets another token, PATCH im_token has to
// say so. Of an account that the test itself has bound, it knows the token.
//
// Of the vendor's other fields, the name and icon of a kit account are kept;
// those of an IM account are checked and forgotten, and its configuration is the
// default one. Where the vendor does not document a code or a reply, this is our
// guess at it: 703, 704 and 409, and all that batch-get-user returns. Trace ids
// are in the headers of [Server.Requests]; one that comes again is not noticed.
//
// # IM gateway
//
// It has the contract of the real one, which is openapi.yaml of package gateway,
// and passes the same tests. It needs no Node: its IM is the world, whatever
// servers a client names to it, which are checked and have no other use. It
// listens on an address of its own and answers no browser (no CORS).
//
// A login is a device of the world. It is refused with the SDK's
//
//	102302  the account is not known, or that is not its token
//	101303  the world has another AppKey
//
// What the world does to it reaches the client. A kick ends the session, with
// its reason; so does, as an error, any cause with one of these codes. For any
// other cause the link goes down, and comes back in the same session: with an
// IM that is in memory that may be sooner than a client sees it. See
// [Server.Link] for an outage that lasts.
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

// The accounts of the vendor's guides, which a server with no World has: one IM
// account, and a kit account that is bound to it. Both have the same id, since
// the vendor's web kit compares the IM account with the userUuid.
const (
	AppKey    = "app1"
	Accid     = "myaccid"
	IMToken   = "myToken"
	UserUUID  = "myaccid"
	UserToken = "myUserToken"
	AppSecret = "secret1" // what signs calls of the server API
)

// Options are the choices for one server. The zero value is useful.
type Options struct {
	World     *mockim.Service // nil: a new one with the accounts of the vendor's guides, as the constants of this package name them
	AppKey    string          // the only one that kit server and server API serve; "": the constant AppKey where World is nil, else any
	AppSecret string          // what signs calls of the server API and dynamic tokens; "": the constant AppSecret where World is nil, else nothing does, and all of them are refused
	Addr      string          // where kit server and server API listen, on loopback; "": 127.0.0.1:0
	MaxGuests int             // temporary accounts that it keeps; 0 or less: 1000
	Logger    *slog.Logger    // of each request, without queries, headers and bodies; nil: none is logged

	NoGateway     bool   // no IM gateway listens
	GatewayAddr   string // where the IM gateway listens, on loopback; "": 127.0.0.1:0
	GatewaySecret string // of the IM gateway; "": a new one

	Now func() time.Time // the server's clock, which signatures, dynamic tokens and the header Date go by; nil: time.Now
}

// A Server is a kit server, a server API and an IM gateway that listen. It is
// safe for concurrent use.
type Server struct {
	world     *mockim.Service
	appKey    string        // "": any
	appSecret func() string // "": none; fmt does not look into functions
	now       func() time.Time
	url       string
	listener  *loopback.Server
	stop      context.CancelFunc // ends replies that are being delayed
	close     func() error
	gateway   *gatewaydouble.Gateway // nil: there is none
	guests    guests

	api sync.Mutex // held for all of a call of the server API, and while a dynamic token is looked at, so that no account is made twice; taken before any other

	// What has tokens in it is behind pointers, which fmt does not follow here.

	mu       sync.Mutex          // protects the following fields; held across no call of the world
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
	timeout     = 15 * time.Second // to read a request, and to write a reply
)

// Start makes a server and lets it listen. It fails with engine.ErrArgument
// where Addr is not on loopback, and as net.Listen does, such as for a port that
// is taken.
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

// New is Start for a test: the server is closed with t, and t fails where it
// does not start.
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

// KitURL is the address of the kit server, such as http://127.0.0.1:40000.
func (s *Server) KitURL() string { return s.url }

// APIURL is the address of the server API, of IM, NERoom and meetings alike. It
// is the same as that of the kit server, as some of the vendor's are.
func (s *Server) APIURL() string { return s.url }

// GatewayURL is the address of the IM gateway; "" where there is none.
func (s *Server) GatewayURL() string {
	if s.gateway == nil {
		return ""
	}
	return s.gateway.URL()
}

// GatewaySecret is what a client of the IM gateway shows; "" if the server has
// no gateway.
func (s *Server) GatewaySecret() string {
	if s.gateway == nil {
		return ""
	}
	return s.gateway.Secret()
}

// Link takes the connection of that account to IM down, in all slots of the
// gateway, or back up. Its sessions stay; in the world they are logged out
// meanwhile. Once it is up they log in again by themselves, which the world may
// refuse: then they end. A login that begins meanwhile waits, up to its deadline.
// Without a gateway it does nothing.
func (s *Server) Link(accid string, online bool) {
	if s.gateway != nil {
		s.gateway.Link(accid, online)
	}
}

// RestartGateway is as if the IM gateway had been killed and started again, on the
// same address and with the same secret: its slots are gone, their accounts
// logged out, requests that it was answering are cut, and it has a new boot.
// Without a gateway, or after Close, it does nothing.
func (s *Server) RestartGateway() {
	if s.gateway != nil {
		s.gateway.Restart()
	}
}

// World is where the accounts are.
func (s *Server) World() *mockim.Service { return s.world }

// A Request is what reached the server. Its header has the tokens in it: tests
// want to see them.
type Request struct {
	Method string
	Path   string // as it was sent, with any prefix and in its escapes
	Header http.Header
}

// Requests are those that reached the server, in order, the preflight requests
// of browsers and those that met a Fault among them. The last thousand are kept.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.requests))
	for i, r := range s.requests {
		all[i] = Request{r.Method, r.Path, r.Header.Clone()}
	}
	return all
}

// Close stops the server, lets replies under way finish, but not those that a
// Fault delays, and ends the kit sessions and the gateway's logins in the world,
// which lives on. Who waits at the gateway is answered at once. None of the
// server's goroutines is left when it returns. Again is nothing.
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
