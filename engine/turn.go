package engine

import "slices"

// This file decides whose turn it is. The operation that holds Engine.op runs;
// the others wait, in the order in which they were called. A logout, a Close or
// a loss interrupts the logins that it makes pointless.

// acquire takes op, or fails if the ctx ends first. A free slot wins over an
// ended ctx.
func (o *operation) acquire() error {
	if o.e.tryAcquire() {
		return nil
	}
	// Before the operation is in the line, because a method of the host's ctx
	// may call runtime.Goexit.
	done := o.ctx.Done()
	placed := o.placed()
	w := o.e.lineUp()
	if w == nil {
		return nil
	}
	placed()
	select {
	case <-w.turn:
		return nil
	case <-done:
		if !o.e.leaveLine(w) {
			return nil // the turn came first
		}
		return o.stopReason(turnToCome)
	}
}

// placedKey is the key of a function in the ctx of an operation. The engine calls
// it when the operation begins to wait and the next one can no longer overtake it:
// when it is in the line, and when KeepKit has made a try. With this and Trace,
// bindings/internal/flat starts operations in order. The key has no named type, so
// that both packages can have it and neither exports it.
var placedKey any = struct{ EnginePlaced struct{} }{}

// placed returns that function.
func (o *operation) placed() func() {
	if placed, ok := o.ctx.Value(placedKey).(func()); ok {
		return placed
	}
	return func() {}
}

func (e *Engine) tryAcquire() bool {
	select {
	case e.op <- struct{}{}:
		return true
	default:
		return false
	}
}

// A waiter is a place in the line of those that wait for op.
type waiter struct {
	turn chan struct{} // closed when the turn comes, and op with it
	next *waiter
}

// lineUp takes the last place in the line. If op has become free, lineUp takes op
// instead, and returns nil.
func (e *Engine) lineUp() *waiter {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tryAcquire() {
		return nil
	}
	last := &e.line
	for *last != nil {
		last = &(*last).next
	}
	*last = &waiter{turn: make(chan struct{})}
	return *last
}

// leaveLine gives up the place w. It reports false if the turn has come already.
func (e *Engine) leaveLine(w *waiter) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for at := &e.line; *at != nil; at = &(*at).next {
		if *at == w {
			*at = w.next
			return true
		}
	}
	return false
}

// passOnLocked hands op to the first in the line, or frees op.
func (e *Engine) passOnLocked() {
	first := e.line
	if first == nil {
		<-e.op
		return
	}
	e.line = first.next
	close(first.turn)
}

// acquireToDescend interrupts the logins that o ends, and then takes op. It also
// reports whether the engine is closed. A login that acquires op between those
// two steps sees o in e.descending and stops.
func (o *operation) acquireToDescend() (closed bool, err error) {
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
		closed = e.closed
	}()
	interrupt(climbing, o.top)
	return false, o.acquire()
}

// begin is the first thing that an operation does when its turn to climb comes.
// It fails if the operation must not climb.
func (o *operation) begin() error {
	e := o.e
	e.mu.Lock()
	e.running = o
	descending := slices.Clone(e.descending)
	e.mu.Unlock()
	endsThis := func(d *operation) bool { return o.top >= d.top && d.ctx.Err() == nil }
	if slices.ContainsFunc(descending, endsThis) { // a logout that does not wait for logins
		o.cancel(ErrInterrupted)
	}
	err := o.settle()
	o.began = e.state()
	switch stopped := o.stopReason(""); {
	case err != nil:
		return err
	case stopped == ErrInterrupted:
		return stopped
	case e.secondary:
		return ErrSecondaryProcess
	default:
		return stopped
	}
}

// release applies the losses that were reported meanwhile, and gives op back.
func (o *operation) release() {
	for !o.giveBackSettled() {
		if err := o.settle(); err != nil {
			o.warn(o.failure(err))
		}
	}
}

// giveBackSettled gives op back, unless a loss is waiting. It checks and gives
// back under one lock, so that whoever reports a loss later finds op free.
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
	o.e.passOnLocked()
}

// enlist makes it possible to interrupt o. It returns false if the engine is
// closed or closing.
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

// interrupt cancels the operations that climb to the rung top or above it. Call
// it without mu, because canceling a ctx can call methods of the host's own
// ctx.
func interrupt(climbing []*operation, top State) {
	for _, o := range climbing {
		if o.top >= top {
			o.cancel(ErrInterrupted)
		}
	}
}

// abort cancels an operation because the login under it was lost. It does
// nothing if o is nil. Call it without mu, like interrupt.
func (o *operation) abort(cause error) {
	if o != nil {
		o.cancel(cause)
	}
}
