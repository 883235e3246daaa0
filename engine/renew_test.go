package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
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

// expire reports that the token has run out, and waits until the engine waits.
func (s *service) expire(e *engine.Engine) (bool, engine.Status) {
	renews := s.kitNotify().Expired(expired)
	return renews, settled(e)
}

// Where nobody renews, Expired says so, and the session is lost as before.
func TestExpiredWithoutRenewal(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *service) *engine.Engine{
		"no source": func(t *testing.T, s *service) *engine.Engine { return openKit(t, s, "IMToken") },
		"no renewer": func(t *testing.T, s *service) *engine.Engine {
			e := open(t, struct{ engine.Backend }{s}, s.options(autoLogin, bothKinds...))
			wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
			return e
		},
		"an anonymous login": func(t *testing.T, s *service) *engine.Engine {
			e := open(t, s, s.options(autoLogin, bothKinds...))
			wantErr(t, e.LoginAnonymous(t.Context()), nil)
			return e
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := open(t, s)
				before := e.Status()
				s.called()
				if renews, after := s.expire(e); renews || after != before {
					t.Errorf("got %v and %+v, want no and no change", renews, after)
				}
				s.wantCalls(t)
				s.kitNotify().Lost(expired)
				if got := settled(e); got.State != imInitialized || got.Cause != error(expired) {
					t.Errorf("got %+v, want the loss", got)
				}
			})
		})
	}
}

// The engine renews by itself: Expired is published, and its end.
func TestExpired(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		fetch, release := blocked()
		s.gives("KitToken", fetch)
		before := e.Status()
		renews, now := s.expire(e)
		want := before
		want.Seq, want.Expired = before.Seq+1, true
		if !renews || now != want {
			t.Errorf("got %v and %+v, want yes and %+v", renews, now, want)
		}
		if renews, now := s.expire(e); !renews || now != want {
			t.Errorf("again: got %v and %+v, want yes and nothing more", renews, now)
		}
		// Nothing waits for the source.
		wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t")
		release()
		want.Seq, want.Expired = before.Seq+2, false
		if now := settled(e); now != want {
			t.Errorf("renewed: got %+v, want %+v", now, want)
		}
		s.wantCalls(t, "RenewKit late")
		// The next one is told of the new token.
		s.gives("KitToken", "k3")
		s.expire(e)
		s.wantCalls(t, "KitToken user1 late", "RenewKit k3")
	})
}

// A renewal takes its turn like an operation.
func TestExpiredTakesItsTurn(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		s.gives("KitToken", "k1")
		release := e.Hold()
		s.expire(e)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t")
		release()
		settled(e)
		s.wantCalls(t, "RenewKit k1")
	})
}

// A report that comes before LoginKit returns is not lost, and one about a login
// that fails does nothing.
func TestExpiredInLoginKit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(autoLogin, "KitToken"))
		s.gives("KitToken", "k1")
		report := func(err error) act {
			return func(context.Context) error {
				if !s.kitNotify().Expired(expired) {
					t.Error("Expired says no")
				}
				return err
			}
		}
		s.does("LoginKit", report(errSource), report(nil))
		wantErr(t, e.LoginKit(t.Context(), kitAccount), errSource)
		if settled(e).Expired {
			t.Error("a login that failed has expired")
		}
		s.called()
		seen := watching(t, e)
		wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
		settled(e)
		s.wantCalls(t, "Authenticate kit-s3cr3t", "LoginIM im-s3cr3t", "LoginKit kit-s3cr3t", "KitToken user1 kit-s3cr3t", "RenewKit k1")
		var published []bool
		for _, now := range seen() {
			if now.State == kitLoggedIn {
				published = append(published, now.Expired)
			}
		}
		if want := []bool{true, false}; !slices.Equal(published, want) {
			t.Errorf("Expired is published as %v, want %v", published, want)
		}
	})
}

// While LoginKit is still under way, a report changes nothing that can be seen,
// and no token is fetched. Both follow when the login is there.
func TestExpiredWhileLoginKitRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(autoLogin, "KitToken"))
		s.gives("KitToken", "k1")
		a, release := blocked()
		s.does("LoginKit", a)
		login := begin(func() error { return e.LoginKit(t.Context(), kitAccount) })
		before := e.Status()
		s.called()
		if renews, now := s.expire(e); !renews || now != before {
			t.Errorf("got %v and %+v, want yes and no change", renews, now)
		}
		s.wantCalls(t)
		release()
		wantErr(t, login.wait(), nil)
		if now := settled(e); now.State != kitLoggedIn || now.Expired {
			t.Errorf("got %+v, want the login, renewed", now)
		}
		s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k1")
	})
}

// A report about a login that has ended is nobody's.
func TestExpiredTooLate(t *testing.T) {
	for name, end := range map[string]func(*engine.Engine, *service){
		"logged out": func(e *engine.Engine, _ *service) { _ = e.LogoutKit(context.Background()) },
		"lost":       func(_ *engine.Engine, s *service) { s.kitNotify().Lost(nil) },
		"closed":     func(e *engine.Engine, _ *service) { _ = e.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, "KitToken")
				kit := s.kitNotify()
				end(e, s)
				before := settled(e)
				s.called()
				if kit.Expired(expired) || settled(e) != before {
					t.Error("it was taken")
				}
				s.wantCalls(t)
			})
		})
	}
}

// warnings returns the calls that the Warn lines name.
func warnings(r *recorder) (calls []string) {
	for _, line := range r.taken() {
		if line.level == slog.LevelWarn {
			calls = append(calls, line.attrs["op"].(string)+" "+line.attrs["call"].(string))
		}
	}
	return calls
}

// A source that fails, whatever it says, and a server that is away are asked
// again after a pause, with a Warn line each.
func TestExpiredPauses(t *testing.T) {
	for _, row := range []struct {
		name   string
		script func(s *service, n int)
		calls  []string // of each try
		warn   string
	}{
		{"the source fails", func(s *service, n int) { s.gives("KitToken", slices.Repeat([]any{errSource}, n)...) },
			[]string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the source says that the account is banned", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{engine.ErrAccountBanned}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the source says that its own token is refused", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{rejected}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the source has an empty token", func(s *service, n int) { s.gives("KitToken", slices.Repeat([]any{""}, n)...) },
			[]string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the source panics", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{act(func(context.Context) error { panic(1) })}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the server is away", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{"k1"}, n)...)
			s.fails("RenewKit k1", slices.Repeat([]error{engine.ErrUnavailable}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t", "RenewKit k1"}, "RenewKit RenewKit"},
		{"the server says something unknown", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{"k1"}, n)...)
			s.fails("RenewKit k1", slices.Repeat([]error{errSource}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t", "RenewKit k1"}, "RenewKit RenewKit"},
		{"the backend panics", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{"k1"}, n)...)
			s.does("RenewKit k1", slices.Repeat([]act{func(context.Context) error { panic(1) }}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t", "RenewKit k1"}, "RenewKit RenewKit"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				const tries = 12
				r := &recorder{}
				o := s.options(autoLogin, "KitToken")
				o.Logger = slog.New(r)
				e := open(t, s, o)
				wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
				s.called()
				row.script(s, tries)
				s.gives("KitToken", "k2")
				began := time.Now()
				if renews, now := s.expire(e); !renews || !now.Expired {
					t.Fatalf("got %v, %+v", renews, now)
				}
				var longest time.Duration
				for i := range tries {
					if got := s.called(); !slices.Equal(got, row.calls) {
						t.Fatalf("try %d: %q, want %q", i, got, row.calls)
					}
					if w := warnings(r); !slices.Equal(w, []string{row.warn}) {
						t.Errorf("try %d: Warn lines %q, want %q", i, w, row.warn)
					}
					pause := s.waitForCall(t, pauseLimit(i))
					longest = max(longest, pause)
				}
				if total := time.Since(began); longest == 0 || total == 0 {
					t.Error("there were no pauses")
				}
				if now := settled(e); now.Expired || now.State != kitLoggedIn {
					t.Errorf("got %+v, want the login, renewed", now)
				}
				s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k2")
			})
		})
	}
}

// pauseLimit is how long the pause number i may be.
func pauseLimit(i int) time.Duration {
	for _, limit := range []time.Duration{1, 2, 4, 8, 16, 32} {
		if i == 0 {
			return limit * time.Second
		}
		i--
	}
	return 60 * time.Second
}

// Any other Code is the server's refusal: the session ends, and then the login.
func TestExpiredRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		tokens []any
		errs   []error
		calls  []string
		cause  error
	}{
		{"banned", []any{"k1", "k2"}, []error{engine.ErrAccountBanned},
			[]string{"KitToken user1 kit-s3cr3t", "RenewKit k1", "LogoutKit", "LogoutIM"}, engine.ErrAccountBanned},
		{"the first token is refused", []any{"k1", "k2"}, []error{rejected},
			[]string{"KitToken user1 kit-s3cr3t", "RenewKit k1", "KitToken user1 k1", "RenewKit k2"}, nil},
		{"two tokens are refused", []any{"k1", "k2", "k3"}, []error{rejected, expired},
			[]string{"KitToken user1 kit-s3cr3t", "RenewKit k1", "KitToken user1 k1", "RenewKit k2", "LogoutKit", "LogoutIM"}, expired},
		{"the same token again", []any{"k1", "k1"}, []error{rejected},
			[]string{"KitToken user1 kit-s3cr3t", "RenewKit k1", "KitToken user1 k1", "LogoutKit", "LogoutIM"}, rejected},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, "KitToken")
				s.gives("KitToken", row.tokens...)
				s.fails("RenewKit", row.errs...)
				seen := watching(t, e)
				s.expire(e)
				s.wantCalls(t, row.calls...)
				now := settled(e)
				if row.cause == nil {
					if now.State != kitLoggedIn || now.Expired {
						t.Errorf("got %+v, want the login, renewed", now)
					}
					return
				}
				if now.State != imInitialized || now.Expired {
					t.Errorf("got %+v, want the loss", now)
				}
				via := []engine.Trigger{engine.TriggerLoginKit, engine.TriggerLoginKit, engine.TriggerKitLost, engine.TriggerLogoutIM}
				for i, status := range seen() {
					if i >= len(via) || status.Via != via[i] || i > 1 && !errors.Is(status.Cause, row.cause) {
						t.Errorf("change %d: %+v", i, status)
					}
				}
			})
		})
	}
}

// watching returns a function that says what Watch has yielded.
func watching(t *testing.T, e *engine.Engine) func() []engine.Status {
	t.Helper()
	list := make(chan []engine.Status, 1)
	list <- nil
	ctx, cancel := context.WithCancel(t.Context())
	done := begin(func() error {
		for s := range e.Watch(ctx) {
			list <- append(<-list, s)
		}
		return nil
	})
	return func() []engine.Status {
		settled(e)
		cancel()
		_ = done.wait()
		return <-list
	}
}

// In reuse only the kit is lost: IM is the host's.
func TestExpiredRefusedInReuse(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(reuseIM, "KitToken"))
		climb(t, e, kitLoggedIn)
		s.called()
		s.gives("KitToken", "k1")
		s.fails("RenewKit", engine.ErrNoIMAccount)
		s.fails("LogoutKit", errSource) // holds nothing up
		s.expire(e)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k1", "LogoutKit")
		if now := settled(e); now.State != imLoggedIn || now.Via != engine.TriggerKitLost || !errors.Is(now.Cause, engine.ErrNoIMAccount) || errors.Is(now.Cause, errSource) {
			t.Errorf("got %+v, want kit_lost", now)
		}
	})
}

// What wins against a renewal, at each moment of it.
func TestExpiredLosesTo(t *testing.T) {
	moments := map[string]func(*service) (release func()){
		"while the source is asked": func(s *service) func() {
			s.gives("KitToken", act(untilEnd))
			return func() {}
		},
		"while the source ignores its ctx": func(s *service) func() {
			a, release := blocked()
			s.gives("KitToken", a)
			return release
		},
		"in the turn": func(s *service) func() {
			s.gives("KitToken", "k1")
			s.does("RenewKit k1", untilEnd)
			return func() {}
		},
		"in a pause": func(s *service) func() {
			s.gives("KitToken", errSource)
			return func() {}
		},
	}
	winners := map[string]struct {
		end   func(*engine.Engine, *service) error
		state engine.State
		via   engine.Trigger
	}{
		"LogoutKit": {func(e *engine.Engine, _ *service) error { return e.LogoutKit(context.Background()) }, imInitialized, engine.TriggerLogoutIM},
		"LogoutIM":  {func(e *engine.Engine, _ *service) error { return e.LogoutIM(context.Background()) }, imInitialized, engine.TriggerLogoutIM},
		"a kick": {func(_ *engine.Engine, s *service) error { s.imNotify().Lost(engine.ErrKicked); return nil },
			imInitialized, engine.TriggerIMLost},
		"the session's end": {func(_ *engine.Engine, s *service) error { s.kitNotify().Lost(engine.ErrAccountBanned); return nil },
			imInitialized, engine.TriggerLogoutIM},
		"RenewKit of the host": {func(e *engine.Engine, _ *service) error {
			return e.RenewKit(context.Background(), renewWith("own"))
		}, kitLoggedIn, engine.TriggerLoginKit},
	}
	for moment, script := range moments {
		for winner, test := range winners {
			if moment == "in the turn" && winner == "RenewKit of the host" {
				continue // it waits for its turn, as every operation does
			}
			t.Run(winner+" "+moment, func(t *testing.T) {
				inBubble(t, func(t *testing.T, s *service) {
					e := openKit(t, s, "KitToken")
					release := script(s)
					s.expire(e)
					s.called()
					wantErr(t, test.end(e, s), nil)
					release()
					now := settled(e)
					if now.State != test.state || now.Via != test.via || now.Expired {
						t.Errorf("got %+v, want %v via %v", now, test.state, test.via)
					}
					calls := s.called()
					after(time.Hour)
					if late := s.called(); len(late) > 0 {
						t.Errorf("the renewal went on: %q after %q", late, calls)
					}
					if slices.Contains(calls, "RenewKit late") {
						t.Errorf("a token that nobody needs any more was used: %q", calls)
					}
				})
			})
		}
	}
}

// Close ends a renewal, and waits for a source that ignores its ctx.
func TestCloseWaitsForSource(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		a, release := blocked()
		s.gives("KitToken", a)
		s.expire(e)
		closing := begin(e.Close)
		if !closing.waits() || e.Status().State != uninitialized {
			t.Errorf("Close did not wait, or not at its end: %+v", e.Status())
		}
		s.called()
		release()
		wantErr(t, closing.wait(), nil)
		s.wantCalls(t)
	})
}

func TestCloseEndsRenewal(t *testing.T) {
	for name, script := range map[string]func(*service){
		"the source":  func(s *service) { s.gives("KitToken", act(untilEnd)) },
		"the backend": func(s *service) { s.gives("KitToken", "k1"); s.does("RenewKit", untilEnd) },
		"the pause":   func(s *service) { s.gives("KitToken", errSource) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, "KitToken")
				script(s)
				s.expire(e)
				began := time.Now()
				wantErr(t, e.Close(), nil)
				if time.Since(began) > 0 {
					t.Errorf("Close took %v", time.Since(began))
				}
			})
		})
	}
}

// What leaves a renewal running.
func TestExpiredGoesOn(t *testing.T) {
	for name, disturb := range map[string]func(*testing.T, *engine.Engine, *service){
		"a RenewKit of the host that fails": func(t *testing.T, e *engine.Engine, s *service) {
			s.fails("RenewKit own", rejected)
			wantErr(t, e.RenewKit(t.Context(), renewWith("own")), rejected)
		},
		"a logout that gave up waiting": func(t *testing.T, e *engine.Engine, _ *service) {
			ctx, cancel := context.WithCancel(t.Context())
			logout := begin(func() error { return e.LogoutKit(ctx) })
			cancel()
			wantErr(t, logout.wait(), context.Canceled)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, "KitToken")
				s.gives("KitToken", errSource, "k1", "k2")
				s.expire(e)
				release := func() {}
				if strings.HasPrefix(name, "a logout") {
					release = e.Hold()
					after(2 * time.Second) // it has a token, and waits for its turn
				}
				disturb(t, e, s)
				release()
				after(10 * time.Second)
				if now := settled(e); now.State != kitLoggedIn || now.Expired {
					t.Errorf("got %+v, want the login, renewed", now)
				}
			})
		})
	}
	// The backend in whose call the logout came returns late: the logout does
	// not wait any more, and the renewal tries again.
	t.Run("a logout that gave up waiting for the turn of the renewal", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			e := openKit(t, s, "KitToken")
			a, release := blocked()
			s.gives("KitToken", "k1", "k2")
			s.does("RenewKit k1", func(ctx context.Context) error { _ = a(ctx); return errSource })
			s.expire(e)
			ctx, cancel := context.WithCancel(t.Context())
			logout := begin(func() error { return e.LogoutKit(ctx) })
			cancel()
			wantErr(t, logout.wait(), context.Canceled)
			release()
			after(2 * time.Second)
			s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k1", "KitToken user1 kit-s3cr3t", "RenewKit k2")
			if now := settled(e); now.State != kitLoggedIn || now.Expired {
				t.Errorf("got %+v, want the login, renewed", now)
			}
		})
	})
}

// RenewKit of the host is told of a token that has run out, and a success that
// came when a logout interrupted it counts: the session has that token.
func TestRenewKitOfExpired(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		s.gives("KitToken", act(untilEnd), "k1")
		s.expire(e)
		wantErr(t, e.RenewKit(t.Context(), tokenlessKit), nil)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t", "KitToken user1 kit-s3cr3t", "RenewKit k1")
		if e.Status().Expired {
			t.Error("it is still published as expired")
		}
		s.gives("KitToken", "k2", "k3")
		s.expire(e)
		s.wantCalls(t, "KitToken user1 k1", "RenewKit k2")
	})
}

// A token that runs out again while the source of an earlier renewal has not
// returned is renewed when it has: one renewal at a time.
func TestExpiredAgainWhileSourceHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		a, release := blocked()
		s.gives("KitToken", a, "k2")
		s.expire(e)
		wantErr(t, e.RenewKit(t.Context(), renewWith("own")), nil)
		s.called()
		if renews, now := s.expire(e); !renews || !now.Expired {
			t.Errorf("got %v, %+v", renews, now)
		}
		s.wantCalls(t)
		release()
		settled(e)
		s.wantCalls(t, "KitToken user1 own", "RenewKit k2")
		if e.Status().Expired {
			t.Error("it is still published as expired")
		}
	})
}

// runtime.Goexit in the source ends the goroutine of the renewal. The next
// report starts another.
func TestExpiredGoexit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		s.gives("KitToken", act(func(context.Context) error { runtime.Goexit(); return nil }), "k1")
		s.expire(e)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t")
		s.expire(e)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k1")
		if now := settled(e); now.Expired || now.State != kitLoggedIn {
			t.Errorf("got %+v", now)
		}
	})
}

// A Trace or Logger that panics in a renewal is logged, and costs nothing else.
func TestExpiredTracePanics(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		r := &recorder{}
		o := s.options(autoLogin, "KitToken")
		o.Logger = slog.New(r)
		o.Trace = func(ctx context.Context, call string) (context.Context, func(error)) {
			if call == "KitToken" {
				panic("on purpose")
			}
			return ctx, nil
		}
		e := open(t, s, o)
		wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
		r.taken()
		s.gives("KitToken", "k1")
		s.expire(e)
		if now := settled(e); now.Expired {
			t.Errorf("got %+v", now)
		}
		if lines := r.taken(); len(lines) != 1 || lines[0].level != slog.LevelError {
			t.Errorf("logged %+v, want one Error", lines)
		}
	})
}

// Join is a KitRenewer exactly where its kit is, and an IMAdopter exactly where
// its IM is.
func TestJoinRoles(t *testing.T) {
	renewing, plain := newService(), newFake()
	for _, test := range []struct {
		im             engine.IM
		kit            engine.Kit
		adopts, renews bool
	}{
		{plain, plain, false, false},
		{adoptingFake{plain}, plain, true, false},
		{plain, renewing, false, true},
		{adoptingFake{plain}, renewing, true, true},
		{renewing, plain, false, false},
		{mockim.NewService(mockim.ServiceOptions{}).Device(), adoptingFake{plain}, true, false},
	} {
		j := engine.Join(test.im, test.kit)
		if _, ok := j.(engine.IMAdopter); ok != test.adopts {
			t.Errorf("%T over %T: an IMAdopter: %v", test.kit, test.im, ok)
		}
		r, ok := j.(engine.KitRenewer)
		if ok != test.renews {
			t.Errorf("%T over %T: a KitRenewer: %v", test.kit, test.im, ok)
		}
		if ok {
			renewing.called()
			_ = r.RenewKit(t.Context(), renewWith("k1"))
			renewing.wantCalls(t, "RenewKit k1")
		}
	}
}
