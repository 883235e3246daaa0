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
	"github.com/imreuse/imreuse/internal/accounts"
	"github.com/imreuse/imreuse/internal/loopback"
)

// The accounts of the vendor's guides: one IM account, and a kit account that
// is bound to it. A server without Options.World has them.
const (
	AppKey    = accounts.AppKey
	Accid     = accounts.Accid
	IMToken   = accounts.IMToken
	UserUUID  = accounts.UserUUID
	UserToken = accounts.UserToken
	AppSecret = "secret1" // signs calls of the server API
)

// Options configure a server. The zero value is useful.
type Options struct {
	// World has the accounts. The default is a new world with the accounts of
	// the vendor's guides; the constants of this package name them.
	World *mockim.Service

	// AppKey is the only AppKey that the kit server and the server API serve.
	// If it is empty, they serve every AppKey, or only the constant AppKey if
	// World is nil.
	AppKey string

	// AppSecret must sign each call of the server API, and every dynamic token.
	// If it is empty, the server refuses all of them, or takes the constant
	// AppSecret if World is nil.
	AppSecret string

	// Addr is the loopback address of the kit server and the server API. The
	// default is 127.0.0.1:0.
	Addr string

	// Origins are the origins whose web pages may call the kit server and the
	// server API, such as https://dev.example.com, besides pages on loopback;
	// others get HTTP 403. If it is empty, every page may call, as with the
	// vendor's servers.
	Origins []string

	MaxGuests int // the number of temporary accounts to keep; 0 or less means 1000

	// Logger gets a line for each request, without query, headers and body. If
	// it is nil, requests are not logged.
	Logger *slog.Logger

	NoGateway     bool   // do not start an IM gateway
	GatewayAddr   string // the loopback address of the IM gateway; default 127.0.0.1:0
	GatewaySecret string // the secret of the IM gateway; default: a random one

	// Now is the clock for signatures, dynamic tokens and the header Date. The
	// default is time.Now.
	Now func() time.Time
}

// A Server is a running kit server, server API and IM gateway. It is safe for
// concurrent use.
type Server struct {
	world     *mockim.Service
	appKey    string        // "" for any
	appSecret func() string // "" for none; a func, so that fmt cannot print it
	now       func() time.Time
	pages     loopback.Pages
	url       string
	listener  *loopback.Server
	stop      context.CancelFunc // cuts delayed replies short
	close     func() error
	gateway   *gatewaydouble.Gateway // nil for none
	guests    guests

	// api is held for the whole of a call of the server API, and while a dynamic
	// token is checked, so that no account is made twice. It is taken before any
	// other lock.
	api sync.Mutex

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
// on loopback or an origin is malformed, and with the error of net.Listen if it cannot listen, for
// example because the port is taken.
func Start(o Options) (*Server, error) {
	if o.World == nil {
		if o.AppKey == "" {
			o.AppKey = AppKey
		}
		if o.AppSecret == "" {
			o.AppSecret = AppSecret
		}
		o.World = accounts.Guide(o.AppKey)
	}
	if o.MaxGuests <= 0 {
		o.MaxGuests = 1000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	pages := loopback.Pages(o.Origins)
	if err := pages.Check(); err != nil {
		return nil, fmt.Errorf("nimhttptest: %w", err)
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
		pages:     pages,
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

			AppSecret: o.AppSecret,
			Now:       o.Now,

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
