package engine_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// A looker is a fake that does what it is told with the ctx of a step down.
type looker struct {
	*fake
	look func(context.Context)
}

func (f looker) LogoutKit(ctx context.Context) error {
	f.look(ctx)
	return f.fake.LogoutKit(ctx)
}

type ctxKey struct{}

// logoutLooking logs the kit in and out. look gets the ctx of the step down, and
// the function that cancels the caller's.
func logoutLooking(t *testing.T, look func(ctx context.Context, cancel func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		caller, cancel := context.WithCancel(context.WithValue(t.Context(), ctxKey{}, "the caller's"))
		defer cancel()
		e := open(t, looker{newFake(), func(ctx context.Context) { look(ctx, cancel) }}, nil)
		climb(t, e, kitLoggedIn)
		if err := e.LogoutKit(caller); err != nil {
			t.Fatal(err)
		}
	})
}

// The 5 s of a step down count from its start, even if the backend looks at the
// ctx later.
func TestStepDownCountsFromItsStart(t *testing.T) {
	logoutLooking(t, func(ctx context.Context, _ func()) {
		start := time.Now()
		<-time.After(3 * time.Second)
		if deadline, ok := ctx.Deadline(); !ok || !deadline.Equal(start.Add(5*time.Second)) {
			t.Errorf("the deadline is %v, %v; want 5 s after %v", deadline, ok, start)
		}
		<-ctx.Done()
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("the ctx ended after %v, want 5s", got)
		}
		if got := context.Cause(ctx); got != context.DeadlineExceeded {
			t.Errorf("the cause is %v, want %v", got, context.DeadlineExceeded)
		}
	})
}

// A backend that keeps the ctx of a step down finds it canceled once the step
// is over, whether it has looked at the ctx before or not.
func TestStepDownEndsItsCtx(t *testing.T) {
	for name, looksEarly := range map[string]bool{"looked at during the step": true, "first looked at later": false} {
		t.Run(name, func(t *testing.T) {
			var kept context.Context
			logoutLooking(t, func(ctx context.Context, _ func()) {
				kept = ctx
				if looksEarly && ctx.Err() != nil {
					t.Errorf("it ended early: %v", ctx.Err())
				}
			})
			select {
			case <-kept.Done():
			default:
				t.Error("it is not done")
			}
			if kept.Err() != context.Canceled {
				t.Errorf("Err is %v, want %v", kept.Err(), context.Canceled)
			}
		})
	}
}

// Several goroutines may be the first to look at the ctx of a step down. All of
// them find the same one.
func TestStepDownLookedAtAtOnce(t *testing.T) {
	logoutLooking(t, func(ctx context.Context, _ func()) {
		var found [8]<-chan struct{}
		var all sync.WaitGroup
		for i := range found {
			all.Go(func() { found[i] = ctx.Done() })
		}
		all.Wait()
		for _, done := range found {
			if done != ctx.Done() {
				t.Error("a goroutine found another ctx")
			}
		}
	})
}

// The caller's values reach a step down; the end of the caller's ctx does not.
func TestStepDownHasTheCallersValues(t *testing.T) {
	logoutLooking(t, func(ctx context.Context, cancel func()) {
		cancel()
		if got := ctx.Value(ctxKey{}); got != "the caller's" {
			t.Errorf("the value is %v", got)
		}
		child, end := context.WithCancel(ctx)
		defer end()
		if child.Err() != nil || context.Cause(ctx) != nil {
			t.Errorf("the caller's end shows: %v, %v", child.Err(), context.Cause(ctx))
		}
	})
}

var _ engine.Backend = looker{}
