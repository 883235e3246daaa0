package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// An onTrigger is a slog.Handler that acts when it gets the line of a
// transition.
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

// If a Logger panics while a loss is applied, the engine still logs its own IM
// login out, so the next kit account does not reuse it.
func TestLoggerPanicsInLossBeforeLogin(t *testing.T) {
	cloud := cloudOfTwo(mockim.ServiceOptions{})
	on := onTrigger{}
	e := open(t, cloud.Device(), &engine.Options{Mode: engine.AutoLogin, Logger: slog.New(on)})
	if err := e.LoginKit(t.Context(), kitAccount); err != nil {
		t.Fatal(err)
	}
	release := e.Hold()
	cloud.EndKit(kitAccount.UserUUID, engine.ErrTokenExpired)
	release()
	on["kit_lost"] = func() { panic("broken") }
	wantPanic(t, func() { _ = e.LoginKit(t.Context(), otherKit) })
	if s := e.Status(); s.State != engine.KitLoggedIn || s.Accid != otherIM.Accid || s.UserUUID != otherKit.UserUUID {
		t.Errorf("got %+v, want the login that the panic came after", s)
	}
}

// A Logger that panics does not delay a loss: neither the one that it is
// logging, nor one reported at that moment.
func TestLossIsNeverPutOff(t *testing.T) {
	for name, kick := range map[string]bool{"one": false, "another in its line": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := cloudOfTwo(mockim.ServiceOptions{})
				device := cloud.Device()
				on := onTrigger{
					"login_kit": func() { cloud.EndKit(kitAccount.UserUUID, engine.ErrTokenExpired) },
					"kit_lost": func() {
						if kick {
							cloud.Kick(imAccount.Accid, engine.KickedByServer)
						}
						panic("broken")
					},
				}
				e := open(t, device, &engine.Options{Mode: engine.AutoLogin, Logger: slog.New(on)})
				wantPanic(t, func() { _ = e.LoginKit(t.Context(), kitAccount) })
				want := engine.TriggerLogoutIM
				if kick {
					want = engine.TriggerIMLost
				}
				if s := e.Status(); s.State != imInitialized || s.Via != want || e.Busy() != "" {
					t.Errorf("got %+v (%s), want %s", s, e.Busy(), want)
				}
				if on := device.LoggedIn(); on != "" {
					t.Errorf("%q is logged in to IM", on)
				}
			})
		})
	}
}

// If a Logger panics on the engine's own goroutine, there is no caller to panic
// in. The engine logs the panic, in case the Logger can still do that.
func TestLoggerPanicsOnEnginesGoroutine(t *testing.T) {
	inLoggedWorld(t, autoLogin, func(w *world, r *recorder) {
		climbsAlone(w)
		r.on("kit_lost", func() { panic("broken") })
		w.cloud.EndKit("user1", engine.ErrTokenExpired)
		w.stands(imInitialized, uninitialized, "")
		lines := r.taken()
		if last := lines[len(lines)-1]; last.level != slog.LevelError || last.attrs["panic"] != "broken" {
			t.Errorf("got %+v last, want the panic", last)
		}
	})
}

// The Done method of a donelessContext panics.
type donelessContext struct{ context.Context }

func (donelessContext) Done() <-chan struct{} { panic("broken") }

// A logout whose ctx panics stops waiting, and does not end a later login.
func TestLogoutOfBrokenContext(t *testing.T) {
	e := open(t, newFake(), &engine.Options{Mode: engine.AutoLogin})
	release := e.Hold()
	wantPanic(t, func() { _ = e.LogoutKit(donelessContext{t.Context()}) })
	release()
	if err := e.LoginKit(t.Context(), kitAccount); err != nil {
		t.Error(err)
	}
}

// A ctx of the host's own type, whose methods look at the engine.
type curious struct {
	context.Context
	look func()
}

func (c curious) Value(key any) any {
	c.look()
	return c.Context.Value(key)
}

// Ending a login calls methods of its ctx. That must not happen under the
// engine's lock, because such a method may use the engine.
func TestForeignContext(t *testing.T) {
	b := newFake()
	var e *engine.Engine
	look := func() {
		if e != nil {
			for range e.Watch(context.Background()) { // takes the lock
				break
			}
		}
	}
	began := make(chan struct{})
	interrupted := make(chan struct{})
	b.on = func(call string) error {
		if call == "Authenticate" {
			close(began)
			<-interrupted
		}
		return nil
	}
	made := open(t, b, nil)
	parent, cancel := context.WithCancel(t.Context())
	defer cancel()
	e = made
	done := make(chan error)
	go func() { done <- made.LoginKit(curious{parent, look}, kitAccount) }()
	<-began
	ended, end := context.WithCancel(t.Context())
	end()
	if err := made.LogoutKit(ended); !errors.Is(err, context.Canceled) { // ends the login, and does not wait
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(interrupted)
	if err := <-done; !errors.Is(err, engine.ErrInterrupted) {
		t.Errorf("got %v, want ErrInterrupted", err)
	}
}
