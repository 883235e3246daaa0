package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// A panic in a step down makes that logout fail, and affects nothing else.
func TestPanicInLogout(t *testing.T) {
	rows := map[string]func(p *tap) (hooks map[string]func(context.Context), call string){
		"before LogoutKit": func(p *tap) (map[string]func(context.Context), string) { return p.before, "LogoutKit" },
		"after LogoutKit":  func(p *tap) (map[string]func(context.Context), string) { return p.after, "LogoutKit" },
		"after LogoutIM":   func(p *tap) (map[string]func(context.Context), string) { return p.after, "LogoutIM" },
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			inWorld(t, overMockim, autoLogin, func(w *world) {
				climbsAlone(w)
				hooks, call := row(w.tap)
				w.tap.on(hooks, call, func(context.Context) { panic("on purpose") })
				w.failedAt(w.logoutKit(), panicsAfter, "LogoutKit", call)
				w.yielded(viaKitOut, viaOut)
				w.stands(imInitialized, uninitialized, "")
				w.fails(w.loginKit(), nil)
				w.succeeded("myaccid")
			})
		})
	}
}

// If LogoutIM panics before it does anything, IM stays logged in. The next
// login must still succeed.
func TestPanicBeforeLogoutIM(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		climbsAlone(w)
		w.tap.on(w.tap.before, "LogoutIM", func(context.Context) { panic("on purpose") })
		w.failedAt(w.logoutKit(), panicsBefore, "LogoutKit", "LogoutIM")
		w.fails(w.loginKit(), nil)
		w.succeeded("myaccid")
	})
}

var errStuck = errors.New("the logout failed")

// says fails unless why is in the text of err but not in its chain: the reason
// why undoing failed is not the reason why the operation failed.
func (w *world) says(err, why error) {
	w.t.Helper()
	if err == nil || !strings.Contains(err.Error(), why.Error()) || errors.Is(err, why) {
		w.t.Errorf("got %v, want %q in its text only", err, why)
	}
}

// Undoing may fail, too. The text then has both errors, and the engine has
// stepped down all the same.
func TestUndoFails(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		w.host.Fail("LoginKit", engine.ErrUnavailable)
		w.host.Fail("LogoutIM", errStuck)
		err := w.loginKit()
		w.failedAt(err, fails, "LoginKit", "LoginKit")
		w.says(err, errStuck)
		w.yielded(viaInit, viaLogin, viaOut.because(engine.ErrUnavailable))
		w.stands(imInitialized, uninitialized, "")

		w.host.Fail("LogoutKit", errStuck)
		err = w.hit(tooLate, "LoginKit", func(ctx context.Context) error { return w.engine.LoginKit(ctx, kitAccount) })
		w.failedAt(err, tooLate, "LoginKit", "LoginKit")
		w.says(err, errStuck)
		w.yielded(viaLogin, viaOut.because(errGaveUp))
		w.stands(imInitialized, uninitialized, "")

		w.fails(w.loginKit(), nil)
		w.succeeded("myaccid")
	})
}

// A step down has its own limit of 5 s, and takes effect even if the backend
// fails.
func TestStepsDownAreBounded(t *testing.T) {
	const bound = 5 * time.Second
	for _, row := range []struct {
		name   string
		blocks []string
		down   func(w *world) error
		want   error
		takes  time.Duration
		left   seen
	}{
		{"LogoutKit", []string{"LogoutKit", "LogoutIM"}, (*world).logoutKit, context.DeadlineExceeded, 2 * bound, viaOut},
		{"LogoutIM", []string{"LogoutIM"}, func(w *world) error { return w.engine.LogoutIM(w.ctx) }, context.DeadlineExceeded, bound, viaOut},
		{"Close", []string{"LogoutKit", "LogoutIM"}, func(w *world) error { return w.engine.Close() }, context.DeadlineExceeded, 2 * bound, viaClose},
		{"LogoutIM below the kit", []string{"LogoutIM"}, (*world).logoutKit, context.DeadlineExceeded, bound, viaOut},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, overMockim, autoLogin, func(w *world) {
				climbsAlone(w)
				for _, call := range row.blocks {
					defer w.host.Block(call)()
				}
				start := time.Now()
				w.fails(row.down(w), row.want)
				if got := time.Since(start); got != row.takes {
					w.t.Errorf("it took %v, want %v", got, row.takes)
				}
				all := w.sinceLast()
				last := all[len(all)-1]
				if last.State != row.left.state || last.Via != row.left.via || !errors.Is(last.Cause, row.left.cause) {
					w.t.Errorf("the last change is %+v, want %+v", last, row.left)
				}
				w.stands(row.left.state, uninitialized, "")
			})
		})
	}
}

func TestUndoIsBounded(t *testing.T) {
	inWorld(t, overMockim, autoLogin, func(w *world) {
		defer w.host.Block("LogoutIM")()
		w.host.Fail("LoginKit", engine.ErrUnavailable)
		start := time.Now()
		err := w.loginKit()
		if got, want := time.Since(start), 5*time.Second; got != want {
			w.t.Errorf("it took %v, want %v", got, want)
		}
		w.fails(err, engine.ErrUnavailable)
		w.says(err, context.DeadlineExceeded)
		w.yielded(viaInit, viaLogin, viaOut.because(engine.ErrUnavailable))
		w.stands(imInitialized, uninitialized, "")
	})
}
