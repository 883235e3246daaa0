package fleet_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

// These tests are about a lease that lapses while an engine's call begins or ends.

// A lease that lapses before the IM has recorded it ends the login, and is given
// back. Otherwise the login would stand, and Close would wait for the lease.
func TestLeaseLapsesBeforeTheIMRecordsIt(t *testing.T) {
	t.Parallel()
	t.Run("LoginIM, and the fleet closes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f, kv := newMemoryFleet(t, nil)
			im := &script{t: t, login: func(ctx context.Context, _ engine.Notify) error { <-ctx.Done(); return nil }}
			leased := f.IM(im)
			defer leased.Close()
			closed := closeWhenTaken(f)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			l := new(listener)
			wantError(t, "LoginIM", leased.LoginIM(ctx, alice, l.notify()), engine.ErrClosed)
			wantError(t, "Close", <-closed, nil)
			wantCalls(t, im, "LogoutIM", 1)
			wantLosses(t, l)
			wantNoLease(t, kv)
		})
	})
	t.Run("AdoptIM, and the fleet closes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f, kv := newMemoryFleet(t, nil)
			im := &script{t: t}
			im.hostIs(alice)
			leased := f.IM(im)
			defer leased.Close()
			closed := closeWhenTaken(f)
			l := new(listener)
			_, err := leased.AdoptIM(t.Context(), l.notify())
			wantError(t, "AdoptIM", err, nil)
			wantError(t, "Close", <-closed, nil)
			wantLosses(t, l, engine.ErrIMLoggedOut)
			wantCalls(t, im, "LogoutIM", 0) // the host's login stays
			wantNoLease(t, kv)
		})
	})
	t.Run("AdoptIM, and the lease is lost", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f, kv := newMemoryFleet(t, nil)
			im := &script{t: t}
			im.hostIs(alice)
			leased := f.IM(im)
			defer leased.Close()
			f.OnTaken(func() {
				kv.empty()
				renewalIsDue()
			})
			l := new(listener)
			_, err := leased.AdoptIM(t.Context(), l.notify())
			wantError(t, "AdoptIM", err, nil)
			synctest.Wait()
			wantLosses(t, l, engine.ErrUnavailable)
			wantCalls(t, im, "LogoutIM", 1)
			wantError(t, "Close", f.Close(), nil)
		})
	})
}

// An AdoptIM that gets its turn before the fleet can log out does not hide the
// login from the fleet.
func TestAdoptIMOfALoginWhoseLeaseLapsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, kv := newMemoryFleet(t, nil)
		im := &script{t: t}
		im.hostIs(alice)
		leased := f.IM(im)
		defer leased.Close()
		first, second := new(listener), new(listener)
		_, err := leased.AdoptIM(t.Context(), first.notify())
		wantError(t, "AdoptIM", err, nil)

		hang, inited, adopted := make(chan struct{}), make(chan error, 1), make(chan error, 1)
		im.init = func(context.Context) error { <-hang; return nil }
		go func() { inited <- leased.InitIM(context.Background(), appKey) }()
		synctest.Wait() // InitIM has the turn
		go func() {
			_, err := leased.AdoptIM(context.Background(), second.notify())
			adopted <- err
		}()
		synctest.Wait() // AdoptIM is the next
		kv.empty()
		renewalIsDue() // the fleet waits behind AdoptIM
		close(hang)
		wantError(t, "InitIM", <-inited, nil)
		wantError(t, "AdoptIM again", <-adopted, engine.ErrUnavailable)
		synctest.Wait()
		wantLosses(t, first, engine.ErrUnavailable)
		wantLosses(t, second)
		wantCalls(t, im, "AdoptIM", 1)
		wantCalls(t, im, "LogoutIM", 1)
		wantError(t, "Close", f.Close(), nil)
	})
}

// A call of im hangs until the lease could be another's, and then returns. The
// engine's next calls do not wait for the fleet, which would wait for its turn.
func TestNextCallsAfterACallThatHung(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang, logged := make(chan struct{}), make(chan struct{})
		f, kv := newMemoryFleet(t, logHook(func(r slog.Record) {
			if r.Level == slog.LevelError {
				close(hang)
				synctest.Wait() // the engine goes on before the fleet does
				close(logged)
			}
		}))
		im := &script{t: t}
		leased := f.IM(im)
		defer leased.Close()
		first, second := mustLogIn(t, leased, alice), new(listener)
		im.init = func(context.Context) error { <-hang; return nil }
		next := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			_ = leased.InitIM(ctx, appKey)
			_ = leased.LogoutIM(ctx)
			next <- leased.LoginIM(ctx, bob, second.notify())
		}()
		synctest.Wait() // InitIM hangs
		kv.empty()
		renewalIsDue()
		<-logged
		wantReturned(t, "LoginIM", next)
		wantLosses(t, first, engine.ErrUnavailable)
		wantLosses(t, second)
		wantCalls(t, im, "LogoutIM", 1)
		wantError(t, "Close", f.Close(), context.DeadlineExceeded) // it returns the logout that failed
	})
}

// A fleet that closes leaves a login of the host's, also if a call hung meanwhile.
func TestHostsLoginStaysAfterACallThatHung(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _ := newMemoryFleet(t, nil)
		im := &script{t: t}
		im.hostIs(alice)
		leased, l := f.IM(im), new(listener)
		_, err := leased.AdoptIM(t.Context(), l.notify())
		wantError(t, "AdoptIM", err, nil)
		hang, inited := make(chan struct{}), make(chan error, 1)
		im.init = func(context.Context) error { <-hang; return nil }
		go func() { inited <- leased.InitIM(t.Context(), appKey) }()
		synctest.Wait() // InitIM hangs
		closed := make(chan error, 1)
		go func() { closed <- f.Close() }()
		<-time.After(time.Minute) // longer than any lease
		close(hang)
		wantReturned(t, "InitIM", inited)
		<-closed
		wantError(t, "IM.Close", leased.Close(), nil)
		wantLosses(t, l, engine.ErrIMLoggedOut)
		wantCalls(t, im, "LogoutIM", 0)
	})
}

// LogoutIM and LoginIM get their turns before the fleet can log out. The fleet
// then gives the old lease back without a turn, since LoginIM waits for that.
func TestNextCallsBeforeTheFleetsLogout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, kv := newMemoryFleet(t, nil)
		im := &script{t: t}
		leased := f.IM(im)
		defer leased.Close()
		first, second := mustLogIn(t, leased, alice), new(listener)
		hang, inited, out, in := make(chan struct{}), make(chan error, 1), make(chan error, 1), make(chan error, 1)
		im.init = func(context.Context) error { <-hang; return nil }
		go func() { inited <- leased.InitIM(context.Background(), appKey) }()
		synctest.Wait() // InitIM has the turn
		go func() { out <- leased.LogoutIM(context.Background()) }()
		synctest.Wait() // LogoutIM is the next
		go func() { in <- leased.LoginIM(context.Background(), bob, second.notify()) }()
		synctest.Wait() // and then LoginIM
		kv.empty()
		renewalIsDue() // the fleet waits behind both
		close(hang)
		wantReturned(t, "InitIM", inited)
		wantReturned(t, "LogoutIM", out)
		wantReturned(t, "LoginIM", in)
		wantLosses(t, first)
		wantLosses(t, second)
		wantCalls(t, im, "LogoutIM", 1)
		wantError(t, "Close", f.Close(), nil)
	})
}

// closeWhenTaken makes f close when an IM has taken a lease. That IM goes on once
// Close waits.
func closeWhenTaken(f *fleet.Fleet) (closed <-chan error) {
	result := make(chan error, 1)
	f.OnTaken(func() {
		go func() { result <- f.Close() }()
		synctest.Wait()
	})
	return result
}

// renewalIsDue lets the time pass until the first renewal of a lease that has just
// been taken, and waits for what comes of it.
func renewalIsDue() {
	<-time.After(memoryTTL / 3)
	synctest.Wait()
}

// wantReturned fails unless the call returns without an error, and without waiting
// for time to pass.
func wantReturned(t testing.TB, call string, result <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		wantError(t, call, err, nil)
	default:
		t.Errorf("%s still waits", call)
	}
}

func wantLosses(t testing.TB, l *listener, want ...error) {
	t.Helper()
	lost := l.losses()
	if len(lost) != len(want) || len(want) == 1 && engine.CodeOf(lost[0]) != want[0] {
		t.Errorf("Lost: got %v, want %v", lost, want)
	}
}

func wantNoLease(t testing.TB, kv *memory) {
	t.Helper()
	kv.mu.Lock()
	defer kv.mu.Unlock()
	if n := len(kv.values); n != 0 {
		t.Errorf("%d leases were not given back", n)
	}
}

// A logHook is called for each line of the log.
type logHook func(slog.Record)

func (h logHook) Enabled(context.Context, slog.Level) bool { return true }

func (h logHook) Handle(_ context.Context, r slog.Record) error {
	h(r)
	return nil
}

func (h logHook) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h logHook) WithGroup(string) slog.Handler      { return h }
