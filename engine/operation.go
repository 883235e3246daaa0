package engine

import (
	"context"
	"fmt"
)

// This file runs an operation: it waits for its turn (turn.go), steps up
// (climb.go) or down (descend.go), and undoes what it did if a step up fails.

// An operation is one call of the host, which is running or waits for its turn.
type operation struct {
	e      *Engine
	name   string
	failed string // the call that failed: of the backend, or of a token source

	began  State // the state in which its turn began
	top    State // the rung that it climbs to, or the lowest rung that it ends
	holds  bool  // it holds Engine.op
	own    guard
	guard  *guard                  // own, or the guard of the operation that this one belongs to
	ctx    context.Context         // the guard, or a child of it
	cancel context.CancelCauseFunc // set only for an operation that climbs

	attempt *login    // the login that the backend is working on; nil if none
	secrets [4]string // tokens that no error text may show
}

// newOperation makes an operation. If ctx is nil, context.Background takes its
// place.
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

// start fails with bad if it is not nil, and otherwise runs f. In the end it
// panics if a hook did.
func (o *operation) start(bad error, f func() error) error {
	var err error
	if bad != nil {
		err = o.result(bad)
	} else {
		err = f()
	}
	o.guard.repanic()
	return err
}

func checkCtx(ctx context.Context) error {
	if ctx == nil {
		return argument("ctx is nil")
	}
	return nil
}

// climb runs an operation that climbs to the rung top. token is the host's, and
// bad says what is wrong with its account, if anything.
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

// logout runs an operation that descends. First it ends the operations that
// climb to the rung top or above it, even if they are still waiting for their
// turn.
func (e *Engine) logout(ctx context.Context, name string, top State, to func() State) error {
	o := e.newOperation(ctx, name, top)
	return o.start(checkCtx(ctx), func() error { return o.logout(to) })
}

func (o *operation) logout(to func() State) error {
	closed, err := o.acquireToDescend()
	if err != nil {
		if closed {
			err = ErrClosed
		}
		return o.result(err)
	}
	return o.hold(func() error {
		if closed {
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

// hold runs f while o holds op, and then gives op back. If f does not return
// because a hook or the backend called runtime.Goexit, cleanUp does what is
// left to do, without calling a hook.
func (o *operation) hold(f func() error, cleanUp func()) error {
	o.holds = true
	defer func() {
		if o.holds {
			o.unwind(cleanUp)
		}
	}()
	err := f()
	o.release()
	return err
}

func (o *operation) unwind(cleanUp func()) {
	defer func() {
		if o.holds { // the backend called runtime.Goexit again
			o.giveBack()
		}
	}()
	o.guard.mute = true
	cleanUp()
	o.release()
}

// try makes one call of the backend within the operation's ctx, unless the
// operation must stop.
func (o *operation) try(name string, f func(context.Context) error) error {
	if stopped := o.stopReason(waits[name]); stopped != nil {
		return stopped
	}
	return o.call(o.ctx, name, f)
}

// call makes one call of the backend, with Trace around it.
func (o *operation) call(ctx context.Context, name string, f func(context.Context) error) error {
	if o.e.trace == nil {
		return o.callUntraced(ctx, name, f)
	}
	ctx, done := o.guard.startTrace(o.e.trace, ctx, name)
	err := o.callUntraced(ctx, name, f)
	o.guard.endTrace(done, err)
	return err
}

// stopReason returns why the operation must stop, or nil if it need not: its
// caller gave up, a logout interrupted it, or the login under it was lost.
// waitedFor says what the operation was waiting for.
func (o *operation) stopReason(waitedFor string) error {
	if err := o.ctx.Err(); err != nil {
		return ctxError(err, context.Cause(o.ctx), waitedFor)
	}
	return nil
}

// outcome returns the reason the operation was cut short during the call name,
// if it was. That takes precedence over err, the backend's own error.
func (o *operation) outcome(name string, err error) error {
	if stopped := o.stopReason(waits[name]); stopped != nil {
		o.failed = name
		return stopped
	}
	return err
}

// undo descends to the floor after the operation failed.
func (o *operation) undo(err error) error {
	failure := o.failure(err)
	if undone := o.descend(o.e.floor(), failure); undone != nil {
		failure = o.failure(withUndo(err, undone))
	}
	o.warn(failure)
	return failure
}

// toFloor undoes whatever the operation did, even in a call of the backend that
// did not return.
func (o *operation) toFloor() {
	if o.began == KitLoggedIn && o.e.state() == KitLoggedIn {
		return // what it found
	}
	if l := o.attempt; l != nil && !o.e.discard(l) && !l.adopted {
		undo := logoutIM
		if l.kit {
			undo = logoutKit
		}
		_ = o.step(undo)
	}
	_ = o.descend(o.e.floor(), nil)
}

func withUndo(why, undo error) error {
	if undo == nil {
		return why
	}
	return fmt.Errorf("%w; undoing it also failed: %v", why, undo) // %v: the Code of undo must not show
}

// result returns nil if err is nil; otherwise it logs the failure and returns
// it as an *Error.
func (o *operation) result(err error) error {
	if err == nil {
		return nil
	}
	failure := o.failure(err)
	o.warn(failure)
	return failure
}

func (o *operation) failure(err error) *Error {
	return &Error{Op: o.name, State: o.began, Call: o.failed, Err: err}
}

func (o *operation) warn(err *Error) {
	if err.Err != errNotNeeded {
		o.guard.logFailure(o.ctx, o.e.log, err)
	}
}
