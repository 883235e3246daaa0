package engine

import (
	"context"
	"log/slog"
	"slices"
)

// climb runs an operation that climbs to the rung top.
func (e *Engine) climb(ctx context.Context, name string, top State, bad error, run func(*operation) error) error {
	o := &operation{e: e, name: name, top: top, began: e.Status().State}
	if ctx == nil {
		bad = argument("ctx is nil")
		ctx = context.Background()
	}
	if bad != nil {
		return o.result(ctx, bad)
	}
	o.ctx, o.cancel = context.WithCancelCause(ctx)
	defer o.cancel(nil)
	if !e.enlist(o) {
		return o.result(ctx, ErrClosed)
	}
	defer e.delist(o)
	if err := e.acquire(o.ctx); err != nil {
		return o.result(ctx, err)
	}
	defer e.release()
	returned := false
	defer func() {
		if !returned { // a Trace or Logger panicked
			_ = o.descend(ctx, e.Status().Floor, nil)
		}
	}()
	err := o.begin()
	if err == nil {
		err = run(o)
	}
	returned = true
	if err == nil || o.began == KitLoggedIn {
		return o.result(ctx, err)
	}
	return o.undo(ctx, err)
}

// begin is what every operation that climbs does first when its turn comes.
func (o *operation) begin() error {
	e := o.e
	e.mu.Lock()
	e.running = o
	descending := slices.Clone(e.descending)
	e.mu.Unlock()
	waits := func(d *operation) bool { return o.top >= d.top && d.ctx.Err() == nil }
	if slices.ContainsFunc(descending, waits) { // a logout was first, and waits for no login
		o.cancel(ErrInterrupted)
	}
	err := e.settle(o.ctx)
	if s := e.Status(); err == nil && s.State == IMLoggedIn && s.Floor < IMLoggedIn {
		_ = o.descend(o.ctx, s.Floor, nil) // the engine's own: a Logger panicked before it was undone
	}
	o.began = e.state()
	switch over := o.over(); {
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
func (o *operation) undo(ctx context.Context, err error) error {
	failure := o.failure(err)
	if undone := o.descend(ctx, o.e.Status().Floor, failure); undone != nil {
		failure = o.failure(withUndo(err, undone))
	}
	o.e.warn(ctx, failure)
	return failure
}

func (o *operation) failure(err error) *Error {
	return &Error{Op: o.name, State: o.began, Call: o.failed, Err: err}
}

// result is what the host gets: nil, or an *Error, which is logged.
func (o *operation) result(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	failure := o.failure(err)
	o.e.warn(ctx, failure)
	return failure
}

func (e *Engine) warn(ctx context.Context, err *Error) {
	if e.log.Enabled(ctx, slog.LevelWarn) {
		e.log.LogAttrs(ctx, slog.LevelWarn, "operation failed", slog.String("op", err.Op),
			slog.String("call", err.Call), slog.Int("code", int(CodeOf(err))), slog.String("error", err.Error()))
	}
}

// logout runs an operation that descends. Logins that climb to the rung top or
// above it are ended first, those that only wait for their turn too.
func (e *Engine) logout(ctx context.Context, name string, top State, to func() State) error {
	o := &operation{e: e, name: name, top: top, began: e.Status().State}
	if ctx == nil {
		return o.result(context.Background(), argument("ctx is nil"))
	}
	o.ctx = ctx
	closed, err := e.acquireToDescend(ctx, o)
	if err == nil {
		defer e.release()
	}
	if closed {
		err = ErrClosed
	}
	if err != nil {
		return o.result(ctx, err)
	}
	if err := e.settle(ctx); err != nil {
		return o.result(ctx, err)
	}
	o.began = e.state()
	return o.result(ctx, o.descend(ctx, to(), nil))
}

// acquireToDescend ends the logins that o is to end, and takes op. One that gets
// op in the instant between the two finds o waiting, and ends itself. It also reports
// whether the engine is closed.
func (e *Engine) acquireToDescend(ctx context.Context, o *operation) (closed bool, err error) {
	e.mu.Lock()
	e.descending = append(e.descending, o)
	climbing := slices.Clone(e.climbing)
	e.mu.Unlock()
	defer func() { // also where a method of the host's ctx panics
		e.mu.Lock()
		defer e.mu.Unlock()
		i := slices.Index(e.descending, o)
		e.descending = slices.Delete(e.descending, i, i+1)
		closed = e.closed
	}()
	interrupt(climbing, o.top)
	return false, e.acquire(ctx)
}

// acquire takes op, or fails when ctx ends first. A free slot comes before an
// ended ctx: which of two ready cases a select takes is chance.
func (e *Engine) acquire(ctx context.Context) error {
	if e.tryAcquire() {
		return nil
	}
	select {
	case e.op <- struct{}{}:
		return nil
	case <-ctx.Done():
		if e.tryAcquire() {
			return nil
		}
		return context.Cause(ctx)
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

// release gives op back, after the losses that were reported meanwhile; those
// that come in the instant between are seen by the last look.
func (e *Engine) release() {
	for {
		e.settleAndGiveBack()
		if !e.hasLosses() || !e.tryAcquire() {
			return
		}
	}
}

func (e *Engine) settleAndGiveBack() {
	defer func() { // also where a Logger panics
		e.mu.Lock()
		e.running = nil
		e.mu.Unlock()
		<-e.op
	}()
	if err := e.settle(context.Background()); err != nil {
		e.warn(context.Background(), &Error{Op: "release", State: e.state(), Err: err})
	}
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
// called without mu: to cancel a ctx can call methods of the host's own type of ctx.
func interrupt(climbing []*operation, top State) {
	for _, o := range climbing {
		if o.top >= top {
			o.cancel(ErrInterrupted)
		}
	}
}
