package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// Logouts and Close end it at every moment.
func TestKeepKitInterrupted(t *testing.T) {
	ends := map[string]func(*engine.Engine) error{
		"LogoutKit": func(e *engine.Engine) error { return e.LogoutKit(context.Background()) },
		"LogoutIM":  func(e *engine.Engine) error { return e.LogoutIM(context.Background()) },
		"Close":     func(e *engine.Engine) error { return e.Close() },
	}
	moments := map[string]func(*service){
		"while it is logged in":   func(*service) {},
		"between two tries":       func(s *service) { s.fails("Authenticate", engine.ErrUnavailable) },
		"in a try":                func(s *service) { s.does("LoginKit", untilEnd) },
		"in a question for token": func(s *service) { s.gives("IMToken", act(untilEnd)); s.bound = boundless },
	}
	for end, logout := range ends {
		for moment, script := range moments {
			t.Run(end+" "+moment, func(t *testing.T) {
				inBubble(t, func(t *testing.T, s *service) {
					script(s)
					e := open(t, s, s.options(autoLogin, "IMToken"))
					if moment == "while it is logged in" {
						s.bound = imAccount
					}
					k := keep(t, e, kitAccount)
					began := time.Now()
					wantErr(t, logout(e), nil)
					wantErr(t, k.wait(), engine.ErrInterrupted)
					if time.Since(began) > 0 {
						t.Errorf("it took %v", time.Since(began))
					}
					s.called()
					after(time.Hour)
					s.wantCalls(t)
					if now := settled(e); now.State > imInitialized {
						t.Errorf("got %+v, want nobody logged in", now)
					}
				})
			})
		}
	}
}

// A hookedCtx calls hook whenever somebody asks for its Done.
type hookedCtx struct {
	context.Context
	hook func()
}

func (c hookedCtx) Done() <-chan struct{} {
	c.hook()
	return c.Context.Done()
}

// A try that begins after Close was called, but before Close has interrupted
// KeepKit, ends it with ErrInterrupted too. Close interrupts the first KeepKit
// by ending its ctx. That asks the ctx of its caller for Done, and meanwhile the
// pause of the second KeepKit runs out.
func TestKeepKitTriesDuringClose(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.fails("Authenticate", engine.ErrUnavailable, engine.ErrUnavailable)
		e := open(t, s, &autoLogin)
		closing := false
		var second *pending
		ctx := hookedCtx{t.Context(), func() {
			if closing {
				closing = false
				after(time.Minute)
				if second.waits() {
					t.Error("the second KeepKit made no try")
				}
			}
		}}
		first := begin(func() error { return e.KeepKit(ctx, kitAccount) })
		second = keep(t, e, kitAccount)
		s.called()
		closing = true
		wantErr(t, e.Close(), nil)
		if closing {
			t.Error("Close did not ask the ctx")
		}
		wantErr(t, first.wait(), engine.ErrInterrupted)
		wantErr(t, second.wait(), engine.ErrInterrupted)
		s.wantCalls(t, "Close")
	})
}

// A logout whose ctx has ended does not interrupt a KeepKit that starts while
// it waits. If it gets its turn nevertheless, that ends the login, and KeepKit
// with it.
func TestKeepKitStartsDuringLogout(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		release := e.Hold()
		var k *pending
		start := sync.OnceFunc(func() {
			release()
			k = keep(t, e, kitAccount)
		})
		wantErr(t, e.LogoutKit(hookedCtx{ended, start}), nil)
		after(time.Minute)
		if k.waits() {
			t.Fatal("KeepKit goes on after the logout")
		}
		wantErr(t, k.wait(), engine.ErrInterrupted)
		s.wantCalls(t, "LogoutKit", "LogoutIM")
	})
}

// A hookedError calls hook whenever somebody looks into its chain.
type hookedError struct{ hook func() }

func (hookedError) Error() string { return "hooked" }

func (e hookedError) Unwrap() error { e.hook(); return nil }

// If ctx ends while KeepKit looks at the cause of a loss, it returns the cause
// of ctx.
func TestKeepKitCtxEndsAfterLoss(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, &autoLogin)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		k := begin(func() error { return e.KeepKit(ctx, kitAccount) })
		reported := false
		release := e.Hold()
		s.kitNotify().Lost(hookedError{func() {
			if reported {
				cancel(errSource)
			}
		}})
		reported = true
		release()
		wantErr(t, e.InitIM(t.Context()), nil) // its turn applies the loss
		err := k.wait()
		wantErr(t, err, errSource)
		if errors.As(err, new(hookedError)) {
			t.Errorf("got %v, want the cause of ctx alone", err)
		}
	})
}

// ctx ends it. A kit that is logged in stays so; a try in flight is undone.
func TestKeepKitCtx(t *testing.T) {
	for name, test := range map[string]struct {
		script func(*service)
		state  engine.State
	}{
		"while it is logged in": {func(*service) {}, kitLoggedIn},
		"between two tries":     {func(s *service) { s.fails("Authenticate", engine.ErrUnavailable) }, uninitialized},
		"in a try":              {func(s *service) { s.does("LoginKit", untilEnd) }, imInitialized},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				test.script(s)
				e := open(t, s, &autoLogin)
				ctx, cancel := context.WithCancelCause(t.Context())
				k := begin(func() error { return e.KeepKit(ctx, kitAccount) })
				began := time.Now()
				cancel(errSource)
				err := k.wait()
				wantErr(t, err, errSource)
				if code := engine.CodeOf(err); code != 0 {
					t.Errorf("a cancellation has the Code %v", code)
				}
				if now := settled(e); now.State != test.state || time.Since(began) > 0 {
					t.Errorf("after %v the engine is at %v, want %v", time.Since(began), now.State, test.state)
				}
			})
		})
	}
	t.Run("a deadline", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			e := open(t, s, &autoLogin)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			wantErr(t, e.KeepKit(ctx, kitAccount), context.DeadlineExceeded)
			if now := settled(e); now.State != kitLoggedIn {
				t.Errorf("the engine is at %v", now.State)
			}
		})
	})
	t.Run("a deadline in a try that waits", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			s.does("Authenticate", untilEnd)
			e := open(t, s, &autoLogin)
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errSource)
			defer cancel()
			wantErr(t, e.KeepKit(ctx, kitAccount), errSource)
			s.wantCalls(t, "Authenticate kit-s3cr3t")
		})
	})
}
