package engine

import (
	"context"
	"errors"
	"sync/atomic"
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

// A stepContext is the ctx of one step down. A timer costs more than the rest of
// the step, and many backends log out without looking at the ctx, so the timer
// is set only once the backend looks.
type stepContext struct {
	values context.Context              // for its values; its end is ignored
	began  time.Duration                // since epoch, which is cheaper to read than a time.Time
	timed  atomic.Pointer[timedContext] // nil until the backend looks
}

type timedContext struct {
	context.Context
	cancel context.CancelFunc
}

var epoch = time.Now()

func newStepContext(values context.Context) *stepContext {
	return &stepContext{values: values, began: time.Since(epoch)}
}

func (c *stepContext) get() context.Context {
	timed := c.timed.Load()
	if timed == nil {
		left := stepTimeout - (time.Since(epoch) - c.began)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.values), left)
		timed = &timedContext{ctx, cancel}
		if !c.timed.CompareAndSwap(nil, timed) {
			cancel()
			timed = c.timed.Load()
		}
	}
	return timed
}

// close ends the ctx. A backend that first looks at it later finds it canceled.
func (c *stepContext) close() {
	if !c.timed.CompareAndSwap(nil, canceled) {
		c.timed.Load().cancel()
	}
}

var canceled = func() *timedContext {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return &timedContext{ctx, cancel}
}()

// Deadline implements context.Context.
func (c *stepContext) Deadline() (time.Time, bool) { return c.get().Deadline() }

// Done implements context.Context.
func (c *stepContext) Done() <-chan struct{} { return c.get().Done() }

// Err implements context.Context.
func (c *stepContext) Err() error { return c.get().Err() }

// Value implements context.Context.
func (c *stepContext) Value(key any) any { return c.get().Value(key) }

// step takes one step down. After a fault nobody knows whether the backend
// logged out, so step asks it once more: a login that stayed would block all
// later ones.
func (o *operation) step(s stepDown) error {
	ctx := newStepContext(o.ctx)
	defer ctx.close()
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
	for {
		if err := o.settle(); err != nil {
			return err
		}
		var t Trigger
		switch s := o.e.state(); {
		case s == KitLoggedIn: // to is never above IMLoggedIn
			t = TriggerLogoutKit
			errs = append(errs, o.step(logoutKit))
		case s == IMLoggedIn && s > to:
			t = TriggerLogoutIM
			errs = append(errs, o.step(logoutIM))
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
	errs := []error{o.settle()}
	if e.state() == KitLoggedIn {
		errs = append(errs, o.step(logoutKit))
		e.mu.Lock()
		e.endKitLocked(TriggerClose, nil)
		e.mu.Unlock()
		errs = append(errs, o.settle()) // IM may have been lost meanwhile
	}
	if e.im != nil && !e.im.adopted {
		errs = append(errs, o.step(logoutIM))
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
