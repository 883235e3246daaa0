package engine_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/engine"
)

func TestWatchBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, newFake(), nil)
		seen := watch(t.Context(), e)
		for range e.Watch(t.Context()) {
			if got := e.Watchers(); got != 2 {
				t.Errorf("%d watchers in the loop, want 2", got)
			}
			break
		}
		if got := e.Watchers(); got != 1 {
			t.Errorf("%d watchers after the break, want 1", got)
		}
		climb(t, e, imInitialized)
		got, _ := seen()
		wantSteps(t, got, step{0, "", uninitialized}, step{1, engine.TriggerInitIM, imInitialized})
	})
}

func TestWatchContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, newFake(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		seen := watch(ctx, e)
		cancel()
		_, ended := seen()
		wantEnded(t, ended, true)
		climb(t, e, imInitialized)
		got, _ := seen()
		wantSteps(t, got, step{0, "", uninitialized})
		if got := e.Watchers(); got != 0 {
			t.Errorf("%d watchers, want 0", got)
		}
	})
}

// If ctx ends while the loop body runs, the sequence ends, even if more is
// queued.
func TestWatchContextEndsInBody(t *testing.T) {
	e := open(t, newFake(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	count := 0
	for range e.Watch(ctx) {
		count++
		climb(t, e, imLoggedIn)
		cancel()
	}
	if count != 1 {
		t.Errorf("%d values, want 1", count)
	}
}

func TestWatchWithoutContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var noCtx context.Context
	for name, ctx := range map[string]context.Context{"ended": ended, "nil": noCtx} {
		e := open(t, newFake(), nil)
		for range 100 { // a select between two that are ready would show here
			for s := range e.Watch(ctx) {
				t.Errorf("%s ctx: got %+v, want nothing", name, s)
			}
		}
		if got := e.Watchers(); got != 0 {
			t.Errorf("%s ctx: %d watchers, want 0", name, got)
		}
	}
}

func TestWatchClosedEngine(t *testing.T) {
	for _, at := range states {
		e := open(t, newFake(), nil)
		climb(t, e, at)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := slices.Collect(e.Watch(t.Context()))
			if len(got) != 1 || got[0] != e.Status() || got[0].State != uninitialized {
				t.Errorf("closed in %v: got %+v, want only %+v", at, got, e.Status())
			}
		}
	}
}

// After Close a watcher still gets what is queued. The last value is Close's
// own, and Close does not wait for the watcher.
func TestWatchClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, newFake(), nil)
		goOn := watchSlowly(t.Context(), e)
		climb(t, e, kitLoggedIn)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		wantSteps(t, goOn(),
			step{0, "", uninitialized},
			step{1, engine.TriggerInitIM, imInitialized},
			step{2, engine.TriggerLoginIM, imLoggedIn},
			step{3, engine.TriggerLoginKit, kitLoggedIn},
			step{4, engine.TriggerClose, uninitialized})
	})
}

// If the engine never left the first state, Close takes no edge, and the
// sequence just ends.
func TestWatchCloseUninitialized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, newFake(), nil)
		seen := watch(t.Context(), e)
		e.Close()
		got, ended := seen()
		wantSteps(t, got, step{0, "", uninitialized})
		wantEnded(t, ended, true)
	})
}
