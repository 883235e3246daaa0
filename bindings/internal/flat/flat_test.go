package flat_test

import (
	"context"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/accounts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	account = engine.IMAccount{Accid: accounts.Accid, Token: accounts.IMToken}
	user    = engine.KitAccount{UserUUID: accounts.UserUUID, Token: accounts.UserToken}
)

// The operations, as a skin passes them to Start.
func initIM(ctx context.Context, e *engine.Engine) error   { return e.InitIM(ctx) }
func loginIM(ctx context.Context, e *engine.Engine) error  { return e.LoginIM(ctx, account) }
func loginKit(ctx context.Context, e *engine.Engine) error { return e.LoginKit(ctx, user) }
func renewKit(ctx context.Context, e *engine.Engine) error { return e.RenewKit(ctx, user) }
func logoutKit(ctx context.Context, e *engine.Engine) error {
	return e.LogoutKit(ctx)
}

// A fixture is an engine over a mock's kit.
type fixture struct {
	*flat.Engine
	t     *testing.T
	cloud *mockim.Service
}

// newFixture makes an engine. change may change its options; without it, the IM
// is a device of the mock. The engine is closed at the end of the test.
func newFixture(t *testing.T, change func(*flat.Options)) *fixture {
	t.Helper()
	cloud, err := flat.NewMock("")
	if err != nil {
		t.Fatal(err)
	}
	o := flat.Options{AppKey: accounts.AppKey, IM: flat.MockIM(cloud.Device(), cloud), Kit: flat.MockKit(cloud.Device())}
	if change != nil {
		change(&o)
	}
	e, err := flat.New(o)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{e, t, cloud}
	t.Cleanup(func() { f.close() })
	return f
}

// do runs an operation and waits for its error.
func (f *fixture) do(run func(context.Context, *engine.Engine) error) error {
	done := make(chan error, 1)
	f.Start("Test", run, func(err error) { done <- err })
	return <-done
}

func (f *fixture) must(run func(context.Context, *engine.Engine) error) {
	f.t.Helper()
	if err := f.do(run); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) close() error {
	done := make(chan error, 1)
	f.Close(nil, func(err error) { done <- err })
	return <-done
}

// bubble runs a test in a bubble of synctest.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
