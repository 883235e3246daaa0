package engine_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// openKit logs the kit in, with sources, and forgets the calls.
func openKit(t *testing.T, s *service, sources ...string) *engine.Engine {
	t.Helper()
	e := open(t, s, s.options(autoLogin, sources...))
	wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
	s.called()
	return e
}

func renewWith(token string) engine.KitAccount {
	return engine.KitAccount{UserUUID: "user1", Token: token}
}

// What RenewKit of the host does, and what it leaves.
func TestRenewKit(t *testing.T) {
	for _, row := range []struct {
		name    string
		sources []string
		script  func(*service)
		account engine.KitAccount
		calls   []string
		err     error
		call    string
	}{
		{name: "a given token", account: renewWith("k1"), calls: []string{"RenewKit k1"}},
		{name: "the id in another case", account: engine.KitAccount{UserUUID: "USER1", Token: "k1"}, calls: []string{"RenewKit k1"}},
		{name: "a given token that is refused", sources: bothKinds, account: renewWith("k1"),
			script: func(s *service) { s.fails("RenewKit", rejected) },
			calls:  []string{"RenewKit k1"}, err: rejected, call: "RenewKit"},
		{name: "the server is away", account: renewWith("k1"),
			script: func(s *service) { s.fails("RenewKit", engine.ErrUnavailable) },
			calls:  []string{"RenewKit k1"}, err: engine.ErrUnavailable, call: "RenewKit"},
		{name: "the backend panics", account: renewWith("k1"),
			script: func(s *service) { s.does("RenewKit", func(context.Context) error { panic(errSource) }) },
			calls:  []string{"RenewKit k1"}, err: errPanicked, call: "RenewKit"},
		{name: "another account", account: engine.KitAccount{UserUUID: "user2", Token: "k1"}, err: engine.ErrKitInUse},
		{name: "no userUuid", account: engine.KitAccount{Token: "k1"}, err: engine.ErrArgument},
		{name: "no token and no source", sources: []string{"IMToken"}, account: tokenlessKit, err: engine.ErrArgument},
		{name: "a token from the source", sources: bothKinds, account: tokenlessKit,
			script: func(s *service) { s.gives("KitToken", "k1") },
			calls:  []string{"KitToken user1 ", "RenewKit k1"}},
		{name: "the token from the source is refused", sources: bothKinds, account: tokenlessKit,
			script: func(s *service) { s.gives("KitToken", "k1", "k2"); s.fails("RenewKit", expired) },
			calls:  []string{"KitToken user1 ", "RenewKit k1", "KitToken user1 k1", "RenewKit k2"}},
		{name: "both tokens from the source are refused", sources: bothKinds, account: tokenlessKit,
			script: func(s *service) { s.gives("KitToken", "k1", "k2"); s.fails("RenewKit", expired, rejected) },
			calls:  []string{"KitToken user1 ", "RenewKit k1", "KitToken user1 k1", "RenewKit k2"}, err: rejected, call: "RenewKit"},
		{name: "the source fails", sources: bothKinds, account: tokenlessKit,
			script: func(s *service) { s.gives("KitToken", errSource) },
			calls:  []string{"KitToken user1 "}, err: errSource, call: "KitToken"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, row.sources...)
				before := e.Status()
				if row.script != nil {
					row.script(s)
				}
				err := e.RenewKit(t.Context(), row.account)
				if row.err == errPanicked {
					if err == nil || engine.CodeOf(err) != 0 || !strings.Contains(err.Error(), "the backend panicked in RenewKit") {
						t.Errorf("got %v, want the panic", err)
					}
				} else {
					wantFailure(t, err, row.err, row.call)
				}
				s.wantCalls(t, row.calls...)
				if got := settled(e); got != before {
					t.Errorf("it changed the Status to %+v", got)
				}
			})
		})
	}
}

var errPanicked = errors.New("a panic")

// RenewKit keeps the account as LoginKit got it.
func TestRenewKitAccount(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, &autoLogin)
		wantErr(t, e.LoginKit(t.Context(), engine.KitAccount{UserUUID: "User1", Token: "k"}), nil)
		wantErr(t, e.RenewKit(t.Context(), engine.KitAccount{UserUUID: "user1", Token: "k1"}), nil)
		if got, want := s.kits[1], (engine.KitAccount{UserUUID: "User1", Token: "k1"}); got != want {
			t.Errorf("RenewKit got %v, want %v", got, want)
		}
	})
}

func TestRenewKitWhereNobodyIs(t *testing.T) {
	for _, state := range []engine.State{uninitialized, imInitialized, imLoggedIn} {
		t.Run(state.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := open(t, s, s.options(reuseIM, bothKinds...))
				climb(t, e, state)
				s.called()
				wantErr(t, e.RenewKit(t.Context(), tokenlessKit), engine.ErrState)
				s.wantCalls(t)
				if got := settled(e).State; got != state {
					t.Errorf("it led to %v", got)
				}
			})
		})
	}
}

func TestRenewKitOfOthers(t *testing.T) {
	t.Run("an anonymous login", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			e := open(t, s, s.options(autoLogin, bothKinds...))
			wantErr(t, e.LoginAnonymous(t.Context()), nil)
			wantErr(t, e.RenewKit(t.Context(), engine.KitAccount{UserUUID: "guest", Token: "k1"}), engine.ErrKitInUse)
		})
	})
	t.Run("a backend that is no KitRenewer", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			e := open(t, struct{ engine.Backend }{s}, s.options(autoLogin, bothKinds...))
			wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
			wantErr(t, e.RenewKit(t.Context(), renewWith("k1")), errors.ErrUnsupported)
		})
	})
	t.Run("a secondary process", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			e := open(t, s, &engine.Options{SecondaryProcess: true})
			wantErr(t, e.RenewKit(t.Context(), renewWith("k1")), engine.ErrSecondaryProcess)
		})
	})
	t.Run("a closed engine", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			e := openKit(t, s)
			wantErr(t, e.Close(), nil)
			wantErr(t, e.RenewKit(t.Context(), renewWith("k1")), engine.ErrClosed)
		})
	})
	t.Run("a nil ctx", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			e := openKit(t, s)
			wantErr(t, e.RenewKit(noCtx, renewWith("k1")), engine.ErrArgument)
		})
	})
}

// What ends RenewKit in the middle, and where that leaves the engine.
func TestRenewKitInterrupted(t *testing.T) {
	for name, test := range map[string]struct {
		end   func(*engine.Engine, *service)
		want  error
		state engine.State
	}{
		"LogoutKit": {func(e *engine.Engine, _ *service) { _ = e.LogoutKit(context.Background()) }, engine.ErrInterrupted, imInitialized},
		"LogoutIM":  {func(e *engine.Engine, _ *service) { _ = e.LogoutIM(context.Background()) }, engine.ErrInterrupted, imInitialized},
		"Close":     {func(e *engine.Engine, _ *service) { _ = e.Close() }, engine.ErrInterrupted, uninitialized},
		"a kick":    {func(_ *engine.Engine, s *service) { s.imNotify().Lost(engine.ErrKicked) }, engine.ErrKicked, imInitialized},
		"the session's end": {func(_ *engine.Engine, s *service) { s.kitNotify().Lost(engine.ErrAccountBanned) },
			engine.ErrAccountBanned, imInitialized},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s)
				s.does("RenewKit", untilEnd)
				renew := begin(func() error { return e.RenewKit(t.Context(), renewWith("k1")) })
				test.end(e, s)
				wantErr(t, renew.wait(), test.want)
				if got := settled(e).State; got != test.state {
					t.Errorf("the engine is at %v, want %v", got, test.state)
				}
			})
		})
	}
	t.Run("its ctx", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			e := openKit(t, s)
			s.does("RenewKit", untilEnd)
			ctx, cancel := context.WithCancelCause(t.Context())
			renew := begin(func() error { return e.RenewKit(ctx, renewWith("k1")) })
			cancel(errSource)
			wantFailure(t, renew.wait(), errSource, "RenewKit")
			if got := settled(e).State; got != kitLoggedIn {
				t.Errorf("the engine is at %v: it undid what it found", got)
			}
		})
	})
}

// If the backend renews the token too late for the caller, RenewKit fails, but
// the session has the new token. The next renewal names that one.
func TestRenewKitLateSuccess(t *testing.T) {
	for name, test := range map[string]struct {
		stop func(*testing.T, *engine.Engine, context.CancelFunc)
		want error
	}{
		"its ctx has ended": {func(_ *testing.T, _ *engine.Engine, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"a logout interrupted it, and gave up waiting": {func(t *testing.T, e *engine.Engine, _ context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			logout := begin(func() error { return e.LogoutKit(ctx) })
			cancel()
			wantErr(t, logout.wait(), context.Canceled)
		}, engine.ErrInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, "KitToken")
				a, release := blocked()
				s.does("RenewKit", a)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				renew := begin(func() error { return e.RenewKit(ctx, renewWith("k1")) })
				test.stop(t, e, cancel)
				release()
				wantErr(t, renew.wait(), test.want)
				if now := settled(e); now.State != kitLoggedIn {
					t.Fatalf("got %+v, want the session as it was", now)
				}
				s.called()
				s.gives("KitToken", "k2")
				s.expire(e)
				s.wantCalls(t, "KitToken user1 k1", "RenewKit k2")
			})
		})
	}
}

// After runtime.Goexit in RenewKit the session is there as before.
func TestRenewKitGoexit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s)
		s.does("RenewKit", func(context.Context) error { runtime.Goexit(); return nil })
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = e.RenewKit(t.Context(), renewWith("k1"))
		}()
		<-done
		s.wantCalls(t, "RenewKit k1")
		if got := settled(e).State; got != kitLoggedIn {
			t.Errorf("the engine is at %v, want the session as it was", got)
		}
		wantErr(t, e.RenewKit(t.Context(), renewWith("k2")), nil)
	})
}
