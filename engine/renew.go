package engine

import (
	"context"
	"errors"
	"fmt"
)

// This file gives the kit session that is open a new token: RenewKit when the
// host asks for it, and a renewal of the engine's own when the backend reports
// that the token has run out.

// RenewKit gives the open kit session a new token, without a logout, as
// NERoom's renewToken does. If a.Token is empty, the token comes from
// Options.KitToken. If RenewKit fails, the session goes on with the token that it
// had.
//
// It fails with ErrState if the kit is not logged in, with ErrKitInUse if it is
// logged in as another account or anonymously, with errors.ErrUnsupported if the
// backend is not a KitRenewer, and with the error of KitToken or of the backend.
// LogoutKit, LogoutIM and Close end it with ErrInterrupted; if the login is lost
// meanwhile, it fails with the cause of the loss.
func (e *Engine) RenewKit(ctx context.Context, a KitAccount) error {
	return e.climb(ctx, "RenewKit", KitLoggedIn, a.Token, a.check(e.kitToken != nil), func(o *operation) error {
		switch s := e.Status(); {
		case s.State < KitLoggedIn:
			return fmt.Errorf("%w: the kit is not logged in; call LoginKit first", ErrState)
		case s.Anonymous || s.UserUUID != fold(a.UserUUID):
			return ErrKitInUse
		case e.renewer() == nil:
			return fmt.Errorf("the backend is not a KitRenewer: %w", errors.ErrUnsupported)
		}
		if a.Token != "" {
			return o.renewKit(a.Token)
		}
		refused := ""
		if e.Status().Expired {
			refused = e.kit.token
			o.keepSecret(refused)
		}
		return o.withFetched(e.kitTokens(), a.UserUUID, refused, o.renewKit)
	})
}

// renewer returns the backend if it can renew a token, or nil.
func (e *Engine) renewer() KitRenewer {
	r, _ := e.backend.(KitRenewer)
	return r
}

// renewKit asks the backend to replace the token of the session. A success that
// comes too late for the caller stands: the session has the new token.
func (o *operation) renewKit(token string) error {
	l := o.e.kit
	answer := o.try("RenewKit", func(ctx context.Context) error {
		return o.e.renewer().RenewKit(ctx, KitAccount{UserUUID: l.id, Token: token})
	})
	err := o.outcome("RenewKit", answer)
	if answer == nil {
		o.e.setRenewed(l, token)
	}
	return err
}

// setRenewed notes that l has a new token, and ends the engine's own renewal.
func (e *Engine) setRenewed(l *login, token string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.overLocked() {
		return
	}
	l.token, l.expired = token, false
	l.stopRenewalLocked()
	if e.status.Load().Expired {
		e.publishLocked(func(s *Status) { s.Expired = false })
	}
}

// neverRenewed is the Notify.Expired of a login that nobody renews.
func neverRenewed(error) bool { return false }

// expire is the Notify.Expired of l. If the report comes before the login is
// open, the renewal starts once the login is open.
func (e *Engine) expire(l *login) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.overLocked() {
		return false
	}
	l.expired = true
	if l.phase != open || e.closing != nil {
		return true
	}
	if !e.status.Load().Expired {
		e.publishLocked(func(s *Status) { s.Expired = true })
	}
	e.startRenewalLocked(l)
	return true
}

// startRenewalLocked starts the goroutine that renews the token of l, if there
// is none. It ends with the login, and Close waits for it.
func (e *Engine) startRenewalLocked(l *login) {
	if l.renewing || e.closing != nil {
		return
	}
	l.renewing = true
	e.background.Go(func() { e.renewWhileExpired(l) })
}

// errNotNeeded ends a renewal whose login has ended, or has a new token.
var errNotNeeded = errors.New("the renewal is not needed any more")

// renewWhileExpired renews the token of l until l has a token that has not run out.
// A newer token may run out before the source of the first renewal has returned.
func (e *Engine) renewWhileExpired(l *login) {
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in a hook or the source; the next report starts anew
			e.mu.Lock()
			defer e.mu.Unlock()
			l.renewing = false
		}
	}()
	for r := e.nextRenewal(l); r != nil; r = e.nextRenewal(l) {
		r.run()
	}
	returned = true
}

// A renewal replaces one expired token of a login.
type renewal struct {
	e       *Engine
	l       *login
	ctx     context.Context // ends when the renewal is not needed any more
	refused string          // the token that is passed to the source as refused
	answer  error           // the server's refusal of that token; nil: it has run out
	pause   backoff
}

// nextRenewal returns nil, and lets the next report start a goroutine, if the
// token of l need not be renewed.
func (e *Engine) nextRenewal(l *login) *renewal {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.stopRenewalLocked()
	if l.overLocked() || !l.expired {
		l.renewing = false
		return nil
	}
	r := &renewal{e: e, l: l, refused: l.token}
	r.ctx, l.stop = context.WithCancelCause(context.Background())
	return r
}

func (l *login) stopRenewalLocked() {
	if l.stop != nil {
		l.stop(errNotNeeded)
		l.stop = nil
	}
}

func (r *renewal) run() {
	for r.ctx.Err() == nil {
		if askAtOnce := r.try(); !askAtOnce {
			r.pause.wait(r.ctx)
		}
	}
}

// try fetches a token without taking op, so that nothing waits for the source,
// and then takes its turn. It reports whether the server refused the token, and
// the source must be asked once more.
func (r *renewal) try() (askAtOnce bool) {
	o := r.e.newOperation(r.ctx, "RenewKit", KitLoggedIn)
	defer o.logPanic()
	o.keepSecret(r.refused)
	token, err := o.fetch(r.e.kitTokens(), r.l.id, r.refused)
	switch {
	case err != nil:
		o.warn(o.failure(err))
	case r.answer != nil && token == r.refused:
		_ = o.climb(func(o *operation) error { return o.loseKit(r.answer) })
	default:
		_ = o.climb(func(o *operation) error {
			err := o.renewKit(token)
			switch {
			case err == nil || o.ctx.Err() != nil || isPassing(err):
				return err
			case r.answer == nil && refusesToken(err):
				r.refused, r.answer, askAtOnce = token, err, true
				return err
			}
			return o.loseKit(err)
		})
	}
	return askAtOnce
}

// isPassing reports whether err says nothing about the token.
func isPassing(err error) bool { return isUnavailable(err) || CodeOf(err) == 0 }

// loseKit ends the kit login because the server refused to renew its token. The
// session is still open, so the kit is logged out before the edge is taken.
func (o *operation) loseKit(answer error) error {
	e := o.e
	l := e.kit
	if err := o.settle(); err != nil || e.kit != l {
		return answer
	}
	cause := asCause(TriggerKitLost, e.state(), answer)
	answer = withUndo(answer, o.step(logoutKit))
	if err := o.applyLoss(TriggerKitLost, cause); err != nil {
		return err
	}
	return answer
}
