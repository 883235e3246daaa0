package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// An operation is one call of a host that has, or waits for, its turn.
type operation struct {
	e      *Engine
	name   string
	began  State  // what it found
	failed string // the call of the backend that failed

	top    State // the rung that it climbs to, or that it takes away
	ctx    context.Context
	cancel context.CancelCauseFunc // of an operation that climbs
}

// over returns why the operation must not go on: its caller gave up, a logout
// interrupts it, or the login under it was lost.
func (o *operation) over() error { return context.Cause(o.ctx) }

// call makes one call of the backend. A panic of the backend is an error.
func (o *operation) call(ctx context.Context, name string, f func(context.Context) error) (err error) {
	if o.e.trace != nil {
		traced, done := o.e.trace(ctx, name)
		if traced != nil {
			ctx = traced
		}
		if done != nil {
			defer func() { done(err) }()
		}
	}
	defer func() {
		if r := recover(); r != nil {
			err = &backendPanic{name, r}
		}
		if err != nil && o.failed == "" {
			o.failed = name
		}
	}()
	return f(ctx)
}

// A backendPanic has no Code: nothing is known but that the backend is broken.
type backendPanic struct {
	call  string
	value any
}

func (p *backendPanic) Error() string {
	return fmt.Sprintf("the backend panicked in %s: %v", p.call, p.value)
}

func panicked(err error) bool {
	if err == nil {
		return false // and p need not be allocated
	}
	var p *backendPanic
	return errors.As(err, &p)
}

// try makes a call of the operation's own, within its ctx, unless it is over.
func (o *operation) try(name string, f func(context.Context) error) error {
	if over := o.over(); over != nil {
		return over
	}
	return o.call(o.ctx, name, f)
}

// ask is try, for a call that has no effect to be undone.
func (o *operation) ask(name string, f func(context.Context) error) error {
	return o.outcome(name, o.try(name, f))
}

// outcome is why the operation is over, where it is: what the backend made of
// that matters less.
func (o *operation) outcome(name string, err error) error {
	if over := o.over(); over != nil {
		o.failed = name
		return over
	}
	return err
}

// rise takes the edge of t. What the host asked for, or was found, is its own
// rung, and becomes the floor.
func (o *operation) rise(t Trigger, host bool, set func(*Status)) error {
	return o.e.take(o.ctx, t, nil, func(s *Status) {
		if host {
			s.Floor = s.State
		}
		if set != nil {
			set(s)
		}
	})
}

func (o *operation) host() bool { return o.top < KitLoggedIn }

// adopt takes over the IM login that the host made behind the engine's back, if
// there is one. Above IMInitialized the engine knows of it already.
func (o *operation) adopt() error {
	e := o.e
	if e.adopter == nil || e.state() >= IMLoggedIn {
		return nil
	}
	l := &login{lost: TriggerIMLost, phase: sought}
	var a IMAccount
	err := o.try("AdoptIM", func(ctx context.Context) (err error) {
		a, err = e.adopter.AdoptIM(ctx, e.notify(l))
		return err
	})
	if err != nil || a.Accid == "" {
		e.end(l)
		return o.outcome("AdoptIM", err)
	}
	e.found(l, a)
	if e.state() == Uninitialized {
		if err := o.rise(TriggerInitIM, true, nil); err != nil {
			return err
		}
	}
	if err := o.openIM(l, true); err != nil {
		return err
	}
	return o.outcome("AdoptIM", nil)
}

// initIM is the one step that is never undone: IM stays initialised until Close.
func (o *operation) initIM() error {
	err := o.try("InitIM", func(ctx context.Context) error { return o.e.backend.InitIM(ctx, o.e.appKey) })
	if err == nil {
		err = o.rise(TriggerInitIM, o.host(), nil)
	}
	return o.outcome("InitIM", err)
}

func (o *operation) loginIM(a IMAccount) error {
	l := &login{lost: TriggerIMLost, appKey: o.e.appKeyOf(a), accid: fold(a.Accid), phase: opening}
	b := o.e.backend
	err := o.try("LoginIM", func(ctx context.Context) error { return b.LoginIM(ctx, a, o.e.notify(l)) })
	if over := o.outcome("LoginIM", err); over != nil {
		return o.abandon(l, err, over, "LogoutIM", b.LogoutIM)
	}
	return o.openIM(l, o.host())
}

func (o *operation) openIM(l *login, host bool) error {
	return o.rise(TriggerLoginIM, host, func(s *Status) {
		l.phase = open
		o.e.im = l
		s.Session, s.Accid, s.Online = uuid.New(), l.accid, !l.offline
	})
}

func (o *operation) loginKit(a KitAccount, anonymous bool) error {
	l := &login{lost: TriggerKitLost, phase: opening}
	b := o.e.backend
	err := o.try("LoginKit", func(ctx context.Context) error { return b.LoginKit(ctx, a, o.e.notify(l)) })
	if over := o.outcome("LoginKit", err); over != nil {
		return o.abandon(l, err, over, "LogoutKit", b.LogoutKit)
	}
	return o.rise(TriggerLoginKit, false, func(s *Status) {
		l.phase = open
		o.e.kit = l
		s.UserUUID, s.Anonymous = fold(a.UserUUID), anonymous
	})
}

// abandon gives up a login of which the backend said err, because of why. A
// success that comes too late is undone; so is a panic, after which nobody can
// know. A login that was lost has nothing to undo: a logout would hit whoever
// came after it.
func (o *operation) abandon(l *login, err, why error, name string, logout func(context.Context) error) error {
	if lost := o.e.end(l); lost || err != nil && !panicked(err) {
		return why
	}
	var b bound
	defer b.end()
	return withUndo(why, o.step(o.ctx, &b, name, logout))
}

func withUndo(why, undo error) error {
	if undo == nil {
		return why
	}
	return fmt.Errorf("%w; undoing it: %v", why, undo) // whose Code is not this failure's
}

// login does what a kit login does once it is clear that there is none yet.
func (o *operation) login(a KitAccount, reuse, anonymous bool) error {
	e := o.e
	if s := e.Status(); reuse && e.requireOnline && !s.Online {
		return fmt.Errorf("%w: it is logged in as %s, but its link is down", ErrIMNotLoggedIn, s.Accid)
	}
	var bound IMAccount
	err := o.ask("Authenticate", func(ctx context.Context) (err error) {
		bound, err = e.backend.Authenticate(ctx, a)
		return err
	})
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
		if err := o.loginIM(bound); err != nil {
			return err
		}
	}
	return o.loginKit(a, anonymous)
}

// match holds the bound account against what IM uses.
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
	if there := (IMAccount{AppKey: e.im.appKey, Accid: e.im.accid}); bound != there {
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

// stepTimeout bounds each step down, which no caller's ctx does.
const stepTimeout = 5 * time.Second

// bound is the ctx of a step down. The next step may have it too, where the one
// before took no time: to make one costs more than all else that a step does.
type bound struct {
	ctx    context.Context
	cancel context.CancelFunc
	began  time.Time
}

func (b *bound) next(ctx context.Context) context.Context {
	const noTime = time.Millisecond
	if b.ctx == nil || time.Since(b.began) > noTime {
		b.end()
		b.began = time.Now()
		b.ctx, b.cancel = context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	}
	return b.ctx
}

func (b *bound) end() {
	if b.cancel != nil {
		b.cancel()
	}
}

// step makes one call that logs out. After a panic nobody knows whether it did,
// so it is made once more: what stayed logged in would be in the way for ever.
func (o *operation) step(ctx context.Context, b *bound, name string, logout func(context.Context) error) error {
	ctx = b.next(ctx)
	err := o.call(ctx, name, logout)
	if panicked(err) {
		return errors.Join(err, o.call(ctx, name, logout))
	}
	return err
}

// descend steps down to the rung to, or to IMInitialized where that is higher.
// Each step is taken whatever the backend says to it; its error is returned.
// A loss on the way goes first: a login that is lost must not be logged out.
func (o *operation) descend(ctx context.Context, to State, cause error) error {
	var errs []error
	var b bound
	defer b.end()
	for {
		if err := o.e.settle(ctx); err != nil {
			return err
		}
		var t Trigger
		switch s := o.e.state(); {
		case s == KitLoggedIn: // no rung that is asked for is above IMLoggedIn
			t = TriggerLogoutKit
			errs = append(errs, o.step(ctx, &b, "LogoutKit", o.e.backend.LogoutKit))
		case s == IMLoggedIn && s > to:
			t = TriggerLogoutIM
			errs = append(errs, o.step(ctx, &b, "LogoutIM", o.e.backend.LogoutIM))
		default:
			return errors.Join(errs...)
		}
		if err := o.e.take(ctx, t, cause, nil); err != nil {
			return err
		}
	}
}
