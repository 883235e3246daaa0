package engine_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/engine"
)

// watch collects what e.Watch yields, in the background. It is called in
// a bubble of synctest; what it returns waits until nothing moves any more.
func watch(ctx context.Context, e *engine.Engine) (seen func() (got []engine.Status, ended bool)) {
	var mu sync.Mutex
	var got []engine.Status
	var ended bool
	go func() {
		for s := range e.Watch(ctx) {
			mu.Lock()
			got = append(got, s)
			mu.Unlock()
		}
		mu.Lock()
		ended = true
		mu.Unlock()
	}()
	synctest.Wait()
	return func() ([]engine.Status, bool) {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got), ended
	}
}

// watchSlowly starts a watcher that blocks in its first value until goOn is
// called. goOn returns what the watcher saw until nothing moved any more.
func watchSlowly(ctx context.Context, e *engine.Engine) (goOn func() []engine.Status) {
	var got []engine.Status
	wait := make(chan struct{})
	go func() {
		for s := range e.Watch(ctx) {
			got = append(got, s)
			<-wait
		}
	}()
	synctest.Wait()
	return func() []engine.Status {
		close(wait)
		synctest.Wait()
		return got
	}
}

// step is the part of a Status that a test can predict.
type step struct {
	seq   uint64
	via   engine.Trigger
	state engine.State
}

func steps(list []engine.Status) (got []step) {
	for _, s := range list {
		got = append(got, step{s.Seq, s.Via, s.State})
	}
	return got
}

func wantSteps(t *testing.T, list []engine.Status, want ...step) {
	t.Helper()
	if got := steps(list); !slices.Equal(got, want) {
		t.Errorf("Watch yielded\n%v, want\n%v", got, want)
	}
}

func wantEnded(t *testing.T, got, want bool) {
	t.Helper()
	if got != want {
		t.Errorf("the sequence ended: %v, want %v", got, want)
	}
}

func TestWatchBeginsWithStatus(t *testing.T) {
	for _, at := range states {
		e := open(t, newFake(), nil)
		climb(t, e, at)
		count := 0
		for s := range e.Watch(t.Context()) {
			if s != e.Status() || s.State != at {
				t.Errorf("in %v: the first value is %+v, want %+v", at, s, e.Status())
			}
			count++
			break
		}
		if count != 1 {
			t.Errorf("in %v: %d values, want 1", at, count)
		}
	}
}

func TestWatchOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, newFake(), nil)
		seen := watch(t.Context(), e)
		climb(t, e, kitLoggedIn)
		climb(t, e, kitLoggedIn) // already there, so nothing is published
		if err := e.LogoutIM(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.LogoutKit(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, ended := seen()
		wantSteps(t, got,
			step{0, "", uninitialized},
			step{1, engine.TriggerInitIM, imInitialized},
			step{2, engine.TriggerLoginIM, imLoggedIn},
			step{3, engine.TriggerLoginKit, kitLoggedIn},
			step{4, engine.TriggerLogoutKit, imLoggedIn},
			step{5, engine.TriggerLogoutIM, imInitialized})
		wantEnded(t, ended, false)
		if last := got[len(got)-1]; last != e.Status() {
			t.Errorf("the last value is %+v, want %+v", last, e.Status())
		}
	})
}

// Each watcher sees every change after its first value, even if it starts
// during the changes: the first value and the registration are one step.
func TestWatchMissesNothing(t *testing.T) {
	f := newFake()
	e := open(t, f, nil)
	climb(t, e, imLoggedIn)
	link := f.imNotify().Link
	for range 200 {
		const changes = 60 // fewer than a watcher's queue holds
		last := e.Status().Seq + changes
		var watchers sync.WaitGroup
		for range 4 {
			watchers.Go(func() {
				var before uint64
				for s := range e.Watch(t.Context()) {
					if before != 0 && s.Seq != before+1 {
						t.Errorf("%d came after %d", s.Seq, before)
					}
					if before = s.Seq; s.Seq >= last {
						break
					}
				}
			})
		}
		for i := range changes {
			link(i%2 == 1)
		}
		watchers.Wait()
	}
}

func TestWatchTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		e := open(t, f, nil)
		climb(t, e, imLoggedIn) // Seq 2
		goOn := watchSlowly(t.Context(), e)
		for i := range 100 { // Seq 3 to 102; none of them waits for the watcher
			f.imNotify().Link(i%2 == 1)
		}
		if got := e.Status().Seq; got != 102 {
			t.Errorf("Seq is %d, want 102", got)
		}
		var got []uint64
		for _, s := range goOn() {
			got = append(got, s.Seq)
		}
		want := []uint64{2}
		for seq := uint64(39); seq <= 102; seq++ { // the newest 64
			want = append(want, seq)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestWatchLoopOperates(t *testing.T) {
	e := open(t, newFake(), &engine.Options{Mode: engine.AutoLogin})
	if err := e.LoginKit(t.Context(), kitAccount); err != nil {
		t.Fatal(err)
	}
	var got []engine.Status
	for s := range e.Watch(t.Context()) {
		got = append(got, s)
		var err error
		switch s.State {
		case kitLoggedIn:
			err = e.LogoutKit(t.Context())
		case imInitialized:
			err = e.Close()
		}
		if err != nil {
			t.Errorf("in %v: %v", s.State, err)
		}
	}
	wantSteps(t, got,
		step{3, engine.TriggerLoginKit, kitLoggedIn},
		step{4, engine.TriggerLogoutKit, imLoggedIn},
		step{5, engine.TriggerLogoutIM, imInitialized},
		step{6, engine.TriggerClose, uninitialized})
}

func TestWatchLoopPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, newFake(), nil)
		seen := watch(t.Context(), e)
		recovered := func() (v any) {
			defer func() { v = recover() }()
			for range e.Watch(t.Context()) {
				panic("the host's")
			}
			return nil
		}()
		if recovered != "the host's" {
			t.Errorf("recovered %v, want the panic of the loop body", recovered)
		}
		if got := e.Watchers(); got != 1 {
			t.Errorf("%d watchers, want 1", got)
		}
		climb(t, e, imLoggedIn)
		got, _ := seen()
		wantSteps(t, got,
			step{0, "", uninitialized},
			step{1, engine.TriggerInitIM, imInitialized},
			step{2, engine.TriggerLoginIM, imLoggedIn})
	})
}

// Several loops can range over the sequence, even at once; each begins with the
// current Status.
func TestWatchTwice(t *testing.T) {
	e := open(t, newFake(), nil)
	sequence := e.Watch(t.Context())
	climb(t, e, imInitialized)
	first := func() engine.Status {
		for s := range sequence {
			return s
		}
		return engine.Status{}
	}
	if got := first(); got != e.Status() || got.Seq != 1 {
		t.Errorf("the first loop begins with %+v, want %+v", got, e.Status())
	}
	for outer := range sequence {
		for inner := range sequence {
			if inner != outer || e.Watchers() != 2 {
				t.Errorf("%d loops, at %+v and %+v; want 2 at the same", e.Watchers(), outer, inner)
			}
			break
		}
		break
	}
	climb(t, e, imLoggedIn)
	if got := first(); got != e.Status() || got.Seq != 2 {
		t.Errorf("the later loop begins with %+v, want %+v", got, e.Status())
	}
}

// A change of the link is published, but Via and Cause still describe the last
// transition.
func TestWatchLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		e := open(t, f, nil)
		climb(t, e, kitLoggedIn)  // Seq 3
		f.kitNotify().Link(false) // a kit's counts for nothing
		f.kitNotify().Lost(engine.ErrTokenExpired)
		synctest.Wait() // Seq 4
		lost := e.Status()
		if lost.State != imLoggedIn || lost.Via != engine.TriggerKitLost || lost.Cause != engine.ErrTokenExpired || !lost.Online {
			t.Fatalf("after the loss: %+v", lost)
		}
		seen := watch(t.Context(), e)
		for _, online := range []bool{false, false, true, true, false} {
			f.imNotify().Link(online)
		}
		want := []engine.Status{lost, lost, lost, lost}
		want[1].Seq, want[1].Online = 5, false
		want[2].Seq, want[2].Online = 6, true
		want[3].Seq, want[3].Online = 7, false
		if got, _ := seen(); !slices.Equal(got, want) {
			t.Errorf("got\n%+v, want\n%+v", got, want)
		}
	})
}
