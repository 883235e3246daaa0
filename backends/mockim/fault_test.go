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

// callRows are all the calls that Fail and Block know, each with what must come
// first, and the call itself.
var callRows = []struct {
	name  string
	ready func(t *testing.T, d *mockim.Device)
	call  func(ctx context.Context, d *mockim.Device) error
}{
	{"InitIM", nothing, func(ctx context.Context, d *mockim.Device) error { return d.InitIM(ctx, appKey) }},
	{"LoginIM", initIM, func(ctx context.Context, d *mockim.Device) error { return d.LoginIM(ctx, alice, engine.Notify{}) }},
	{"LogoutIM", loginIM, func(ctx context.Context, d *mockim.Device) error { return d.LogoutIM(ctx) }},
	{"AdoptIM", initIM, func(ctx context.Context, d *mockim.Device) error {
		_, err := d.AdoptIM(ctx, engine.Notify{})
		return err
	}},
	{"Authenticate", nothing, func(ctx context.Context, d *mockim.Device) error { _, err := d.Authenticate(ctx, kitAlice); return err }},
	{"Anonymous", nothing, func(ctx context.Context, d *mockim.Device) error { _, err := d.Anonymous(ctx); return err }},
	{"LoginKit", loginIM, func(ctx context.Context, d *mockim.Device) error { return d.LoginKit(ctx, kitAlice, engine.Notify{}) }},
	{"LogoutKit", loginIM, func(ctx context.Context, d *mockim.Device) error { return d.LogoutKit(ctx) }},
	{"HostLogin", initIM, func(ctx context.Context, d *mockim.Device) error { return d.HostLogin(ctx, alice) }},
}

func nothing(*testing.T, *mockim.Device) {}

func initIM(t *testing.T, d *mockim.Device) { must(t, d.InitIM(t.Context(), appKey)) }

func loginIM(t *testing.T, d *mockim.Device) {
	initIM(t, d)
	must(t, d.LoginIM(t.Context(), alice, engine.Notify{}))
}

// Faults come in the order in which they were asked for, one a call, and to no
// other call.
func TestFail(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	for i, row := range callRows {
		t.Run(row.name, func(t *testing.T) {
			d := newService(mockim.ServiceOptions{}).Device()
			row.ready(t, d)
			d.Fail(row.name, first)
			d.Fail(row.name, second)
			for j, other := range callRows {
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

// A login that was made to fail has logged nobody in, and a fault of one device
// is none of another.
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
	over, cancel := context.WithCancelCause(context.Background())
	cancel(gaveUp)
	rows := []struct {
		name string
		ctx  context.Context
		fail bool
		want error
	}{
		{"a fault", t.Context(), true, engine.ErrUnavailable},
		{"an ended ctx", over, false, gaveUp},
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

// A call waits until each block was released. It is noted when it begins.
func TestBlock(t *testing.T) {
	for _, row := range callRows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newService(mockim.ServiceOptions{}).Device()
				row.ready(t, d)
				first, second := d.Block(row.name), d.Block(row.name)
				before := len(d.Calls())
				running := start(func() error { return row.call(t.Context(), d) })
				wantWaits(t, running)
				noted := 1
				if row.name == "AdoptIM" || row.name == "HostLogin" {
					noted = 0
				}
				if got := d.Calls()[before:]; len(got) != noted {
					t.Errorf("calls %q while it waits, want %d", got, noted)
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

// A call that begins when one of two blocks was released waits for the other.
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

// A call that is given up while it waits fails with the cause, and leaves
// nobody logged in who was not before; a logout logs out all the same.
func TestBlockGivenUp(t *testing.T) {
	gaveUp := errors.New("the engine gave up")
	for _, row := range callRows {
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

// What the engine gave up before it called is not done.
func TestEndedContext(t *testing.T) {
	gaveUp := errors.New("the engine gave up")
	for _, row := range callRows {
		t.Run(row.name, func(t *testing.T) {
			d := newService(mockim.ServiceOptions{}).Device()
			row.ready(t, d)
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(gaveUp)
			d.Fail(row.name, engine.ErrUnavailable) // waits for a call that gets as far
			wantErr(t, row.call(ctx, d), gaveUp)
			wantErr(t, row.call(t.Context(), d), engine.ErrUnavailable)
		})
	}
}

// The engine bounds a logout that is blocked for good.
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

// A name that no call has would make a test pass without its fault.
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
