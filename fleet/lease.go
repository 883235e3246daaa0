package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/engine"
)

// This file has a lease: how it is taken, kept and given back.

// A lease is the right to log one account in. Its goroutine renews it until
// release is called or it can no longer be renewed, and then gives it back.
type lease struct {
	fleet      *Fleet
	accid, key string
	record     record

	ctx      context.Context // ends when there is nothing more to renew
	stop     context.CancelFunc
	released chan struct{} // closed by release: IM is logged out
	done     chan struct{} // closed when the lease is given back

	lapsed   error  // why IM must be logged out; guarded by IM.mu
	revision uint64 // the goroutine's own; 0: not known

	mu        sync.Mutex
	confirmed time.Time // just before the request for the last known revision was sent
	left      bool      // runs out by itself
}

// acquire takes the lease of accid. The caller must then call start.
// If acquire fails, the lease is given back in case it was taken after all; done
// is closed then.
func (f *Fleet) acquire(ctx context.Context, accid string) (*lease, error) {
	l, err := f.newLease(accid)
	if err != nil {
		return l, err
	}
	if err := f.begin(); err != nil {
		l.stop()
		close(l.done)
		return l, err
	}
	if err := l.take(ctx); err != nil {
		l.end(errors.Is(err, engine.ErrIMInUse)) // any other request may have arrived
		go l.run(nil)
		return l, err
	}
	return l, nil
}

// start starts the goroutine of l. If l can no longer be renewed, the goroutine
// calls lapse, which must log IM out and then call release. That can be at once,
// so lapse must already be able to find the login that l is for.
func (l *lease) start(lapse func(*lease, error)) { go l.run(lapse) }

func (f *Fleet) newLease(accid string) (*lease, error) {
	l := &lease{
		fleet: f, accid: accid, record: record{f.owner, uuid.NewString()},
		released: make(chan struct{}), done: make(chan struct{}),
	}
	var err error
	if l.key, err = keyOf(accid); err != nil {
		close(l.done)
		return l, err
	}
	l.ctx, l.stop = context.WithCancel(f.ctx)
	return l, nil
}

// take creates the key, or finds out who has it.
func (l *lease) take(ctx context.Context) error {
	const tries = 5
	limited, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	defer context.AfterFunc(l.fleet.ctx, cancel)()
	giveSlot, err := l.fleet.takeSlot(limited)
	if err != nil {
		return l.unavailable(ctx, "taking", err)
	}
	defer giveSlot()
	asked := time.Now()
	for range tries {
		revision, err := l.fleet.kv.Create(limited, l.key, l.record.value())
		if err == nil {
			l.confirm(revision, asked)
			return nil
		}
		if !isConflict(err) {
			return l.unavailable(ctx, "taking", err)
		}
		held, revision, err := l.fleet.read(limited, l.key)
		switch {
		case err != nil:
			return l.unavailable(ctx, "reading", err)
		case held == l.record: // an earlier request arrived, but its answer was lost
			l.confirm(revision, asked)
			return nil
		case held != record{}:
			return l.heldBy(held.Owner)
		}
		// It was free again by the time of the read.
		sleep(limited, rand.N(100*time.Millisecond))
	}
	return l.unavailable(ctx, "taking", errors.New("others take it and give it back at the same time"))
}

func (l *lease) unavailable(ctx context.Context, doing string, err error) error {
	if l.fleet.ctx.Err() != nil {
		return engine.ErrClosed
	}
	return unavailable(ctx, doing+" the lease of "+l.accid, err)
}

func (l *lease) heldBy(owner string) error {
	return fmt.Errorf("%w: %s belongs to %s until Fleet.Wait returns", engine.ErrIMInUse, l.accid, owner)
}

func (l *lease) confirm(revision uint64, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revision, l.confirmed = revision, asked
}

// expiry is the earliest moment at which NATS can give the lease to another.
func (l *lease) expiry() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.confirmed.Add(l.fleet.ttl)
}

// deadline is when the holder stops trying to renew and logs IM out, for which it
// has until the expiry.
func (l *lease) deadline() time.Time { return l.expiry().Add(-min(l.fleet.ttl/3, stepTimeout)) }

func (l *lease) overdue() bool { return !time.Now().Before(l.deadline()) }

// release makes the goroutine give the lease back. IM is logged out.
func (l *lease) release() { l.end(false) }

// leave makes the goroutine end. IM may still be logged in, so the lease is not
// given back but runs out.
func (l *lease) leave() { l.end(true) }

func (l *lease) end(left bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isReleased() {
		l.left = left
		close(l.released)
		l.stop()
	}
}

func (l *lease) isReleased() bool {
	select {
	case <-l.released:
		return true
	default:
		return false
	}
}

// awaitReturn waits until the lease is given back, but not after ctx, and not
// while NATS is away: then the goroutine goes on alone.
func (l *lease) awaitReturn(ctx context.Context) {
	if !l.fleet.js.Conn().IsConnected() {
		return
	}
	select {
	case <-l.done:
	case <-ctx.Done():
	}
}

func (l *lease) run(lapse func(*lease, error)) {
	defer l.fleet.work.Done()
	defer close(l.done)
	defer l.stop()
	if cause := l.keep(); cause != nil { // nil at once if it could not be taken
		if l.fleet.ctx.Err() == nil {
			l.fleet.log.Warn("lease lost", "accid", l.accid, "error", cause)
		}
		lapse(l, cause)
	}
	<-l.released
	if !l.left {
		l.giveBack()
	}
}

// keep renews the lease. It returns nil once the lease is released, and otherwise
// the reason that it can no longer be renewed.
func (l *lease) keep() error {
	for {
		l.mu.Lock()
		next := l.confirmed.Add(l.fleet.ttl / 3)
		l.mu.Unlock()
		sleep(l.ctx, time.Until(next))
		err := l.renew()
		switch {
		case l.isReleased():
			return nil
		case l.ctx.Err() != nil:
			return fmt.Errorf("%w: the fleet is closed", engine.ErrIMLoggedOut)
		case err != nil:
			return err
		}
	}
}

// renew renews the lease once. It tries until that works, or the deadline has
// come, or l.ctx ends.
func (l *lease) renew() error {
	deadline := l.deadline()
	ctx, cancel := context.WithDeadline(l.ctx, deadline)
	defer cancel()
	var asked time.Time // before the first request that may have arrived
	err := errors.New("this process did not run")
	for time.Now().Before(deadline) && ctx.Err() == nil {
		var renewed bool
		if renewed, err = l.tryRenew(ctx, &asked); renewed {
			return nil
		}
		if errors.Is(err, errLeaseGone) || errors.Is(err, engine.ErrIMInUse) {
			return err
		}
		sleep(ctx, rand.N(l.fleet.ttl/20))
	}
	return fmt.Errorf("%w: the lease of %s could not be renewed in time: %w", engine.ErrUnavailable, l.accid, err)
}

// tryRenew is one try of renew.
func (l *lease) tryRenew(ctx context.Context, asked *time.Time) (renewed bool, err error) {
	const attempts = 6 // in one TTL
	giveSlot, err := l.fleet.takeSlot(ctx)
	if err != nil {
		return false, err
	}
	defer giveSlot()
	now := time.Now()
	if asked.IsZero() {
		*asked = now
	}
	try, cancel := context.WithTimeout(ctx, l.fleet.ttl/attempts)
	defer cancel()
	revision, err := l.fleet.kv.Update(try, l.key, l.record.value(), l.revision)
	switch {
	case err == nil:
		l.confirm(revision, now)
		return true, nil
	case isConflict(err):
		return l.find(ctx, *asked)
	}
	return false, err
}

// errLeaseGone is for a lease that nobody has. It ran out early, or somebody has
// emptied the bucket.
var errLeaseGone = fmt.Errorf("%w: the lease is no longer there", engine.ErrUnavailable)

// find looks at the lease after NATS has refused to renew it. If an earlier
// request has renewed it and only the answer was lost, find confirms that one.
func (l *lease) find(ctx context.Context, asked time.Time) (found bool, err error) {
	held, revision, err := l.fleet.read(ctx, l.key)
	switch {
	case err != nil:
		return false, err
	case held == record{}:
		return false, fmt.Errorf("%w: %s", errLeaseGone, l.accid)
	case held != l.record:
		return false, l.heldBy(held.Owner)
	case revision <= l.revision:
		return false, errors.New("the server that answered is behind")
	}
	l.confirm(revision, asked)
	return true, nil
}

// giveBack deletes the key, unless it has another's lease by now.
func (l *lease) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
	defer cancel()
	for {
		try, stop := context.WithTimeout(ctx, stepTimeout/5) // an answer can be lost
		err := l.tryGiveBack(try)
		stop()
		if err == nil {
			return
		}
		if !sleep(ctx, 50*time.Millisecond+rand.N(100*time.Millisecond)) {
			l.fleet.log.Warn("lease not given back: it runs out by itself", "accid", l.accid, "error", err)
			return
		}
	}
}

func (l *lease) tryGiveBack(ctx context.Context) error {
	giveSlot, err := l.fleet.takeSlot(ctx)
	if err != nil {
		return err
	}
	defer giveSlot()
	return l.purge(ctx)
}

// purge removes the key, if it still has this lease.
func (l *lease) purge(ctx context.Context) error {
	if l.revision != 0 {
		// Purge, because NATS would replace the marker of Delete by another one
		// after the TTL.
		err := l.fleet.kv.Purge(ctx, l.key, jetstream.LastRevision(l.revision))
		if !isConflict(err) {
			return err
		}
	}
	held, revision, err := l.fleet.read(ctx, l.key)
	switch {
	case err != nil:
		return err
	case held != l.record:
		return nil
	case revision <= l.revision:
		return errors.New("the server that answered is behind")
	}
	l.revision = revision // of a renewal whose answer was lost
	return l.purge(ctx)
}

// sleep reports whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
