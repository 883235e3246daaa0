// Package nimcloud is an IM cloud on loopback that the vendor's official
// JavaScript SDKs can log in to. It consists of an address service (LBS) and a
// link server. Its accounts are in a mockim.Service, the world. It is for
// tests, and for developers whose SDK has to log in without a network, in Node
// or in a browser.
//
// It is not a NIM server. It serves only the packets of a login, and proves
// nothing about the vendor's servers. It has no messages, no TLS, and no
// support for native SDKs, whose link is encrypted differently.
//
//	cloud, err := nimcloud.Start(nimcloud.Options{World: world})
//	10.x: lbsUrls: [cloud.LBSURL()], linkUrl: cloud.LinkAddr(), linkSSL: false
//	9.x:  lbsUrl: cloud.LBSURL(), defaultLink: cloud.LinkAddr(), secure: false
//
// The folder websdk has the options in full.
//
// # Framings and families
//
// A link has one of two framings. The packed one, on /websocket, is the default
// of 10.x, and of 9.x in browsers. The text one is JSON in frames of
// socket.io 0.9 on /socket.io/1/. 9.x in Node has only this framing, and so has
// every SDK with binaryWebsocket: false.
//
// In either framing, a login has one of two families of packets: the V2 API of
// 10.x, or the API of 9.x, which has other commands and tags and its own codes.
// Clients of one account see and kick each other whatever they speak.
//
// # Packets
//
// A link is one connection, and a login on it is one mockim.Device. The answer
// to a login is one of
//
//	200     success
//	102302  the world does not know the account, or the token is wrong
//	101303  the world has another AppKey
//	403     authType 1 without an AppSecret, or authType 2
//	the code that a test passed to Refuse
//	a code from the list below, once after certain ends of a login
//
// 9.x knows no codes of six digits, and gets 302, 302, 403, 422 and 404 in place
// of 102302, 101303, 101301, 102422 and 102404.
//
// The cloud also answers heartbeats, logouts, kicks of other devices, requests
// for the server time, syncs (which are empty) and the SDK's questions about
// uploads (there are none). It answers 404 to every other packet. Until a link
// has logged in, it answers 403 to everything but logins and heartbeats.
//
// # Ends of a login
//
// If the world ends a login, the client notices. A kick is pushed to the client
// with its reason, its text and its client type, which is 0 if the world does
// not give one. In a world without MultiDevice, a newer login kicks the older
// one.
//
// There is no packet for other causes, so the cloud cuts the link. The SDK then
// reconnects and logs in again by itself. That login succeeds, unless the cause
// is in this list. Then the cloud refuses it, once, with the code
//
//	102302  engine.ErrTokenRejected, engine.ErrTokenExpired
//	102422  engine.ErrAccountBanned
//	101301  engine.ErrNotEnabled
//	101303  engine.ErrAppKeyMismatch
//
// The cloud also cuts a link after a malformed packet, after a packet of more
// than 64 KiB, after 30 s without a login, and after 2 minutes without a
// packet. A client that was kicked or has logged out gets 5 s to close its
// link. At most 256 links are open at a time. The cloud neither stores nor logs
// tokens.
//
// # Dynamic tokens
//
// The client's authType says which kind its token is. A dynamic token (authType
// 1) must be signed with Options.AppSecret for the account, spelled as in the
// login, and must not have run out; otherwise the answer is 102302. Only the
// login checks the token, so a login outlives its token.
package nimcloud

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/loopback"
)

// Options are the choices for one cloud.
type Options struct {
	World *mockim.Service // the accounts, and the rules for several devices
	Addr  string          // where to listen, on loopback; "": 127.0.0.1:0

	// Origins are the origins whose web pages may log in, such as
	// https://dev.example.com, besides those on loopback. If it is empty,
	// every page may.
	Origins []string

	AppSecret string           // signs dynamic tokens; "": logins with one are refused
	Now       func() time.Time // the clock by which dynamic tokens run out; nil: time.Now

	Logger *slog.Logger // gets a line per HTTP request, without query and headers; nil: silent
}

// A Cloud is an address service and a link server that listen on one port. It
// is safe for concurrent use.
type Cloud struct {
	world    *mockim.Service
	secret   func() string // Options.AppSecret; fmt does not print what a func returns
	now      func() time.Time
	addr     string
	pages    loopback.Pages
	limits   limits
	listener *loopback.Server
	ctx      context.Context // of every link
	stop     context.CancelFunc
	linked   sync.WaitGroup // one for each link
	close    func() error

	// mu protects the fields below and the ones that link names. It is not
	// held across calls of the world, which has a lock of its own.
	mu       sync.Mutex
	closed   bool
	links    map[*link]struct{}
	opened   uint64
	controls controls
	owed     map[deviceKey]int // the code with which to refuse the next login of a device
	down     map[string]bool   // accounts whose links are down
}

// A deviceKey identifies one SDK instance of an account.
type deviceKey struct{ accid, device string }

// limits bound the resources that clients can use.
type limits struct {
	links  int           // open at once
	packet int64         // bytes
	owed   int           // devices
	login  time.Duration // from the opening of a link to its login
	idle   time.Duration // between two packets; the SDKs send a heartbeat every 30 s
	leave  time.Duration // for the client to close the link after a kick or a logout
	write  time.Duration // of one packet
}

var defaultLimits = limits{
	links:  256,
	packet: 64 << 10,
	owed:   1000,
	login:  30 * time.Second,
	idle:   2 * time.Minute,
	leave:  5 * time.Second,
	write:  5 * time.Second,
}

const (
	httpTimeout = 15 * time.Second
	maxHeader   = 32 << 10

	lbsPath       = "/lbs"
	vendorLBSPath = "/lbs/webconf.jsp" // as on the vendor's host; the SDKs accept any
	linkPath      = "/websocket"       // fixed in the SDKs
)

// Start starts a cloud. It fails with engine.ErrArgument if World is nil, Addr
// is not on loopback or an origin is malformed, and with the error of
// net.Listen, for example if the port is taken.
func Start(o Options) (*Cloud, error) { return start(o, defaultLimits) }

func start(o Options, l limits) (*Cloud, error) {
	if o.World == nil {
		return nil, fmt.Errorf("%w: World is nil", engine.ErrArgument)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	pages := loopback.Pages(o.Origins)
	if err := pages.Check(); err != nil {
		return nil, err
	}
	listener, err := loopback.Listen(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("nimcloud: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Cloud{
		world:    o.World,
		secret:   func() string { return o.AppSecret },
		now:      o.Now,
		addr:     listener.Addr(),
		pages:    pages,
		listener: listener,
		limits:   l,
		ctx:      ctx,
		stop:     stop,
		links:    map[*link]struct{}{},
		owed:     map[deviceKey]int{},
		down:     map[string]bool{},
	}
	c.close = sync.OnceValue(c.shutDown)
	mux := http.NewServeMux()
	mux.HandleFunc(lbsPath, c.serveLBS)
	mux.HandleFunc(vendorLBSPath, c.serveLBS)
	mux.HandleFunc(linkPath, c.serveLink(packed))
	mux.HandleFunc(handshakePath+"{$}", c.serveHandshake)
	mux.HandleFunc(textLinkPath+"{session}", c.serveLink(text))
	listener.Serve(&http.Server{
		Handler:           loopback.LogRequests(mux, o.Logger),
		ReadHeaderTimeout: httpTimeout,
		ReadTimeout:       httpTimeout,
		WriteTimeout:      httpTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
	})
	return c, nil
}

// LBSURL returns the URL of the address service, such as
// http://127.0.0.1:40000/lbs.
func (c *Cloud) LBSURL() string { return "http://" + c.addr + lbsPath }

// LinkAddr returns the address of the link server as HOST:PORT. It has no TLS.
func (c *Cloud) LinkAddr() string { return c.addr }

// Close stops the cloud, cuts every link and ends the clients' logins in the
// world, which remains usable. It returns when all of the cloud's goroutines
// have ended. Calling it again has no effect and returns the same error.
func (c *Cloud) Close() error { return c.close() }

func (c *Cloud) shutDown() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	err := c.listener.Close()
	c.linked.Wait()
	return err
}
