package sharedim_test

import (
	"context"
	"errors"
	"sync"
	"testing"

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

// A phone is an IM client that an app's kits share, and what the host, the
// service and the test do to it.
type phone interface {
	engine.IM
	engine.IMAdopter
	hostLogin(a engine.IMAccount) error
	hostLogout()
	end(cause error) // the service's doing
	link(online bool)
	loggedIn() string
	count(call string) int              // of InitIM, LoginIM, LogoutIM: how often it reached the client
	block(call string) (release func()) // of InitIM or LoginIM
	fail(call string, err error)        // the next one
}

// forEachPhone runs a test over both IM clients that run in the process.
func forEachPhone(t *testing.T, run func(t *testing.T, w *world)) {
	for _, row := range []struct {
		name string
		open func(*mockim.Service) phone
	}{
		{"mockim", func(cloud *mockim.Service) phone { return &mockPhone{cloud.Device(), cloud} }},
		{"hostim", newSDK},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud()
			w := &world{t: t, cloud: cloud, open: row.open, phone: row.open(cloud)}
			w.guard = &guard{phone: w.phone}
			run(t, w)
		})
	}
}

// A world is a phone, shared by engines with a kit each.
type world struct {
	t     *testing.T
	cloud *mockim.Service
	open  func(*mockim.Service) phone
	phone phone
	guard *guard

	once   sync.Once
	shared *sharedim.IM
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

// reopen returns a phone like w's own, in a cloud of its own.
func (w *world) reopen() phone {
	w.cloud = newCloud()
	return w.open(w.cloud)
}

// engine is one with a seat and a kit of its own.
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

// A guard is a phone that notices calls from two goroutines at once.
type guard struct {
	phone
	mu      sync.Mutex
	inside  int
	overlap int
}

func (g *guard) enter() (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside++; g.inside > 1 {
		g.overlap++
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
	defer g.enter()()
	return g.phone.InitIM(ctx, appKey)
}

func (g *guard) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	defer g.enter()()
	return g.phone.LoginIM(ctx, a, n)
}

func (g *guard) LogoutIM(ctx context.Context) error {
	defer g.enter()()
	return g.phone.LogoutIM(ctx)
}

func (g *guard) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	defer g.enter()()
	return g.phone.AdoptIM(ctx, n)
}

// What the tests say of a world.

func (w *world) ok(what string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

func (w *world) refused(what string, err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func (w *world) loggedIn(want string) {
	w.t.Helper()
	if got := w.phone.loggedIn(); got != want {
		w.t.Errorf("IM is logged in as %q, want %q", got, want)
	}
}

func (w *world) called(call string, want int) {
	w.t.Helper()
	if got := w.phone.count(call); got != want {
		w.t.Errorf("%s was called %d times, want %d", call, got, want)
	}
}

// is fails unless e stands there.
func (w *world) is(e *engine.Engine, want engine.State) {
	w.t.Helper()
	if got := e.Status().State; got != want {
		w.t.Errorf("got state %v, want %v", got, want)
	}
}

// await waits until e has reached a Status that done accepts.
func (w *world) await(e *engine.Engine, what string, done func(engine.Status) bool) engine.Status {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	var last engine.Status
	for last = range e.Watch(ctx) {
		if done(last) {
			return last
		}
	}
	w.t.Fatalf("got %+v, want %s", last, what)
	return last
}
