package engine

import (
	"context"
	"errors"
	"time"
)

// This file has the steps down: log the kit out, log IM out. A step down takes
// effect even if the backend fails, and no caller's ctx can end it.

// A stepDown is a call of the backend that logs out.
type stepDown struct {
	name string
	run  func(Backend, context.Context) error
}

var (
	logoutKit = stepDown{"LogoutKit", Backend.LogoutKit}
	logoutIM  = stepDown{"LogoutIM", Backend.LogoutIM}
)

// stepTimeout limits each step down, since no caller's ctx does.
const stepTimeout = 5 * time.Second

// stepContext holds the context of a step down. If the next step follows at
// once, it uses the same context, because creating one costs more than the rest
// of the step.
type stepContext struct {
	ctx    context.Context
	cancel context.CancelFunc
	began  time.Time
}

func (c *stepContext) next(ctx context.Context) context.Context {
	const noTime = time.Millisecond
	if c.ctx == nil || time.Since(c.began) > noTime {
		c.close()
		c.began = time.Now()
		c.ctx, c.cancel = context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	}
	return c.ctx
}

func (c *stepContext) close() {
	if c.cancel != nil {
		c.cancel()
	}
}

// step takes one step down. After a fault nobody knows whether the backend
// logged out, so step asks it once more: a login that stayed would block all
// later ones.
func (o *operation) step(c *stepContext, s stepDown) error {
	ctx := c.next(o.ctx)
	logout := func(ctx context.Context) error {
		o.attempt = nil
		return s.run(o.e.backend, ctx)
	}
	err := o.call(ctx, s.name, logout)
	if faulty(err) {
		return errors.Join(err, o.call(ctx, s.name, logout))
	}
	if err != nil && CodeOf(err) == 0 && errors.Is(err, context.DeadlineExceeded) {
		return ctxError(ctx.Err(), err, waits[s.name])
	}
	return err
}

// descend steps down to the rung to, or to IMInitialized if that is higher. It
// takes each step even if the backend fails, and returns the errors. It applies
// reported losses before each step: a lost login must not be logged out.
func (o *operation) descend(to State, cause error) error {
	var errs []error
	var c stepContext
	defer c.close()
	for {
		if err := o.settle(); err != nil {
			return err
		}
		var t Trigger
		switch s := o.e.state(); {
		case s == KitLoggedIn: // to is never above IMLoggedIn
			t = TriggerLogoutKit
			errs = append(errs, o.step(&c, logoutKit))
		case s == IMLoggedIn && s > to:
			t = TriggerLogoutIM
			errs = append(errs, o.step(&c, logoutIM))
		default:
			return errors.Join(errs...)
		}
		if err := o.takeEdge(t, cause, nil); err != nil {
			return err
		}
	}
}

// shutDown does the work of Close once its turn has come. If a call did not
// finish, calling it again does the rest.
func (o *operation) shutDown() error {
	e := o.e
	var c stepContext
	defer c.close()
	errs := []error{o.settle()}
	if e.state() == KitLoggedIn {
		errs = append(errs, o.step(&c, logoutKit))
		e.mu.Lock()
		e.endKitLocked(TriggerClose, nil)
		e.mu.Unlock()
		errs = append(errs, o.settle()) // IM may have been lost meanwhile
	}
	if e.im != nil && !e.im.adopted {
		errs = append(errs, o.step(&c, logoutIM))
	}
	if e.state() != Uninitialized {
		errs = append(errs, o.takeEdge(TriggerClose, nil, nil))
	}
	e.endWatches()
	errs = append(errs, o.call(o.ctx, "Close", func(context.Context) error {
		if e.backendClosed {
			return nil
		}
		e.backendClosed = true
		return e.backend.Close()
	}))
	return o.result(errors.Join(errs...))
}
