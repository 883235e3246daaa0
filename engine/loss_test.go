package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// An operation that begins after a loss was reported sees the loss. This test
// has no bubble, so that the goroutine that applies the loss can lose the race.
func TestLossIsKnownToNextOperation(t *testing.T) {
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: appKey})
	cloud.AddIM(imAccount)
	cloud.Bind(kitAccount, imAccount.Accid)
	d := cloud.Device()
	e := open(t, d, &reuseIM)
	if err := d.HostInit(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := []struct {
		name string
		run  func() error
		want error
	}{
		{"LoginKit", func() error { return e.LoginKit(t.Context(), kitAccount) }, engine.ErrIMNotLoggedIn},
		{"LogoutKit", func() error { return e.LogoutKit(t.Context()) }, nil},
		{"LogoutIM", func() error { return e.LogoutIM(t.Context()) }, nil},
		{"InitIM", func() error { return e.InitIM(t.Context()) }, nil},
		{"LoginAnonymous", func() error { return e.LoginAnonymous(t.Context()) }, engine.ErrReuseNoAnonymous},
	}
	for i := range 600 {
		if err := errors.Join(d.HostLogin(t.Context(), imAccount), e.LoginKit(t.Context(), kitAccount)); err != nil {
			t.Fatal(err)
		}
		row, calls := next[i%len(next)], len(d.Calls())
		cloud.Kick("myaccid", engine.KickedByClient)
		if err := row.run(); !errors.Is(err, row.want) {
			t.Fatalf("%s after kick %d: got %v, want %v", row.name, i, err, row.want)
		}
		if s := e.Status(); s.State != imInitialized || s.Via != engine.TriggerIMLost {
			t.Fatalf("%s after kick %d: %+v", row.name, i, s)
		}
		if after := d.Calls()[calls:]; len(after) > 0 {
			t.Fatalf("%s after kick %d called %v", row.name, i, after)
		}
	}
}

// Only the first loss of a login counts, and later reports have no effect.
func TestLostOnce(t *testing.T) {
	inWorld(t, overMockim, reuseIM, func(w *world) {
		reuses(w)
		im, kit := w.tap.notifies()
		im.Lost(nil)
		w.yielded(viaIMLost.because(engine.ErrUnavailable))
		im.Lost(engine.ErrKicked)
		im.Link(false)
		im.Link(true)
		kit.Lost(engine.ErrTokenExpired)
		w.called()
		w.yielded()
		w.standsApart(imInitialized, imInitialized, "", "myaccid")
	})
}

// The first of two losses counts even if it has not been applied yet.
func TestLostTwiceAtOnce(t *testing.T) {
	inWorld(t, overMockim, reuseIM, func(w *world) {
		reuses(w)
		im, _ := w.tap.notifies()
		release := w.engine.Hold()
		im.Lost(engine.ErrAccountBanned)
		im.Lost(engine.ErrKicked)
		release()
		w.fails(w.engine.LogoutIM(w.ctx), nil)
		w.called()
		w.yielded(viaIMLost.because(engine.ErrAccountBanned))
	})
}

// If two losses are waiting, the kit's and then IM's, both are applied in
// order.
func TestLostBoth(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		climbsAlone(w)
		release := w.engine.Hold()
		w.cloud.EndKit("user1", engine.ErrTokenExpired)
		w.cloud.Kick("myaccid", engine.KickedByServer)
		w.yielded()
		release()
		w.fails(w.logoutKit(), nil)
		w.called() // IM is lost: a logout would hit whoever comes after
		w.yielded(viaKitLost.because(engine.ErrTokenExpired), viaIMLost.because(engine.ErrKicked))
		w.stands(imInitialized, uninitialized, "")
	})
}

// A Notify belongs to one login. Reports after that login ended, or if it never
// succeeded, have no effect. Neither has a kit's Link.
func TestReportsOnNothing(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		w.host.Fail("LoginIM", engine.ErrUnavailable)
		w.fails(w.loginKit(), engine.ErrUnavailable)
		failed, _ := w.tap.notifies()
		w.fails(w.loginKit(), nil)
		loggedOut, kitLoggedOut := w.tap.notifies()
		w.fails(w.logoutKit(), nil)
		w.fails(w.loginKit(), nil)
		_, kit := w.tap.notifies()
		w.sinceLast()
		for _, n := range []engine.Notify{failed, loggedOut, kitLoggedOut} {
			n.Link(false)
			n.Lost(engine.ErrKicked)
		}
		kit.Link(false)
		w.yielded()
		w.stands(kitLoggedIn, uninitialized, "myaccid")
	})
}

// A report about an old login does not end a login in progress, either.
func TestOldReportDuringLogin(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		climbsAlone(w)
		im, kit := w.tap.notifies()
		w.fails(w.logoutKit(), nil)
		release := w.host.Block("LoginKit")
		login := begin(w.loginKit)
		im.Lost(engine.ErrKicked)
		kit.Lost(engine.ErrTokenExpired)
		if !login.waits() {
			w.t.Error("the login did not outlive a report about the one before")
		}
		release()
		w.fails(login.wait(), nil)
		w.yielded(viaKitOut, viaOut, viaLogin, viaKit)
		w.stands(kitLoggedIn, uninitialized, "myaccid")
	})
}

// A link may go down before the login has succeeded.
func TestLinkInsideLogin(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		report := func(online bool) func(context.Context) {
			return func(context.Context) {
				im, _ := w.tap.notifies()
				im.Link(online)
			}
		}
		w.tap.on(w.tap.before, "LoginIM", report(false))
		w.fails(w.loginKit(), nil)
		w.yielded(viaInit, viaLogin.offline(), viaKit.offline())
		w.fails(w.logoutKit(), nil)
		w.tap.on(w.tap.before, "LoginIM", report(false))
		w.tap.on(w.tap.after, "LoginIM", report(true))
		w.fails(w.loginKit(), nil)
		w.yielded(viaKitOut.offline(), viaOut, viaLogin, viaKit)
	})
}

// A loss during a logout does not delay it, and the engine does not log out
// a login that was lost.
func TestLostDuringLogout(t *testing.T) {
	kickIn := func(w *world, call string, down func() error) {
		w.t.Helper()
		release := w.host.Block(call)
		p := begin(down)
		w.cloud.Kick("myaccid", engine.KickedByServer)
		if !p.waits() {
			w.t.Errorf("%s was not waited for", call)
		}
		release()
		w.fails(p.wait(), nil)
	}
	t.Run("LogoutKit", func(t *testing.T) {
		inWorld(t, overMockim, autoLogin, func(w *world) {
			climbsAlone(w)
			kickIn(w, "LogoutKit", w.logoutKit)
			w.called("LogoutKit")
			w.yielded(viaKitOut, viaIMLost.because(engine.ErrKicked))
			w.stands(imInitialized, uninitialized, "")
		})
	})
	t.Run("LogoutIM", func(t *testing.T) {
		inWorld(t, overMockim, autoLogin, func(w *world) {
			climbsAlone(w)
			kickIn(w, "LogoutIM", w.logoutKit)
			w.called("LogoutKit", "LogoutIM")
			w.yielded(viaKitOut, viaOut)
			w.stands(imInitialized, uninitialized, "")
		})
	})
	t.Run("Close", func(t *testing.T) {
		inWorld(t, overMockim, autoLogin, func(w *world) {
			climbsAlone(w)
			kickIn(w, "LogoutKit", w.engine.Close)
			w.called("LogoutKit")
			w.yielded(viaIMLost.because(engine.ErrKicked), viaClose)
			w.stands(uninitialized, uninitialized, "")
		})
	})
}

// A loss in the instant in which an operation ends is applied, too, even if no
// other operation follows. The instant is short, so this is tried often.
func TestLostAtTheEnd(t *testing.T) {
	inWorld(t, overMockim, reuseIM, func(w *world) {
		w.must(w.host.HostInit(w.ctx))
		for range 5000 {
			w.must(w.host.HostLogin(w.ctx, imAccount))
			w.must(w.engine.LoginIM(w.ctx, imAccount))
			im, _ := w.tap.notifies()
			go im.Lost(engine.ErrKicked)
			w.must(w.logoutKit()) // of nobody: short, so that the ends meet
			synctest.Wait()
			if s := w.engine.Status(); s.Via != engine.TriggerIMLost {
				w.t.Fatalf("the loss is forgotten: %+v", s)
			}
		}
	})
}

// An operation sees the losses that were reported while it waited for its turn.
func TestLostWhileWaiting(t *testing.T) {
	inWorld(t, overMockim, reuseIM, func(w *world) {
		reuses(w)
		release := w.engine.Hold()
		login := begin(w.loginKit)
		w.cloud.Kick("myaccid", engine.KickedByServer)
		w.yielded()
		release()
		w.fails(login.wait(), engine.ErrIMNotLoggedIn)
		w.called()
		w.yielded(viaIMLost.because(engine.ErrKicked))
		w.stands(imInitialized, imInitialized, "")
	})
}

// A loss reported while no operation runs is applied by a goroutine, and Close
// waits for it.
func TestCloseWaitsForLoss(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		climbsAlone(w)
		release := w.host.Block("LogoutIM")
		w.cloud.EndKit("user1", engine.ErrTokenExpired)
		w.called("LogoutIM")
		down := begin(w.engine.Close)
		if !down.waits() {
			w.t.Error("Close did not wait for the loss")
		}
		release()
		w.fails(down.wait(), nil)
		synctest.Wait()
		w.called()
		w.yielded(viaKitLost.because(engine.ErrTokenExpired), viaOut.because(engine.ErrTokenExpired), viaClose)
		w.stands(uninitialized, uninitialized, "")
	})
}

// A loss ends logins in progress, but not InitIM: IM is still initialised.
func TestLossLeavesInitIM(t *testing.T) {
	inLoggedWorld(t, reuseIM, func(w *world, r *recorder) {
		reuses(w)
		im, kit := w.tap.notifies()
		release := w.engine.Hold()
		kit.Lost(engine.ErrTokenExpired)
		r.on("kit_lost", func() { im.Lost(engine.ErrKicked) })
		initIM := begin(func() error { return w.engine.InitIM(w.ctx) })
		release()
		w.fails(initIM.wait(), nil)
	})
}
