package mockim_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// faultyCalls lists all the calls that Fail and Block accept, each with the
// setup that it needs.
var faultyCalls = []struct {
	name  string
	ready func(t *testing.T, d *mockim.Device)
	call  func(ctx context.Context, d *mockim.Device) error
}{
	{"InitIM", noSetup, func(ctx context.Context, d *mockim.Device) error { return d.InitIM(ctx, appKey) }},
	{"LoginIM", initIM, func(ctx context.Context, d *mockim.Device) error { return d.LoginIM(ctx, alice, engine.Notify{}) }},
	{"LogoutIM", loginIM, func(ctx context.Context, d *mockim.Device) error { return d.LogoutIM(ctx) }},
	{"AdoptIM", initIM, func(ctx context.Context, d *mockim.Device) error {
		_, err := d.AdoptIM(ctx, engine.Notify{})
		return err
	}},
	{"Authenticate", noSetup, func(ctx context.Context, d *mockim.Device) error { _, err := d.Authenticate(ctx, kitAlice); return err }},
	{"Anonymous", noSetup, func(ctx context.Context, d *mockim.Device) error { _, err := d.Anonymous(ctx); return err }},
	{"LoginKit", loginIM, func(ctx context.Context, d *mockim.Device) error { return d.LoginKit(ctx, kitAlice, engine.Notify{}) }},
	{"LogoutKit", loginIM, func(ctx context.Context, d *mockim.Device) error { return d.LogoutKit(ctx) }},
	{"HostLogin", initIM, func(ctx context.Context, d *mockim.Device) error { return d.HostLogin(ctx, alice) }},
}

func noSetup(*testing.T, *mockim.Device) {}

func initIM(t *testing.T, d *mockim.Device) { must(t, d.InitIM(t.Context(), appKey)) }

func loginIM(t *testing.T, d *mockim.Device) {
	initIM(t, d)
	must(t, d.LoginIM(t.Context(), alice, engine.Notify{}))
}

// Each call gets one fault, in the order of the calls of Fail, and no other
// call gets it.
func TestFail(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	for i, row := range faultyCalls {
		t.Run(row.name, func(t *testing.T) {
			d := newService(mockim.ServiceOptions{}).Device()
			row.ready(t, d)
			d.Fail(row.name, first)
			d.Fail(row.name, second)
			for j, other := range faultyCalls {
				if j != i {
					d.Fail(other.name, errors.New("of another call"))
				}
			}
			wantErr(t, row.call(t.Context(), d), first)
			wantErr(t, row.call(t.Context(), d), second)
			must(t, row.call(t.Context(), d))
		})
	}
}

// A login that Fail made fail logs nobody in, and a fault of one device does
// not affect another.
func TestFailedLogins(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d, other := initialised(t, s), initialised(t, s)
	n := &news{}
	d.Fail("LoginIM", engine.ErrUnavailable)
	wantErr(t, d.LoginIM(t.Context(), alice, n.notify()), engine.ErrUnavailable)
	wantLoggedIn(t, d, "")
	d.Fail("HostLogin", engine.ErrUnavailable)
	wantErr(t, d.HostLogin(t.Context(), alice), engine.ErrUnavailable)
	wantLoggedIn(t, d, "")

	d.Fail("LoginIM", engine.ErrUnavailable)
	must(t, other.LoginIM(t.Context(), alice, engine.Notify{}))
	d.Fail("LoginKit", engine.ErrUnavailable)
	wantErr(t, d.LoginKit(t.Context(), kitAlice, n.notify()), engine.ErrUnavailable)
	s.EndKit(kitAlice.UserUUID, engine.ErrTokenExpired)
	wantLost(t, n)
}

// Whatever a logout returns, nobody is logged in afterwards.
func TestFailedLogouts(t *testing.T) {
	gaveUp := errors.New("the engine gave up")
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(gaveUp)
	rows := []struct {
		name string
		ctx  context.Context
		fail bool
		want error
	}{
		{"a fault", t.Context(), true, engine.ErrUnavailable},
		{"an ended ctx", ended, false, gaveUp},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := newService(mockim.ServiceOptions{})
			d, im := loggedIn(t, s, alice)
			kit := &news{}
			must(t, d.LoginKit(t.Context(), kitAlice, kit.notify()))
			if row.fail {
				d.Fail("LogoutKit", row.want)
				d.Fail("LogoutIM", row.want)
			}

			wantErr(t, d.LogoutKit(row.ctx), row.want)
			s.EndKit(kitAlice.UserUUID, engine.ErrTokenExpired)
			wantLost(t, kit)
			wantLoggedIn(t, d, "alice")

			wantErr(t, d.LogoutIM(row.ctx), row.want)
			wantLoggedIn(t, d, "")
			wantLost(t, im)
			must(t, d.LoginIM(t.Context(), bob, engine.Notify{}))
		})
	}
}

// A call waits until every block is released. It is recorded when it begins.
func TestBlock(t *testing.T) {
	for _, row := range faultyCalls {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newService(mockim.ServiceOptions{}).Device()
				row.ready(t, d)
				first, second := d.Block(row.name), d.Block(row.name)
				before := len(d.Calls())
				running := start(func() error { return row.call(t.Context(), d) })
				wantWaits(t, running)
				recorded := 1
				if row.name == "AdoptIM" || row.name == "HostLogin" {
					recorded = 0
				}
				if got := d.Calls()[before:]; len(got) != recorded {
					t.Errorf("calls %q while it waits, want %d", got, recorded)
				}
				second()
				second()
				wantWaits(t, running)
				first()
				must(t, <-running)
				if row.name == "LoginIM" {
					must(t, d.LogoutIM(t.Context()))
				}
				must(t, row.call(t.Context(), d)) // the block is gone
			})
		})
	}
}

// A call that begins after one of two blocks was released waits for the other.
func TestBlocksAreReleasedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newService(mockim.ServiceOptions{}).Device()
		first, second := d.Block("Anonymous"), d.Block("Anonymous")
		second()
		running := start(func() error { _, err := d.Anonymous(t.Context()); return err })
		wantWaits(t, running)
		first()
		must(t, <-running)
	})
}

// A call whose ctx ends while it is blocked fails with the cause and logs
// nobody in; a logout still logs out.
func TestBlockGivenUp(t *testing.T) {
	gaveUp := errors.New("the engine gave up")
	for _, row := range faultyCalls {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newService(mockim.ServiceOptions{}).Device()
				row.ready(t, d)
				want := d.LoggedIn()
				if row.name == "LogoutIM" {
					want = ""
				}
				release := d.Block(row.name)
				ctx, cancel := context.WithCancelCause(t.Context())
				running := start(func() error { return row.call(ctx, d) })
				wantWaits(t, running)
				cancel(gaveUp)
				wantErr(t, <-running, gaveUp)
				wantLoggedIn(t, d, want)
				release()
				must(t, row.call(t.Context(), d))
			})
		})
	}
}

// A call whose ctx has ended fails with the cause, and uses up no fault.
func TestEndedContext(t *testing.T) {
	gaveUp := errors.New("the engine gave up")
	for _, row := range faultyCalls {
		t.Run(row.name, func(t *testing.T) {
			d := newService(mockim.ServiceOptions{}).Device()
			row.ready(t, d)
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(gaveUp)
			d.Fail(row.name, engine.ErrUnavailable) // for the first call that gets this far
			wantErr(t, row.call(ctx, d), gaveUp)
			wantErr(t, row.call(t.Context(), d), engine.ErrUnavailable)
		})
	}
}

// The engine stops waiting for a logout that never returns.
func TestBlockedLogoutUnderEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newService(mockim.ServiceOptions{}).Device()
		e, err := engine.New(d, appKey, nil)
		must(t, err)
		must(t, e.LoginKit(t.Context(), kitAlice))
		defer d.Block("LogoutIM")()
		defer d.Block("LogoutKit")()
		wantErr(t, e.LogoutKit(t.Context()), context.DeadlineExceeded)
		wantLoggedIn(t, d, "")
		must(t, e.Close())
	})
}

// A misspelt call name panics; a test would otherwise pass without its fault.
func TestUnknownCallName(t *testing.T) {
	for name, use := range map[string]func(*mockim.Device){
		"Fail":  func(d *mockim.Device) { d.Fail("LoginIm", engine.ErrUnavailable) },
		"Block": func(d *mockim.Device) { d.Block("Login")() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				for _, call := range []string{"InitIM", "LoginIM", "LogoutIM", "AdoptIM", "Authenticate", "Anonymous", "LoginKit", "LogoutKit", "HostLogin"} {
					if !strings.Contains(text, call) {
						t.Errorf("the panic %q does not list %s", text, call)
					}
				}
			}()
			use(newService(mockim.ServiceOptions{}).Device())
		})
	}
}
