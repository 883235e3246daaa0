// Package sharedim lets several kits share one IM login. Without it, the kit
// that logs out first takes IM away from the others.
//
// Give each engine a seat at the same IM:
//
//	shared := sharedim.New(im)
//	meeting, err := engine.New(engine.Join(shared.Seat(), meetingKit), appKey, nil)
//	room, err := engine.New(engine.Join(shared.Seat(), roomKit), appKey, nil)
//
// The first engine to log in opens the login, and the others join it. Each may
// log out at any time; IM is logged out when the last one leaves. If an
// engine's kit account is bound to another IM account, its logins fail with
// engine.ErrIMInUse until all the others have left.
//
// If the host has logged IM in itself, every engine in AutoDetect or ReuseIM
// reuses that login. Neither LogoutKit nor Engine.Close ends it, but
// Engine.LogoutIM does, if the engine that calls it is the last one to leave.
//
// An engine in ReuseIM does not reuse a login that another engine made, because
// that login may end at any moment: LoginKit fails with engine.ErrIMNotLoggedIn
// (100004). If that engine is to share the login, call its LoginIM first.
//
// A kick, any other loss of the login, and each change of its connection are
// reported to every engine that holds the login.
package sharedim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// An IM shares one engine.IM. Make one with New. It is safe for concurrent use,
// and runs no goroutine.
type IM struct {
	im engine.IM

	// turn has one slot. Only its holder may call im, begin a login, or
	// touch appKey. It is a channel so that waiting for it honours ctx.
	turn   chan struct{}
	appKey string // "" until a seat has initialised im

	// mu protects the following fields. It is taken after turn, and is held
	// while a Notify is called, but never while im is.
	mu     sync.Mutex
	login  *login // nil: im is logged out, as far as the seats know
	closed bool
}

// A login is current while IM.login points to it. If no seat holds it, whoever
// has the turn logs it out.
type login struct {
	appKey, accid string // accid is in lower case; both are written in turn
	adopted       bool   // the host made it

	// Guarded by IM.mu.
	offline bool
	holders map[*Seat]engine.Notify
}

// New shares im without calling it. The host still owns im, and closes it after
// the engines. Until then, the methods that engine.IM and engine.IMAdopter
// declare are for the seats only.
func New(im engine.IM) *IM { return &IM{im: im, turn: make(chan struct{}, 1)} }

// Seat makes a place for one more engine: pass it to engine.Join. The engine
// closes it.
func (s *IM) Seat() *Seat { return &Seat{shared: s} }

// Close takes the login away from every seat that still holds it. Their engines
// report engine.ErrIMLoggedOut. Close logs IM out if a seat had logged it in; a
// login that the host made stays. Afterwards InitIM, LoginIM and AdoptIM of
// every seat fail with engine.ErrClosed. Close does not close the engine.IM.
//
// If that logout fails, Close returns its error. If a seat's call is still in
// flight after 5 seconds, Close returns context.DeadlineExceeded, and IM is
// logged out when that call returns.
func (s *IM) Close() error {
	s.mu.Lock()
	s.closed = true
	if l := s.login; l != nil {
		l.reportLoss(engine.ErrIMLoggedOut)
		for t := range l.holders {
			s.dropLocked(t)
		}
	}
	s.mu.Unlock()
	return s.logoutInTime()
}

// acquire takes the turn, or fails when ctx ends first. A free turn wins over
// an ended ctx; select would pick one of them at random.
func (s *IM) acquire(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// release gives the turn back, after logging out a login whose last seat could
// not wait for the turn. It checks and gives back under mu, so a seat that
// leaves later finds the turn free, or held by a seat that has yet to check.
func (s *IM) release() {
	s.mu.Lock()
	if !s.unheldLocked() {
		<-s.turn
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	defer func() { <-s.turn }() // also if im panics
	ctx, cancel := context.WithTimeout(context.Background(), logoutTimeout)
	defer cancel()
	_ = s.logoutUnheld(ctx)
}

// unheld reports whether there is a login that no seat holds.
func (s *IM) unheld() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unheldLocked()
}

func (s *IM) unheldLocked() bool { return s.login != nil && len(s.login.holders) == 0 }

// logoutUnheld logs out a login that no seat holds. The caller has the turn. If
// im panics, the login is kept, so that the next caller tries again.
func (s *IM) logoutUnheld(ctx context.Context) error {
	if !s.unheld() {
		return nil
	}
	err := s.im.LogoutIM(ctx)
	s.forgetLogin()
	return err
}

// forgetLogin makes no login current. The caller has the turn, so no other
// login can have begun.
func (s *IM) forgetLogin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.login = nil
}

// logoutTimeout bounds the logouts that no caller's ctx bounds.
const logoutTimeout = 5 * time.Second

func (s *IM) logoutInTime() error {
	ctx, cancel := context.WithTimeout(context.Background(), logoutTimeout)
	defer cancel()
	return s.logout(ctx)
}

// logout waits for the turn and logs out a login that no seat holds. If ctx
// ends first, whoever has the turn logs it out.
func (s *IM) logout(ctx context.Context) error {
	if !s.unheld() {
		return nil
	}
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	return s.logoutUnheld(ctx)
}

// dropLocked makes t leave the login without being asked to log out. If t was
// the last holder of the host's login, that login stays logged in.
func (s *IM) dropLocked(t *Seat) {
	l := s.login
	if l == nil || !l.heldBy(t) {
		return
	}
	delete(l.holders, t)
	if l.adopted && len(l.holders) == 0 {
		s.login = nil
	}
}

// checkAppKey compares appKey with the one that im was initialised with, if
// both are known. The caller has the turn.
func (s *IM) checkAppKey(appKey string) error {
	if s.appKey != "" && appKey != "" && appKey != s.appKey {
		return fmt.Errorf("%w: the shared IM is for %q, not %q", engine.ErrAppKeyMismatch, s.appKey, appKey)
	}
	return nil
}

// notify passes reports about l on to its holders, as long as l is current. l was
// opened with token, or adopted with none.
func (s *IM) notify(l *login, token string) engine.Notify {
	return engine.Notify{
		Lost: func(cause error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.login == l {
				s.login = nil
				l.reportLoss(cause)
			}
		},
		Link: func(online bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.login == l {
				l.reportLink(online)
			}
		},
		Token: func(ctx context.Context) (string, error) {
			fetch, held := s.sourceOf(l)
			switch {
			case fetch != nil:
				return fetch(ctx)
			case held && token != "": // nobody has another one
				return token, nil
			}
			return "", fmt.Errorf("%w: no seat that holds the login has a source of tokens", engine.ErrTokenExpired)
		},
	}
}

// sourceOf returns the source of tokens of one of l's holders, or nil if none has
// one, and reports whether l has a holder.
func (s *IM) sourceOf(l *login) (fetch func(context.Context) (string, error), held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range l.holders {
		if n.Token != nil {
			return n.Token, true
		}
	}
	return nil, len(l.holders) > 0
}

func (l *login) reportLoss(cause error) {
	for _, n := range l.holders {
		if n.Lost != nil {
			n.Lost(cause)
		}
	}
}

func (l *login) reportLink(online bool) {
	l.offline = !online
	for _, n := range l.holders {
		if n.Link != nil {
			n.Link(online)
		}
	}
}

func (l *login) heldBy(t *Seat) bool {
	_, held := l.holders[t]
	return held
}

// join makes t a holder of l, or replaces its Notify.
func (l *login) join(t *Seat, n engine.Notify) {
	l.holders[t] = n
	if l.offline && n.Link != nil {
		n.Link(false)
	}
}
