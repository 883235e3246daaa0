package sharedim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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

func (t *Seat) is(h holder) bool { return h.seat == t }

// check fails once the seat, or the IM, is closed.
func (t *Seat) check() error {
	t.shared.mu.Lock()
	defer t.shared.mu.Unlock()
	if t.closed || t.shared.closed {
		return engine.ErrClosed
	}
	return nil
}

// InitIM implements engine.IM. The first seat initialises IM, and the others
// find that done. It fails with engine.ErrAppKeyMismatch if that was for
// another AppKey.
func (t *Seat) InitIM(ctx context.Context, appKey string) error {
	s := t.shared
	return s.inTurn(ctx, t, func() error {
		if s.appKey != "" {
			return matchAppKeys(s.appKey, appKey)
		}
		err := s.im.InitIM(ctx, appKey)
		if err == nil {
			s.appKey = appKey
		}
		return err
	})
}

// matchAppKeys compares the AppKeys of IM and of a caller, if both are known.
func matchAppKeys(is, want string) error {
	if is != "" && want != "" && is != want {
		return fmt.Errorf("%w: the shared IM is for %q, not %q", engine.ErrAppKeyMismatch, is, want)
	}
	return nil
}

// LoginIM implements engine.IM. If another seat has logged in the same account,
// it joins that login and ignores a.Token. If another seat's login fails, this
// seat logs in itself. Errors: engine.ErrIMInUse while other seats hold another
// account, or this seat or the host is logged in; engine.ErrAppKeyMismatch if
// a.AppKey is not the one that IM was initialised with; and what LoginIM of the
// shared engine.IM fails with.
func (t *Seat) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	return t.shared.inTurn(ctx, t, func() error {
		l, err := t.joinOrBegin(a, n)
		if l == nil {
			return err
		}
		return t.open(ctx, l, a)
	})
}

// joinOrBegin joins the login that is there, or returns one to open.
func (t *Seat) joinOrBegin(a engine.IMAccount, n engine.Notify) (*login, error) {
	s := t.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := &login{appKey: cmp.Or(a.AppKey, s.appKey), accid: strings.ToLower(a.Accid)}
	there := s.login
	if there == nil {
		there = wanted
	}
	err := matchAppKeys(cmp.Or(s.appKey, there.appKey), wanted.appKey)
	switch {
	case err != nil:
		return nil, err
	case there.adopted || there.accid != wanted.accid || slices.ContainsFunc(there.holders, t.is):
		return nil, fmt.Errorf("%w: as %s", engine.ErrIMInUse, there.accid)
	}
	there.join(t, n)
	if there != wanted {
		return nil, nil
	}
	s.login = wanted
	return wanted, nil
}

// open logs in. If im panics, nobody knows whether IM is logged in, so l loses
// its holder and is logged out.
func (t *Seat) open(ctx context.Context, l *login, a engine.IMAccount) error {
	s, returned := t.shared, false
	defer func() {
		if !returned {
			s.mu.Lock()
			defer s.mu.Unlock()
			l.holders = nil
		}
	}()
	err := s.im.LoginIM(ctx, a, s.notify(l))
	returned = true
	if err != nil {
		s.end(l)
		return err
	}
	return t.check() // closed meanwhile: l has no holder
}

// AdoptIM implements engine.IMAdopter: it returns the login that the host made.
// It never returns a login that a seat made, and it finds nobody if the shared
// engine.IM is no engine.IMAdopter.
func (t *Seat) AdoptIM(ctx context.Context, n engine.Notify) (a engine.IMAccount, err error) {
	s := t.shared
	if s.adopter == nil {
		return a, nil
	}
	err = s.inTurn(ctx, t, func() (err error) {
		l := t.joinAdopted(n)
		if l == nil {
			l, err = t.adopt(ctx, n)
		}
		if l != nil && l.adopted {
			a = engine.IMAccount{AppKey: l.appKey, Accid: l.accid}
		}
		return err
	})
	return a, err
}

// joinAdopted returns the login that seats hold, and joins it if the host made
// it.
func (t *Seat) joinAdopted(n engine.Notify) *login {
	s := t.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.login != nil && s.login.adopted {
		s.login.join(t, n)
	}
	return s.login
}

// adopt asks im for a login of the host's, and returns it, or nil for none.
func (t *Seat) adopt(ctx context.Context, n engine.Notify) (found *login, err error) {
	s := t.shared
	l := &login{adopted: true, holders: []holder{{t, n}}}
	s.mu.Lock()
	s.login = l
	s.mu.Unlock()
	defer func() {
		if found == nil { // also after a panic
			s.end(l)
		}
	}()
	a, err := s.adopter.AdoptIM(ctx, s.notify(l))
	if err != nil || a.Accid == "" {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	l.appKey, l.accid = a.AppKey, strings.ToLower(a.Accid)
	return l, nil
}

// LogoutIM implements engine.IM: the seat leaves the login that it holds. If no
// other seat holds it, IM is logged out, even if the host made the login.
// Otherwise LogoutIM returns at once. If ctx ends while a call of another seat
// is in flight, LogoutIM fails, and IM is logged out as soon as that call
// returns.
func (t *Seat) LogoutIM(ctx context.Context) error {
	t.shared.mu.Lock()
	t.shared.leaveLocked(t.is, false)
	t.shared.mu.Unlock()
	return t.shared.logout(ctx)
}

// Close implements io.Closer. It leaves the login as LogoutIM does, within 5
// seconds, but never logs out the host's login. Afterwards InitIM, LoginIM and
// AdoptIM fail with engine.ErrClosed. A second Close returns nil.
func (t *Seat) Close() error {
	t.shared.mu.Lock()
	t.closed = true
	t.shared.leaveLocked(t.is, true)
	t.shared.mu.Unlock()
	return t.shared.logoutInTime()
}
