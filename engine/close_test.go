package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A closed engine fails with ErrClosed, even for a logout whose ctx ended while
// another operation had the turn.
func TestLogoutAfterClose(t *testing.T) {
	for name, logout := range map[string]func(*engine.Engine, context.Context) error{
		"LogoutKit": (*engine.Engine).LogoutKit,
		"LogoutIM":  (*engine.Engine).LogoutIM,
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, newFake(), nil)
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			release := e.Hold()
			defer release()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := logout(e, ctx); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("got %v, want %v", err, engine.ErrClosed)
			}
		})
	}
}

// A second Close waits for the first on a channel, where a host's test with
// testing/synctest sees it at rest. On a mutex, the bubble would hang forever.
func TestSecondCloseAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := cloudOfTwo(mockim.ServiceOptions{}).Device()
		e := open(t, device, nil)
		climb(t, e, imLoggedIn)
		release := device.Block("LogoutIM")
		device.Fail("LogoutIM", errStuck)
		closed := make(chan error, 2)
		for range 2 {
			go func() { closed <- e.Close() }()
		}
		synctest.Wait()
		if len(closed) > 0 {
			t.Errorf("Close does not wait: %v", <-closed)
		}
		release()
		one, two := <-closed, <-closed
		if (one == nil) == (two == nil) || !errors.Is(errors.Join(one, two), errStuck) {
			t.Errorf("got %v and %v, want %v once", one, two, errStuck)
		}
	})
}

// Close waits for a backend that ignores its ctx, and returns its error.
func TestCloseWaits(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		climbsAlone(w)
		w.tap.setDeaf(true)
		release := w.host.Block("LogoutIM")
		w.host.Fail("LogoutIM", errStuck)
		down := begin(w.engine.Close)
		<-time.After(time.Hour)
		if !down.waits() {
			w.t.Error("Close did not wait for the backend")
		}
		w.called("LogoutKit", "LogoutIM")
		w.fails(w.engine.InitIM(w.ctx), engine.ErrClosed) // nothing climbs from here on
		release()
		w.fails(down.wait(), errStuck)
		w.fails(w.engine.Close(), nil)
		w.called()
		w.yielded(viaClose)
		w.stands(uninitialized, uninitialized, "")
	})
}

func TestAfterClose(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		climbsAlone(w)
		im, kit := w.tap.notifies()
		w.must(w.engine.Close())
		w.called("LogoutKit", "LogoutIM")
		ended, cancel := context.WithCancel(w.ctx)
		cancel()
		for _, ctx := range []context.Context{w.ctx, ended} {
			w.ctx = ctx
			for _, op := range append([]turn{interrupts[0].turn, interrupts[1].turn}, climbs...) {
				err := op.run(w)
				w.fails(err, engine.ErrClosed)
				w.pointsAt(fmt.Sprint(err), op.name)
			}
		}
		w.fails(w.engine.LoginIM(w.ctx, engine.IMAccount{Token: "t"}), engine.ErrArgument)
		w.fails(w.engine.LoginKit(w.ctx, engine.KitAccount{UserUUID: "u"}), engine.ErrArgument)
		var noCtx context.Context // a nil literal is what linters look for
		w.fails(w.engine.LogoutKit(noCtx), engine.ErrArgument)
		w.fails(w.engine.Close(), nil)
		im.Link(false)
		im.Lost(engine.ErrKicked)
		kit.Lost(engine.ErrTokenExpired)
		w.called()

		last := w.engine.Status()
		if last.State != uninitialized || last.Via != engine.TriggerClose || last.Accid != "" {
			w.t.Errorf("Status is %+v", last)
		}
		var all []engine.Status
		for s := range w.engine.Watch(w.t.Context()) {
			all = append(all, s)
		}
		if len(all) != 1 || all[0] != last {
			w.t.Errorf("Watch yields %+v, want %+v once", all, last)
		}
	})
}

// An operation behind Close in the queue fails with ErrClosed.
func TestQueueBehindClose(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		climbsAlone(w)
		release := w.engine.Hold()
		down := begin(w.engine.Close)
		logout, logoutIM := begin(w.logoutKit), begin(func() error { return w.engine.LogoutIM(w.ctx) })
		if !down.waits() || !logout.waits() || !logoutIM.waits() {
			w.t.Error("something did not wait for its turn")
		}
		release()
		w.fails(down.wait(), nil)
		w.fails(logout.wait(), engine.ErrClosed)
		w.fails(logoutIM.wait(), engine.ErrClosed)
		w.called("LogoutKit", "LogoutIM")
		w.yielded(viaClose)
		w.stands(uninitialized, uninitialized, "")
	})
}

// A kit login that is lost while Close logs it out takes no edge of its own: a
// watcher sees one last change.
func TestKitLostDuringClose(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s)
		seen := watching(t, e)
		s.does("LogoutKit", func(context.Context) error { s.kitNotify().Lost(engine.ErrUnavailable); return nil })
		wantErr(t, e.Close(), nil)
		if list := seen(); len(list) != 2 || list[1].Via != engine.TriggerClose {
			t.Errorf("Watch yielded %+v, want one change", list)
		}
	})
}
