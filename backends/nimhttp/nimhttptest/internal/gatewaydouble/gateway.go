// Package gatewaydouble is the double of the IM gateway, in process and over
// a mockim world. It has the contract of the real one (gateway/openapi.yaml);
// package nimhttptest, which starts it, describes it.
package gatewaydouble

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/internal/loopback"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// Gateway is the fake of the IM gateway. Runs of it follow each other, as
// those of a process that is killed and started again.
type Gateway struct {
	world    *mockim.Service
	answer   func(http.ResponseWriter, *http.Request, Responder)
	url      string
	secret   string
	listener *loopback.Server
	stop     context.CancelFunc // ends replies that are being delayed

	switching sync.Mutex // held for all of a link, a restart and a close; taken before any other

	mu   sync.Mutex // protects the following fields, those of runs and of slots; held across no call of the world, which holds its own while it tells a slot
	run  *gatewayRun
	down map[string]chan struct{} // accounts whose connection is down; closed when it is back
}

// The contract's bounds.
const (
	maxConnections = 256
	headerTimeout  = 10 * time.Second
	bodyTimeout    = 15 * time.Second
	maxHeader      = 32 << 10
	maxBody        = 64 << 10
)

// A gatewayRun is what a process of the gateway would be.
type gatewayRun struct {
	gateway *Gateway
	boot    string
	ctx     context.Context // ends when the run is killed
	kill    context.CancelFunc
	closing chan struct{}  // closed when it takes no more calls
	work    sync.WaitGroup // what nobody asks for: leases and reconnects

	// Guarded by gateway.mu.
	over     bool // no more work begins
	seq      int64
	sessions int64
	slots    map[string]*slot
}

// Options are the choices for one gateway. All but Addr and Logger are required.
type Options struct {
	World  *mockim.Service
	Addr   string // "": 127.0.0.1:0
	Secret string
	Logger *slog.Logger

	// Answer writes the reply that a Responder makes of a request, or another.
	Answer func(http.ResponseWriter, *http.Request, Responder)
}

// A Responder does what a request asks for.
type Responder func(http.ResponseWriter, *http.Request) Reply

// A Reply is complete before any of it is written.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Start makes a gateway and lets it listen. It fails as loopback.Listen does.
func Start(o Options) (*Gateway, error) {
	listener, err := loopback.Listen(o.Addr)
	if err != nil {
		return nil, err
	}
	listener.Limit(maxConnections)
	ctx, stop := context.WithCancel(context.Background())
	g := &Gateway{
		world:    o.World,
		answer:   o.Answer,
		url:      "http://" + listener.Addr(),
		secret:   o.Secret,
		listener: listener,
		stop:     stop,
		down:     map[string]chan struct{}{},
	}
	g.run = newRun(g)
	listener.Serve(&http.Server{
		Handler:           loopback.LogRequests(http.HandlerFunc(g.serve), o.Logger),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout, // of the body: see respond
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	})
	return g, nil
}

// URL is where the gateway listens.
func (g *Gateway) URL() string { return g.url }

// Secret is what a client shows.
func (g *Gateway) Secret() string { return g.secret }

func newRun(g *Gateway) *gatewayRun {
	ctx, kill := context.WithCancel(context.Background())
	return &gatewayRun{
		gateway: g, boot: uuid.NewString(), ctx: ctx, kill: kill,
		closing: make(chan struct{}), slots: map[string]*slot{},
	}
}

func (g *Gateway) current() *gatewayRun {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.run
}

// Close lets the calls under way finish, but not those that wait.
func (g *Gateway) Close() error {
	g.switching.Lock()
	defer g.switching.Unlock()
	run := g.current()
	slots := run.end(func() { close(run.closing) })
	for _, s := range slots {
		if s.takeTurn() == nil {
			s.release()
			s.endTurn()
		}
	}
	run.work.Wait()
	g.stop()
	err := g.listener.Close()
	run.kill()
	return err
}

// Restart ends the run as kill -9 does, and begins another.
func (g *Gateway) Restart() {
	g.switching.Lock()
	defer g.switching.Unlock()
	old := g.current()
	if old.isClosing() {
		return
	}
	slots := old.end(old.kill)
	old.work.Wait()
	for _, s := range slots {
		s.turn <- struct{}{} // nobody gets it any more who would log in
		s.hangUp()
		s.endTurn()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run = newRun(g)
}

// end lets no more work begin, and returns the slots there are. After mark
// there will be no others.
func (r *gatewayRun) end(mark func()) []*slot {
	r.gateway.mu.Lock()
	defer r.gateway.mu.Unlock()
	r.over = true
	mark()
	var all []*slot
	for _, s := range r.slots {
		s.stopLeaseLocked()
		all = append(all, s)
	}
	return all
}

func (r *gatewayRun) isClosing() bool {
	select {
	case <-r.closing:
		return true
	default:
		return false
	}
}

// goLocked does work that nobody asks for.
func (r *gatewayRun) goLocked(work func()) {
	if !r.over {
		r.work.Go(work)
	}
}

// Link takes the connection of an account down, or back up.
func (g *Gateway) Link(accid string, online bool) {
	g.switching.Lock()
	defer g.switching.Unlock()
	accid = strings.ToLower(accid)
	g.mu.Lock()
	back, down := g.down[accid]
	switch {
	case down && online:
		delete(g.down, accid)
		close(back)
	case !down && !online:
		g.down[accid] = make(chan struct{})
	}
	var changed []*slot
	for _, s := range g.run.slots {
		if s.login != nil && s.login.account.Accid == accid {
			changed = append(changed, s)
		}
	}
	g.mu.Unlock()
	for _, s := range changed {
		if online {
			s.reconnect()
		} else {
			s.hangUp()
		}
	}
}

func (g *Gateway) isDownLocked(accid string) bool {
	_, down := g.down[accid]
	return down
}

// untilUp waits until the connection of that account is up.
func (r *gatewayRun) untilUp(ctx context.Context, accid string) error {
	for {
		r.gateway.mu.Lock()
		back, down := r.gateway.down[accid]
		r.gateway.mu.Unlock()
		if !down {
			return r.stopped(ctx)
		}
		select {
		case <-back:
		case <-ctx.Done():
			return r.stopped(ctx)
		case <-r.closing:
			return r.stopped(ctx)
		}
	}
}

var (
	errKilled   = errors.New("the gateway was killed")
	errDeadline = errors.New("the login took longer than timeoutMs")
)

// stopped is why a login whose request has this ctx is to be given up, or nil.
func (r *gatewayRun) stopped(ctx context.Context) error {
	switch {
	case r.ctx.Err() != nil:
		return errKilled
	case r.isClosing():
		return newProblem(closing, "the login was given up")
	case errors.Is(context.Cause(ctx), errDeadline):
		return loginFailed(nimcodes.Timeout, errDeadline.Error())
	case ctx.Err() != nil:
		return loginFailed(nimcodes.Cancelled, "its request was closed")
	}
	return nil
}
