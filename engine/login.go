package engine

import "context"

// This file follows a login from the call that makes it to its end, above all
// to its loss, the end that nobody asked for. A loss can be reported at any
// moment. The running operation applies it; if there is none, a short goroutine
// does.

// A login is one IM or kit login, from the call that makes it to its end. What
// a Notify reports goes to the one login that it was made for, so a late report
// about an old login cannot touch a newer one.
type login struct {
	lost          Trigger // the edge that its loss takes
	appKey, accid string  // of an IM login
	adopted       bool    // the host made it behind the engine's back

	// Guarded by Engine.mu.
	phase   phase
	cause   error // of its loss, the first one; nil while it is not lost
	offline bool
}

type phase uint8

const (
	sought phase = iota // AdoptIM is looking for it: it may not exist
	opening
	open // published
	ended
)

// rung is what its loss takes away.
func (l *login) rung() State {
	if l.lost == TriggerKitLost {
		return KitLoggedIn
	}
	return IMLoggedIn
}

func (l *login) endLocked() *login {
	if l != nil {
		l.phase = ended
	}
	return nil
}

func (e *Engine) notify(l *login) Notify {
	n := Notify{Lost: func(cause error) { e.lose(l, cause) }, Link: ignoreLink}
	if l.lost == TriggerIMLost {
		n.Link = func(online bool) { e.setLink(l, online) }
	}
	return n
}

func ignoreLink(bool) {} // of a kit

// lose takes the report that l was lost. It never blocks: whoever holds op
// takes the edge, or a goroutine that gets op here and now. One that waited for
// its turn would be overtaken by the next operation.
func (e *Engine) lose(l *login, cause error) {
	e.mu.Lock()
	if l.phase == ended || l.cause != nil {
		e.mu.Unlock()
		return
	}
	l.cause = asCause(l.lost, e.status.Load().State, cause)
	var climber *operation
	if l.phase != sought {
		climber = e.lostLocked(l)
	}
	e.mu.Unlock()
	climber.abort(l.cause)
}

// lostLocked queues the loss, and returns the operation that climbs on l. If op
// is free, it also starts the one goroutine that the engine may have, which
// applies the losses and ends; Close waits for it.
func (e *Engine) lostLocked(l *login) *operation {
	e.losses = append(e.losses, l)
	if e.tryAcquire() {
		e.applying.Go(e.applyLosses)
	}
	if e.running != nil && e.running.top >= l.rung() {
		return e.running
	}
	return nil
}

func (e *Engine) applyLosses() {
	o := e.newOperation(context.Background(), "release", Uninitialized)
	_ = o.hold(func() error { return nil }, o.toFloor)
	o.logPanic()
}

// asCause makes the cause of a loss fit for Status, which is compared with ==.
func asCause(lost Trigger, at State, cause error) error {
	if cause == nil || isNilPointer(cause) {
		return ErrUnavailable
	}
	switch cause := cause.(type) {
	case Code, *Error, *KickError, *MismatchError:
		return cause
	default:
		return &Error{Op: string(lost), State: at, Err: cause}
	}
}

// setLink takes the report that the connection under l is up or down.
func (e *Engine) setLink(l *login, online bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.phase == ended || l.cause != nil {
		return
	}
	l.offline = !online
	if l.phase == open && e.status.Load().Online != online {
		e.publishLocked(func(s *Status) { s.Online = online })
	}
}

// discard ends a login that did not come to be, and reports whether it was lost.
func (e *Engine) discard(l *login) (lost bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.phase = ended
	return l.cause != nil
}

// confirmFound makes a login of what AdoptIM was asked to look for.
func (e *Engine) confirmFound(l *login, a IMAccount) {
	e.mu.Lock()
	l.appKey, l.accid, l.adopted = e.appKeyOf(a), fold(a.Accid), true
	l.phase = opening
	cause := l.cause
	var climber *operation
	if cause != nil {
		climber = e.lostLocked(l)
	}
	e.mu.Unlock()
	climber.abort(cause)
}

// nextLoss takes the first loss from the queue; nil: there is none.
func (e *Engine) nextLoss() *login {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.losses) == 0 {
		return nil
	}
	l := e.losses[0]
	e.losses = e.losses[1:]
	return l
}

// settle takes the edges of the losses that were reported. There is none for
// a login that has ended, or was never published.
func (o *operation) settle() error {
	e := o.e
	for l := e.nextLoss(); l != nil; l = e.nextLoss() {
		if l != e.im && l != e.kit {
			continue
		}
		if err := o.takeEdge(l.lost, l.cause, nil); err != nil {
			return err
		}
		loss := &operation{e: e, name: string(l.lost), began: e.state(), guard: o.guard, ctx: o.ctx, secrets: o.secrets}
		if err := loss.descend(e.Status().Floor, l.cause); err != nil {
			loss.warn(loss.failure(err))
		}
	}
	return nil
}
