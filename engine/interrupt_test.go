package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A turn is an operation of the rows below, with the backend's call in which
// the test makes it wait.
type turn struct {
	name string
	call string
	run  func(w *world) error
}

var climbs = []turn{
	{"InitIM", "InitIM", func(w *world) error { return w.engine.InitIM(w.ctx) }},
	{"LoginIM", "LoginIM", func(w *world) error { return w.engine.LoginIM(w.ctx, imAccount) }},
	{"LoginKit", "Authenticate", (*world).loginKit},
	{"LoginAnonymous", "Anonymous", (*world).anonymous},
}

// What each logout ends, written by hand, in the order of climbs.
var interrupts = []struct {
	turn
	ends [4]bool
}{
	//                        InitIM LoginIM LoginKit LoginAnonymous
	{turn{"LogoutKit", "LogoutKit", (*world).logoutKit}, [4]bool{false, false, true, true}},
	{turn{"LogoutIM", "LogoutIM", func(w *world) error { return w.engine.LogoutIM(w.ctx) }}, [4]bool{false, true, true, true}},
	{turn{"Close", "Close", func(w *world) error { return w.engine.Close() }}, [4]bool{true, true, true, true}},
}

// A logout at once ends the logins that it should, both running and queued, and
// waits for everything else.
func TestInterrupts(t *testing.T) {
	for _, row := range interrupts {
		for i, op := range climbs {
			t.Run(row.name+" and a running "+op.name, func(t *testing.T) {
				inWorld(t, overMockim, autoDetect, func(w *world) {
					if op.name == "LoginIM" {
						w.must(w.engine.InitIM(w.ctx))
					}
					release := w.host.Block(op.call)
					w.interrupts(row.turn, op, row.ends[i], release)
				})
			})
			t.Run(row.name+" and a queued "+op.name, func(t *testing.T) {
				inWorld(t, overMockim, autoDetect, func(w *world) {
					if op.name == "LoginIM" {
						w.must(w.engine.InitIM(w.ctx))
					}
					w.interrupts(row.turn, op, row.ends[i], w.engine.Hold())
				})
			})
		}
	}
}

func (w *world) interrupts(logout, op turn, ends bool, release func()) {
	w.t.Helper()
	p := begin(func() error { return op.run(w) })
	down := begin(func() error { return logout.run(w) })
	if p.waits() == ends {
		w.t.Errorf("%s waits %v after %s, want %v", op.name, !ends, logout.name, ends)
	}
	release()
	var want error
	if ends {
		want = engine.ErrInterrupted
	}
	w.fails(p.wait(), want)
	w.fails(down.wait(), nil)
	if s, inCloud := w.engine.Status(), w.host.LoggedIn(); ends && (s.State > imInitialized || s.Accid+inCloud != "") {
		w.t.Errorf("%+v, and %q in the cloud, is left over", s, inCloud)
	}
}

// Operations ahead of a logout in the queue are ended or run before it; the
// ones behind it run in their turn.
func TestQueueAroundLogout(t *testing.T) {
	inWorld(t, overMockim, autoDetect, func(w *world) {
		w.must(w.engine.InitIM(w.ctx))
		w.tap.setDeaf(true)
		release := w.host.Block("Authenticate")
		running, ahead := begin(w.loginKit), begin(w.loginKit)
		loginIM := begin(func() error { return w.engine.LoginIM(w.ctx, imAccount) })
		logout := begin(w.logoutKit)
		behind := begin(w.loginKit)

		w.fails(ahead.wait(), engine.ErrInterrupted)
		for name, p := range map[string]*pending{"the deaf login": running, "LoginIM": loginIM, "LogoutKit": logout, "the login behind": behind} {
			if !p.waits() {
				w.t.Errorf("%s did not wait", name)
			}
		}
		release()
		w.fails(running.wait(), engine.ErrInterrupted)
		w.fails(loginIM.wait(), nil)
		w.fails(logout.wait(), nil)
		w.fails(behind.wait(), nil)
		w.called("InitIM", "Authenticate user1", "LoginIM myaccid", "Authenticate user1", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaKit)
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")
	})
}

// Each operation waits for its turn until its ctx ends.
func TestWaitingHonoursCtx(t *testing.T) {
	rows := append([]turn{interrupts[0].turn, interrupts[1].turn}, climbs...)
	for _, op := range rows {
		t.Run(op.name, func(t *testing.T) {
			inWorld(t, overMockim, autoLogin, func(w *world) {
				release := w.engine.Hold()
				live := w.ctx
				for cause, end := range map[error]func() (context.Context, context.CancelFunc){
					errGaveUp: func() (context.Context, context.CancelFunc) {
						ctx, cancel := context.WithCancelCause(live)
						return ctx, func() { cancel(errGaveUp) }
					},
					context.Canceled:         func() (context.Context, context.CancelFunc) { return context.WithCancel(live) },
					context.DeadlineExceeded: func() (context.Context, context.CancelFunc) { return context.WithTimeout(live, time.Minute) },
				} {
					ctx, cancel := end()
					w.ctx = ctx
					p := begin(func() error { return op.run(w) })
					if !p.waits() {
						w.t.Error("it did not wait")
					}
					if cause != context.DeadlineExceeded {
						cancel()
					}
					w.fails(p.wait(), cause)
					cancel()
				}
				w.ctx = live
				release()
				w.called()
				w.yielded()
				w.stands(uninitialized, uninitialized, "")
			})
		})
	}
}

// An idle engine logs out even if the ctx has ended, because the slot is free.
// A select would pick one of two ready cases at random, so this is tried often.
func TestLogoutNeedsNoLiveCtx(t *testing.T) {
	cloud := mockim.NewService(mockim.ServiceOptions{})
	cloud.AddIM(imAccount)
	cloud.Bind(kitAccount, imAccount.Accid)
	e := open(t, cloud.Device(), &engine.Options{Mode: engine.AutoLogin})
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 1000 {
		down := e.LogoutKit
		if i%2 == 1 {
			down = e.LogoutIM
		}
		if err := e.LoginKit(t.Context(), kitAccount); err != nil {
			t.Fatal(err)
		}
		if err := down(dead); err != nil {
			t.Fatalf("logout %d: %v", i, err)
		}
		if s := e.Status(); s.State != imInitialized {
			t.Fatalf("after logout %d the state is %v", i, s.State)
		}
		if err := e.LogoutKit(dead); err != nil {
			t.Fatalf("logout %d of nobody: %v", i, err)
		}
	}
}

// A login whose ctx has ended does not call the backend, not even AdoptIM.
func TestLoginNeedsLiveCtx(t *testing.T) {
	var calls []string
	traced := autoDetect
	traced.Trace = func(ctx context.Context, call string) (context.Context, func(error)) {
		calls = append(calls, call)
		return ctx, nil
	}
	inWorld(t, overMockim, traced, func(w *world) {
		w.hostLogsIn(imAccount)
		ctx, cancel := context.WithCancelCause(w.ctx)
		cancel(errGaveUp)
		w.ctx = ctx
		for i := range 1000 {
			op := climbs[i%len(climbs)]
			err := op.run(w)
			var e *engine.Error
			if !errors.Is(err, errGaveUp) || !errors.As(err, &e) || e.Op != op.name || e.Call != "" {
				t.Fatalf("%s: got %v, want %v before any call", op.name, err, errGaveUp)
			}
		}
		if len(calls) > 0 {
			t.Errorf("the backend was asked for %v", calls)
		}
		w.yielded()
		w.standsApart(uninitialized, uninitialized, "", "myaccid")
	})
}

// Once an operation must stop climbing, it makes no further call.
func TestNoCallAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newFake()
	e := open(t, b, &engine.Options{Logger: slog.New(onTrigger{"login_im": cancel})})
	if err := e.LoginKit(ctx, kitAccount); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got, want := b.called(), []string{"Authenticate", "InitIM", "LoginIM", "LogoutIM"}; !slices.Equal(got, want) {
		t.Errorf("got calls %v, want %v", got, want)
	}
}
