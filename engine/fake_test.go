package engine_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// The accounts of the tests. Their tokens share one word, so that a test can
// search for it in texts that must not show a token.
const (
	appKey = "app"
	secret = "s3cr3t"
)

var (
	imAccount  = engine.IMAccount{Accid: "myaccid", Token: "im-" + secret}
	kitAccount = engine.KitAccount{UserUUID: "user1", Token: "kit-" + secret}
)

// A fake is the smallest backend that the engine can run on. Every call
// succeeds, and it records the calls.
type fake struct {
	bound engine.IMAccount        // what Authenticate answers
	on    func(call string) error // called in the middle of each call, which fails as it does; nil: none

	mu      sync.Mutex
	calls   []string
	im, kit engine.Notify // of the latest logins
}

// newFake returns a backend in which the accounts of the tests belong together.
func newFake() *fake { return &fake{bound: imAccount} }

// call must not hold mu while it calls on, because on may use the Notify.
func (f *fake) call(name string) error {
	f.mu.Lock()
	f.calls = append(f.calls, name)
	f.mu.Unlock()
	if f.on == nil {
		return nil
	}
	return f.on(name)
}

func (f *fake) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// login keeps n before it makes the call, so that the call may use it.
func (f *fake) login(name string, to *engine.Notify, n engine.Notify) error {
	f.mu.Lock()
	*to = n
	f.mu.Unlock()
	return f.call(name)
}

func (f *fake) imNotify() engine.Notify {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.im
}

func (f *fake) kitNotify() engine.Notify {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kit
}

func (f *fake) InitIM(context.Context, string) error { return f.call("InitIM") }

func (f *fake) LoginIM(_ context.Context, _ engine.IMAccount, n engine.Notify) error {
	return f.login("LoginIM", &f.im, n)
}

func (f *fake) LogoutIM(context.Context) error { return f.call("LogoutIM") }

func (f *fake) Authenticate(context.Context, engine.KitAccount) (engine.IMAccount, error) {
	return f.bound, f.call("Authenticate")
}

func (f *fake) Anonymous(context.Context) (engine.KitAccount, error) {
	return engine.KitAccount{UserUUID: "guest", Token: "guest-" + secret}, f.call("Anonymous")
}

func (f *fake) LoginKit(_ context.Context, _ engine.KitAccount, n engine.Notify) error {
	return f.login("LoginKit", &f.kit, n)
}

func (f *fake) LogoutKit(context.Context) error { return f.call("LogoutKit") }

func (f *fake) Close() error { return f.call("Close") }

// An adoptingFake could be logged in behind the engine's back, but never is.
type adoptingFake struct{ *fake }

func (f adoptingFake) AdoptIM(context.Context, engine.Notify) (engine.IMAccount, error) {
	return engine.IMAccount{}, f.call("AdoptIM")
}

// open makes an engine over b. It is closed with the test, and must be at rest
// then.
func open(t testing.TB, b engine.Backend, o *engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.New(b, appKey, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		if busy := e.Busy(); busy != "" {
			t.Errorf("closed, but %s", busy)
		}
	})
	return e
}

// climb takes e to the rung to, as the host would, with the accounts above.
func climb(t testing.TB, e *engine.Engine, to engine.State) {
	t.Helper()
	steps := []func() error{
		func() error { return e.InitIM(t.Context()) },
		func() error { return e.LoginIM(t.Context(), imAccount) },
		func() error { return e.LoginKit(t.Context(), kitAccount) },
	}
	for _, step := range steps[:to] {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}
