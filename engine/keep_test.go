package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

var kitCalls = []string{"Authenticate kit-s3cr3t", "InitIM", "LoginIM im-s3cr3t", "LoginKit kit-s3cr3t"}

// keep starts KeepKit, and returns when it waits for something, or is done.
func keep(t *testing.T, e *engine.Engine, a engine.KitAccount) *pending {
	t.Helper()
	k := begin(func() error { return e.KeepKit(t.Context(), a) })
	t.Cleanup(func() {
		_ = e.Close()
		_ = k.wait()
	})
	return k
}

// KeepKit logs the kit in at once, and blocks.
func TestKeepKit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, &autoLogin)
		began := time.Now()
		k := keep(t, e, kitAccount)
		s.wantCalls(t, kitCalls...)
		if now := settled(e); now.State != kitLoggedIn || time.Since(began) > 0 {
			t.Errorf("got %+v after %v", now, time.Since(began))
		}
		after(time.Hour)
		s.wantCalls(t)
		if !k.waits() {
			t.Fatalf("it returned %v", k.err)
		}
		wantErr(t, e.LogoutKit(t.Context()), nil)
		wantErr(t, k.wait(), engine.ErrInterrupted)
	})
}

// A login that is there already is kept too.
func TestKeepKitOfLoginThatIsThere(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s)
		k := keep(t, e, engine.KitAccount{UserUUID: "USER1", Token: "other"})
		s.wantCalls(t)
		s.kitNotify().Lost(engine.ErrUnavailable)
		after(time.Second)
		s.wantCalls(t, "LogoutIM", "Authenticate kit-s3cr3t", "LoginIM im-s3cr3t", "LoginKit kit-s3cr3t")
		_ = e.Close()
		wantErr(t, k.wait(), engine.ErrInterrupted)
	})
}

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

func (hookedError) Error() string   { return "hooked" }
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

// What each reason does to KeepKit, as the reason of a try and as the cause of
// a loss.
var keepReasons = []struct {
	name    string
	err     error
	sources []string
	again   bool
}{
	{"the server is away", engine.ErrUnavailable, nil, true},
	{"away, somewhere in the chain", fmt.Errorf("%w: %w", engine.ErrIMNotLoggedIn, engine.ErrUnavailable), nil, true},
	{"an expired token and a source", engine.ErrTokenExpired, []string{"KitToken"}, true},
	{"an expired token and no source", engine.ErrTokenExpired, []string{"IMToken"}, false},
	{"a kick", &engine.KickError{Reason: engine.KickedByClient}, bothKinds, false},
	{"a ban", engine.ErrAccountBanned, bothKinds, false},
	{"a refused token", engine.ErrTokenRejected, bothKinds, false},
	{"100004", engine.ErrIMNotLoggedIn, bothKinds, false},
	{"100005", engine.ErrIMAccountMismatch, bothKinds, false},
	{"ErrIMLoggedOut", engine.ErrIMLoggedOut, bothKinds, false},
	{"ErrIMInUse", engine.ErrIMInUse, bothKinds, false},
	{"ErrKitInUse", engine.ErrKitInUse, bothKinds, false},
	{"ErrNoIMAccount", engine.ErrNoIMAccount, bothKinds, false},
	{"ErrNotEnabled", engine.ErrNotEnabled, bothKinds, false},
	{"ErrAppKeyMismatch", engine.ErrAppKeyMismatch, bothKinds, false},
	{"ErrArgument", engine.ErrArgument, bothKinds, false},
	{"ErrSecondaryProcess", engine.ErrSecondaryProcess, bothKinds, false},
	{"no Code", errStuck, bothKinds, false},
}

func TestKeepKitReasons(t *testing.T) {
	for _, row := range keepReasons {
		check := func(t *testing.T, k *pending) {
			t.Helper()
			if again := k.waits(); again != row.again {
				t.Fatalf("it tries again: %v, want %v; it returned %v", again, row.again, k.err)
			}
			if !row.again {
				wantErr(t, k.wait(), row.err)
			}
		}
		t.Run(row.name+" in a try", func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				s.fails("Authenticate", row.err)
				e := open(t, s, s.options(autoLogin, row.sources...))
				s.gives("KitToken", "k1")
				k := keep(t, e, kitAccount)
				check(t, k)
				after(time.Second)
				if now := settled(e); (now.State == kitLoggedIn) != row.again {
					t.Errorf("a second later: %+v", now)
				}
			})
		})
		t.Run(row.name+" as a loss of the kit", func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := open(t, s, s.options(autoLogin, row.sources...))
				s.gives("KitToken", "k1")
				k := keep(t, e, kitAccount)
				s.kitNotify().Lost(row.err)
				check(t, k)
				after(time.Second)
				if now := settled(e); (now.State == kitLoggedIn) != row.again {
					t.Errorf("a second later: %+v", now)
				}
			})
		})
		t.Run(row.name+" as a loss of IM", func(t *testing.T) {
			if errors.Is(row.err, engine.ErrTokenExpired) {
				return // of IM: TestKeepKitExpiredIM
			}
			inBubble(t, func(t *testing.T, s *service) {
				e := open(t, s, s.options(autoLogin, row.sources...))
				k := keep(t, e, kitAccount)
				s.imNotify().Lost(row.err)
				check(t, k)
			})
		})
	}
}

// Of an IM token that has expired, it is the source of IM tokens that counts.
func TestKeepKitExpiredIM(t *testing.T) {
	for name, test := range map[string]struct {
		source string
		again  bool
	}{
		"a source of IM tokens":  {"IMToken", true},
		"a source of kit tokens": {"KitToken", false},
	} {
		t.Run(name+", a loss", func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := open(t, s, s.options(autoLogin, test.source))
				k := keep(t, e, kitAccount)
				s.imNotify().Lost(expired)
				if again := k.waits(); again != test.again {
					t.Errorf("it tries again: %v, want %v", again, test.again)
				}
				s.called()
				after(time.Second)
				if test.again { // the kit's token is as good as before
					s.wantCalls(t, "Authenticate kit-s3cr3t", "LoginIM im-s3cr3t", "LoginKit kit-s3cr3t")
				}
			})
		})
		t.Run(name+", a try", func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				s.fails("LoginIM", expired, expired)
				s.gives("IMToken", "i1")
				e := open(t, s, s.options(autoLogin, test.source))
				k := keep(t, e, kitAccount)
				if again := k.waits(); again != test.again {
					t.Errorf("it tries again: %v, want %v", again, test.again)
				}
				s.called()
				after(time.Second)
				if test.again {
					s.wantCalls(t, "Authenticate kit-s3cr3t", "LoginIM im-s3cr3t", "LoginKit kit-s3cr3t")
				}
			})
		})
	}
}

// What a source fails with is passing where it has no Code.
func TestKeepKitSourceFails(t *testing.T) {
	for name, test := range map[string]struct {
		answer any
		again  bool
	}{
		"no Code":     {errSource, true},
		"unavailable": {engine.ErrUnavailable, true},
		"a panic":     {act(func(context.Context) error { panic(1) }), true},
		"banned":      {engine.ErrAccountBanned, false},
		"rejected":    {rejected, false},
		"no token":    {"", false},
	} {
		for _, source := range bothKinds {
			t.Run(source+" "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, s *service) {
					s.bound = boundless
					s.gives("KitToken", "k1", "k2")
					s.gives("IMToken", test.answer, "i2")
					a := kitAccount
					if source == "KitToken" {
						s.bound = imAccount
						s.tokens["KitToken"] = []any{test.answer, "k2"}
						a = tokenlessKit
					}
					e := open(t, s, s.options(autoLogin, bothKinds...))
					k := keep(t, e, a)
					if again := k.waits(); again != test.again {
						t.Fatalf("it tries again: %v, want %v: %v", again, test.again, k.err)
					}
					after(time.Second)
					if now := settled(e); (now.State == kitLoggedIn) != test.again {
						t.Errorf("a second later: %+v", now)
					}
				})
			})
		}
	}
}

// The link that is down under RequireOnline is passing; no host's login is not.
func TestKeepKitRequireOnline(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, &engine.Options{Mode: engine.ReuseIM, RequireOnline: true})
		climb(t, e, imLoggedIn)
		s.imNotify().Link(false)
		s.called()
		k := keep(t, e, kitAccount)
		after(time.Hour)
		s.wantCalls(t)
		if !k.waits() {
			t.Fatalf("it returned %v", k.err)
		}
		s.imNotify().Link(true)
		after(time.Minute)
		s.wantCalls(t, "Authenticate kit-s3cr3t", "LoginKit kit-s3cr3t")
		s.imNotify().Lost(engine.ErrUnavailable)
		after(time.Minute)
		wantErr(t, k.wait(), engine.ErrIMNotLoggedIn)
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

// What is wrong before the first try.
func TestKeepKitRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, &autoLogin)
		wantErr(t, e.KeepKit(t.Context(), tokenlessKit), engine.ErrArgument)
		wantErr(t, e.KeepKit(t.Context(), engine.KitAccount{Token: "k"}), engine.ErrArgument)
		wantErr(t, e.KeepKit(noCtx, kitAccount), engine.ErrArgument)
		wantErr(t, e.Close(), nil)
		wantErr(t, e.KeepKit(t.Context(), kitAccount), engine.ErrClosed)
		s.wantCalls(t, "Close")
		second := open(t, newService(), &engine.Options{SecondaryProcess: true})
		wantErr(t, second.KeepKit(t.Context(), kitAccount), engine.ErrSecondaryProcess)
	})
}

// Two KeepKits of one account are fine; of two accounts the second is refused,
// also while the first is between two tries.
func TestKeepKitTwice(t *testing.T) {
	for _, logged := range []bool{true, false} {
		t.Run(fmt.Sprint("logged in ", logged), func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				if !logged {
					s.fails("Authenticate", slices.Repeat([]error{engine.ErrUnavailable}, 1000)...)
				}
				e := open(t, s, &autoLogin)
				ctx, cancel := context.WithCancel(t.Context())
				first := begin(func() error { return e.KeepKit(ctx, kitAccount) })
				same := keep(t, e, engine.KitAccount{UserUUID: "USER1", Token: "k"})
				s.called()
				wantErr(t, e.KeepKit(t.Context(), secondKit), engine.ErrKitInUse)
				s.wantCalls(t)
				if !first.waits() || !same.waits() {
					t.Fatalf("one of them returned: %v, %v", first.err, same.err)
				}
				cancel()
				wantErr(t, first.wait(), context.Canceled)
				wantErr(t, e.KeepKit(t.Context(), secondKit), engine.ErrKitInUse)
				wantErr(t, e.LogoutKit(t.Context()), nil)
				wantErr(t, same.wait(), engine.ErrInterrupted)
				s.acts = map[string][]act{}
				other := keep(t, e, secondKit)
				if !other.waits() || settled(e).UserUUID != secondKit.UserUUID {
					t.Errorf("nobody keeps the first any more, but the second got %v", other.err)
				}
				_ = e.LogoutKit(t.Context())
				_ = other.wait()
			})
		})
	}
}

// Both callers of one account log in again after a loss.
func TestKeepKitTwiceAfterLoss(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, &autoLogin)
		first, second := keep(t, e, kitAccount), keep(t, e, kitAccount)
		for range 3 {
			s.kitNotify().Lost(engine.ErrUnavailable)
			after(time.Minute)
			if now := settled(e); now.State != kitLoggedIn || !first.waits() || !second.waits() {
				t.Fatalf("got %+v, %v, %v", now, first.err, second.err)
			}
		}
		s.kitNotify().Lost(engine.ErrKicked)
		wantErr(t, first.wait(), engine.ErrKicked)
		wantErr(t, second.wait(), engine.ErrKicked)
	})
}

// The pauses: each of at most the limit, which doubles up to a minute, and not
// always the same.
func TestKeepKitPauses(t *testing.T) {
	const tries = 10
	var longest [tries]time.Duration
	for range 40 {
		inBubble(t, func(t *testing.T, s *service) {
			s.fails("Authenticate", slices.Repeat([]error{engine.ErrUnavailable}, tries)...)
			e := open(t, s, &autoLogin)
			k := keep(t, e, kitAccount)
			for i := range tries {
				s.wantCalls(t, "Authenticate kit-s3cr3t")
				longest[i] = max(longest[i], s.waitForCall(t, pauseLimit(i)))
			}
			_ = e.LogoutKit(t.Context())
			_ = k.wait()
		})
	}
	for i, pause := range longest {
		if limit := pauseLimit(i); pause < limit/2 { // 40 draws below the half: 1 in 10^12
			t.Errorf("the longest pause %d of 40 was %v, want up to %v", i, pause, limit)
		}
	}
}

// A login that held for as long as the limit starts again at one second.
func TestKeepKitPauseStartsOver(t *testing.T) {
	for name, test := range map[string]struct {
		held  time.Duration
		limit time.Duration
	}{
		"held":      {time.Minute, time.Second},
		"not quite": {time.Minute - time.Second, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			longest := time.Duration(0)
			for range 40 {
				inBubble(t, func(t *testing.T, s *service) {
					s.fails("Authenticate", slices.Repeat([]error{engine.ErrUnavailable}, 8)...)
					e := open(t, s, &autoLogin)
					k := keep(t, e, kitAccount)
					for e.Status().State < kitLoggedIn {
						s.waitForCall(t, time.Minute)
						s.called()
					}
					after(test.held)
					s.kitNotify().Lost(engine.ErrUnavailable)
					settled(e)
					s.called()
					longest = max(longest, s.waitForCall(t, test.limit))
					_ = e.LogoutKit(t.Context())
					_ = k.wait()
				})
			}
			if longest < test.limit/2 {
				t.Errorf("the longest pause of 40 was %v, want up to %v", longest, test.limit)
			}
		})
	}
}

// Which token a try uses.
func TestKeepKitTokens(t *testing.T) {
	lose := func(cause error) func(*engine.Engine, *service) {
		return func(_ *engine.Engine, s *service) { s.kitNotify().Lost(cause) }
	}
	for _, row := range []struct {
		name   string
		given  string
		tokens []any
		fails  []error // of the first Authenticates
		first  []string
		act    func(*engine.Engine, *service)
		second []string // calls with a token after the loss
	}{
		{name: "a given one is used again", given: "k", first: []string{"Authenticate k", "LoginKit k"},
			act: lose(engine.ErrUnavailable), second: []string{"Authenticate k", "LoginKit k"}},
		{name: "RenewKit has replaced a given one", given: "k", first: []string{"Authenticate k", "LoginKit k", "RenewKit own"},
			act: func(e *engine.Engine, s *service) {
				_ = e.RenewKit(context.Background(), renewWith("own"))
				s.kitNotify().Lost(engine.ErrUnavailable)
			}, second: []string{"Authenticate own", "LoginKit own"}},
		{name: "the engine has renewed a given one", given: "k", tokens: []any{"k1"},
			first: []string{"Authenticate k", "LoginKit k", "KitToken user1 k", "RenewKit k1"},
			act: func(e *engine.Engine, s *service) {
				s.expire(e)
				s.kitNotify().Lost(engine.ErrUnavailable)
			}, second: []string{"Authenticate k1", "LoginKit k1"}},
		{name: "a given one has run out", given: "k", tokens: []any{"k1"}, first: []string{"Authenticate k", "LoginKit k"},
			act: lose(expired), second: []string{"KitToken user1 k", "Authenticate k1", "LoginKit k1"}},
		{name: "a given one has run out at the first try", given: "k", tokens: []any{"k1"}, fails: []error{expired},
			first: []string{"Authenticate k"}, act: func(*engine.Engine, *service) {},
			second: []string{"KitToken user1 k", "Authenticate k1", "LoginKit k1"}},
		{name: "one that was being renewed", given: "k", tokens: []any{errSource, "k1"},
			first: []string{"Authenticate k", "LoginKit k", "KitToken user1 k"},
			act: func(e *engine.Engine, s *service) {
				s.expire(e)
				s.kitNotify().Lost(engine.ErrUnavailable)
			}, second: []string{"KitToken user1 k", "Authenticate k1", "LoginKit k1"}},
		{name: "none is given: the source is asked in each try", tokens: []any{"k1", "k2"},
			first: []string{"KitToken user1 ", "Authenticate k1", "LoginKit k1"},
			act:   lose(engine.ErrUnavailable), second: []string{"KitToken user1 ", "Authenticate k2", "LoginKit k2"}},
		{name: "a fetched one has run out", tokens: []any{"k1", "k2"},
			first: []string{"KitToken user1 ", "Authenticate k1", "LoginKit k1"},
			act:   lose(expired), second: []string{"KitToken user1 k1", "Authenticate k2", "LoginKit k2"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				withToken := func() []string {
					return slices.DeleteFunc(s.called(), func(call string) bool {
						return slices.Contains([]string{"InitIM", "LoginIM im-s3cr3t", "LogoutIM"}, call)
					})
				}
				s.gives("KitToken", row.tokens...)
				s.fails("Authenticate", row.fails...)
				e := open(t, s, s.options(autoLogin, "KitToken"))
				k := keep(t, e, renewWith(row.given))
				row.act(e, s)
				settled(e)
				if got := withToken(); !slices.Equal(got, row.first) {
					t.Errorf("first: %q, want %q", got, row.first)
				}
				after(time.Second)
				if got := withToken(); !slices.Equal(got, row.second) {
					t.Errorf("then: %q, want %q", got, row.second)
				}
				_ = e.Close()
				_ = k.wait()
			})
		})
	}
}

// After a login with a new token, the source is not told of the old one again.
func TestKeepKitForgetsRefusedToken(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.gives("KitToken", "k1", "k2", "k3")
		e := open(t, s, s.options(autoLogin, "KitToken"))
		keep(t, e, tokenlessKit)
		for _, cause := range []error{expired, engine.ErrUnavailable} {
			s.kitNotify().Lost(cause)
			after(time.Minute)
		}
		questions := slices.DeleteFunc(s.called(), func(call string) bool { return !strings.HasPrefix(call, "KitToken") })
		if want := []string{"KitToken user1 ", "KitToken user1 k1", "KitToken user1 "}; !slices.Equal(questions, want) {
			t.Errorf("the source was asked %q, want %q", questions, want)
		}
	})
}

// A token that a later try's server refuses ends it, and the source is not asked
// in its place.
func TestKeepKitTokenRefusedLater(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(autoLogin, "KitToken"))
		k := keep(t, e, kitAccount)
		s.fails("Authenticate", rejected)
		s.kitNotify().Lost(engine.ErrUnavailable)
		after(time.Second)
		wantFailure(t, k.wait(), rejected, "Authenticate")
	})
}

// KeepKit runs on the goroutine of its caller alone.
func TestKeepKitGoroutines(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		before := runtime.NumGoroutine()
		e := open(t, s, s.options(autoLogin, bothKinds...))
		k := keep(t, e, kitAccount)
		if got := runtime.NumGoroutine() - before; got != 1 {
			t.Errorf("%d goroutines, want that of the caller", got)
		}
		s.fails("Authenticate", engine.ErrUnavailable)
		s.kitNotify().Lost(engine.ErrUnavailable)
		settled(e)
		if got := runtime.NumGoroutine() - before; got != 1 {
			t.Errorf("between two tries: %d goroutines, want that of the caller", got)
		}
		_ = e.Close()
		_ = k.wait()
	})
}

// Its errors and log lines bear its name, once for each failure.
func TestKeepKitLogs(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		r := &recorder{}
		e := open(t, s, &engine.Options{Logger: slog.New(r)})
		s.fails("Authenticate", engine.ErrUnavailable, engine.ErrAccountBanned)
		k := keep(t, e, kitAccount)
		err := k.wait()
		var failure *engine.Error
		if !errors.As(err, &failure) || failure.Op != "KeepKit" || failure.Call != "Authenticate" {
			t.Errorf("got %#v", err)
		}
		if got, want := warnings(r), []string{"KeepKit Authenticate", "KeepKit Authenticate"}; !slices.Equal(got, want) {
			t.Errorf("Warn lines %q, want %q", got, want)
		}
		k = keep(t, e, kitAccount)
		s.imNotify().Lost(engine.ErrKicked)
		wantErr(t, k.wait(), engine.ErrKicked)
		if got, want := warnings(r), []string{"KeepKit "}; !slices.Equal(got, want) {
			t.Errorf("Warn lines %q, want %q", got, want)
		}
	})
}

// A ctx whose method panics ends it, and it panics in the end.
func TestKeepKitPanics(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, &autoLogin)
		defer func() {
			if v := recover(); v != "on purpose" {
				t.Errorf("it panicked with %v", v)
			}
			wantErr(t, e.KeepKit(noCtx, kitAccount), engine.ErrArgument) // the engine goes on
		}()
		_ = e.KeepKit(panickingCtx{t.Context()}, kitAccount)
		t.Error("it returned")
	})
}

type panickingCtx struct{ context.Context }

func (panickingCtx) Done() <-chan struct{} { panic("on purpose") }

// A loss that the host's own login has mended is no reason to log in.
func TestKeepKitAndLoginKit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, &autoLogin)
		k := keep(t, e, kitAccount)
		s.kitNotify().Lost(engine.ErrUnavailable)
		wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
		s.called()
		after(time.Hour)
		s.wantCalls(t)
		if !k.waits() {
			t.Errorf("it returned %v", k.err)
		}
		// Somebody else's account, between two tries, ends it.
		s.kitNotify().Lost(engine.ErrUnavailable)
		wantErr(t, e.LoginKit(t.Context(), secondKit), nil)
		after(time.Minute)
		wantErr(t, k.wait(), engine.ErrKitInUse)
	})
}

// A cause whose methods panic ends it, and nothing else.
func TestKeepKitPanickingCause(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, &autoLogin)
		k := keep(t, e, kitAccount)
		s.kitNotify().Lost(brokenError{})
		if err := k.wait(); err == nil || engine.CodeOf(err) != 0 {
			t.Errorf("got %v", err)
		}
	})
}
