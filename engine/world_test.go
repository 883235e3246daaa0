package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// Every world has two IM accounts and two kit accounts: imAccount and
// kitAccount belong together, and so do these.
var (
	secondIM  = engine.IMAccount{Accid: "other", Token: "im2-" + secret}
	secondKit = engine.KitAccount{UserUUID: "user2", Token: "kit2-" + secret}
)

var (
	reuseIM    = engine.Options{Mode: engine.ReuseIM}
	autoLogin  = engine.Options{Mode: engine.AutoLogin}
	autoDetect = engine.Options{Mode: engine.AutoDetect}
)

// A process is one process of the app without the engine: the IM SDK as the
// host drives it, and the controls that a test has over the backend.
type process interface {
	HostInit(ctx context.Context) error
	HostLogin(ctx context.Context, a engine.IMAccount) error
	HostLogout(ctx context.Context) error
	Link(online bool)
	LoggedIn() string // at the cloud's end

	Calls() []string // what the engine called
	Fail(call string, err error)
	Block(call string) (release func())
}

// A setting makes a process on that cloud, and the adopting backend for its
// engine. Its network, if any, is in memory (net.Pipe), because a bubble cannot
// tell that a goroutine waits for a socket.
type setting func(cloud *mockim.Service) (process, engine.Backend)

func overMockim(cloud *mockim.Service) (process, engine.Backend) {
	d := cloud.Device()
	return d, d
}

// A clientProcess has an IM client of the host's own, which is the SDK of a
// mockim device, and the kit of that device. Its client reports as SDKs do:
// whoever asked for the login.
type clientProcess struct {
	*mockim.Device
	im *hostim.IM
}

func overHostim(cloud *mockim.Service) (process, engine.Backend) {
	p := &clientProcess{Device: cloud.Device()}
	p.im = hostim.Wrap(hostim.Client{Init: p.InitIM, Login: p.login, Logout: p.logout})
	return p, engine.Join(p.im, p.Device)
}

func (p *clientProcess) callbacks() engine.Notify {
	return engine.Notify{Lost: p.im.LoggedOut, Link: p.im.Link}
}

func (p *clientProcess) login(ctx context.Context, a engine.IMAccount) error {
	err := p.Device.LoginIM(ctx, a, p.callbacks())
	if err == nil {
		p.im.LoggedIn(a)
	}
	return err
}

func (p *clientProcess) logout(ctx context.Context) error {
	err := p.Device.LogoutIM(ctx)
	p.im.LoggedOut(nil)
	return err
}

func (p *clientProcess) HostLogin(ctx context.Context, a engine.IMAccount) error {
	if on := p.LoggedIn(); on != "" && on != strings.ToLower(a.Accid) {
		if err := p.HostLogout(ctx); err != nil {
			return err
		}
	}
	p.im.LoggingIn()
	err := p.Device.HostLogin(ctx, a)
	if err == nil {
		_, err = p.Device.AdoptIM(ctx, p.callbacks())
	}
	if err != nil {
		p.im.LoggedOut(err)
		return err
	}
	p.im.LoggedIn(a)
	return nil
}

// A world is one app with its engine, a cloud and a watcher. It lives in a
// bubble of synctest.
type world struct {
	t       *testing.T
	ctx     context.Context
	setting setting
	cloud   *mockim.Service
	host    process
	tap     *tap
	engine  *engine.Engine

	calls   int // of host.Calls, those that called has dealt with
	checked *checks

	mu      sync.Mutex // protects watched
	watched []engine.Status
}

// checks records what a row has asserted. The worlds of one row share it.
type checks struct{ stood, called, yielded bool }

// inWorld runs a test in a bubble, with its own world.
func inWorld(t *testing.T, on setting, o engine.Options, run func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		run(newWorld(t, on, o, mockim.ServiceOptions{AppKey: appKey}, &checks{}))
	})
}

// fresh makes a second world beside w, with other options or other rules.
func (w *world) fresh(o engine.Options, rules mockim.ServiceOptions) *world {
	w.t.Helper()
	rules.AppKey = appKey
	return newWorld(w.t, w.setting, o, rules, w.checked)
}

func newWorld(t *testing.T, on setting, o engine.Options, rules mockim.ServiceOptions, c *checks) *world {
	t.Helper()
	cloud := mockim.NewService(rules)
	cloud.AddIM(imAccount)
	cloud.AddIM(secondIM)
	cloud.Bind(kitAccount, imAccount.Accid)
	cloud.Bind(secondKit, secondIM.Accid)
	host, backend := on(cloud)
	w := &world{t: t, ctx: t.Context(), setting: on, cloud: cloud, host: host, tap: newTap(backend), checked: c}
	w.engine = w.newEngine(o)
	go w.watch()
	if first := w.sinceLast(); len(first) != 1 || first[0] != (engine.Status{}) {
		t.Fatalf("the first that Watch yields is %+v, want the zero Status", first)
	}
	return w
}

// newEngine makes an engine over the backend of w. It is closed with the test.
func (w *world) newEngine(o engine.Options) *engine.Engine {
	w.t.Helper()
	e, err := engine.New(w.tap, appKey, &o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := e.Close(); err != nil {
			w.t.Errorf("Close at the end: %v", err)
		}
	})
	return e
}

func (w *world) watch() {
	for s := range w.engine.Watch(w.ctx) {
		w.mu.Lock()
		w.watched = append(w.watched, s)
		w.mu.Unlock()
	}
}

// sinceLast returns what Watch yielded since the last call of sinceLast.
func (w *world) sinceLast() []engine.Status {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.watched
	w.watched = nil
	return s
}

// The host's actions. They must succeed unless the test says otherwise.

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) hostLogsIn(a engine.IMAccount) {
	w.t.Helper()
	w.must(w.host.HostInit(w.ctx))
	w.must(w.host.HostLogin(w.ctx, a))
}

// elsewhere logs a in on another device.
func (w *world) elsewhere(a engine.IMAccount) {
	w.t.Helper()
	d := w.cloud.Device()
	w.must(d.HostInit(w.ctx))
	w.must(d.HostLogin(w.ctx, a))
}

func (w *world) loginKit() error  { return w.engine.LoginKit(w.ctx, kitAccount) }
func (w *world) logoutKit() error { return w.engine.LogoutKit(w.ctx) }
func (w *world) anonymous() error { return w.engine.LoginAnonymous(w.ctx) }

// A pending is a call on a goroutine of its own.
type pending struct {
	done chan struct{}
	err  error
}

// begin starts call, and returns once it is blocked or done.
func begin(call func() error) *pending {
	p := &pending{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = call()
	}()
	synctest.Wait()
	return p
}

func (p *pending) wait() error {
	<-p.done
	return p.err
}

func (p *pending) waits() bool {
	synctest.Wait()
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// The assertions of the tests.

// fails asserts that err matches want and is an *engine.Error, as all errors of
// operations are. If want is nil, it asserts success.
func (w *world) fails(err, want error) {
	w.t.Helper()
	var e *engine.Error
	switch {
	case !errors.Is(err, want):
		w.t.Errorf("got %v, want %v", err, want)
	case err != nil && !errors.As(err, &e):
		w.t.Errorf("%v is a %T, want an *engine.Error", err, err)
	}
}

// pointsAt asserts that text contains these words.
func (w *world) pointsAt(text string, words ...string) {
	w.t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.t.Errorf("%q does not say %q", text, word)
		}
	}
}

// stands asserts the engine's state, floor and account, and that the same
// account is logged in in the cloud; "" means nobody.
func (w *world) stands(state, floor engine.State, accid string) {
	w.t.Helper()
	w.standsApart(state, floor, accid, accid)
}

// standsApart is like stands, for a login of the host's that is not adopted
// yet.
func (w *world) standsApart(state, floor engine.State, accid, inCloud string) {
	w.t.Helper()
	w.checked.stood = true
	synctest.Wait()
	s := w.engine.Status()
	if s.State != state || s.Floor != floor || s.Accid != accid {
		w.t.Errorf("the engine is at %v over the floor %v as %q, want %v, %v, %q", s.State, s.Floor, s.Accid, state, floor, accid)
	}
	if (s.Session != uuid.Nil) != (state >= imLoggedIn) || (s.UserUUID != "") != (state == kitLoggedIn) || s.Anonymous && state < kitLoggedIn {
		w.t.Errorf("%+v has what its state has not, or lacks what it has", s)
	}
	if got := w.host.LoggedIn(); got != inCloud {
		w.t.Errorf("the cloud has %q logged in here, want %q", got, inCloud)
	}
}

// called asserts what the engine called since the last called, in order.
func (w *world) called(want ...string) {
	w.t.Helper()
	w.checked.called = true
	synctest.Wait() // a loss may lead to calls, too
	calls := w.host.Calls()[w.calls:]
	w.calls += len(calls)
	if got := strings.Join(calls, ", "); got != strings.Join(want, ", ") {
		w.t.Errorf("the engine called [%s], want [%s]", got, strings.Join(want, ", "))
	}
}

// A seen is the part of a Status that the rows name. Its cause is compared with
// errors.Is.
type seen struct {
	state  engine.State
	via    engine.Trigger
	cause  error
	online bool
}

var (
	viaInit    = seen{imInitialized, engine.TriggerInitIM, nil, false}
	viaLogin   = seen{imLoggedIn, engine.TriggerLoginIM, nil, true}
	viaKit     = seen{kitLoggedIn, engine.TriggerLoginKit, nil, true}
	viaKitOut  = seen{imLoggedIn, engine.TriggerLogoutKit, nil, true}
	viaOut     = seen{imInitialized, engine.TriggerLogoutIM, nil, false}
	viaKitLost = seen{imLoggedIn, engine.TriggerKitLost, nil, true}
	viaIMLost  = seen{imInitialized, engine.TriggerIMLost, nil, false}
	viaClose   = seen{uninitialized, engine.TriggerClose, nil, false}
)

func (s seen) because(cause error) seen { s.cause = cause; return s }
func (s seen) offline() seen            { s.online = false; return s }

// yielded asserts everything that Watch yielded since the last yielded, in
// order, and that Status returns the last of it.
func (w *world) yielded(want ...seen) {
	w.t.Helper()
	w.checked.yielded = true
	got := w.sinceLast()
	for i, s := range got {
		if i >= len(want) {
			w.t.Errorf("Watch yielded %+v, which is one too many", s)
			continue
		}
		if x := want[i]; s.State != x.state || s.Via != x.via || s.Online != x.online || !errors.Is(s.Cause, x.cause) {
			w.t.Errorf("Watch yielded %+v, want %+v", s, x)
		}
		if i > 0 && s.Seq != got[i-1].Seq+1 {
			w.t.Errorf("Seq %d follows on %d", s.Seq, got[i-1].Seq)
		}
	}
	if len(got) < len(want) {
		w.t.Errorf("Watch yielded %d changes, want %d more: %+v", len(got), len(want)-len(got), want[len(got):])
	}
	if n := len(got); n > 0 && got[n-1] != w.engine.Status() {
		w.t.Errorf("Watch yielded %+v last, Status is %+v", got[n-1], w.engine.Status())
	}
}
