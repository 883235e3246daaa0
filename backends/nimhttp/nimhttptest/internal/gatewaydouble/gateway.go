// Package gatewaydouble is a double of the IM gateway: it runs in this process,
// and its IM is a mockim world. It follows the contract of the real gateway
// (gateway/openapi.yaml). Package nimhttptest starts it and documents it.
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

// Gateway is the double of the IM gateway. It has one run at a time; Restart
// replaces the run, like a process that is killed and started again.
type Gateway struct {
	world    *mockim.Service
	secretOf func() string // the AppSecret
	now      func() time.Time
	answer   func(http.ResponseWriter, *http.Request, Responder)
	url      string
	secret   string
	listener *loopback.Server
	stop     context.CancelFunc // cuts delayed replies short

	// switching is held for the whole of Link, Restart and Close, and taken
	// before any other lock.
	switching sync.Mutex

	// mu protects the following fields, and the fields of runs and slots. It is
	// never held during a call of the world, because the world holds its own
	// lock when it reports to a slot.
	mu   sync.Mutex
	run  *gatewayRun
	down map[string]chan struct{} // accounts whose connection is down; closed when it comes back
}

// The limits that the contract sets.
const (
	maxConnections = 256
	headerTimeout  = 10 * time.Second
	bodyTimeout    = 15 * time.Second
	maxHeader      = 32 << 10
	maxBody        = 64 << 10
)

// A gatewayRun stands for one process of the gateway.
type gatewayRun struct {
	gateway *Gateway
	boot    string
	ctx     context.Context // ends when the run is killed
	kill    context.CancelFunc
	closing chan struct{}  // closed when the run refuses further calls
	work    sync.WaitGroup // work that no call waits for: leases and reconnects

	// Guarded by gateway.mu.
	stopped   bool // no more work may start
	seq       int64
	sessions  int64
	questions int64
	slots     map[string]*slot
}

// Options configure a gateway. All fields are required except Addr, AppSecret and
// Logger.
type Options struct {
	World  *mockim.Service
	Addr   string // "": 127.0.0.1:0
	Secret string
	Logger *slog.Logger

	AppSecret string           // the key to dynamic tokens; "": the app does not allow them
	Now       func() time.Time // the clock by which dynamic tokens expire

	// Answer writes the reply to a request: the Responder's, or another one.
	Answer func(http.ResponseWriter, *http.Request, Responder)
}

// A Responder carries a request out and returns the reply.
type Responder func(http.ResponseWriter, *http.Request) Reply

// A Reply is a complete reply that is not written yet.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Start starts a gateway. Its errors are those of loopback.Listen.
func Start(o Options) (*Gateway, error) {
	listener, err := loopback.Listen(o.Addr)
	if err != nil {
		return nil, err
	}
	listener.Limit(maxConnections)
	ctx, stop := context.WithCancel(context.Background())
	g := &Gateway{
		world:    o.World,
		secretOf: func() string { return o.AppSecret },
		now:      o.Now,
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
		ReadTimeout:       bodyTimeout, // lifted once the body is read: see receive
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	})
	return g, nil
}

// URL returns the base URL of the gateway.
func (g *Gateway) URL() string { return g.url }

// Secret returns the secret that a client must send.
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

// Close logs every slot out and stops the gateway. Calls that are being carried
// out may finish; calls that only wait are cut short.
func (g *Gateway) Close() error {
	g.switching.Lock()
	defer g.switching.Unlock()
	run := g.current()
	slots := run.stopWork(func() { close(run.closing) })
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

// Restart ends the run like kill -9, and starts another. It has no effect on a
// closed gateway.
func (g *Gateway) Restart() {
	g.switching.Lock()
	defer g.switching.Unlock()
	old := g.current()
	if old.isClosing() {
		return
	}
	slots := old.stopWork(old.kill)
	old.work.Wait()
	for _, s := range slots {
		s.turn <- struct{}{} // takeTurn fails now, so no login can follow
		s.hangUp()
		s.endTurn()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run = newRun(g)
}

// stopWork prevents further work and returns all slots. It calls mark under the
// lock; mark must make the run refuse new slots.
func (r *gatewayRun) stopWork(mark func()) []*slot {
	r.gateway.mu.Lock()
	defer r.gateway.mu.Unlock()
	r.stopped = true
	mark()
	var all []*slot
	for _, s := range r.slots {
		s.stopLeaseLocked()
		s.closeQuestionLocked()
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

// goLocked runs work in a goroutine, unless the run has stopped. Close and
// Restart wait for it.
func (r *gatewayRun) goLocked(work func()) {
	if !r.stopped {
		r.work.Go(work)
	}
}

// Link takes the connection of an account down, or brings it back up.
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

// untilUp waits until the connection of the account is up. It fails with the
// stopReason of ctx.
func (r *gatewayRun) untilUp(ctx context.Context, accid string) error {
	for {
		r.gateway.mu.Lock()
		back, down := r.gateway.down[accid]
		r.gateway.mu.Unlock()
		if !down {
			return r.stopReason(ctx)
		}
		select {
		case <-back:
		case <-ctx.Done():
			return r.stopReason(ctx)
		case <-r.closing:
			return r.stopReason(ctx)
		}
	}
}

var (
	errKilled   = errors.New("the gateway was killed")
	errDeadline = errors.New("the login took longer than timeoutMs")
)

// stopReason returns why a login must be given up, or nil. ctx is the context
// of its request.
func (r *gatewayRun) stopReason(ctx context.Context) error {
	switch {
	case r.ctx.Err() != nil:
		return errKilled
	case r.isClosing():
		return newProblem(closing, "the login was given up")
	case errors.Is(context.Cause(ctx), errDeadline):
		return loginFailed(nimcodes.Timeout, errDeadline.Error())
	case ctx.Err() != nil:
		return loginFailed(nimcodes.Cancelled, "the request was closed")
	}
	return nil
}
