package sharedim

import (
	"context"
	"fmt"
	"strings"

	"github.com/imreuse/imreuse/engine"
)

// A Seat is one engine's place at an IM: an engine.IM, an engine.IMAdopter and
// an io.Closer. Make one with IM.Seat. It serves one engine, which makes one
// call at a time; any number of seats may be used concurrently.
//
// InitIM, LoginIM and AdoptIM wait while another seat's call is in flight, and
// fail if their ctx ends first.
type Seat struct {
	shared *IM
	closed bool // guarded by shared.mu
}

// inTurn waits for the turn and runs f, which may call im.
func (t *Seat) inTurn(ctx context.Context, f func() error) error {
	s := t.shared
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := t.checkOpen(); err != nil {
		return err
	}
	_ = s.logoutUnheld(ctx) // its last seat is still waiting for the turn, or im panicked
	return f()
}

// checkOpen fails once the seat, or the IM, is closed.
func (t *Seat) checkOpen() error {
	t.shared.mu.Lock()
	defer t.shared.mu.Unlock()
	if t.closed || t.shared.closed {
		return engine.ErrClosed
	}
	return nil
}

// InitIM implements engine.IM. Only the first seat's call initialises IM.
// InitIM fails with engine.ErrAppKeyMismatch if IM was initialised for another
// AppKey.
func (t *Seat) InitIM(ctx context.Context, appKey string) error {
	s := t.shared
	return t.inTurn(ctx, func() error {
		if s.appKey != "" {
			return s.checkAppKey(appKey)
		}
		err := s.im.InitIM(ctx, appKey)
		if err == nil {
			s.appKey = appKey
		}
		return err
	})
}

// LoginIM implements engine.IM. If another seat has logged in the same account,
// this seat joins that login and ignores a.Token. If another seat's login was
// in flight and failed, this seat opens one itself. LoginIM fails with
// engine.ErrIMInUse while other seats hold another account, or while this seat
// or the host is logged in; with engine.ErrAppKeyMismatch if a.AppKey is not
// the one that IM was initialised with; and with any error of the shared
// engine.IM's LoginIM.
func (t *Seat) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	s := t.shared
	return t.inTurn(ctx, func() error {
		if err := s.checkAppKey(a.AppKey); err != nil {
			return err
		}
		wanted := &login{accid: strings.ToLower(a.Accid)}
		switch l, joined := t.joinOrBegin(wanted, n); {
		case !joined:
			return fmt.Errorf("%w: as %s", engine.ErrIMInUse, l.accid)
		case l == wanted:
			return t.open(l, a.Token, func(n engine.Notify) error { return s.im.LoginIM(ctx, a, n) })
		}
		return nil
	})
}

// AdoptIM implements engine.IMAdopter: it returns the login that the host made,
// never one that a seat made. It finds nobody if the shared engine.IM is not an
// engine.IMAdopter.
func (t *Seat) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	adopter, ok := t.shared.im.(engine.IMAdopter)
	if !ok {
		return engine.IMAccount{}, nil
	}
	var found engine.IMAccount
	err := t.inTurn(ctx, func() (err error) {
		wanted := &login{adopted: true}
		l, joined := t.joinOrBegin(wanted, n)
		if l == wanted {
			err = t.open(l, "", func(n engine.Notify) error {
				a, err := adopter.AdoptIM(ctx, n)
				l.appKey, l.accid = a.AppKey, strings.ToLower(a.Accid)
				return err
			})
		}
		if err == nil && joined {
			found = engine.IMAccount{AppKey: l.appKey, Accid: l.accid}
		}
		return err
	})
	return found, err
}

// joinOrBegin makes t a holder of the current login, if t wants that one: an
// adoption wants the host's login, and LoginIM wants one that another seat made
// for the same account. If there is no current login, wanted becomes the
// current one, and the caller opens it.
func (t *Seat) joinOrBegin(wanted *login, n engine.Notify) (l *login, joined bool) {
	s := t.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	l = s.login
	switch {
	case l == nil:
		l = wanted
		l.holders = map[*Seat]engine.Notify{}
		s.login = l
	case l.adopted != wanted.adopted, !l.adopted && (l.accid != wanted.accid || l.heldBy(t)):
		return l, false
	}
	l.join(t, n)
	return l, true
}

// open calls im, through call, for the login l that t has begun. If im panics,
// t leaves l, and release logs out whatever the call may have logged in.
func (t *Seat) open(l *login, token string, call func(engine.Notify) error) error {
	s, returned := t.shared, false
	defer func() {
		if !returned {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.dropLocked(t)
		}
	}()
	err := call(s.notify(l, token))
	returned = true
	if err != nil || l.accid == "" { // "": there was nobody to adopt
		s.forgetLogin()
		return err
	}
	return t.checkOpen() // if closed meanwhile, l has no holder
}

// LogoutIM implements engine.IM: the seat leaves the login that it holds. If no
// other seat holds it, IM is logged out, even if the host made the login.
// Otherwise LogoutIM returns at once. If ctx ends while a call of another seat
// is in flight, LogoutIM fails, and IM is logged out as soon as that call
// returns.
func (t *Seat) LogoutIM(ctx context.Context) error {
	s := t.shared
	s.mu.Lock()
	if s.login != nil {
		delete(s.login.holders, t)
	}
	s.mu.Unlock()
	return s.logout(ctx)
}

// Close implements io.Closer. It leaves the login as LogoutIM does, within 5
// seconds, but never logs out the host's login. Afterwards InitIM, LoginIM and
// AdoptIM fail with engine.ErrClosed. A second Close returns nil.
func (t *Seat) Close() error {
	s := t.shared
	s.mu.Lock()
	t.closed = true
	s.dropLocked(t)
	s.mu.Unlock()
	return s.logoutInTime()
}
