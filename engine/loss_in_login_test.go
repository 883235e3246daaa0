package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/engine"
)

// If a login by LoginIM is lost before the backend's LoginIM returns, it fails
// with the cause of the loss, whatever the backend then returns.
func TestLostInsideLoginIM(t *testing.T) {
	for name, says := range map[string]error{"which succeeds": nil, "which fails": errStuck} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			e := open(t, f, nil)
			climb(t, e, imInitialized)
			f.on = func(call string) error {
				if call != "LoginIM" {
					return nil
				}
				f.imNotify().Lost(engine.ErrAccountBanned)
				return says
			}
			if err := e.LoginIM(t.Context(), imAccount); !errors.Is(err, engine.ErrAccountBanned) {
				t.Errorf("got %v, want ErrAccountBanned", err)
			}
			if s := e.Status(); s.State != imInitialized || s.Floor != imInitialized {
				t.Errorf("got %v over the floor %v, want im_initialized twice", s.State, s.Floor)
			}
			if got, want := f.called(), []string{"InitIM", "LoginIM"}; !slices.Equal(got, want) {
				t.Errorf("got calls %v, want %v", got, want)
			}
		})
	}
}

// A backend may report the loss of a login before the call that makes the login
// returns, whatever that call then returns.
func TestLostInsideLogins(t *testing.T) {
	im := func(f *fake) { f.imNotify().Lost(engine.ErrAccountBanned) }
	kit := func(f *fake) { f.kitNotify().Lost(engine.ErrAccountBanned) }
	all := []string{"Authenticate", "InitIM", "LoginIM", "LoginKit"}
	for _, row := range []struct {
		name   string
		call   string
		report func(f *fake)
		says   error
		want   error
		calls  []string
	}{
		{"IM in LoginIM", "LoginIM", im, nil, engine.ErrAccountBanned, all[:3]},
		{"IM in LoginIM which fails", "LoginIM", im, errStuck, engine.ErrAccountBanned, all[:3]},
		{"IM in LoginIM for no reason", "LoginIM", func(f *fake) { f.imNotify().Lost(nil) }, nil, engine.ErrUnavailable, all[:3]},
		{"IM in LoginIM twice", "LoginIM", func(f *fake) { im(f); f.imNotify().Lost(engine.ErrKicked) }, nil, engine.ErrAccountBanned, all[:3]},
		{"IM in LoginKit which fails", "LoginKit", im, errStuck, engine.ErrAccountBanned, all},
		{"kit in LoginKit", "LoginKit", kit, nil, engine.ErrAccountBanned, append(all[:4:4], "LogoutIM")},
		{"kit in LoginKit which fails", "LoginKit", kit, errStuck, engine.ErrAccountBanned, append(all[:4:4], "LogoutIM")},
		{"kit in LoginKit and IM", "LoginKit", func(f *fake) { kit(f); f.imNotify().Lost(engine.ErrKicked) }, nil, engine.ErrAccountBanned, all},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake()
			e := open(t, f, &autoLogin)
			f.on = func(call string) error {
				if call != row.call {
					return nil
				}
				row.report(f)
				return row.says
			}
			err := e.LoginKit(t.Context(), kitAccount)
			var failed *engine.Error
			if !errors.Is(err, row.want) || !errors.As(err, &failed) || failed.Call != row.call {
				t.Errorf("got %v, want %v in %s", err, row.want, row.call)
			}
			if got := f.called(); !slices.Equal(got, row.calls) {
				t.Errorf("calls %v, want %v", got, row.calls)
			}
			if s := e.Status(); s.State != imInitialized || s.Accid != "" {
				t.Errorf("left at %+v", s)
			}
			f.on = nil
			if err := e.LoginKit(t.Context(), kitAccount); err != nil {
				t.Errorf("the next login: %v", err)
			}
		})
	}
}

// The host's login may be lost while the engine adopts it, before or after the
// backend has looked.
func TestLostInsideAdoption(t *testing.T) {
	kick := func(w *world) func(context.Context) {
		return func(context.Context) { w.cloud.Kick("myaccid", engine.KickedByServer) }
	}
	t.Run("before", func(t *testing.T) {
		inWorld(t, overMockim, reuseIM, func(w *world) {
			w.hostLogsIn(imAccount)
			w.tap.on(w.tap.before, "AdoptIM", kick(w))
			w.fails(w.loginKit(), engine.ErrIMNotLoggedIn)
			w.yielded()
			w.stands(uninitialized, uninitialized, "")
		})
	})
	t.Run("after", func(t *testing.T) {
		inWorld(t, overMockim, reuseIM, func(w *world) {
			w.hostLogsIn(imAccount)
			w.tap.on(w.tap.after, "AdoptIM", kick(w))
			w.fails(w.loginKit(), engine.ErrKicked)
			w.called()
			w.stands(imInitialized, imInitialized, "")
		})
	})
	t.Run("nobody was there", func(t *testing.T) {
		inWorld(t, overMockim, autoDetect, func(w *world) {
			w.tap.on(w.tap.after, "AdoptIM", func(context.Context) {
				im, _ := w.tap.notifies()
				im.Link(false)
				im.Lost(engine.ErrKicked)
			})
			climbsAlone(w)
		})
	})
}

// A kickingFake finds a login that is lost at that very moment.
type kickingFake struct{ *fake }

func (kickingFake) AdoptIM(_ context.Context, n engine.Notify) (engine.IMAccount, error) {
	go n.Lost(engine.ErrKicked)
	return imAccount, nil
}

// A login that is lost while AdoptIM returns counts as lost, without a data
// race.
func TestLossAsAdoptIMReturns(t *testing.T) {
	for range 200 { // two of them race
		synctest.Test(t, func(t *testing.T) {
			e := open(t, kickingFake{newFake()}, nil)
			if err := e.InitIM(t.Context()); err != nil && !errors.Is(err, engine.ErrKicked) {
				t.Errorf("InitIM: %v", err)
			}
			synctest.Wait()
			if s := e.Status(); s.State != imInitialized || s.Via != engine.TriggerIMLost || !errors.Is(s.Cause, engine.ErrKicked) {
				t.Errorf("got %+v, want a loss by ErrKicked", s)
			}
		})
	}
}
