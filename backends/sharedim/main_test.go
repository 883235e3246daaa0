package sharedim_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const appKey = "app1"

var (
	alice = engine.IMAccount{Accid: "Alice", Token: "alice-token"}
	bob   = engine.IMAccount{Accid: "bob", Token: "bob-token"}

	meetingAlice = engine.KitAccount{UserUUID: "meeting-alice", Token: "meeting-alice-token"}
	roomAlice    = engine.KitAccount{UserUUID: "room-alice", Token: "room-alice-token"}
	roomBob      = engine.KitAccount{UserUUID: "room-bob", Token: "room-bob-token"}
)

func newCloud() *mockim.Service {
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: appKey})
	cloud.AddIM(alice)
	cloud.AddIM(bob)
	cloud.Bind(meetingAlice, alice.Accid)
	cloud.Bind(roomAlice, alice.Accid)
	cloud.Bind(roomBob, bob.Accid)
	return cloud
}

// A phone is an IM client that an app's kits share, with hooks for the host,
// the service and the test.
type phone interface {
	engine.IM
	engine.IMAdopter
	hostLogin(a engine.IMAccount) error
	hostLogout()
	end(cause error) // by the service
	link(online bool)
	loggedIn() string
	count(call string) int              // of InitIM, LoginIM, LogoutIM: how often it reached the client
	block(call string) (release func()) // of InitIM or LoginIM
	fail(call string, err error)        // the next one
}

// phones are the IM clients that run in the process.
var phones = map[string]func(*mockim.Service) phone{
	"mockim": newMockPhone,
	"hostim": newSDK,
}

// forEachPhone runs a test over each of the phones, each in its own bubble.
func forEachPhone(t *testing.T, run func(w *world)) {
	for name, open := range phones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				run(newWorld(t, open))
			})
		})
	}
}

// A tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
	Cleanup(func())
	Context() context.Context
}

// A world is a phone that several engines share; each engine has its own kit.
type world struct {
	t     tester
	cloud *mockim.Service
	phone phone
	guard *guard

	once   sync.Once
	shared *sharedim.IM
}

func newWorld(t tester, open func(*mockim.Service) phone) *world {
	cloud := newCloud()
	p := open(cloud)
	return &world{t: t, cloud: cloud, phone: p, guard: &guard{phone: p}}
}

func (w *world) im() *sharedim.IM {
	w.once.Do(func() {
		w.shared = sharedim.New(w.guard)
		w.t.Cleanup(func() {
			if err := w.shared.Close(); err != nil {
				w.t.Errorf("Close: %v", err)
			}
			if n := w.guard.overlaps(); n != 0 {
				w.t.Errorf("the engine.IM was called from two goroutines at once %d times", n)
			}
		})
	})
	return w.shared
}

// engine makes an engine with its own seat and its own kit.
func (w *world) engine(mode engine.Mode) *engine.Engine {
	w.t.Helper()
	return w.engineOf(w.im().Seat(), appKey, mode)
}

func (w *world) engineOf(im engine.IM, appKey string, mode engine.Mode) *engine.Engine {
	w.t.Helper()
	e, err := engine.New(engine.Join(im, w.cloud.Device()), appKey, &engine.Options{Mode: mode})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { e.Close() })
	return e
}

// A guard is a phone that counts overlapping calls. It can delay its calls.
type guard struct {
	phone
	delays []time.Duration // of the calls, in turn

	mu      sync.Mutex
	calls   int
	inside  int
	overlap int
}

func (g *guard) enter(ctx context.Context) (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside++; g.inside > 1 {
		g.overlap++
	}
	if g.calls++; len(g.delays) > 0 {
		d := g.delays[g.calls%len(g.delays)]
		g.mu.Unlock()
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		g.mu.Lock()
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.inside--
	}
}

func (g *guard) overlaps() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.overlap
}

func (g *guard) InitIM(ctx context.Context, appKey string) error {
	defer g.enter(ctx)()
	return g.phone.InitIM(ctx, appKey)
}

func (g *guard) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	defer g.enter(ctx)()
	return g.phone.LoginIM(ctx, a, n)
}

func (g *guard) LogoutIM(ctx context.Context) error {
	defer g.enter(ctx)()
	return g.phone.LogoutIM(ctx)
}

func (g *guard) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	defer g.enter(ctx)()
	return g.phone.AdoptIM(ctx, n)
}

func (w *world) ok(what string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

func (w *world) wantError(what string, err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func (w *world) wantLoggedIn(want string) {
	w.t.Helper()
	if got := w.phone.loggedIn(); got != want {
		w.t.Errorf("IM is logged in as %q, want %q", got, want)
	}
}

func (w *world) wantCalls(call string, want int) {
	w.t.Helper()
	if got := w.phone.count(call); got != want {
		w.t.Errorf("%s was called %d times, want %d", call, got, want)
	}
}

func (w *world) wantState(e *engine.Engine, want engine.State) {
	w.t.Helper()
	if got := e.Status().State; got != want {
		w.t.Errorf("got state %v, want %v", got, want)
	}
}

// begin starts an operation, and returns once it has ended or is waiting.
func begin(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	synctest.Wait()
	return done
}

// wantWaiting fails if the operation has returned.
func (w *world) wantWaiting(what string, done <-chan error) {
	w.t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		w.t.Fatalf("%s returned %v, want it to wait", what, err)
	default:
	}
}
