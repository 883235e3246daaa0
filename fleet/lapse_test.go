package fleet_test

import (
	"context"
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
			f, kv := newMemoryFleet(t)
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
			f, kv := newMemoryFleet(t)
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
			f, kv := newMemoryFleet(t)
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
		f, kv := newMemoryFleet(t)
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
