package fleet

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// An IM is an engine.IM that holds the lease of each account that is logged in
// through it. It is also an engine.IMAdopter and an io.Closer: pass it to
// engine.Join. Make one with Fleet.IM for each engine, which makes one call at
// a time.
type IM struct {
	fleet *Fleet
	im    engine.IM

	// turn has one slot. Only its holder may call im, or begin a login: the
	// engine's calls and the fleet's own logout take turns. It is a channel so
	// that waiting for it honours ctx.
	turn chan struct{}

	last *lease // the last one; whoever has the turn may touch it

	mu     sync.Mutex              // held while a Notify is called, but never while im is
	login  *login                  // nil: nobody is logged in, as far as the fleet knows
	broken bool                    // a login may be left over that must be logged out first
	cancel context.CancelCauseFunc // ends the call of im that is in flight; nil: none is
	closed bool
}

// A login is current while IM.login points to it.
type login struct {
	accid   string // in lower case
	adopted bool   // the host made it
	notify  engine.Notify

	lease *lease // guarded by IM.mu; nil: AdoptIM has not got it yet
}

// lapsed returns why the fleet logs l out, or nil. The caller holds IM.mu.
func (l *login) lapsed() error {
	if l == nil || l.lease == nil {
		return nil
	}
	return l.lease.lapsed
}

// IM puts im under the leases of f. Nobody else may log im in or out, except the
// host through an engine.IMAdopter. If im is an io.Closer, closing the IM closes
// it, too.
func (f *Fleet) IM(im engine.IM) *IM {
	return &IM{fleet: f, im: im, turn: make(chan struct{}, 1)}
}

// InitIM implements engine.IM. It needs no lease.
func (m *IM) InitIM(ctx context.Context, appKey string) error {
	return m.inTurn(ctx, func(ctx context.Context) error { return m.im.InitIM(ctx, appKey) })
}

// LoginIM implements engine.IM: it takes the lease of a.Accid, and then logs in.
// If another process holds the lease, or another IM of this one, it fails with
// engine.ErrIMInUse, and if NATS does not answer, with engine.ErrUnavailable; in
// both cases the engine.IM is not called. If the login fails, the lease is given
// back.
func (m *IM) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	return m.inTurn(ctx, func(ctx context.Context) error {
		if l := m.current(); l != nil {
			return fmt.Errorf("%w: as %s", engine.ErrIMInUse, l.accid)
		}
		l := &login{accid: strings.ToLower(a.Accid), notify: n}
		lease, err := m.lease(ctx, a.Accid)
		if err != nil {
			return err
		}
		l.lease = lease
		m.begin(l)
		lease.start(m.expel) // not earlier, or expel might not find l
		err = m.guard(func() error { return m.im.LoginIM(ctx, a, m.notify(l)) })
		return m.settle(ctx, l, err)
	})
}

// lease takes the lease of accid. The caller has the turn, and must start the
// lease.
func (m *IM) lease(ctx context.Context, accid string) (*lease, error) {
	if m.last != nil { // it may be of the same account
		select {
		case <-m.last.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	l, err := m.fleet.acquire(ctx, accid)
	m.last = l
	if m.fleet.taken != nil {
		m.fleet.taken()
	}
	return l, err
}

func (m *IM) begin(l *login) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.login = l
}

// guard calls im. If im panics, nobody knows whether it is logged in. The current
// login then keeps its lease until it has been logged out.
func (m *IM) guard(call func() error) error {
	returned := false
	defer func() {
		if !returned {
			m.setBroken(true)
		}
	}()
	err := call()
	returned = true
	return err
}

// settle ends LoginIM, for which im has returned err. If the lease could not be
// kept meanwhile, the login fails. The caller has the turn.
func (m *IM) settle(ctx context.Context, l *login, err error) error {
	m.mu.Lock()
	if l.lapsed() == nil && m.login == l && l.lease.overdue() {
		l.lease.lapsed = l.lease.ranOut()
	}
	lapsed := l.lapsed()
	m.mu.Unlock()
	switch {
	case lapsed == nil && err == nil:
		return nil
	case lapsed != nil && err == nil:
		ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
		defer cancel()
		_ = m.guard(func() error { return m.im.LogoutIM(ctx) })
		m.loggedOut()
	}
	m.forget(l)
	l.lease.awaitReturn(ctx)
	switch {
	case m.fleet.ctx.Err() != nil:
		return engine.ErrClosed
	case lapsed != nil:
		return lapsed
	}
	return err
}

// forget ends l without a report, and gives its lease back.
func (m *IM) forget(l *login) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetLocked(l)
}

func (m *IM) forgetLocked(l *login) {
	if m.login == l {
		m.login = nil
	}
	if l.lease != nil {
		l.lease.release()
	}
}

// AdoptIM implements engine.IMAdopter. It takes the lease of the account that the
// host logged in; if another process holds the lease, AdoptIM fails with
// engine.ErrIMInUse, and leaves the host's login alone. It finds nobody if the
// engine.IM is not an engine.IMAdopter.
func (m *IM) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	adopter, ok := m.im.(engine.IMAdopter)
	if !ok {
		return engine.IMAccount{}, nil
	}
	var found engine.IMAccount
	err := m.inTurn(ctx, func(ctx context.Context) (err error) {
		found, err = m.adopt(ctx, adopter, n)
		return err
	})
	return found, err
}

// adopt is AdoptIM in its turn.
func (m *IM) adopt(ctx context.Context, adopter engine.IMAdopter, n engine.Notify) (engine.IMAccount, error) {
	l := m.beginAdoption(n)
	if l == nil {
		return engine.IMAccount{}, nil // never a login that LoginIM made
	}
	keep := l.lease != nil // if this fails, the host may still be logged in
	defer func() {
		if !keep {
			m.forget(l)
		}
	}()
	a, err := adopter.AdoptIM(ctx, m.notify(l))
	if err != nil {
		return engine.IMAccount{}, err
	}
	keep = false
	if a.Accid == "" {
		return engine.IMAccount{}, nil
	}
	if err := m.leaseAdopted(ctx, l, strings.ToLower(a.Accid)); err != nil {
		return engine.IMAccount{}, err
	}
	keep = true
	return a, nil
}

// beginAdoption makes a login current to which im reports from here on. If an
// earlier one was adopted, the new login takes over its lease. beginAdoption
// returns nil if LoginIM made the current login.
func (m *IM) beginAdoption(n engine.Notify) *login {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &login{adopted: true, notify: n}
	if old := m.login; old != nil {
		if !old.adopted {
			return nil
		}
		l.accid, l.lease = old.accid, old.lease
	}
	m.login = l
	return l
}

// leaseAdopted takes the lease of accid for l, unless l has it.
func (m *IM) leaseAdopted(ctx context.Context, l *login, accid string) error {
	m.mu.Lock()
	old := l.lease
	if old != nil && l.accid == accid {
		m.mu.Unlock()
		return nil
	}
	l.accid, l.lease = accid, nil
	m.mu.Unlock()
	if old != nil {
		old.release()
	}
	lease, err := m.lease(ctx, accid)
	if err != nil {
		return err
	}
	m.mu.Lock()
	l.lease = lease
	if m.login != l { // lost meanwhile
		lease.release()
	}
	m.mu.Unlock()
	lease.start(m.expel) // not earlier, or expel might not find l
	return nil
}

// LogoutIM implements engine.IM. Once IM is logged out, the lease is given back.
// If NATS is away, LogoutIM does not wait for that.
func (m *IM) LogoutIM(ctx context.Context) error {
	if err := m.acquire(ctx); err != nil {
		return err // the fleet is logging out
	}
	defer m.giveTurn()
	return m.logout(ctx)
}

// logout logs IM out. The caller has the turn.
func (m *IM) logout(ctx context.Context) error {
	err := m.guard(func() error { return m.im.LogoutIM(ctx) })
	m.loggedOut()
	m.awaitLast(ctx)
	return err
}

// loggedOut forgets the current login, and any that may be left over. It does both
// under one lock, or abandon could come in between.
func (m *IM) loggedOut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = false
	if m.login != nil {
		m.forgetLocked(m.login)
	}
}

// awaitLast waits until the last lease is given back, also if a kick ended its
// login. The caller has the turn.
func (m *IM) awaitLast(ctx context.Context) {
	if m.last != nil && m.last.isReleased() {
		m.last.awaitReturn(ctx)
	}
}

// Close implements io.Closer. It logs out within 5 seconds, but leaves a login
// that the host made. In both cases it gives the lease back, and closes the
// engine.IM if that is an io.Closer. Afterwards InitIM, LoginIM and AdoptIM fail
// with engine.ErrClosed. A second Close returns nil.
func (m *IM) Close() error {
	m.mu.Lock()
	closed := m.closed
	m.closed = true
	m.mu.Unlock()
	if closed {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
	defer cancel()
	if err := m.acquire(ctx); err != nil {
		return err
	}
	defer m.giveTurn()
	err := m.leave(ctx)
	if c, ok := m.im.(io.Closer); ok {
		if failed := c.Close(); err == nil {
			err = failed
		}
	}
	return err
}

// leave ends the current login, which is only forgotten if the host made it.
func (m *IM) leave(ctx context.Context) error {
	l := m.current()
	switch {
	case m.isBroken():
		return m.logout(ctx)
	case l == nil:
		m.awaitLast(ctx)
		return nil
	case l.adopted:
		m.forget(l)
		m.awaitLast(ctx)
		return nil
	}
	return m.logout(ctx)
}
