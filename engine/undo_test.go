package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// A fault is something that goes wrong during a call of the backend.
type fault int

const (
	fails        fault = iota // the call fails
	givesUp                   // the caller's ctx ends while the call waits
	lostBefore                // IM is kicked while the call waits
	lostAfter                 // IM is kicked after its effect, before it returns
	logsOutKit                // LogoutKit while the call waits
	logsOutIM                 // LogoutIM while the call waits
	closes                    // Close while the call waits
	panicsBefore              // the backend panics before the effect
	panicsAfter               // or after it
	tooLate                   // the call succeeds after the caller's ctx has ended
	faults
)

var faultNames = [faults]string{"fails", "gives up", "lost before", "lost after", "LogoutKit", "LogoutIM", "Close",

	"panics before", "panics after", "too late"}

func (f fault) want() error {
	switch f {
	case fails:
		return engine.ErrUnavailable
	case lostBefore, lostAfter:
		return engine.ErrKicked
	case logsOutKit, logsOutIM, closes:
		return engine.ErrInterrupted
	default:
		return errGaveUp
	}
}

// An owner is who logs IM in.
type owner struct {
	name  string
	modes []engine.Options
	login func(w *world)
}

var (
	theEngine = owner{"the engine", []engine.Options{autoLogin, autoDetect}, func(*world) {}}
	theHost   = owner{"the host through the engine", []engine.Options{reuseIM, autoDetect}, func(w *world) {
		w.must(w.engine.InitIM(w.ctx))
		w.must(w.engine.LoginIM(w.ctx, imAccount))
	}}
	behind = owner{"the host behind the engine", []engine.Options{reuseIM, autoDetect}, func(w *world) { w.hostLogsIn(imAccount) }}
)

// A left says what is left after a fault: the state of the engine, and who is
// logged in in the cloud.
type left struct {
	state   engine.State
	inCloud string
}

var (
	never  = left{none, ""} // that cannot go wrong here
	bare   = left{uninitialized, ""}
	ready  = left{imInitialized, ""}
	found  = left{imLoggedIn, "myaccid"}
	unseen = left{uninitialized, "myaccid"} // of the host's login, which is not adopted, or not any more
)

// A kit login fails at each rung, by each fault. What the engine did is undone,
// except InitIM; what it found is left. Of the columns, a LogoutIM logs the
// host's IM out because the host says so, and a Close only what it did not
// adopt.
func TestUndo(t *testing.T) {
	rows := []struct {
		owner owner
		rung  string
		left  [faults]left
	}{
		//                      fails   gives up  lost before, after  LogoutKit LogoutIM Close  panics before, after  too late
		{theEngine, "AdoptIM", [faults]left{bare, bare, never, never, bare, bare, bare, bare, bare, bare}},
		{theEngine, "Anonymous", [faults]left{bare, bare, never, never, bare, bare, bare, bare, bare, bare}},
		{theEngine, "Authenticate", [faults]left{bare, bare, never, never, bare, bare, bare, bare, bare, bare}},
		{theEngine, "InitIM", [faults]left{bare, bare, never, never, bare, bare, bare, bare, bare, ready}},
		{theEngine, "LoginIM", [faults]left{ready, ready, never, ready, ready, ready, bare, ready, ready, ready}},
		{theEngine, "LoginKit", [faults]left{ready, ready, ready, ready, ready, ready, bare, ready, ready, ready}},
		{theHost, "Authenticate", [faults]left{found, found, ready, ready, found, ready, bare, found, found, found}},
		{theHost, "LoginKit", [faults]left{found, found, ready, ready, found, ready, bare, found, found, found}},
		{behind, "AdoptIM", [faults]left{unseen, unseen, never, ready, unseen, unseen, unseen, unseen, unseen, found}},
		{behind, "Authenticate", [faults]left{found, found, ready, ready, found, ready, unseen, found, found, found}},
		{behind, "LoginKit", [faults]left{found, found, ready, ready, found, ready, unseen, found, found, found}},
	}
	for _, row := range rows {
		for _, mode := range row.owner.modes {
			for f, left := range row.left {
				if left == never {
					continue
				}
				name := fmt.Sprintf("%s in %v by %s, %s", row.rung, mode.Mode, row.owner.name, faultNames[f])
				t.Run(name, func(t *testing.T) {
					inWorld(t, overMockim, mode, func(w *world) { w.undoes(row.owner, row.rung, fault(f), left) })
				})
			}
		}
	}
}

func (w *world) undoes(o owner, rung string, f fault, want left) {
	o.login(w)
	op, login := "LoginKit", func(ctx context.Context) error { return w.engine.LoginKit(ctx, kitAccount) }
	if rung == "Anonymous" {
		op, login = "LoginAnonymous", w.engine.LoginAnonymous
	}
	w.failedAt(w.hit(f, rung, login), f, op, rung)

	floor, accid := uninitialized, ""
	if o.name != theEngine.name {
		floor = want.state
	}
	if want.state >= imLoggedIn {
		accid = want.inCloud
	}
	w.standsApart(want.state, floor, accid, want.inCloud)

	// Nothing is wedged: the next login works, once the host has done its
	// part.
	if f == closes {
		w.engine = w.newEngine(engine.Options{Mode: engine.AutoDetect})
	}
	if want.inCloud == "" {
		o.login(w)
	}
	w.fails(w.loginKit(), nil)
	w.succeeded("myaccid")
}

// failedAt asserts that err is the error of that fault, in that call of that
// operation. A panic has no Code, because nobody knows what went wrong.
func (w *world) failedAt(err error, f fault, op, call string) {
	w.t.Helper()
	var e *engine.Error
	if !errors.As(err, &e) || e.Op != op || e.Call != call {
		w.t.Fatalf("got %v, want an error of %s in %s", err, call, op)
	}
	if f == panicsBefore || f == panicsAfter {
		w.pointsAt(err.Error(), "the backend panicked in "+call, "on purpose")
		if code := engine.CodeOf(err); code != 0 {
			w.t.Errorf("%v has the code %d", err, code)
		}
		return
	}
	w.fails(err, f.want())
}

// hit makes f happen in that call of login, and returns the error of login.
func (w *world) hit(f fault, call string, login func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(w.ctx)
	defer cancel(nil)
	purposely := func(context.Context) { panic("on purpose") }
	switch f {
	case fails:
		w.host.Fail(call, engine.ErrUnavailable)
		return login(ctx)
	case lostAfter:
		w.tap.on(w.tap.after, call, func(context.Context) { w.cloud.Kick("myaccid", engine.KickedByClient) })
		return login(ctx)
	case panicsBefore:
		w.tap.on(w.tap.before, call, purposely)
		return login(ctx)
	case panicsAfter:
		w.tap.on(w.tap.after, call, purposely)
		return login(ctx)
	}
	w.tap.setDeaf(f == tooLate)
	release := w.host.Block(call)
	p := begin(func() error { return login(ctx) })
	switch f {
	case givesUp, tooLate:
		cancel(errGaveUp)
	case lostBefore:
		w.cloud.Kick("myaccid", engine.KickedByClient)
	case logsOutKit:
		w.fails(w.logoutKit(), nil)
	case logsOutIM:
		w.fails(w.engine.LogoutIM(w.ctx), nil)
	case closes:
		w.fails(w.engine.Close(), nil)
	}
	if f != tooLate && p.waits() {
		w.t.Errorf("%s goes on after: %s", call, faultNames[f])
	}
	release()
	defer w.tap.setDeaf(false)
	return p.wait()
}

// To undo a login, the engine calls nothing if the login failed or was lost. It
// calls a logout if the login came too late, or if it cannot know the outcome.
func TestUndoCalls(t *testing.T) {
	for _, row := range []struct {
		call  string
		fault fault
		undo  []string
	}{
		{"LoginIM", fails, nil},
		{"LoginIM", givesUp, nil},
		{"LoginIM", lostAfter, nil},
		{"LoginIM", panicsBefore, []string{"LogoutIM"}},
		{"LoginIM", panicsAfter, []string{"LogoutIM"}},
		{"LoginIM", tooLate, []string{"LogoutIM"}},
		{"LoginKit", fails, []string{"LogoutIM"}},
		{"LoginKit", givesUp, []string{"LogoutIM"}},
		{"LoginKit", lostBefore, nil},
		{"LoginKit", panicsBefore, []string{"LogoutKit", "LogoutIM"}},
		{"LoginKit", panicsAfter, []string{"LogoutKit", "LogoutIM"}},
		{"LoginKit", tooLate, []string{"LogoutKit", "LogoutIM"}},
		{"LoginKit", logsOutKit, []string{"LogoutIM"}},
		{"LoginKit", logsOutIM, []string{"LogoutIM"}},
		{"LoginKit", closes, []string{"LogoutIM"}},
	} {
		t.Run(row.call+" "+faultNames[row.fault], func(t *testing.T) {
			inWorld(t, overMockim, autoLogin, func(w *world) {
				err := w.hit(row.fault, row.call, func(ctx context.Context) error { return w.engine.LoginKit(ctx, kitAccount) })
				w.failedAt(err, row.fault, "LoginKit", row.call)
				want := []string{"InitIM", "LoginIM myaccid", "LoginKit user1"}
				if row.call == "LoginIM" {
					want = want[:2]
				}
				if row.fault == panicsBefore { // the call did not come as far as the device
					want = want[:len(want)-1]
				}
				w.called(append(append([]string{"Authenticate user1"}, want...), row.undo...)...)
			})
		})
	}
}

// A kit session that ended before LoginKit returned is not logged out.
func TestUndoLostKit(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		w.tap.on(w.tap.after, "LoginKit", func(context.Context) { w.cloud.EndKit("user1", engine.ErrTokenExpired) })
		w.fails(w.loginKit(), engine.ErrTokenExpired)
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1", "LogoutIM")
		w.yielded(viaInit, viaLogin, viaOut.because(engine.ErrTokenExpired))
		w.stands(imInitialized, uninitialized, "")
	})
}

// A backend may return an empty account instead of an error.
func TestNoBoundAccount(t *testing.T) {
	f := newFake()
	f.bound = engine.IMAccount{}
	e := open(t, f, &autoLogin)
	if err := e.LoginKit(t.Context(), kitAccount); !errors.Is(err, engine.ErrNoIMAccount) {
		t.Errorf("got %v, want %v", err, engine.ErrNoIMAccount)
	}
	if s := e.Status(); s != (engine.Status{}) {
		t.Errorf("%+v, want no change", s)
	}
}

// An operation that fails does not undo the login that it found.
func TestUndoLeavesFoundLogins(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		climbsAlone(w)
		w.fails(w.engine.LoginKit(w.ctx, secondKit), engine.ErrKitInUse)
		w.fails(w.anonymous(), engine.ErrKitInUse)
		w.fails(w.engine.LoginIM(w.ctx, imAccount), engine.ErrIMInUse)
		w.fails(w.engine.LoginIM(w.ctx, secondIM), engine.ErrIMInUse)
		ended, cancel := context.WithCancel(w.ctx)
		cancel()
		w.fails(w.engine.LoginKit(ended, kitAccount), context.Canceled)
		w.called()
		w.yielded()
		w.stands(kitLoggedIn, uninitialized, "myaccid")
	})
}
