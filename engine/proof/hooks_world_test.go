package proof_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A bomb is in every hook of a host. It counts the calls of each hook, and goes
// off in one of them.
type bomb struct {
	goexit bool // goes off by runtime.Goexit, not by a panic
	every  int  // goes off in each so many-th call of any hook; 0: in one only

	mu     sync.Mutex // protects the following fields
	off    bool       // neither counts nor goes off
	calls  map[string]int
	all    int    // calls
	hook   string // the hook in which it goes off
	at     int    // and in which call of that hook, from 1; 0: in none
	wentIn string // the stack
}

var errBomb = errors.New("a hook panicked on purpose")

func (b *bomb) called(hook string) {
	b.mu.Lock()
	if b.off {
		b.mu.Unlock()
		return
	}
	b.calls[hook]++
	b.all++
	goesOff := hook == b.hook && b.calls[hook] == b.at || b.every > 0 && b.all%b.every == 0
	if goesOff && b.every == 0 {
		stack := make([]byte, 1<<14)
		b.wentIn = string(stack[:runtime.Stack(stack, false)])
	}
	b.mu.Unlock()
	switch {
	case goesOff && b.goexit:
		runtime.Goexit()
	case goesOff:
		panic(errBomb)
	}
}

func (b *bomb) pause(off bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.off = off
}

// stack returns the stack on which the bomb went off, or "" if it has not.
func (b *bomb) stack() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wentIn
}

// A bombCtx is a ctx with a bomb in each method. A foreign one hides that there
// is a ctx of package context below.
type bombCtx struct {
	context.Context
	b       *bomb
	whose   string
	foreign bool
}

func (c *bombCtx) Done() <-chan struct{} {
	c.b.called(c.whose + ".Done")
	return c.Context.Done()
}

func (c *bombCtx) Err() error {
	c.b.called(c.whose + ".Err")
	return c.Context.Err()
}

func (c *bombCtx) Value(key any) any {
	c.b.called(c.whose + ".Value")
	if c.foreign {
		return nil
	}
	return c.Context.Value(key)
}

func (c *bombCtx) Deadline() (time.Time, bool) {
	c.b.called(c.whose + ".Deadline")
	return c.Context.Deadline()
}

// A bombHandler can also act when it gets the line of a transition.
type bombHandler struct {
	b  *bomb
	on onTrigger
}

func (h bombHandler) Enabled(context.Context, slog.Level) bool {
	h.b.called("Logger.Enabled")
	return true
}

func (h bombHandler) Handle(ctx context.Context, r slog.Record) error {
	_ = h.on.Handle(ctx, r)
	h.b.called("Logger.Handle")
	return nil
}
func (h bombHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h bombHandler) WithGroup(string) slog.Handler      { return h }

// fail makes the next such call of the backend fail.
func (w *hookWorld) fail(call string, err error) {
	w.faults++
	w.device.Fail(call, err)
}

// A hookWorld is an engine whose hooks all have a bomb in them.
type hookWorld struct {
	t       *testing.T
	b       *bomb
	on      onTrigger
	cloud   *mockim.Service
	tokens  *hostTokens // nil: the host has no sources
	device  *mockim.Device
	gate    *rapidGate
	e       *engine.Engine
	foreign bool
	hosts   string // the accid that the host itself has logged in
	faults  int    // of the device, that it may not have met yet

	raised  atomic.Int32 // the bombs that reached a caller
	closed  atomic.Int32 // calls of the backend's Close
	watched chan struct{}
}

func newHookWorld(t *testing.T, s hookScenario, foreign bool, b *bomb) *hookWorld {
	w := &hookWorld{t: t, b: b, on: onTrigger{}, foreign: foreign, watched: make(chan struct{})}
	w.cloud = cloudOfTwo(mockim.ServiceOptions{})
	w.device = w.cloud.Device()
	w.gate = newRapidGate(w.device)
	b.calls = map[string]int{}
	o := &engine.Options{
		Mode:   s.mode,
		Logger: slog.New(bombHandler{b, w.on}),
		Trace: func(ctx context.Context, _ string) (context.Context, func(error)) {
			b.called("Trace")
			return &bombCtx{ctx, b, "traced", foreign}, func(error) { b.called("done") }
		},
	}
	if s.sources {
		w.tokens = &hostTokens{cloud: w.cloud}
		o.KitToken, o.IMToken = w.tokens.kitToken, w.tokens.imToken
	}
	var err error
	w.e, err = engine.New(closing{w.gate, &w.closed}, appKey, o)
	if err != nil {
		t.Fatal(err)
	}
	w.gate.reopen(w.e)
	go func() {
		defer close(w.watched)
		defer w.recovers()
		for range w.e.Watch(w.ctx("watcher", context.Background())) {
		}
	}()
	synctest.Wait()
	return w
}

// closing counts the calls of Close.
type closing struct {
	*rapidGate
	n *atomic.Int32
}

func (c closing) Close() error {
	c.n.Add(1)
	return c.rapidGate.Close()
}

func (w *hookWorld) ctx(whose string, ctx context.Context) context.Context {
	return &bombCtx{ctx, w.b, whose, w.foreign}
}

func (w *hookWorld) recovers() {
	if v := recover(); v != nil {
		if v != errBomb {
			panic(v)
		}
		w.raised.Add(1)
	}
}

// begin calls an operation on a goroutine of its own, until it waits or is
// done.
func (w *hookWorld) begin(ctx context.Context, f func(context.Context) error) *pending {
	return begin(func() error {
		defer w.recovers()
		return f(w.ctx("caller", ctx))
	})
}

func (w *hookWorld) call(f func(context.Context) error) {
	_ = w.begin(context.Background(), f).wait()
}

func (w *hookWorld) loginKit(ctx context.Context) error { return w.e.LoginKit(ctx, w.kit()) }
func (w *hookWorld) renewKit(ctx context.Context) error { return w.e.RenewKit(ctx, w.kit()) }
func (w *hookWorld) keepKit(ctx context.Context) error  { return w.e.KeepKit(ctx, w.kit()) }
func (w *hookWorld) loginIM(ctx context.Context) error  { return w.e.LoginIM(ctx, imAccount) }

// kit is the kit account, without a token if there is a source.
func (w *hookWorld) kit() engine.KitAccount {
	if w.tokens != nil {
		return engine.KitAccount{UserUUID: kitAccount.UserUUID}
	}
	return kitAccount
}

// passes lets time pass, and what is then due happen.
func (w *hookWorld) passes(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *hookWorld) hostLogsIn() {
	if err := errors.Join(w.device.HostInit(w.t.Context()), w.device.HostLogin(w.t.Context(), imAccount)); err != nil {
		w.t.Error(err)
	}
	w.hosts = imAccount.Accid
}

// settled checks the rules for an engine at rest: it holds nothing, and its
// Status is true.
func (w *hookWorld) settled() {
	w.t.Helper()
	synctest.Wait()
	s, on := w.e.Status(), w.device.LoggedIn()
	w.holdsNothing(s)
	checkStatus(w.t, s)
	switch {
	case s.State >= imLoggedIn && s.Accid != on:
		w.t.Errorf("%q is logged in to IM, but the status is %+v", on, s)
	case s.State < imLoggedIn && on != "" && on != w.hosts:
		w.t.Errorf("%q is logged in to IM, left behind: %+v", on, s)
	case s.State == imLoggedIn && s.Floor < imLoggedIn:
		w.t.Errorf("the engine has not undone its own IM login: %+v", s)
	}
	for _, finding := range w.gate.broken() {
		w.t.Error(finding)
	}
}

// oldReports reports the loss of every login that has ended, during a new one.
func (w *hookWorld) oldReports() {
	w.t.Helper()
	before := w.e.Status()
	w.reportOld(before.State)
	if now := w.e.Status(); now != before {
		w.t.Errorf("reports of logins that are over made of %+v: %+v", before, now)
	}
	if before.State == kitLoggedIn {
		return
	}
	var err error
	for range 1 + w.faults {
		release := w.device.Block("LoginKit")
		login := begin(func() error { return w.loginKit(context.Background()) })
		w.reportOld(w.e.Status().State)
		release()
		if err = login.wait(); err == nil || errors.Is(err, engine.ErrIMNotLoggedIn) {
			return
		}
	}
	w.t.Errorf("a new login, beside reports of old ones: %v", err)
}

func (w *hookWorld) reportOld(at engine.State) {
	old, _, _ := w.gate.notices(at)
	if _, inside, _ := w.gate.now(); inside != nil && len(old) > 0 {
		old = old[:len(old)-1] // the kit login in progress
	}
	for _, n := range old {
		n.Lost(engine.ErrKicked)
	}
	synctest.Wait()
}

// ends closes the engine, and checks that it is closed.
func (w *hookWorld) ends() {
	w.t.Helper()
	adopted := w.hosts != "" && w.device.LoggedIn() == w.hosts
	w.call(func(context.Context) error { return w.e.Close() })
	if err := w.e.Close(); err != nil {
		w.t.Errorf("the second Close: %v", err)
	}
	<-w.watched
	if n := w.closed.Load(); n != 1 {
		w.t.Errorf("the backend was closed %d times, want once", n)
	}
	if s := w.e.Status(); s.State != uninitialized {
		w.t.Errorf("closed, but %+v", s)
	}
	if on := w.device.LoggedIn(); on != "" && !adopted {
		w.t.Errorf("%q is logged in to IM after Close", on)
	}
	w.b.pause(true)
	if err := w.e.LogoutKit(w.t.Context()); !errors.Is(err, engine.ErrClosed) {
		w.t.Errorf("closed, but LogoutKit: %v", err)
	}
}

// holdsNothing checks that the engine is free for the next operation, and has
// no loss left to apply. The operation that it tries has a ctx that has ended,
// so it does nothing else.
func (w *hookWorld) holdsNothing(s engine.Status) {
	w.t.Helper()
	ctx, cancel := context.WithDeadline(w.t.Context(), time.Now())
	defer cancel()
	err := w.e.InitIM(ctx)
	if !errors.Is(err, engine.ErrClosed) && (err == nil || !strings.Contains(err.Error(), "before the operation began")) {
		w.t.Errorf("at rest, but an operation that does nothing: %v", err)
	}
	if now := w.e.Status(); now != s {
		w.t.Errorf("at rest, but %+v became %+v", s, now)
	}
}

// elsewhere are where a method of a caller's ctx is called on another
// goroutine, perhaps when the caller has its answer already: by package
// context, by a report of a loss, and by a logout that ends a login.
var elsewhere = []string{"propagateCancel.func", "engine.(*Engine).lose(", "engine.interrupt(", "engine.(*login).stopRenewalLocked("}

// reached checks that a panic came to its caller. There is none on the engine's
// own goroutines, and in Notify.Token. It returns whether the bomb went off.
func (w *hookWorld) reached() bool {
	w.t.Helper()
	stack := w.b.stack()
	inStack := func(frame string) bool { return strings.Contains(stack, frame) }
	if stack == "" || w.b.goexit || slices.ContainsFunc(elsewhere, inStack) {
		return stack != ""
	}
	want := int32(1)
	if slices.ContainsFunc([]string{"applyLosses", "renewWhileExpired", "freshIMToken"}, inStack) {
		want = 0
	}
	if got := w.raised.Load(); got != want {
		w.t.Errorf("%d callers got the panic, want %d", got, want)
	}
	return true
}
