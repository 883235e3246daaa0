package flat_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
)

// Three operations that are started one after the other take their turns in
// that order.
func TestStartKeepsTheOrder(t *testing.T) {
	for range 200 {
		f := newFixture(t, nil)
		errs := make(chan error, 3)
		for _, run := range []func(context.Context, *engine.Engine) error{initIM, loginIM, loginKit} {
			f.Start("Test", run, func(err error) { errs <- err })
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		if s := f.Status(); s.State != engine.KitLoggedIn || !s.Reused || s.Seq != 3 {
			t.Fatalf("got %v after %d changes, want a reused kit login after 3", s.State, s.Seq)
		}
	}
}

// An operation that waits for its turn is in the queue before the next one, also
// if that is long in coming.
func TestStartKeepsTheOrderOfThoseThatWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var answer *flat.Request
		f := newFixture(t, func(o *flat.Options) {
			o.IM = flat.NewIM(flat.Client{
				Init:   func(_ string, r *flat.Request) func(bool) { answer = r; return nil },
				Login:  func(_ engine.IMAccount, r *flat.Request) func(bool) { r.Done(); return nil },
				Logout: func(r *flat.Request) func(bool) { r.Done(); return nil },
			})
		})
		var errs []error
		done := func(err error) { errs = append(errs, err) }
		f.Start("InitIM", initIM, done)
		synctest.Wait()
		f.Start("LoginIM", loginIM, done)
		f.Start("LoginKit", loginKit, done)
		f.Start("RenewKit", renewKit, done)
		synctest.Wait()
		answer.Done()
		synctest.Wait()
		if len(errs) != 4 || errors.Join(errs...) != nil {
			t.Errorf("got %v, want four operations that succeed", errs)
		}
		if s := f.Status(); s.State != engine.KitLoggedIn || !s.Reused || s.Seq != 3 {
			t.Errorf("got %v after %d changes, want a reused kit login after 3", s.State, s.Seq)
		}
	})
}

// A logout takes effect at once, however many operations wait for their turn.
func TestLogoutDoesNotWaitForTheLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		logins := 0
		f := newFixture(t, func(o *flat.Options) {
			o.IM = flat.NewIM(flat.Client{
				Login:  func(engine.IMAccount, *flat.Request) func(bool) { logins++; return nil }, // never answers
				Logout: func(r *flat.Request) func(bool) { r.Done(); return nil },
			})
		})
		f.must(initIM)
		var errs []error
		for range 20 {
			f.Start("LoginIM", loginIM, func(err error) { errs = append(errs, err) })
		}
		synctest.Wait()
		start := time.Now() // of the bubble, so it moves only if everyone waits for it
		f.must(func(ctx context.Context, e *engine.Engine) error { return e.LogoutIM(ctx) })
		synctest.Wait()
		if waited := time.Since(start); waited != 0 || logins != 1 {
			t.Errorf("the logout waited for %v, and %d logins began, want 0s and 1", waited, logins)
		}
		if len(errs) != 20 {
			t.Errorf("%d logins ended, want 20", len(errs))
		}
		for _, err := range errs {
			if !errors.Is(err, engine.ErrInterrupted) {
				t.Errorf("a login ended with %v, want ErrInterrupted", err)
			}
		}
	})
}

// A KeepKit that finds the kit logged in waits without a call of the host. The
// operations after it do not wait for it.
func TestStartAfterAKeepKitThatWaits(t *testing.T) {
	f := newFixture(t, nil)
	f.must(initIM)
	f.must(loginKit)
	ended := make(chan error, 1)
	f.Start("KeepKit", func(ctx context.Context, e *engine.Engine) error { return e.KeepKit(ctx, user) }, func(err error) { ended <- err })
	f.must(func(ctx context.Context, e *engine.Engine) error { return e.LogoutKit(ctx) })
	if err := <-ended; !errors.Is(err, engine.ErrInterrupted) {
		t.Errorf("got %v, want ErrInterrupted", err)
	}
}

// A host may start the next operation whenever one fails. Close completes all the
// same, and the operations after it fail one at a time, like all callbacks.
func TestCloseOfAHostThatTriesAgain(t *testing.T) {
	f := newFixture(t, nil)
	var inside, ended atomic.Int32
	begun, closed, quiet := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var try func(error)
	try = func(err error) {
		if n := inside.Add(1); n != 1 {
			t.Errorf("%d callbacks at once", n)
		}
		if ended.Add(1) == 100 {
			close(begun)
		}
		select {
		case <-closed:
			close(quiet)
		default:
			f.Start("LoginIM", loginIM, try) // fails, because IM is not initialised
		}
		inside.Add(-1)
	}
	f.Start("LoginIM", loginIM, try)
	<-begun
	if err := f.close(); err != nil {
		t.Error(err)
	}
	close(closed)
	<-quiet
}

func TestStartOnClosedEngine(t *testing.T) {
	closed := newFixture(t, nil)
	if err := closed.close(); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*flat.Engine{nil, closed.Engine} {
		done := make(chan error, 2)
		c := e.Start("LoginKit", loginKit, func(err error) { done <- err })
		c.Cancel(nil)
		if got := flat.Flatten(<-done); got.Code != int(engine.ErrClosed) || got.Op != "LoginKit" {
			t.Errorf("Start: got %+v, want ErrClosed of LoginKit", got)
		}
		e.Close(func() { t.Error("gone was called") }, func(err error) { done <- err })
		if got := flat.Flatten(<-done); got.Code != int(engine.ErrClosed) || got.Op != "Close" {
			t.Errorf("Close: got %+v, want ErrClosed of Close", got)
		}
		if w := e.Watch(func(flat.Status) { t.Error("a status came") }, nil); w != nil {
			t.Error("Watch: got a watch")
		}
		(*flat.Watch)(nil).Stop()
		e.Start("InitIM", initIM, nil)
		e.Close(nil, nil)
	}
	if s := (*flat.Engine)(nil).Status(); s != (flat.Status{}) {
		t.Errorf("got %+v, want the zero status", s)
	}
}

// A client that never completes: a canceled login ends, the client is told once,
// and its late answer goes nowhere.
func TestCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var logins []*flat.Request
		ends := map[bool]int{} // by gaveUp
		f := newFixture(t, func(o *flat.Options) {
			o.IM = flat.NewIM(flat.Client{
				Login: func(_ engine.IMAccount, r *flat.Request) func(bool) {
					logins = append(logins, r)
					return func(gaveUp bool) { ends[gaveUp]++ }
				},
				Logout: func(r *flat.Request) func(bool) { r.Done(); return nil },
			})
		})
		f.must(initIM)
		var calls int
		var got error
		c := f.Start("LoginIM", loginIM, func(err error) { calls++; got = err })
		synctest.Wait()
		why := errors.New("the user left")
		c.Cancel(why)
		c.Cancel(nil)
		synctest.Wait()
		if calls != 1 || !errors.Is(got, why) || flat.Flatten(got).Code != flat.NoCode || flat.Flatten(got).Op != "LoginIM" {
			t.Errorf("got %d calls and %v, want one with the cause", calls, got)
		}
		if ends[true] != 1 || ends[false] != 0 {
			t.Errorf("got %v, want to be told once to give up", ends)
		}
		logins[0].Done()
		logins[0].Fail(nil)
		synctest.Wait()
		if s := f.Status(); s.State != engine.IMInitialized {
			t.Errorf("got %v after a late answer", s.State)
		}
		c = f.Start("LoginIM", loginIM, func(err error) { calls++; got = err })
		synctest.Wait()
		logins[1].Done()
		logins[1].Fail(engine.ErrKicked)
		synctest.Wait()
		c.Cancel(nil)
		if calls != 2 || got != nil || ends[false] != 1 {
			t.Errorf("got %d calls, %v and %v, want a login that succeeds", calls, got, ends)
		}
	})
}

// Callbacks of one engine come one at a time, none inside the function that
// caused it, and none after Close has completed.
func TestOneCallbackAtATime(t *testing.T) {
	var running, ran atomic.Int64
	var over atomic.Bool
	callback := func() {
		if running.Add(1) != 1 {
			t.Error("two callbacks run at once")
		}
		if over.Load() {
			t.Error("a callback runs after Close has completed")
		}
		ran.Add(1)
		running.Add(-1)
	}
	im := flat.NewIM(flat.Client{
		Init:   func(_ string, r *flat.Request) func(bool) { callback(); r.Done(); return nil },
		Login:  func(_ engine.IMAccount, r *flat.Request) func(bool) { callback(); go r.Done(); return nil },
		Logout: func(r *flat.Request) func(bool) { callback(); r.Done(); return nil },
	})
	f := newFixture(t, func(o *flat.Options) { o.IM = im })
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			w := f.Watch(func(flat.Status) { callback() }, nil)
			defer w.Stop()
			for range 50 {
				f.do(initIM)
				done := make(chan struct{})
				c := f.Start("LoginKit", loginKit, func(error) { callback(); close(done) })
				go c.Cancel(nil)
				<-done
				im.LoggedOut(nil)
				f.do(logoutKit)
			}
		})
	}
	wait.Wait()
	gone := make(chan struct{})
	for range 5 {
		f.Start("LoginKit", loginKit, func(error) { callback() })
		f.Watch(func(flat.Status) { callback() }, nil)
	}
	f.Close(nil, func(error) { over.Store(true); close(gone) })
	<-gone
	if ran.Load() < 8*50 {
		t.Errorf("only %d callbacks ran", ran.Load())
	}
}
