package engine

import (
	"context"
	"iter"
	"slices"

	"github.com/google/uuid"
)

// A Status is where the engine stands and what led there. It is a value: it
// does not change after it was returned, and two are compared with ==.
type Status struct {
	Seq       uint64 // one more with each published change; a gap in what Watch yields: this watcher was too slow
	State     State
	Via       Trigger   // what led here; "" before the first transition
	Cause     error     // why, where the host did not ask for it: a Code, or a pointer to an Error, KickError or MismatchError
	Floor     State     // the host's own rungs: what it climbed to, or what was found
	Online    bool      // the IM link is up; false while the SDK reconnects, and below IMLoggedIn
	Session   uuid.UUID // one per IM login; zero below IMLoggedIn
	Accid     string    // who is logged in to IM, folded to lower case; "" below IMLoggedIn
	UserUUID  string    // who is logged in to the kit, folded to lower case; "" below KitLoggedIn
	Anonymous bool      // the kit account is a temporary one
}

// Reused reports whether the kit login rides on the host's IM login. In
// ReuseIM, nil from LoginKit says the same.
func (s Status) Reused() bool { return s.State == KitLoggedIn && s.Floor >= IMLoggedIn }

var zeroStatus = new(Status)

// Status returns where the engine stands. It never blocks, and answers after
// Close too.
func (e *Engine) Status() Status { return *e.status.Load() }

// state is where the machine is, which nobody but takeEdge moves.
func (e *Engine) state() State { return e.status.Load().State }

const watchQueue = 64

// Watch yields what Status would have returned: first now, then after each
// change, in order. The sequence ends when ctx does, when the loop breaks, or
// when the engine is closed; then what is queued comes first. It yields nothing
// where ctx is nil or has ended.
//
// A watcher slows nobody. Up to 64 changes wait for it; of more, the oldest are
// dropped, and the gap in Status.Seq shows it. The loop body may call every
// operation of the engine, Close included. The sequence may be ranged over
// more than once, each time from the present on. If a method of ctx panics, the
// loop ends, and then panics with that value.
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

// endWatches lets the watchers have what is queued, and no more.
func (e *Engine) endWatches() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, w := range e.watchers {
		close(w)
	}
	e.watchers = nil
}

// publishLocked makes the present Status, with the change, the next one.
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

// offer queues s, in the place of the oldest where there is no room. Only one
// goroutine offers at a time, so this ends.
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

// takeEdge takes the edge that t has from here, and publishes where it leads. The
// fields that the new state does not have are cleared; set sets those that it
// brings. Logins that end here get no notification, and their later reports
// are ignored.
func (o *operation) takeEdge(t Trigger, cause error, set func(*Status)) error {
	e := o.e
	if err := e.machine.takeEdge(t); err != nil {
		return err
	}
	to := e.machine.state()
	e.mu.Lock()
	from := e.status.Load()
	now := e.publishLocked(func(s *Status) {
		s.State, s.Via, s.Cause, s.Floor = to, t, cause, min(s.Floor, to)
		if to < KitLoggedIn {
			s.UserUUID, s.Anonymous = "", false
			e.kit = e.kit.endLocked()
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
