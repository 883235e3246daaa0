package fleet_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

// These tests are about one IM: turns, reports, panics, and what its engine may
// rely on.

// steal makes NATS refuse the next renewal of alice's lease.
func steal(t testing.TB, f *fleet.Fleet) {
	t.Helper()
	if _, err := f.Bucket().PutString(t.Context(), aliceKey, `{"owner":"thief","lease":"x"}`); err != nil {
		t.Fatal(err)
	}
}

// If the lease is lost while an engine's call runs, the fleet's logout waits for
// the end of that call, whose ctx ends.
func TestLeaseLostDuringACall(t *testing.T) {
	t.Parallel()
	js := connect(t, newNATS(t))
	t.Run("LoginIM", func(t *testing.T) {
		f := newFleet(t, js, "one", shortTTL)
		im := &script{t: t, login: func(ctx context.Context, _ engine.Notify) error {
			steal(t, f)
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		l := new(listener)
		wantInUse(t, "LoginIM", f.IM(im).LoginIM(t.Context(), alice, l.notify()), "thief")
		wantCalls(t, im, "LogoutIM", 0) // after a failed login nobody is logged in
		if lost := l.losses(); len(lost) != 0 {
			t.Errorf("a login that failed was reported to be lost: %v", lost)
		}
	})
	t.Run("LoginIM succeeds nevertheless", func(t *testing.T) {
		f := newFleet(t, js, "two", shortTTL)
		a := engine.IMAccount{Accid: "carol", Token: "t"}
		im := &script{t: t, login: func(ctx context.Context, _ engine.Notify) error {
			if err := f.Bucket().Delete(ctx, "carol"); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return nil
		}}
		wantError(t, "LoginIM", f.IM(im).LoginIM(t.Context(), a, engine.Notify{}), engine.ErrUnavailable)
		wantCalls(t, im, "LogoutIM", 1)
	})
	t.Run("InitIM", func(t *testing.T) {
		f := newFleet(t, js, "three", shortTTL)
		im := &script{t: t}
		leased := f.IM(im)
		l := mustLogIn(t, leased, bob)
		im.init = func(ctx context.Context) error {
			if err := f.Bucket().Delete(ctx, "bob"); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}
		wantError(t, "InitIM", leased.InitIM(t.Context(), appKey), engine.ErrUnavailable)
		l.waitLost(t, engine.ErrUnavailable)
		wantCalls(t, im, "LogoutIM", 1)
	})
}

// A call that ignores its ctx delays the logout, but not the report. The logout
// comes when the call returns.
func TestLeaseLostWhileACallHangs(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", shortTTL)
	im := &script{t: t}
	leased := f.IM(im)
	l := mustLogIn(t, leased, alice)
	hang, done := make(chan struct{}), make(chan error)
	im.init = func(context.Context) error { <-hang; return nil }
	go func() { done <- leased.InitIM(context.Background(), appKey) }()
	until(t, "InitIM runs", func() bool { return im.count("InitIM") == 1 })
	steal(t, f)
	l.waitLost(t, engine.ErrIMInUse)
	wantCalls(t, im, "LogoutIM", 0)
	close(hang)
	wantError(t, "InitIM", <-done, nil)
	until(t, "IM is logged out", func() bool { return im.count("LogoutIM") == 1 })
	mustLogIn(t, leased, bob)
}

func TestReports(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
	im := &script{t: t, login: func(_ context.Context, n engine.Notify) error { n.Link(false); return nil }}
	leased := f.IM(im)
	first := mustLogIn(t, leased, alice)
	old := im.notify
	old.Lost(engine.ErrKicked)
	old.Lost(engine.ErrUnavailable)
	first.waitLost(t, engine.ErrKicked)
	if len(first.links) != 1 || first.links[0] {
		t.Errorf("Link: got %v, want [false]", first.links)
	}
	second := mustLogIn(t, leased, alice) // waits until the lease is given back
	old.Lost(engine.ErrUnavailable)
	old.Link(true)
	if lost, links := second.losses(), second.links; len(lost) != 0 || len(links) != 1 {
		t.Errorf("a report about the old login reached the new one: %v %v", lost, links)
	}
	wantCalls(t, im, "LogoutIM", 0)

	im.login = func(_ context.Context, n engine.Notify) error { n.Lost(engine.ErrKicked); return nil }
	wantError(t, "LogoutIM", leased.LogoutIM(t.Context()), nil)
	mustLogIn(t, leased, alice).waitLost(t, engine.ErrKicked) // before LoginIM returns
	untilHolder(t, f, alice.Accid, "")
	wantError(t, "LoginIM without listeners", leased.LoginIM(t.Context(), bob, engine.Notify{}), nil)
}

// An SDK that asks for a token wants to log in again. It gets none once the lease
// is lost.
func TestTokenNeedsTheLease(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", shortTTL)
	im := &script{t: t}
	leased := f.IM(im)
	mustLogIn(t, leased, bob)
	if im.notify.Token != nil {
		t.Error("the login has a source of tokens, and its engine has none")
	}
	wantError(t, "LogoutIM", leased.LogoutIM(t.Context()), nil)

	l := &listener{token: func(context.Context) (string, error) { return "fresh", nil }}
	wantError(t, "LoginIM", leased.LoginIM(t.Context(), alice, l.notify()), nil)
	if got, err := im.notify.Token(t.Context()); got != "fresh" || err != nil {
		t.Errorf("Token: got %q and %v", got, err)
	}
	asked := make(chan error, 1)
	im.logout = func(ctx context.Context) error {
		_, err := im.notify.Token(ctx) // the lease is lost, and IM not yet logged out
		asked <- err
		return nil
	}
	steal(t, f)
	l.waitLost(t, engine.ErrIMInUse)
	wantError(t, "Token without the lease", <-asked, engine.ErrIMInUse)
	_, err := im.notify.Token(t.Context())
	wantError(t, "Token after the loss", err, engine.ErrUnavailable)
}

func TestSecondLogin(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
	im := &script{t: t}
	leased := f.IM(im)
	mustLogIn(t, leased, alice)
	wantError(t, "LoginIM of another account", leased.LoginIM(t.Context(), bob, engine.Notify{}), engine.ErrIMInUse)
	wantCalls(t, im, "LoginIM", 1)
	wantHolder(t, f, "bob", "")
	wantHolder(t, f, alice.Accid, "one")
}

func TestBadAccid(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
	im := &script{t: t}
	for _, accid := range []string{"", "a\x00b", "\xff", strings.Repeat("a", 300)} {
		wantError(t, "LoginIM", f.IM(im).LoginIM(t.Context(), engine.IMAccount{Accid: accid}, engine.Notify{}), engine.ErrArgument)
		_, err := f.Holder(t.Context(), accid)
		wantError(t, "Holder", err, engine.ErrArgument)
		wantError(t, "Wait", f.Wait(t.Context(), accid), engine.ErrArgument)
	}
	wantCalls(t, im, "LoginIM", 0)
}

// Without an engine.IMAdopter there is nobody to adopt, and a login that the
// engine made is never adopted.
func TestNobodyToAdopt(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
	im := &script{t: t}
	im.hostIs(alice)
	plain := f.IM(struct{ engine.IM }{im})
	if a, err := plain.AdoptIM(t.Context(), engine.Notify{}); a.Accid != "" || err != nil {
		t.Errorf("AdoptIM: got %s and %v, want nobody", a, err)
	}
	leased := f.IM(im)
	mustLogIn(t, leased, alice)
	if a, err := leased.AdoptIM(t.Context(), engine.Notify{}); a.Accid != "" || err != nil {
		t.Errorf("AdoptIM: got %s and %v, want nobody", a, err)
	}
	wantCalls(t, im, "AdoptIM", 0)
}

// The host logs another account in, and then none.
func TestAdoptAnotherAccount(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
	im := &script{t: t}
	leased := f.IM(im)
	adopt := func(want engine.IMAccount, wantErr error) {
		t.Helper()
		a, err := leased.AdoptIM(t.Context(), engine.Notify{})
		wantError(t, "AdoptIM", err, wantErr)
		if a.Accid != want.Accid {
			t.Errorf("AdoptIM: got %q, want %q", a.Accid, want.Accid)
		}
	}
	im.hostIs(alice)
	adopt(alice, nil)
	im.hostIs(bob)
	adopt(bob, nil)
	untilHolder(t, f, alice.Accid, "")
	wantHolder(t, f, "bob", "one")

	broken := errors.New("the SDK does not answer")
	im.adopt = func(context.Context, engine.Notify) (engine.IMAccount, error) { return engine.IMAccount{}, broken }
	adopt(engine.IMAccount{}, broken)
	wantHolder(t, f, "bob", "one") // he may still be logged in
	im.adopt = nil
	adopt(engine.IMAccount{}, nil)
	untilHolder(t, f, "bob", "")
}

func TestPanicOfIM(t *testing.T) {
	t.Parallel()
	broken := func() { panic("token-in-a-panic") }
	t.Run("LoginIM", func(t *testing.T) {
		f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
		im := &script{t: t, login: func(context.Context, engine.Notify) error { broken(); return nil }}
		leased := f.IM(im)
		wantPanic(t, "LoginIM", func() { _ = leased.LoginIM(t.Context(), alice, engine.Notify{}) })
		wantHolder(t, f, alice.Accid, "one") // IM may be logged in
		im.login = nil
		mustLogIn(t, leased, bob)
		wantCalls(t, im, "LogoutIM", 1)
		wantHolder(t, f, alice.Accid, "")
	})
	t.Run("LogoutIM", func(t *testing.T) {
		f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
		im := &script{t: t, logout: func(context.Context) error { broken(); return nil }}
		leased := f.IM(im)
		mustLogIn(t, leased, alice)
		wantPanic(t, "LogoutIM", func() { _ = leased.LogoutIM(t.Context()) })
		wantHolder(t, f, alice.Accid, "one")
		im.logout = nil
		wantError(t, "LogoutIM again", leased.LogoutIM(t.Context()), nil)
		wantHolder(t, f, alice.Accid, "")
	})
	t.Run("AdoptIM", func(t *testing.T) {
		f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
		im := &script{t: t, adopt: func(context.Context, engine.Notify) (engine.IMAccount, error) { broken(); return alice, nil }}
		leased := f.IM(im)
		wantPanic(t, "AdoptIM", func() { _, _ = leased.AdoptIM(t.Context(), engine.Notify{}) })
		im.hostIs(alice)
		if a, err := leased.AdoptIM(t.Context(), engine.Notify{}); err != nil || a.Accid != alice.Accid {
			t.Errorf("AdoptIM: got %s and %v", a, err)
		}
		wantCalls(t, im, "LogoutIM", 0) // the host's stays
	})
	t.Run("the fleet's own logout", func(t *testing.T) {
		f := newFleet(t, connect(t, newNATS(t)), "one", shortTTL)
		im := &script{t: t, logout: func(context.Context) error { broken(); return nil }}
		leased := f.IM(im)
		l := mustLogIn(t, leased, alice)
		steal(t, f)
		l.waitLost(t, engine.ErrIMInUse)
		im.logout = nil
		mustLogIn(t, leased, bob)
		wantCalls(t, im, "LogoutIM", 2) // once more, before the login
	})
}

func TestClosedIM(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
	im := &script{t: t}
	leased := f.IM(im)
	mustLogIn(t, leased, alice)
	for range 2 {
		wantError(t, "Close", leased.Close(), nil)
	}
	wantCalls(t, im, "LogoutIM", 1)
	wantCalls(t, im, "Close", 1)
	wantRefusals(t, leased)

	failing := errors.New("failed")
	im = &script{t: t, close: func() error { return failing }}
	wantError(t, "Close", f.IM(im).Close(), failing)
	wantCalls(t, im, "LogoutIM", 0)
	wantError(t, "Close of one that cannot be closed", f.IM(struct{ engine.IM }{im}).Close(), nil)
}

func wantRefusals(t testing.TB, im *fleet.IM) {
	t.Helper()
	wantError(t, "InitIM", im.InitIM(t.Context(), appKey), engine.ErrClosed)
	wantError(t, "LoginIM", im.LoginIM(t.Context(), alice, engine.Notify{}), engine.ErrClosed)
	_, err := im.AdoptIM(t.Context(), engine.Notify{})
	wantError(t, "AdoptIM", err, engine.ErrClosed)
	wantError(t, "LogoutIM", im.LogoutIM(t.Context()), nil)
}

func TestEndedCtx(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
	ended, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the caller is gone")
	cancel(gone)
	im := &script{t: t}
	leased := f.IM(im)
	wantError(t, "LoginIM", leased.LoginIM(ended, alice, engine.Notify{}), gone)
	wantCalls(t, im, "LoginIM", 0)
	wantError(t, "Wait", f.Wait(ended, alice.Accid), gone)
	mustLogIn(t, leased, alice)
	wantError(t, "LogoutIM", leased.LogoutIM(ended), nil) // a free turn wins
	wantCalls(t, im, "LogoutIM", 1)
	untilHolder(t, f, alice.Accid, "")
}
