package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

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
