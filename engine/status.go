package engine

import (
	"context"
	"iter"
	"slices"

	"github.com/google/uuid"
)

// A Status says which state the engine is in and what led to it. It is a
// snapshot that never changes. Two of them can be compared with ==.
type Status struct {
	Seq       uint64 // goes up by one with each change; a gap between two values from Watch means that the loop was too slow
	State     State
	Via       Trigger   // the latest transition's trigger; "" before the first
	Cause     error     // why the latest transition happened if the host did not ask for it: a Code, or a pointer to an Error, KickError or MismatchError
	Floor     State     // the highest rung that the host reached, or that was already there
	Online    bool      // the IM link is up; false while the SDK reconnects, and below IMLoggedIn
	Session   uuid.UUID // identifies the IM login; zero below IMLoggedIn
	Accid     string    // the IM account, in lower case; "" below IMLoggedIn
	UserUUID  string    // the kit account, in lower case; "" below KitLoggedIn
	Anonymous bool      // the kit account is a temporary one
	Expired   bool      // the kit's token has run out and is being renewed; the login holds
}

// Reused reports whether the kit is logged in over the host's IM login. In
// ReuseIM it returns true after every successful LoginKit.
func (s Status) Reused() bool { return s.State == KitLoggedIn && s.Floor >= IMLoggedIn }

var zeroStatus = new(Status)

// Status returns the current Status. It never blocks, and works after Close,
// too.
func (e *Engine) Status() Status { return *e.status.Load() }

// state returns the published state. Only takeEdge changes it.
func (e *Engine) state() State { return e.status.Load().State }

func (e *Engine) floor() State { return e.status.Load().Floor }

const watchQueue = 64

// Watch yields the current Status, and then the new Status after each change,
// in order. The sequence ends when ctx ends, when the loop breaks, or when the
// engine is closed; in the last case it first yields the changes still in its
// queue. If ctx is nil or has ended, it yields nothing.
//
// A slow watcher does not slow the engine down. It has a queue of 64 changes;
// when the queue is full, the oldest are dropped, and Status.Seq shows the gap.
//
// The loop body may call every operation of the engine, even Close. Several
// loops may range over the sequence; each starts from the current Status. If a
// method of ctx panics, the loop ends and then panics with the same value.
func (e *Engine) Watch(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		if ctx == nil {
			return
		}
		g := &guard{host: ctx}
		e.watch(g, yield)
		g.repanic()
	}
}

func (e *Engine) watch(ctx context.Context, yield func(Status) bool) {
	w := e.subscribe()
	defer e.unsubscribe(w)
	// A receive costs less than a select, so the end of ctx closes w.
	defer context.AfterFunc(ctx, func() { e.unsubscribe(w) })()
	for s := range w {
		if ctx.Err() != nil || !yield(*s) {
			return
		}
	}
}

func (e *Engine) subscribe() chan *Status {
	w := make(chan *Status, watchQueue)
	e.mu.Lock()
	defer e.mu.Unlock()
	w <- e.status.Load()
	if e.closed {
		close(w)
	} else {
		e.watchers = append(e.watchers, w)
	}
	return w
}

func (e *Engine) unsubscribe(w chan *Status) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.Index(e.watchers, w); i >= 0 {
		e.watchers = slices.Delete(e.watchers, i, i+1)
		close(w)
	}
}

// endWatches closes the watchers' queues; they still receive what is already in
// them.
func (e *Engine) endWatches() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, w := range e.watchers {
		close(w)
	}
	e.watchers = nil
}

// publishLocked publishes a changed copy of the current Status.
func (e *Engine) publishLocked(change func(*Status)) *Status {
	s := *e.status.Load()
	change(&s)
	s.Seq++
	e.status.Store(&s)
	for _, w := range e.watchers {
		offer(w, &s)
	}
	return &s
}

// offer queues s. If the queue is full, s replaces the oldest entry. mu is
// held, so nobody else adds entries, and the loop ends.
func offer(w chan *Status, s *Status) {
	for {
		select {
		case w <- s:
			return
		default:
		}
		select {
		case <-w:
		default:
		}
	}
}

// takeEdge takes the edge that t has from the current state, and publishes the
// new state. It clears the fields that do not apply there; set fills in the new
// ones. Logins that end here get no notification, and their later reports are
// ignored.
func (o *operation) takeEdge(t Trigger, cause error, set func(*Status)) error {
	e := o.e
	to := destination(e.state(), t)
	if err := e.machine.takeEdge(t); err != nil {
		return err
	}
	e.mu.Lock()
	from := e.status.Load()
	now := e.publishLocked(func(s *Status) {
		s.State, s.Via, s.Cause, s.Floor = to, t, cause, min(s.Floor, to)
		if to < KitLoggedIn {
			s.UserUUID, s.Anonymous, s.Expired = "", false, false
			e.endKitLocked(t, cause)
		}
		if to < IMLoggedIn {
			s.Session, s.Accid, s.Online = uuid.Nil, "", false
			e.im = e.im.endLocked()
		}
		if set != nil {
			set(s)
		}
	})
	e.mu.Unlock()
	o.guard.logTransition(o.ctx, e.log, from, now)
	return nil
}
