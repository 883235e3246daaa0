package flat

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/imreuse/imreuse/engine"
)

// A Watch is a watcher of an engine's status.
type Watch struct {
	stopped atomic.Bool
	cancel  context.CancelFunc
}

// Watch calls changed with the status of now, and then with each change, in
// order, until Stop is called or the engine is closed. A watcher that is too
// slow misses changes, and sees that in Status.Seq. Then ended is called, which
// may be nil. Watch returns nil if the engine is closed.
func (e *Engine) Watch(changed func(Status), ended func()) *Watch {
	if !e.begin() {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watch{cancel: cancel}
	begun := make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	go func() {
		defer e.end()
		defer cancel()
		if ended != nil {
			defer ended()
		}
		defer begin()
		for s := range e.engine.Watch(ctx) {
			begin()
			e.lane.run(func() { w.call(changed, s) })
		}
	}()
	<-begun // so that changes from now on are seen; the engine is never waited for
	return w
}

// call runs in the lane. So a Stop in a callback of the engine comes before the
// check here, or after the call has returned.
func (w *Watch) call(changed func(Status), s engine.Status) {
	if !w.stopped.Load() {
		changed(FlattenStatus(s))
	}
}

func (e *Engine) begin() bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.beginLocked()
}

// Stop ends the watch. It waits for nothing, so one call may still be running, or
// be about to begin. Nobody but the host can tell when a call has reached the
// host's code. That call returns before the next callback of the engine: after
// Stop in a callback, no other call runs, and none begins. Calling Stop again, or
// on a nil Watch, has no effect.
func (w *Watch) Stop() {
	if w != nil {
		w.stopped.Store(true)
		w.cancel()
	}
}
