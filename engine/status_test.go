package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/engine"
)

func TestStatusOfNewEngine(t *testing.T) {
	if got, want := open(t, newFake(), nil).Status(), (engine.Status{}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// An uncomparable error makes == panic if both interfaces hold one.
type uncomparable []string

func (u uncomparable) Error() string { return u[0] }

func TestStatusComparable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		e := open(t, f, nil)
		climb(t, e, imLoggedIn)
		seen := watch(t.Context(), e)
		f.imNotify().Lost(uncomparable{"odd"})
		got, _ := seen()
		a, b := got[len(got)-1], e.Status()
		if a != b {
			t.Errorf("%+v differs from %+v", a, b)
		}
		var cause uncomparable
		if !errors.As(a.Cause, &cause) || cause[0] != "odd" {
			t.Errorf("the cause is %v, want the backend's own", a.Cause)
		}
		if a.State != imInitialized || a.Via != engine.TriggerIMLost {
			t.Errorf("got %+v, want %v via %s", a, imInitialized, engine.TriggerIMLost)
		}
	})
}

// The cause of a failed operation is comparable, too.
func TestStatusComparableAfterFailure(t *testing.T) {
	f := newFake()
	e := open(t, f, nil)
	f.on = func(call string) error {
		if call == "LoginKit" {
			return uncomparable{"odd"}
		}
		return nil
	}
	err := e.LoginKit(t.Context(), kitAccount)
	var cause uncomparable
	if !errors.As(err, &cause) {
		t.Fatalf("got %v, want the backend's own", err)
	}
	s := e.Status()
	if s != e.Status() || !errors.As(s.Cause, &cause) || s.Via != engine.TriggerLogoutIM {
		t.Errorf("got %+v, want the same cause via %s", s, engine.TriggerLogoutIM)
	}
}

func TestStatusNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		goOn := make(chan struct{})
		f.on = func(string) error { <-goOn; return nil }
		e := open(t, f, nil)
		done := make(chan error)
		go func() { done <- e.InitIM(t.Context()) }()
		synctest.Wait() // InitIM is in the backend, with the slot
		if got := e.Status(); got != (engine.Status{}) {
			t.Errorf("got %+v, want the zero Status", got)
		}
		for s := range e.Watch(t.Context()) {
			if s != (engine.Status{}) {
				t.Errorf("Watch yielded %+v, want the zero Status", s)
			}
			break
		}
		close(goOn)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestStatusAllocatesNothing(t *testing.T) {
	e := open(t, newFake(), nil)
	climb(t, e, kitLoggedIn)
	var s engine.Status
	if got := testing.AllocsPerRun(100, func() { s = e.Status() }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
	if s.State != kitLoggedIn {
		t.Errorf("got %+v", s)
	}
}
