package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
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

// KeepKit runs on the goroutine of its caller alone.
func TestKeepKitGoroutines(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(autoLogin, bothKinds...))
		k := keep(t, e, kitAccount)
		if got := inEngine(); got != 1 {
			t.Errorf("%d goroutines, want that of the caller", got)
		}
		s.fails("Authenticate", engine.ErrUnavailable)
		s.kitNotify().Lost(engine.ErrUnavailable)
		settled(e)
		if got := inEngine(); got != 1 {
			t.Errorf("between two tries: %d goroutines, want that of the caller", got)
		}
		_ = e.Close()
		_ = k.wait()
	})
}

// inEngine returns the number of goroutines that run code of an engine. Others
// come and go: an earlier test's may still be ending.
func inEngine() (n int) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "/engine.(*") {
			n++
		}
	}
	return n
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
