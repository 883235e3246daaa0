package engine

import (
	"context"
	"errors"
	"time"
)

// This file has the steps down: log out the kit, log out IM. A step down takes
// effect whatever the backend says, and no caller's ctx can end it.

// A stepDown is a call of the backend that logs out.
type stepDown struct {
	name string
	run  func(Backend, context.Context) error
}

var (
	logoutKit = stepDown{"LogoutKit", Backend.LogoutKit}
	logoutIM  = stepDown{"LogoutIM", Backend.LogoutIM}
)

// stepTimeout bounds each step down, which no caller's ctx does.
const stepTimeout = 5 * time.Second

// stepContext holds the ctx of one step down. Consecutive steps share it as long as
// no time has passed, because making one costs more than the rest of the step.
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
// logged out, so it is asked once more: what stayed logged in would be in the
// way for ever.
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

// descend steps down to the rung to, or to IMInitialized where that is higher.
// Each step is taken whatever the backend says to it; its error is returned.
// A loss on the way goes first: a login that is lost must not be logged out.
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
		case s == KitLoggedIn: // no rung that is asked for is above IMLoggedIn
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

// shutDown is what Close does in its turn. It can be called again if it did not
// come to its end, and then does the rest.
func (o *operation) shutDown() error {
	e := o.e
	var c stepContext
	defer c.close()
	errs := []error{o.settle()}
	if e.state() == KitLoggedIn {
		errs = append(errs, o.step(&c, logoutKit))
		e.mu.Lock()
		e.kit = e.kit.endLocked()
		e.mu.Unlock()
		errs = append(errs, o.settle()) // IM may be lost by now
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
