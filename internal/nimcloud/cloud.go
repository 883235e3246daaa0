// Package nimcloud is an IM cloud that the vendor's official SDK builds log in
// to, in process and on loopback: the address service (LBS) and the link server
// of it. Its accounts are those of a mockim world. It is for tests, and for
// a developer whose own SDK, in Node or in a browser, is to log in offline.
//
// It is no NIM server. It serves what a login takes, and proves nothing about
// what the vendor's servers do: no messages, no TLS, no native SDK (whose link
// has a cipher of its own), and of the framings only the packed binary one, on
// /websocket, which is the default of the 10.x JavaScript SDKs.
//
//	cloud, err := nimcloud.Start(nimcloud.Options{World: world})
//	lbsUrls: [cloud.LBSURL()], linkUrl: cloud.LinkAddr(), linkSSL: false
//
// A link is one connection, and a login on it is one mockim.Device. A login is
// answered with
//
//	200     welcome
//	102302  the world does not know the account, or that is not its token: it does not tell these apart
//	101303  the world has another AppKey
//	the code of Refuse
//
// Of the rest, heartbeat, logout, the kick of other devices, server time and an
// empty sync are served, and whatever else is asked is 404. All but the heartbeat
// is 403 before a login.
//
// What the world does to a login reaches the client. A kick is pushed with its
// reason, its client type (0 where the world does not say) and its text; so is
// the one that a world of single devices deals out at a new login. For any other
// cause the link is cut, as no packet says it: the SDK comes back by itself, and
// is let in, unless the cause has one of these codes, which the next login of
// that device is refused with, once:
//
//	102302  engine.ErrTokenRejected, engine.ErrTokenExpired
//	102422  engine.ErrAccountBanned
//	101301  engine.ErrNotEnabled
//
// A dynamic token is looked at as any other. Tokens are not kept, and nothing is
// logged.
//
// A link is cut, too, for what is no packet, for one of more than 64 KiB, after
// 30 s without a login and after 2 minutes without a packet; a client that has
// been kicked or has logged out has 5 s to close it. There are 256 links at most.
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
	World *mockim.Service // whose accounts log in, and whose rules hold
	Addr  string          // where to listen, on loopback; "": 127.0.0.1:0

	Logger *slog.Logger // of each HTTP request, without queries and headers; nil: none is logged
}

// A Cloud is an address service and a link server that listen on one port. It
// is safe for concurrent use.
type Cloud struct {
	world    *mockim.Service
	addr     string
	limits   limits
	listener *loopback.Server
	ctx      context.Context // of every link
	stop     context.CancelFunc
	linked   sync.WaitGroup // links
	close    func() error

	mu       sync.Mutex // protects the following fields and what link says; held across no call of the world, which may hold its own
	closed   bool
	links    map[*link]struct{}
	opened   uint64
	controls controls
	owed     map[deviceKey]int // the code that the next login of a device is refused with
	down     map[string]bool   // accounts whose links are down
}

// A deviceKey is one SDK instance of an account.
type deviceKey struct{ accid, device string }

// limits bound what a client can take.
type limits struct {
	links  int           // open at once
	packet int64         // bytes
	owed   int           // devices
	login  time.Duration // from the opening of a link to a login
	idle   time.Duration // between two packets; the SDKs send a heartbeat every 30 s
	leave  time.Duration // for the client to close the link after a kick or a logout
	write  time.Duration // of one packet
}

var usual = limits{
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

	lbsPath  = "/lbs"
	linkPath = "/websocket" // the SDKs' own choice
)

// Start makes a cloud and lets it listen. It fails with engine.ErrArgument
// without a World and where Addr is not on loopback, and as net.Listen does,
// such as for a port that is taken.
func Start(o Options) (*Cloud, error) { return start(o, usual) }

func start(o Options, l limits) (*Cloud, error) {
	if o.World == nil {
		return nil, fmt.Errorf("%w: World is nil", engine.ErrArgument)
	}
	listener, err := loopback.Listen(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("nimcloud: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Cloud{
		world:    o.World,
		addr:     listener.Addr(),
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
	mux.HandleFunc(linkPath, c.serveLink)
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

// LBSURL is the address service, such as http://127.0.0.1:40000/lbs.
func (c *Cloud) LBSURL() string { return "http://" + c.addr + lbsPath }

// LinkAddr is the link server as HOST:PORT. It has no TLS.
func (c *Cloud) LinkAddr() string { return c.addr }

// Close stops the cloud and cuts every link; the clients' logins in the world
// end, the world lives on. None of the cloud's goroutines is left when it
// returns. Again is nothing.
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
