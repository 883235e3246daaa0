package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

var errHostsOwn = errors.New("the host's own reason")

// A deadline ends an operation wherever it waits. The error has a Code and says
// what the operation was waiting for.
func TestDeadline(t *testing.T) {
	loginIM := func(w *world) error { return w.engine.LoginIM(w.ctx, imAccount) }
	logoutIM := func(w *world) error { return w.engine.LogoutIM(w.ctx) }
	for _, row := range []struct {
		name, block string // the call that is blocked; "": the slot is taken
		says        string
		run         func(w *world) error
	}{
		{"LoginKit", "HostLogin", "the host's own IM login to finish", (*world).loginKit},
		{"LoginKit", "Authenticate", "the kit server to check the account", (*world).loginKit},
		{"LoginKit", "InitIM", "IM to be initialised", (*world).loginKit},
		{"LoginKit", "LoginIM", "the IM login", (*world).loginKit},
		{"LoginKit", "LoginKit", "the kit login", (*world).loginKit},
		{"LoginKit", "", "another operation to finish", (*world).loginKit},
		{"LoginIM", "LoginIM", "the IM login", func(w *world) error {
			w.must(w.engine.InitIM(w.t.Context()))
			return loginIM(w)
		}},
		{"LoginIM", "", "another operation to finish", loginIM},
		{"LoginAnonymous", "Anonymous", "the kit server to create a temporary account", (*world).anonymous},
		{"LogoutKit", "", "another operation to finish", (*world).logoutKit},
		{"LogoutIM", "", "another operation to finish", logoutIM},
	} {
		for cause, mine := range map[string]error{"": nil, " with a cause of the host's": errHostsOwn} {
			t.Run(row.name+" in "+row.block+cause, func(t *testing.T) {
				inWorld(t, overMockim, autoDetect, func(w *world) {
					switch row.block {
					case "":
						defer w.engine.Hold()()
					case "HostLogin":
						w.must(w.host.HostInit(w.t.Context()))
						release := w.host.Block("HostLogin")
						host := begin(func() error { return w.host.HostLogin(w.t.Context(), imAccount) })
						defer func() {
							release()
							w.must(host.wait())
						}()
					default:
						defer w.host.Block(row.block)()
					}
					ctx, cancel := context.WithTimeoutCause(w.ctx, 3*time.Second, mine)
					defer cancel()
					w.ctx = ctx
					start := time.Now()
					err := row.run(w)
					if took := time.Since(start); took != 3*time.Second {
						t.Errorf("it took %v, want 3 s", took)
					}
					w.fails(err, context.DeadlineExceeded)
					w.fails(err, engine.ErrUnavailable)
					if got := engine.CodeOf(err); got != engine.ErrUnavailable {
						t.Errorf("%v has the code %d", err, got)
					}
					if mine != nil {
						w.fails(err, mine)
					}
					w.pointsAt(err.Error(), "waiting for "+row.says)
				})
			})
		}
	}
}

// A deadline that passed before the operation began counts, too.
func TestDeadlineBefore(t *testing.T) {
	inWorld(t, overMockim, autoDetect, func(w *world) {
		ctx, cancel := context.WithDeadline(w.ctx, time.Now().Add(-time.Second))
		defer cancel()
		w.ctx = ctx
		err := w.loginKit()
		w.fails(err, context.DeadlineExceeded)
		w.fails(err, engine.ErrUnavailable)
		w.pointsAt(err.Error(), "had passed before")
		w.called()
	})
}

// Only the operation's own deadline makes its error ErrUnavailable. A caller
// that gives up, a logout or a loss does not, even if the operation has a
// deadline, or if a deadline caused the loss.
func TestNoDeadline(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(w *world, cancel context.CancelCauseFunc)
		want error
		code engine.Code
	}{
		{"canceled", func(_ *world, cancel context.CancelCauseFunc) { cancel(nil) }, context.Canceled, 0},
		{"canceled for a reason", func(_ *world, cancel context.CancelCauseFunc) { cancel(errGaveUp) }, errGaveUp, 0},
		{"logged out", func(w *world, _ context.CancelCauseFunc) { w.must(w.logoutKit()) }, engine.ErrInterrupted, engine.ErrInterrupted},
		{"lost", func(w *world, _ context.CancelCauseFunc) {
			w.cloud.Kick("myaccid", engine.KickedByServer)
		}, engine.ErrKicked, engine.ErrKicked},
		{"lost by a deadline", func(w *world, _ context.CancelCauseFunc) {
			w.cloud.EndIM("myaccid", context.DeadlineExceeded)
		}, context.DeadlineExceeded, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, overMockim, autoLogin, func(w *world) {
				defer w.host.Block("LoginKit")()
				ctx, cancel := context.WithCancelCause(w.ctx)
				defer cancel(nil)
				timed, stop := context.WithTimeout(ctx, time.Hour)
				defer stop()
				login := begin(func() error { return w.engine.LoginKit(timed, kitAccount) })
				row.end(w, cancel)
				err := login.wait()
				w.fails(err, row.want)
				if got := engine.CodeOf(err); got != row.code || errors.Is(err, engine.ErrUnavailable) {
					t.Errorf("%v has the code %d, want %d", err, got, row.code)
				}
			})
		})
	}
}

// The error of a step down that took longer than its limit says so.
func TestDeadlineOfStepDown(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		climbsAlone(w)
		defer w.host.Block("LogoutIM")()
		err := w.logoutKit()
		w.fails(err, context.DeadlineExceeded)
		w.fails(err, engine.ErrUnavailable)
		w.pointsAt(err.Error(), "waiting for the IM logout")
	})
}

// A deadlineFake keeps the deadline that the backend sees in LoginIM.
type deadlineFake struct {
	*fake
	seen *time.Time
}

func (f deadlineFake) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	*f.seen, _ = ctx.Deadline()
	return f.fake.LoginIM(ctx, a, n)
}

// The backend can ask for the deadline of the caller's ctx.
func TestBackendSeesDeadline(t *testing.T) {
	var seen time.Time
	e := open(t, deadlineFake{newFake(), &seen}, nil)
	climb(t, e, imInitialized)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := e.LoginIM(ctx, imAccount); err != nil {
		t.Fatal(err)
	}
	if want, _ := ctx.Deadline(); !seen.Equal(want) {
		t.Errorf("the backend saw the deadline %v, want %v", seen, want)
	}
}
