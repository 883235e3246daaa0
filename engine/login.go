package engine

import "context"

// This file follows a login from the call that makes it to its end. Above all
// it deals with losses, the ends that nobody asked for. A loss can be reported
// at any moment. The running operation applies it; if there is none, a short
// goroutine does.

// A login is one IM or kit login, from the call that makes it to its end. Each
// Notify belongs to one login, so a late report about an old login cannot
// affect a newer one.
type login struct {
	appKey    string // set only for an IM login
	id        string // its accid or userUuid, as the host or the kit server wrote it
	kit       bool   // a kit login, not an IM login
	anonymous bool   // the kit account is a temporary one
	adopted   bool   // the host made it behind the engine's back

	// Guarded by Engine.mu.
	phase     phase
	offline   bool
	expired   bool                    // the kit's token has run out
	renewing  bool                    // a goroutine renews the kit's token
	endedByIM bool                    // the kit login ended because the IM login under it was lost
	token     string                  // the current one
	cause     error                   // why it was lost, as first reported; nil if it is not lost
	stop      context.CancelCauseFunc // ends the attempt to log IM in, or the renewal; nil: neither is under way
}

type phase uint8

const (
	sought phase = iota // AdoptIM is looking for it, and it may not exist
	opening
	open // published
	ended
)

// rung is the rung that is lost with l.
func (l *login) rung() State {
	if l.kit {
		return KitLoggedIn
	}
	return IMLoggedIn
}

// lost is the trigger of the loss of l.
func (l *login) lost() Trigger {
	if l.kit {
		return TriggerKitLost
	}
	return TriggerIMLost
}

// overLocked reports whether it has ended, or was lost.
func (l *login) overLocked() bool { return l.phase == ended || l.cause != nil }

func (l *login) endLocked() *login {
	if l != nil {
		l.phase = ended
		l.stopRenewalLocked()
	}
	return nil
}

func (e *Engine) notify(l *login) Notify {
	n := Notify{Lost: func(cause error) { e.lose(l, cause) }, Link: ignoreLink, Expired: neverRenewed}
	if !l.kit {
		n.Link = func(online bool) { e.setLink(l, online) }
	}
	if !l.kit && e.imToken != nil {
		n.Token = func(ctx context.Context) (string, error) { return e.freshIMToken(ctx, l) }
	}
	if l.kit && e.kitToken != nil && !l.anonymous && e.renewer() != nil {
		n.Expired = func(error) bool { return e.expire(l) }
	}
	return n
}

func ignoreLink(bool) {} // for a kit login

// lose records the report that l was lost. It never blocks. The holder of op
// takes the edge; if op is free, a new goroutine takes op at once and does so.
// If it had to wait for its turn, the next operation could overtake it.
func (e *Engine) lose(l *login, cause error) {
	refused := refusesToken(cause) // not under mu: it calls methods of the cause
	e.mu.Lock()
	if l.overLocked() {
		e.mu.Unlock()
		return
	}
	cause = asCause(l.lost(), e.status.Load().State, cause)
	l.cause = cause
	stop := l.stop
	if refused && l.phase == opening && stop != nil { // another attempt may follow
		e.mu.Unlock()
		stop(cause)
		return
	}
	var climber *operation
	if l.phase != sought {
		climber = e.lostLocked(l)
	}
	e.mu.Unlock()
	climber.abort(cause)
}

// lostLocked queues the loss of l, and returns the operation that is climbing
// on l, if any. If op is free, lostLocked also starts a goroutine that applies
// the losses and ends; Close waits for that goroutine.
func (e *Engine) lostLocked(l *login) *operation {
	e.losses = append(e.losses, l)
	e.lossWaits.Store(true)
	if e.tryAcquire() {
		e.background.Go(e.applyLosses)
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

// asCause makes sure that the cause of a loss can be compared with ==, because
// it becomes a field of Status, which can.
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

// setLink records the report that the connection under l is up or down.
func (e *Engine) setLink(l *login, online bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.overLocked() {
		return
	}
	l.offline = !online
	if l.phase == open && e.status.Load().Online != online {
		e.publishLocked(func(s *Status) { s.Online = online })
	}
}

// discard ends a login that was never published, and reports whether it was
// lost.
func (e *Engine) discard(l *login) (lost bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.phase = ended
	return l.cause != nil
}

// confirmFound records that AdoptIM found the login that it was looking for. A
// loss reported meanwhile counts from here on.
func (e *Engine) confirmFound(l *login, a IMAccount) {
	e.mu.Lock()
	l.appKey, l.id, l.token = e.appKeyOf(a), a.Accid, a.Token
	l.phase = opening
	cause := l.cause
	var climber *operation
	if cause != nil {
		climber = e.lostLocked(l)
	}
	e.mu.Unlock()
	climber.abort(cause)
}

// nextLoss removes the first loss from the queue, and returns nil if there is
// none. Only the holder of op calls it, so the queue does not get shorter
// meanwhile.
func (e *Engine) nextLoss() *login {
	if !e.lossWaits.Load() {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.losses[0]
	e.losses = e.losses[1:]
	e.lossWaits.Store(len(e.losses) > 0)
	return l
}

// settle applies the losses that were reported: it takes their edges, and goes
// down to the floor. It skips logins that have ended or were never published.
func (o *operation) settle() error {
	e := o.e
	for l := e.nextLoss(); l != nil; l = e.nextLoss() {
		if l != e.im && l != e.kit {
			continue
		}
		if err := o.applyLoss(l.lost(), l.cause); err != nil {
			return err
		}
	}
	return nil
}

// applyLoss takes the edge of a loss, and goes on down to the floor.
func (o *operation) applyLoss(lost Trigger, cause error) error {
	e := o.e
	if err := o.takeEdge(lost, cause, nil); err != nil {
		return err
	}
	loss := &operation{e: e, name: string(lost), began: e.state(), guard: o.guard, ctx: o.ctx, secrets: o.secrets}
	if err := loss.descend(e.floor(), cause); err != nil {
		loss.warn(loss.failure(err))
	}
	return nil
}
