package engine

import (
	"context"
	"slices"
)

// newOperation makes an operation; a nil ctx counts as none.
func (e *Engine) newOperation(ctx context.Context, name string, top State) *operation {
	if ctx == nil {
		ctx = context.Background()
	}
	o := &operation{e: e, name: name, top: top, began: e.state()}
	o.own.host = ctx
	o.guard = &o.own
	o.ctx = o.guard
	return o
}

// start runs f, or fails if an argument is bad. The panic of a hook comes last.
func (o *operation) start(bad error, f func() error) error {
	var err error
	if bad != nil {
		err = o.result(bad)
	} else {
		err = f()
	}
	o.guard.raise()
	return err
}

func checkCtx(ctx context.Context) error {
	if ctx == nil {
		return argument("ctx is nil")
	}
	return nil
}

// climb runs an operation that climbs to the rung top. token is the one that
// the host gave it; bad is what is wrong with its account.
func (e *Engine) climb(ctx context.Context, name string, top State, token string, bad error, run func(*operation) error) error {
	if err := checkCtx(ctx); err != nil {
		bad = err
	}
	o := e.newOperation(ctx, name, top)
	o.keepSecret(token)
	return o.start(bad, func() error { return o.climb(run) })
}

func (o *operation) climb(run func(*operation) error) error {
	o.ctx, o.cancel = context.WithCancelCause(o.guard)
	defer o.cancel(nil)
	if !o.e.enlist(o) {
		return o.result(ErrClosed)
	}
	defer o.e.delist(o)
	if err := o.acquire(); err != nil {
		return o.result(err)
	}
	return o.hold(func() error {
		err := o.begin()
		if err == nil {
			err = run(o)
		}
		if err == nil || o.began == KitLoggedIn {
			return o.result(err)
		}
		return o.undo(err)
	}, o.toFloor)
}

// begin is what every operation that climbs does first when its turn comes.
func (o *operation) begin() error {
	e := o.e
	e.mu.Lock()
	e.running = o
	descending := slices.Clone(e.descending)
	e.mu.Unlock()
	endsThis := func(d *operation) bool { return o.top >= d.top && d.ctx.Err() == nil }
	if slices.ContainsFunc(descending, endsThis) { // a logout was first, and waits for no login
		o.cancel(ErrInterrupted)
	}
	err := o.settle()
	o.began = e.state()
	switch over := o.over(""); {
	case err != nil:
		return err
	case over == ErrInterrupted:
		return over
	case e.secondary:
		return ErrSecondaryProcess
	default:
		return over
	}
}

// undo descends to the floor after the operation failed.
func (o *operation) undo(err error) error {
	failure := o.failure(err)
	if undone := o.descend(o.e.Status().Floor, failure); undone != nil {
		failure = o.failure(withUndo(err, undone))
	}
	o.warn(failure)
	return failure
}

func (o *operation) failure(err error) *Error {
	return &Error{Op: o.name, State: o.began, Call: o.failed, Err: err}
}

// result is what the host gets: nil, or an *Error, which is logged.
func (o *operation) result(err error) error {
	if err == nil {
		return nil
	}
	failure := o.failure(err)
	o.warn(failure)
	return failure
}

func (o *operation) warn(err *Error) { o.guard.failure(o.ctx, o.e.log, err) }

// logout runs an operation that descends. Logins that climb to the rung top or
// above it are ended first, those that only wait for their turn too.
func (e *Engine) logout(ctx context.Context, name string, top State, to func() State) error {
	o := e.newOperation(ctx, name, top)
	return o.start(checkCtx(ctx), func() error { return o.logout(to) })
}

func (o *operation) logout(to func() State) error {
	if err := o.acquireToDescend(); err != nil {
		return o.result(err)
	}
	return o.hold(func() error {
		if o.e.isClosed() {
			return o.result(ErrClosed)
		}
		err := o.settle()
		if err == nil {
			o.began = o.e.state()
			err = o.descend(to(), nil)
		}
		return o.result(err)
	}, func() { _ = o.descend(to(), nil) })
}

// acquireToDescend ends the logins that o is to end, and takes op. A login that
// acquires op between those two steps sees o in the list, and stops.
func (o *operation) acquireToDescend() error {
	e := o.e
	e.mu.Lock()
	e.descending = append(e.descending, o)
	climbing := slices.Clone(e.climbing)
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		i := slices.Index(e.descending, o)
		e.descending = slices.Delete(e.descending, i, i+1)
	}()
	interrupt(climbing, o.top)
	err := o.acquire()
	if err != nil && e.isClosed() {
		return ErrClosed
	}
	return err
}

// acquire takes op, or fails when the ctx ends first. A free slot wins over an
// ended ctx; select would pick one of them at random.
func (o *operation) acquire() error {
	if o.e.tryAcquire() {
		return nil
	}
	select {
	case o.e.op <- struct{}{}:
		return nil
	case <-o.ctx.Done():
		if o.e.tryAcquire() {
			return nil
		}
		return o.over(turnToCome)
	}
}

func (e *Engine) tryAcquire() bool {
	select {
	case e.op <- struct{}{}:
		return true
	default:
		return false
	}
}

// hold runs f while o holds op, and then gives op back. If f does not return,
// because a hook or the backend has called runtime.Goexit, putInOrder does
// what is left to do, and calls no hook.
func (o *operation) hold(f func() error, putInOrder func()) error {
	o.holds = true
	defer func() {
		if o.holds {
			o.unwind(putInOrder)
		}
	}()
	err := f()
	o.release()
	return err
}

func (o *operation) unwind(putInOrder func()) {
	defer func() {
		if o.holds { // the backend does it again
			o.giveBack()
		}
	}()
	o.guard.mute = true
	putInOrder()
	o.release()
}

// toFloor undoes whatever the operation did, also in the backend's call that it
// was in.
func (o *operation) toFloor() {
	if l := o.asked; l != nil && !o.e.end(l) && !l.adopted {
		undo := logoutIM
		if l.lost == TriggerKitLost {
			undo = logoutKit
		}
		var b bound
		defer b.end()
		_ = o.step(&b, undo)
	}
	_ = o.descend(o.e.Status().Floor, nil)
}

// release gives op back, after the losses that were reported meanwhile.
func (o *operation) release() {
	for !o.giveBackSettled() {
		if err := o.settle(); err != nil {
			o.warn(o.failure(err))
		}
	}
}

// giveBackSettled gives op back, unless a loss is waiting. It looks and gives
// back in one step: whoever reports a loss later finds op free.
func (o *operation) giveBackSettled() bool {
	o.e.mu.Lock()
	defer o.e.mu.Unlock()
	if len(o.e.losses) > 0 {
		return false
	}
	o.giveBackLocked()
	return true
}

func (o *operation) giveBack() {
	o.e.mu.Lock()
	defer o.e.mu.Unlock()
	o.giveBackLocked()
}

func (o *operation) giveBackLocked() {
	o.e.running = nil
	o.holds = false
	<-o.e.op
}

func (e *Engine) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

// enlist makes o one that can be interrupted, unless the engine is closed.
func (e *Engine) enlist(o *operation) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing == nil {
		e.climbing = append(e.climbing, o)
	}
	return e.closing == nil
}

func (e *Engine) delist(o *operation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.Index(e.climbing, o)
	e.climbing = slices.Delete(e.climbing, i, i+1)
}

// interrupt ends those operations that climb to the rung top or above it. It is
// called without mu: to cancel a ctx can call methods of the host's own ctx.
func interrupt(climbing []*operation, top State) {
	for _, o := range climbing {
		if o.top >= top {
			o.cancel(ErrInterrupted)
		}
	}
}
