// Package sharedim lets several kits share one IM login. Without it, the kit
// that logs out first takes IM away from the others.
//
// Give each engine a seat at the same IM:
//
//	shared := sharedim.New(im)
//	meeting, err := engine.New(engine.Join(shared.Seat(), meetingKit), appKey, nil)
//	room, err := engine.New(engine.Join(shared.Seat(), roomKit), appKey, nil)
//
// The first engine that logs in opens the login, and the others join it. Each
// logs out when it likes; the last one out turns off the light. An engine
// whose kit is bound to another account gets engine.ErrIMInUse until all the
// others have left.
//
// If the host has logged IM in itself, every engine reuses that login. Neither
// LogoutKit nor Engine.Close ends it. Engine.LogoutIM logs IM out whoever
// logged it in: if the last engine to leave does so with LogoutIM, the host's
// login ends.
//
// An engine in ReuseIM does not reuse a login that another engine made, which
// may end at any moment: LoginKit fails with engine.ErrIMNotLoggedIn (100004).
// To share that login, call LoginIM on this engine too.
//
// A kick, any other loss of the login and the state of its connection are
// reported to every engine that holds it.
package sharedim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// An IM shares one engine.IM. Make one with New. It is safe for concurrent use,
// and runs no goroutine.
type IM struct {
	im      engine.IM
	adopter engine.IMAdopter // nil if im is none

	// turn has one slot. Its holder alone may call im and touch the following
	// field. It is a channel so that waiting for it honours ctx.
	turn   chan struct{}
	appKey string // a seat has initialised im with it; "": not yet

	// mu protects the following fields. It is taken after turn, and is held
	// while a Notify is called, but never while im is.
	mu     sync.Mutex
	login  *login // the one that seats hold, open, or have left
	closed bool
}

// A login has ended once IM.login is another one.
type login struct {
	appKey, accid string // accid is in lower case; both are written in turn
	adopted       bool   // the host made it

	// Guarded by IM.mu.
	offline bool
	holders []holder // none: whoever has the turn logs it out
}

type holder struct {
	seat   *Seat
	notify engine.Notify
}

// New shares im, and calls nothing of it yet. The host keeps im and closes it
// after the engines. Until then only the seats may call its methods of
// engine.IM and engine.IMAdopter.
func New(im engine.IM) *IM {
	adopter, _ := im.(engine.IMAdopter)
	return &IM{im: im, adopter: adopter, turn: make(chan struct{}, 1)}
}

// Seat makes a place for one more engine: pass it to engine.Join. The engine
// closes it.
func (s *IM) Seat() *Seat { return &Seat{shared: s} }

// Close takes the login away from every seat that still holds it. Their engines
// report engine.ErrIMLoggedOut. A login that a seat made is logged out, and the
// host's own stays. Afterwards InitIM, LoginIM and AdoptIM of every seat fail
// with engine.ErrClosed. Close does not close the engine.IM. It returns the
// error of its LogoutIM, or context.DeadlineExceeded if a call in flight takes
// longer than 5 seconds; what that call opens is logged out when it returns.
func (s *IM) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.login != nil {
		s.login.lost(engine.ErrIMLoggedOut)
	}
	s.leaveLocked(func(holder) bool { return true }, true)
	s.mu.Unlock()
	return s.logoutInTime()
}

// inTurn runs f, which may call im, for t.
func (s *IM) inTurn(ctx context.Context, t *Seat, f func() error) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := t.check(); err != nil {
		return err
	}
	_ = s.logoutUnheld(ctx) // the seat that left waits for its turn, or im panicked
	return f()
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

// release gives the turn back. If the last seat has left and gave up waiting
// for the turn, release logs out first. The check and giving back are one step,
// so a seat that leaves later finds the turn free, or held by someone who has
// yet to release it.
func (s *IM) release() {
	s.mu.Lock()
	if s.unheldLocked() == nil {
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

// unheld returns the login if no seat holds it, or nil.
func (s *IM) unheld() *login {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unheldLocked()
}

func (s *IM) unheldLocked() *login {
	if s.login != nil && len(s.login.holders) == 0 {
		return s.login
	}
	return nil
}

// logoutUnheld logs out a login that no seat holds. The caller has the turn. If
// im panics, the login is still there to be logged out.
func (s *IM) logoutUnheld(ctx context.Context) error {
	l := s.unheld()
	if l == nil {
		return nil
	}
	err := s.im.LogoutIM(ctx)
	s.end(l)
	return err
}

// logoutTimeout bounds the logouts that have no ctx of a caller.
const logoutTimeout = 5 * time.Second

func (s *IM) logoutInTime() error {
	ctx, cancel := context.WithTimeout(context.Background(), logoutTimeout)
	defer cancel()
	return s.logout(ctx)
}

// logout logs out a login that no seat holds. If it cannot have the turn before
// ctx ends, whoever has the turn logs it out.
func (s *IM) logout(ctx context.Context) error {
	if s.unheld() == nil {
		return nil
	}
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	return s.logoutUnheld(ctx)
}

// leaveLocked takes holders out of the login. A login of the host's that loses
// its last holder to a Close stays logged in.
func (s *IM) leaveLocked(who func(holder) bool, closing bool) {
	l := s.login
	if l == nil || !slices.ContainsFunc(l.holders, who) {
		return
	}
	l.holders = slices.DeleteFunc(l.holders, who)
	if closing && l.adopted && len(l.holders) == 0 {
		s.login = nil
	}
}

// end forgets l, unless another login has taken its place.
func (s *IM) end(l *login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.login == l {
		s.login = nil
	}
}

// notify passes the reports about l on to its holders, until it has ended.
func (s *IM) notify(l *login) engine.Notify {
	return engine.Notify{
		Lost: func(cause error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.login == l {
				s.login = nil
				l.lost(cause)
			}
		},
		Link: func(online bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.login == l {
				l.link(online)
			}
		},
	}
}

func (l *login) lost(cause error) {
	for _, h := range l.holders {
		if h.notify.Lost != nil {
			h.notify.Lost(cause)
		}
	}
}

func (l *login) link(online bool) {
	l.offline = !online
	for _, h := range l.holders {
		if h.notify.Link != nil {
			h.notify.Link(online)
		}
	}
}

// join makes t a holder of l. If it is one already, n replaces its Notify.
func (l *login) join(t *Seat, n engine.Notify) {
	if i := slices.IndexFunc(l.holders, t.is); i >= 0 {
		l.holders[i].notify = n
	} else {
		l.holders = append(l.holders, holder{t, n})
	}
	if l.offline && n.Link != nil {
		n.Link(false)
	}
}
