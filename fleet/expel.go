package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// This file has what the fleet does to a login by itself: it logs it out when
// the lease cannot be kept, and passes on what im reports.

// expel logs out the login that ls is for, and reports cause to its engine. It
// runs on the goroutine of ls, and releases ls.
func (m *IM) expel(ls *lease, cause error) {
	if !m.condemn(ls, cause) {
		return // somebody else has ended it, and releases ls
	}
	ctx, cancel := context.WithTimeout(context.Background(), ls.timeToLogout())
	defer cancel()
	select {
	case m.turn <- struct{}{}:
		defer m.giveTurn()
	case <-ls.released:
		return // whoever has the turn may wait for the end of this goroutine
	case <-ctx.Done():
		m.expelLate(ls, cause)
		return
	}
	l := m.holder(ls) // AdoptIM may have replaced the one that was condemned
	if l == nil {
		return // the call that had the turn has ended it
	}
	if err := m.logoutExpelled(ctx, l); err != nil {
		m.fleet.log.Warn("logging out after the lease was lost", "accid", ls.accid, "error", err)
		m.fleet.noteFailure(fmt.Errorf("logging out %s: %w", ls.accid, err))
	}
	m.report(l, cause)
	ls.release()
}

// holder returns the current login if ls is its lease, and nil otherwise.
func (m *IM) holder(ls *lease) *login {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.holderLocked(ls)
}

func (m *IM) holderLocked(ls *lease) *login {
	if m.login == nil || m.login.lease != ls {
		return nil
	}
	return m.login
}

// expelLate is for a call of im that hangs, though its ctx has ended. A second
// call has to wait for the end of the first, but the engine has to know now.
func (m *IM) expelLate(ls *lease, cause error) {
	l := m.abandon(ls, cause)
	if l == nil {
		return // the call has just ended it
	}
	ls.leave()
	m.fleet.noteFailure(fmt.Errorf("logging out %s: %w", ls.accid, context.DeadlineExceeded))
	m.fleet.log.Error("a call of the engine.IM hangs, so that it cannot be logged out", "accid", ls.accid)
	// This goroutine must end now: the engine's next call may already have the
	// turn, and wait until the lease is done.
	m.fleet.work.Go(func() { m.logoutLate(l) })
}

// logoutLate logs out what abandon left, once the call that hung returns, unless
// the engine's next call comes first.
func (m *IM) logoutLate(l *login) {
	_ = m.acquire(context.Background())
	defer m.giveTurn()
	if m.isBroken() && m.current() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
		defer cancel()
		_ = m.logoutExpelled(ctx, l)
	}
}

// condemn decides that the login of ls must end, and ends the call of im that is
// in flight. It reports whether ls is the lease of the current login.
func (m *IM) condemn(ls *lease, cause error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holderLocked(ls) == nil {
		return false
	}
	ls.lapsed = cause
	if m.cancel != nil {
		m.cancel(cause)
	}
	return true
}

// logoutExpelled calls im, unless the fleet only leaves a login of the host's. A
// panic of im must not end the process, since no engine is there to catch it.
func (m *IM) logoutExpelled(ctx context.Context, l *login) (err error) {
	if m.leavesToHost(l) {
		return nil
	}
	defer func() {
		if recover() != nil { // the value could contain a token
			err = errors.New("the engine.IM panicked in LogoutIM")
			l.lease.leave()
		}
	}()
	err = m.guard(func() error { return m.im.LogoutIM(ctx) })
	m.setBroken(false)
	return err
}

// leavesToHost reports whether l stays in im: a fleet that closes does not end a
// login of the host's.
func (m *IM) leavesToHost(l *login) bool { return l.adopted && m.fleet.ctx.Err() != nil }

// report ends l and tells its engine why, once.
func (m *IM) report(l *login, cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.login == l {
		m.reportLocked(cause)
	}
}

func (m *IM) reportLocked(cause error) {
	l := m.login
	m.login = nil
	if l.notify.Lost != nil {
		l.notify.Lost(cause)
	}
}

// abandon ends the login of ls, though IM is not logged out, and tells its engine
// why. It returns nil if ls is no longer the lease of the current login.
func (m *IM) abandon(ls *lease, cause error) *login {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.holderLocked(ls)
	if l != nil {
		m.broken = !m.leavesToHost(l)
		m.reportLocked(cause)
	}
	return l
}

// timeToLogout is the time until the lease can be another's. If that has come,
// because this process was stopped, a logout still gets its usual time.
func (l *lease) timeToLogout() time.Duration {
	left := time.Until(l.expiry())
	if left <= 0 || left > stepTimeout {
		return stepTimeout
	}
	return left
}

func (l *lease) ranOut() error {
	return fmt.Errorf("%w: the lease of %s ran out while this process did not run", engine.ErrUnavailable, l.accid)
}

// notify passes reports about l on to its engine, as long as l is current.
func (m *IM) notify(l *login) engine.Notify {
	n := engine.Notify{
		Lost: func(cause error) { m.lost(l, cause) },
		Link: func(online bool) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.login == l && l.notify.Link != nil {
				l.notify.Link(online)
			}
		},
		Expired: l.notify.Expired,
	}
	if l.notify.Token != nil {
		n.Token = func(ctx context.Context) (string, error) {
			if err := m.checkHeld(l); err != nil {
				return "", err
			}
			return l.notify.Token(ctx)
		}
	}
	return n
}

// lost ends l, which im has reported to be lost, and gives the lease back. If the
// lease has run out, that is the reason: a kick came from its next holder.
func (m *IM) lost(l *login, cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.login != l || l.lapsed() != nil {
		return // expel reports why
	}
	m.login = nil
	if l.lease != nil {
		if l.lease.overdue() {
			cause = l.lease.ranOut()
		}
		l.lease.release()
	}
	if l.notify.Lost != nil {
		l.notify.Lost(cause)
	}
}

// checkHeld fails if l has ended, or its lease has run out: an SDK that asks for
// a token wants to log in again.
func (m *IM) checkHeld(l *login) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.login != l:
		return fmt.Errorf("%w: the login of %s has ended", engine.ErrUnavailable, l.accid)
	case l.lapsed() != nil:
		return l.lapsed()
	case l.lease != nil && l.lease.overdue():
		return l.lease.ranOut()
	}
	return nil
}
