package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// This file keeps a kit login up. KeepKit is a loop around LoginKit, on the
// goroutine of its caller.

// KeepKit logs the kit in as a, and again whenever that login is lost for
// a passing reason. It blocks until one of these happens:
//
//   - Anybody calls LogoutKit, LogoutIM or Close: it returns ErrInterrupted, also
//     between two tries. A logout is never overridden.
//   - ctx ends: it returns context.Cause(ctx). A kit that is logged in stays so;
//     a try that is in flight is undone.
//   - A try fails, or the login is lost, for a reason that another try cannot
//     help: it returns that reason.
//
// Passing reasons are an error with ErrUnavailable anywhere in its chain,
// ErrTokenExpired if there is a source for a new token, and an error without
// a Code from Options.KitToken or IMToken. All others end it: a kick, a ban,
// a refused token, a bad argument, an IM login of the host's that is missing or
// does not fit.
//
// The first try is made at once. The pause before each other one is random,
// from 0 to a limit that doubles from 1 s to 60 s; it starts at 1 s again after
// a login that held for as long as that limit. Each try is an ordinary LoginKit:
// in ReuseIM it needs the host's IM login to be there. A host whose IM client
// logs in again by itself uses ReuseIM: in AutoDetect the engine may be faster
// after a loss, and log IM in itself.
//
// The first try uses a.Token; later ones use the token that the session had
// last, which RenewKit may have replaced. If a.Token is empty, each try asks
// KitToken.
//
// Several KeepKits of one account may run at once. While one runs, KeepKit for
// another account fails with ErrKitInUse. KeepKit starts no goroutine.
func (e *Engine) KeepKit(ctx context.Context, a KitAccount) error {
	bad := a.check(e.kitToken != nil)
	if err := checkCtx(ctx); err != nil {
		bad = err
	}
	o := e.newOperation(ctx, "KeepKit", KitLoggedIn)
	o.keepSecret(a.Token)
	return o.start(bad, func() error { return o.keep(a) })
}

// kept is the account that KeepKit keeps logged in.
type kept struct {
	userUUID string // in lower case
	callers  int
	login    *login        // whose end the callers wait for; nil: none
	ended    chan struct{} // closed then
}

func (o *operation) keep(a KitAccount) error {
	o.ctx, o.cancel = context.WithCancelCause(o.guard)
	defer o.cancel(nil)
	if err := o.e.enlistKeeper(o, fold(a.UserUUID)); err != nil {
		return o.result(err)
	}
	defer o.e.delistKeeper(o)
	given, refused := a.Token != "", ""
	var pause backoff
	for {
		end := o.keepOnce(a, refused, &pause)
		if err := o.judge(end); err != nil {
			return err
		}
		switch {
		case end.expired:
			a.Token, refused = "", end.token
		case !end.inTry && given:
			a.Token, refused = end.token, ""
		case !end.inTry:
			refused = ""
		}
		pause.wait(o.ctx)
		if o.ctx.Err() != nil {
			return o.result(context.Cause(o.ctx))
		}
	}
}

// enlistKeeper lets a logout or Close interrupt o from here on.
func (e *Engine) enlistKeeper(o *operation, userUUID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closing != nil:
		return ErrClosed
	case e.kept == nil:
		e.kept = &kept{userUUID: userUUID}
	case e.kept.userUUID != userUUID:
		return fmt.Errorf("%w: KeepKit keeps %s logged in", ErrKitInUse, e.kept.userUUID)
	}
	e.kept.callers++
	e.climbing = append(e.climbing, o)
	return nil
}

func (e *Engine) delistKeeper(o *operation) {
	e.delist(o)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.kept.callers--; e.kept.callers == 0 {
		e.kept = nil
	}
}

// An ending says why a try of KeepKit failed, or why the login it made ended.
type ending struct {
	inTry   bool  // the try failed
	err     error // why; a failed try has an *Error, already logged
	ofIM    bool  // IM failed or was lost, not the kit
	token   string
	expired bool // the token, which is the kit's, has run out
}

// keepOnce tries to log the kit in, and waits for the end of that login.
func (o *operation) keepOnce(a KitAccount, refused string, pause *backoff) ending {
	l, ended, err := o.tryKit(a, refused)
	o.placed()()
	if err != nil {
		ofIM := callOf(err) == "LoginIM"
		return ending{true, err, ofIM, a.Token, a.Token != "" && !ofIM && CodeOf(err) == ErrTokenExpired}
	}
	began := time.Now()
	select {
	case <-ended:
	case <-o.ctx.Done():
		return ending{}
	}
	pause.reset(time.Since(began))
	o.e.mu.Lock()
	end := ending{err: l.cause, ofIM: l.endedByIM, token: l.token, expired: l.expired}
	o.e.mu.Unlock()
	if end.err == nil {
		end.err = ErrInterrupted
	}
	end.expired = end.expired || !end.ofIM && CodeOf(end.err) == ErrTokenExpired
	return end
}

// tryKit makes one try, and returns the login that is there then.
func (o *operation) tryKit(a KitAccount, refused string) (l *login, ended <-chan struct{}, err error) {
	try := o.e.newOperation(o.ctx, o.name, KitLoggedIn)
	try.keepSecret(a.Token)
	try.keepSecret(refused)
	err = try.start(nil, func() error {
		return try.climb(func(try *operation) error {
			err := try.loginKitAs(a, refused)
			if err == nil {
				l, ended = o.e.awaitKitEnd()
			}
			return err
		})
	})
	return l, ended, err
}

// awaitKitEnd returns the kit login that is there, and a channel that its end
// closes.
func (e *Engine) awaitKitEnd() (*login, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if k := e.kept; k.login != e.kit {
		k.login, k.ended = e.kit, make(chan struct{})
	}
	return e.kit, e.kept.ended
}

// endKitLocked ends the kit login, and tells KeepKit why.
func (e *Engine) endKitLocked(why Trigger, cause error) {
	l := e.kit
	e.kit = l.endLocked()
	if k := e.kept; l != nil && k != nil && k.login == l {
		l.cause, l.endedByIM = cause, why == TriggerIMLost
		k.login = nil
		close(k.ended)
	}
}

// judge returns KeepKit's error after that ending, or nil to try again.
func (o *operation) judge(end ending) error {
	replaceable := o.e.kitToken != nil
	if end.ofIM {
		replaceable = o.e.imToken != nil
	}
	again := triesAgain(end.err, replaceable, isTokenSource(callOf(end.err)))
	switch {
	case end.inTry && CodeOf(end.err) == ErrClosed: // Close came first
		return o.result(ErrInterrupted)
	case end.inTry && !again:
		return end.err
	case o.ctx.Err() != nil:
		return o.result(context.Cause(o.ctx))
	case !again:
		return o.result(end.err)
	}
	return nil
}

// triesAgain reports whether KeepKit tries again after err. replaceable says that
// the host has a source for the token that err is about; fromSource says that err
// comes from a source.
func triesAgain(err error, replaceable, fromSource bool) bool {
	switch CodeOf(err) {
	case ErrTokenExpired:
		return replaceable || isUnavailable(err)
	case 0:
		return fromSource || isUnavailable(err)
	}
	return isUnavailable(err)
}

// isUnavailable reports whether ErrUnavailable is in the chain. The cause of
// a loss can have a method that panics.
func isUnavailable(err error) (yes bool) {
	defer func() { _ = recover() }()
	return errors.Is(err, ErrUnavailable)
}

// callOf returns the call that an operation failed in.
func callOf(err error) string {
	if e, ok := err.(*Error); ok && e != nil {
		return e.Call
	}
	return ""
}
