package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// An endedContext has ended, and calls hook when it is first asked why.
type endedContext struct {
	context.Context
	asked *atomic.Bool
	hook  func()
}

func (endedContext) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (c endedContext) Err() error {
	if !c.asked.Swap(true) {
		c.hook()
	}
	return context.Canceled
}

// A logout that has given up waiting does not end logins that begin later, not
// even in the instant before it returns.
func TestLogoutThatGaveUp(t *testing.T) {
	e := open(t, newFake(), &engine.Options{Mode: engine.AutoLogin})
	release := e.Hold()
	var asked atomic.Bool
	var login error
	_ = e.LogoutKit(endedContext{t.Context(), &asked, func() {
		release()
		login = e.LoginKit(t.Context(), kitAccount)
	}})
	if login != nil || !asked.Load() {
		t.Errorf("got %v, asked %v, want nil", login, asked.Load())
	}
}

// A login that gets the turn after a logout has ended the others, but before
// the logout has the turn, is ended, too, if the logout should end such logins.
// Any other login runs.
func TestLoginAheadOfLogout(t *testing.T) {
	loginKit := func(ctx context.Context, e *engine.Engine) error { return e.LoginKit(ctx, kitAccount) }
	loginIM := func(ctx context.Context, e *engine.Engine) error { return e.LoginIM(ctx, imAccount) }
	tests := []struct {
		name   string
		login  func(context.Context, *engine.Engine) error
		logout func(*engine.Engine, context.Context) error
		want   error
	}{
		{"LoginKit and LogoutKit", loginKit, (*engine.Engine).LogoutKit, engine.ErrInterrupted},
		{"LoginKit and LogoutIM", loginKit, (*engine.Engine).LogoutIM, engine.ErrInterrupted},
		{"LoginIM and LogoutIM", loginIM, (*engine.Engine).LogoutIM, engine.ErrInterrupted},
		{"LoginIM and LogoutKit", loginIM, (*engine.Engine).LogoutKit, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := open(t, newFake(), nil)
				climb(t, e, imInitialized)
				release := e.Hold()
				ahead, armed := make(chan error, 1), false
				first := begin(func() error {
					return e.LoginKit(curious{t.Context(), func() {
						if !armed {
							return
						}
						armed = false // the logout is ending this login, and does not wait yet
						go func() { ahead <- test.login(t.Context(), e) }()
						synctest.Wait()
						time.AfterFunc(time.Second, release)
					}}, kitAccount)
				})
				armed = true
				if err := test.logout(e, t.Context()); err != nil {
					t.Errorf("the logout: got %v", err)
				}
				if err := <-ahead; !errors.Is(err, test.want) {
					t.Errorf("the login ahead: got %v, want %v", err, test.want)
				}
				if err := first.wait(); !errors.Is(err, engine.ErrInterrupted) {
					t.Errorf("the first login: got %v, want ErrInterrupted", err)
				}
			})
		})
	}
}
