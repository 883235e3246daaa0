package proof_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A fuzzWorld is what a script of FuzzEngine plays in. Its methods are called
// by one goroutine.
type fuzzWorld struct {
	t              *testing.T
	cloud          *mockim.Service
	device, second *mockim.Device // the engine is on the first
	broken         *brokenDevice  // the first
	options        engine.Options
	bomb           *bomb // in the host's hooks
	tokens         *hostTokens

	e        *engine.Engine
	calls    *callOrder
	watch    *watchOrder
	attempts []*attempt // not completed yet
	blocks   []func()   // what releases them
	faults   int        // how many were asked for
	hostMade []string   // the accids that the host may have logged in
	closed   bool       // Close has returned
	kept     string     // the accid of a login of the host's that nobody may end; "": none is known
	steps    int        // since the last rest
	logouts  int        // of IM, up to the last rest

	expiredIM bool // an IM token has run out
}

// open makes an engine on the device, which may have had one before.
func (w *fuzzWorld) open() {
	w.calls = &callOrder{t: w.t}
	w.options.Logger = slog.New(bombHandler{b: w.bomb})
	w.options.Trace = func(ctx context.Context, call string) (context.Context, func(error)) {
		ctx, done := w.calls.trace(ctx, call)
		return ctx, func(err error) {
			done(err)
			w.bomb.called("done")
		}
	}
	w.e = open(w.t, w.broken, &w.options)
	w.calls.e = w.e
	w.watch = &watchOrder{t: w.t}
	w.closed = false
	e, watch := w.e, w.watch
	go watch.run(e)
}

// A brokenDevice takes long to return from a login, even if its ctx ends, or
// panics. Then nobody knows who is logged in, and the engine logs out whoever
// is.
type brokenDevice struct {
	*mockim.Device

	lingering atomic.Int32
	broke     atomic.Bool // since the last rest

	mu    sync.Mutex
	after []func() // each at the end of one login
}

func (d *brokenDevice) afterLogin(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.after = append(d.after, f)
}

func (d *brokenDevice) willBreak() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.after) > 0
}

func (d *brokenDevice) end() {
	d.mu.Lock()
	var f func()
	if len(d.after) > 0 {
		f, d.after = d.after[0], d.after[1:]
	}
	d.mu.Unlock()
	if f != nil {
		d.broke.Store(true)
		d.lingering.Add(1)
		defer d.lingering.Add(-1)
		f()
	}
}

func (d *brokenDevice) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	defer d.end()
	return d.Device.LoginIM(ctx, a, n)
}

func (d *brokenDevice) LoginKit(ctx context.Context, a engine.KitAccount, n engine.Notify) error {
	defer d.end()
	return d.Device.LoginKit(ctx, a, n)
}

// An attempt is one call by the host: an operation, or HostLogin.
type attempt struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error // after done

	panicked  bool                     // a hook did; after done
	began     engine.Status            // when it began
	idle      bool                     // nothing was going on when it began
	closed    bool                     // the engine was closed when it began
	was       string                   // the accid in IM when it began
	rested    bool                     // it did not come to its end at once
	single    bool                     // it began by itself, not together with others
	gaveUp    bool                     // its ctx ended before it did
	succeeded func(engine.Status) bool // whether success is true; nil for HostLogin
	accid     string                   // of HostLogin
	loggedOut bool                     // a logout was called while this KeepKit ran
}

// running is the key of the ctx under which the name of its operation is.
type running struct{}

func (w *fuzzWorld) begin(a *attempt, whom byte, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithValue(w.t.Context(), running{}, a.name))
	a.cancel, a.done = cancel, make(chan struct{})
	a.began, a.idle, a.closed, a.was = w.e.Status(), w.idle(), w.closed, w.device.LoggedIn()
	if endsFrom[a.name] > 0 {
		w.noteLogout()
	}
	w.attempts = append(w.attempts, a)
	if a.gaveUp = whom&ended != 0; a.gaveUp {
		cancel()
	}
	go func() {
		defer close(a.done)
		defer a.recovers()
		a.err = f(ctx)
	}()
}

func (a *attempt) recovers() {
	if v := recover(); v != nil {
		if v != errBomb {
			panic(v)
		}
		a.panicked = true
	}
}

// cancel ends the ctx of a, which may have finished just before.
func (w *fuzzWorld) cancel(a *attempt) {
	a.gaveUp = a.gaveUp || a.rested && w.steps == 1
	a.cancel()
}

func (w *fuzzWorld) operate(name string, whom byte, f func(context.Context) error, succeeded func(engine.Status) bool) {
	w.begin(&attempt{name: name, succeeded: succeeded}, whom, func(ctx context.Context) error {
		return f(&bombCtx{Context: ctx, b: w.bomb, whose: "caller"})
	})
}

func (w *fuzzWorld) hostLogin(whom byte, to engine.IMAccount) {
	w.begin(&attempt{name: "HostLogin", accid: strings.ToLower(to.Accid)}, whom,
		func(ctx context.Context) error { return w.device.HostLogin(ctx, to) })
}

// rest waits until nothing moves, and checks the rules for that moment.
func (w *fuzzWorld) rest() {
	synctest.Wait()
	s := w.e.Status()
	checkStatus(w.t, s)
	w.watch.check(s)
	broke := w.broken.broke.Swap(false)
	// A logout of the engine's own login may hit a login of the host's that
	// has just replaced it, because a backend cannot know which login is
	// meant.
	logouts := w.calls.logoutsOfIM()
	broke, w.logouts = broke || logouts != w.logouts, logouts
	contested := w.pending("LogoutIM") > 0 || w.pending("HostLogin") > 1 || w.broken.willBreak() || broke
	var pending []*attempt
	for _, a := range w.attempts {
		if !a.rested {
			a.single = w.steps == 1
		}
		select {
		case <-a.done:
			w.completed(a, s, contested)
		default:
			pending = append(pending, a)
		}
		a.rested = true
	}
	w.attempts, w.steps = pending, 0
	w.agree(s)
	w.interrupts()
}

// idle reports whether nothing is running, except KeepKits that wait. Applying
// a loss may still be in a call.
func (w *fuzzWorld) idle() bool {
	call, _ := w.calls.inside()
	return len(w.attempts) == w.pending("KeepKit") && call == "" && !w.calls.asks()
}

func (w *fuzzWorld) pending(name string) (n int) {
	for _, a := range w.attempts {
		if a.name == name {
			n++
		}
	}
	return n
}

// finish waits for everything to end, and then logs in as if nothing had
// happened. Each fault that is left costs at most one attempt.
func (w *fuzzWorld) finish() {
	w.rest()
	w.bomb.pause(true)
	for _, release := range w.blocks {
		release()
	}
	w.heal()
	for _, a := range w.attempts {
		<-a.done
	}
	w.rest()
	if w.closed {
		w.refuses()
		w.open()
	}
	w.step(stepLogoutIM, 0)
	w.rest()
	w.device.HostLogout(w.t.Context())
	w.second.HostLogout(w.t.Context())
	err := w.login()
	for range w.faults {
		if err != nil {
			err = w.login()
		}
	}
	if err != nil {
		w.t.Errorf("the login after all: %v", err)
	}
	w.step(stepClose, 0)
	w.rest()
	if accid := w.device.LoggedIn(); accid != "" {
		w.t.Errorf("%q is logged in to IM after Close", accid)
	}
	w.refuses()
}

func (w *fuzzWorld) login() error {
	w.tokens.renew()
	if w.options.Mode == engine.ReuseIM {
		if err := w.e.InitIM(w.t.Context()); err != nil {
			return err
		}
		if err := w.e.LoginIM(w.t.Context(), w.tokens.im); err != nil {
			return err
		}
	}
	err := w.e.LoginKit(w.t.Context(), w.tokens.kit)
	w.rest()
	return err
}

// refuses checks that the engine is closed for good.
func (w *fuzzWorld) refuses() {
	w.t.Helper()
	for _, what := range []byte{stepInitIM, stepLoginIM, stepLoginKit, stepLoginAnonymous, stepKeepKit, stepRenewKit, stepLogoutKit, stepLogoutIM, stepClose} {
		w.step(what, 0)
		w.rest()
	}
	if !w.watch.ended.Load() {
		w.t.Error("Watch goes on after Close")
	}
}
