package engine_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// An onTrigger is a slog.Handler that acts in the line of a transition.
type onTrigger map[string]func()

func (onTrigger) Enabled(context.Context, slog.Level) bool { return true }
func (o onTrigger) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if act := o[a.Value.String()]; a.Key == "trigger" && act != nil {
			act()
		}
		return true
	})
	return nil
}
func (o onTrigger) WithAttrs([]slog.Attr) slog.Handler { return o }
func (o onTrigger) WithGroup(string) slog.Handler      { return o }

func wantPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
	}()
	f()
}

// A Logger that panics while a loss is applied at the start of an operation
// leaves no IM login of the engine's own behind for the next kit account.
func TestLoggerPanicsInLossBeforeLogin(t *testing.T) {
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: appKey})
	bob, kitBob := engine.IMAccount{Accid: "bob", Token: "b"}, engine.KitAccount{UserUUID: "kitbob", Token: "kb"}
	for im, kit := range map[engine.IMAccount]engine.KitAccount{imAccount: kitAccount, bob: kitBob} {
		cloud.AddIM(im)
		cloud.Bind(kit, im.Accid)
	}
	on := onTrigger{}
	e := open(t, cloud.Device(), &engine.Options{Mode: engine.AutoLogin, Logger: slog.New(on)})
	if err := e.LoginKit(t.Context(), kitAccount); err != nil {
		t.Fatal(err)
	}
	release := e.Hold()
	cloud.EndKit(kitAccount.UserUUID, engine.ErrTokenExpired)
	release()
	on["kit_lost"] = func() { panic("broken") }
	wantPanic(t, func() { _ = e.LoginKit(t.Context(), kitBob) })
	if s := e.Status(); s.State == engine.IMLoggedIn && s.Floor < engine.IMLoggedIn {
		t.Errorf("the engine's own IM login is left behind: %+v", s)
	}
	if err := e.LoginKit(t.Context(), kitBob); err != nil {
		t.Fatal(err)
	}
	if s := e.Status(); s.Accid != "bob" {
		t.Errorf("kitbob is logged in over the IM login of %s", s.Accid)
	}
}

// A Logger that panics while a loss is applied at the end of an operation does
// not keep the slot.
func TestLoggerPanicsInLossAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := mockim.NewService(mockim.ServiceOptions{AppKey: appKey})
		cloud.AddIM(imAccount)
		cloud.Bind(kitAccount, imAccount.Accid)
		on := onTrigger{
			"login_kit": func() { cloud.EndKit(kitAccount.UserUUID, engine.ErrTokenExpired) },
			"kit_lost":  func() { panic("broken") },
		}
		e := open(t, cloud.Device(), &engine.Options{Mode: engine.AutoLogin, Logger: slog.New(on)})
		wantPanic(t, func() { _ = e.LoginKit(t.Context(), kitAccount) })
		clear(on)
		if err := e.LogoutKit(t.Context()); err != nil { // a deadlock of the bubble
			t.Error(err)
		}
	})
}

// A Logger that panics in a logout, or while a loss is applied after a login,
// leaves an IM login of the engine's own behind. The next kit account does not ride on it.
func TestLoggerPanicsBeforeUndo(t *testing.T) {
	tests := []struct {
		name string
		run  func(*engine.Engine, *mockim.Service, onTrigger)
	}{
		{"in a logout", func(e *engine.Engine, _ *mockim.Service, on onTrigger) {
			if err := e.LoginKit(t.Context(), kitAccount); err != nil {
				t.Error(err)
			}
			on["logout_kit"] = func() { panic("broken") }
			wantPanic(t, func() { _ = e.LogoutKit(t.Context()) })
		}},
		{"in a loss after the login", func(e *engine.Engine, cloud *mockim.Service, on onTrigger) {
			on["login_kit"] = func() { cloud.EndKit(kitAccount.UserUUID, engine.ErrTokenExpired) }
			on["kit_lost"] = func() { panic("broken") }
			wantPanic(t, func() { _ = e.LoginKit(t.Context(), kitAccount) })
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cloud := cloudOfTwo(mockim.ServiceOptions{})
			device, on := cloud.Device(), onTrigger{}
			e := open(t, device, &engine.Options{Mode: engine.AutoLogin, Logger: slog.New(on)})
			test.run(e, cloud, on)
			clear(on)
			if err := e.LoginKit(t.Context(), otherKit); err != nil {
				t.Fatal(err)
			}
			if got := device.LoggedIn(); got != otherIM.Accid || e.Status().Accid != otherIM.Accid {
				t.Errorf("%q is logged in to IM, and the status is %+v, want %q", got, e.Status(), otherIM.Accid)
			}
		})
	}
}

// A doneless ctx is one that is broken.
type donelessContext struct{ context.Context }

func (donelessContext) Done() <-chan struct{} { panic("broken") }

// A logout whose ctx panics does not end the logins of all time to come.
func TestLogoutOfBrokenContext(t *testing.T) {
	e := open(t, newFake(), &engine.Options{Mode: engine.AutoLogin})
	release := e.Hold()
	wantPanic(t, func() { _ = e.LogoutKit(donelessContext{t.Context()}) })
	release()
	if err := e.LoginKit(t.Context(), kitAccount); err != nil {
		t.Error(err)
	}
}
