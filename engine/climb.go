package engine

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// This file has the steps up: find the host's IM login, initialise IM, log IM
// in, log the kit in. A step takes its edge after the backend has succeeded.

// adopt takes over the IM login that the host made behind the engine's back, if
// there is one. From IMLoggedIn up the engine already knows the IM login.
func (o *operation) adopt() error {
	e := o.e
	adopter, ok := e.backend.(IMAdopter)
	if !ok || e.state() >= IMLoggedIn {
		return nil
	}
	l := &login{phase: sought, adopted: true}
	var a IMAccount
	err := o.try("AdoptIM", func(ctx context.Context) (err error) {
		o.attempt = l
		a, err = adopter.AdoptIM(ctx, e.notify(l))
		return err
	})
	o.attempt = nil
	o.keepSecret(a.Token)
	if err != nil || a.Accid == "" {
		e.discard(l)
		return o.outcome("AdoptIM", err)
	}
	e.confirmFound(l, a)
	if e.state() == Uninitialized {
		if err := o.takeEdgeUp(TriggerInitIM, true, nil); err != nil {
			return err
		}
	}
	if err := o.openIM(l, true); err != nil {
		return err
	}
	return o.outcome("AdoptIM", nil)
}

// initIM is the one step that only Close undoes.
func (o *operation) initIM() error {
	err := o.try("InitIM", func(ctx context.Context) error { return o.e.backend.InitIM(ctx, o.e.appKey) })
	if err == nil {
		err = o.takeEdgeUp(TriggerInitIM, o.forHost(), nil)
	}
	return o.outcome("InitIM", err)
}

// attemptIM logs a in. try calls the backend, and decides whether a refusal ends
// the attempt only or the whole operation.
func (o *operation) attemptIM(a IMAccount, try func(*login, IMAccount) error) error {
	l := &login{appKey: o.e.appKeyOf(a), id: a.Accid, token: a.Token, phase: opening}
	err := try(l, a)
	if stopped := o.outcome("LoginIM", err); stopped != nil {
		return o.abandon(l, err, stopped, logoutIM)
	}
	o.attempt = nil
	return o.openIM(l, o.forHost())
}

func (o *operation) tryLoginIM(l *login, a IMAccount) error {
	if stopped := o.stopReason(waits["LoginIM"]); stopped != nil {
		return stopped
	}
	return o.callLoginIM(o.ctx, l, a)
}

func (o *operation) callLoginIM(ctx context.Context, l *login, a IMAccount) error {
	return o.call(ctx, "LoginIM", func(ctx context.Context) error {
		o.attempt = l
		return o.e.backend.LoginIM(ctx, a, o.e.notify(l))
	})
}

func (o *operation) openIM(l *login, host bool) error {
	session := uuid.New() // can panic, so not under mu
	return o.takeEdgeUp(TriggerLoginIM, host, func(s *Status) {
		l.phase = open
		o.e.im = l
		s.Session, s.Accid, s.Online = session, fold(l.id), !l.offline
	})
}

// climbToKit climbs the rungs still missing below the kit, and then logs the
// kit in as a. It asks the kit server first, so that IM is not touched in vain.
// If a has no token, climbToKit fetches one; refused is an earlier token that
// has run out.
func (o *operation) climbToKit(a KitAccount, refused string, reuse, anonymous bool) error {
	e := o.e
	if s := e.status.Load(); reuse && e.requireOnline && !s.Online {
		return fmt.Errorf("%w: %s is logged in, but its link is down, and RequireOnline is set: %w", ErrIMNotLoggedIn, s.Accid, ErrUnavailable)
	}
	bound, err := o.authenticate(&a, refused, a.Token == "" && !anonymous)
	if err != nil {
		return err
	}
	if err := e.match(bound, reuse); err != nil {
		return err
	}
	if e.state() == Uninitialized {
		if err := o.initIM(); err != nil {
			return err
		}
	}
	if e.state() == IMInitialized {
		if err := o.loginIM(bound, false); err != nil {
			return err
		}
	}
	return o.loginKit(a, anonymous)
}

// match checks that the bound account fits IM's AppKey and, in reuse, the
// account that is logged in.
func (e *Engine) match(bound IMAccount, reuse bool) error {
	if bound.Accid == "" {
		return ErrNoIMAccount
	}
	bound = IMAccount{AppKey: e.appKeyOf(bound), Accid: fold(bound.Accid)}
	if bound.AppKey != e.appKey {
		return &MismatchError{Bound: bound, LoggedIn: IMAccount{AppKey: e.appKey}}
	}
	if !reuse {
		return nil
	}
	if there := (IMAccount{AppKey: e.im.appKey, Accid: fold(e.im.id)}); bound != there {
		return &MismatchError{Bound: bound, LoggedIn: there}
	}
	return nil
}

func (e *Engine) appKeyOf(a IMAccount) string {
	if a.AppKey == "" {
		return e.appKey
	}
	return a.AppKey
}

func (o *operation) loginKit(a KitAccount, anonymous bool) error {
	l := &login{kit: true, id: a.UserUUID, token: a.Token, anonymous: anonymous, phase: opening}
	b := o.e.backend
	err := o.try("LoginKit", func(ctx context.Context) error {
		o.attempt = l
		return b.LoginKit(ctx, a, o.e.notify(l))
	})
	if stopped := o.outcome("LoginKit", err); stopped != nil {
		return o.abandon(l, err, stopped, logoutKit)
	}
	o.attempt = nil
	return o.takeEdgeUp(TriggerLoginKit, false, func(s *Status) {
		l.phase = open
		o.e.kit = l
		s.UserUUID, s.Anonymous = fold(a.UserUUID), anonymous
		if l.expired { // reported before LoginKit returned
			s.Expired = true
			o.e.startRenewalLocked(l)
		}
	})
}

// abandon gives up a login attempt because of why; err is what the backend
// returned for it. It undoes a login that succeeded too late, and also one
// whose call ended in a fault, because no one knows what the backend did. A
// login that was already lost leaves nothing to undo, and logging out could end
// someone else's newer login.
func (o *operation) abandon(l *login, err, why error, s stepDown) error {
	if lost := o.e.discard(l); !lost && (err == nil || faulty(err)) {
		why = withUndo(why, o.step(s))
	}
	o.attempt = nil
	return why
}

// takeEdgeUp takes the edge of t. If host is set, the rung is the host's: it
// asked for it, or the engine found it. That rung becomes the floor.
func (o *operation) takeEdgeUp(t Trigger, host bool, set func(*Status)) error {
	return o.takeEdge(t, nil, func(s *Status) {
		if host {
			s.Floor = s.State
		}
		if set != nil {
			set(s)
		}
	})
}

// forHost reports whether the host asked for the steps themselves, and not for
// a kit login that needs them.
func (o *operation) forHost() bool { return o.top < KitLoggedIn }
