package flat

import (
	"context"
	"sync"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// A Call is an operation in flight.
type Call struct {
	engine *Engine
	cancel context.CancelCauseFunc

	// The engine's turns go by the order of the calls, but goroutines start
	// in any order. So each operation waits for the one before it.
	called  chan struct{} // closed when the engine is about to be called
	entered chan struct{} // closed once the turn has come, or the operation is over
	once    sync.Once     // closes entered
}

// Cancel ends the operation, because of cause, which is in the chain of its
// error. A nil cause means context.Canceled. Cancel has no effect once the
// operation is over, or if c is nil.
func (c *Call) Cancel(cause error) {
	if c != nil && c.cancel != nil {
		c.cancel(cause)
	}
}

// Start runs f, an operation of the engine, on a goroutine, and then calls done
// exactly once with the error. A nil done is not called. op is the name of the
// operation, for the error of an engine that is closed. The result is nil only
// then.
func (e *Engine) Start(op string, f func(context.Context, *engine.Engine) error, done func(error)) *Call {
	ctx, cancel := context.WithCancelCause(context.Background())
	c := &Call{engine: e, cancel: cancel, called: make(chan struct{}), entered: make(chan struct{})}
	before, ok := e.enqueue(c)
	if !ok {
		cancel(nil)
		if done != nil {
			go done(closedError(op))
		}
		return nil
	}
	go func() {
		defer e.end()
		defer cancel(nil)
		before.waitEntered()
		close(c.called)
		err := f(context.WithValue(ctx, callKey{}, c), e.engine)
		c.enter()
		if done != nil {
			e.lane.run(func() { done(err) })
		}
	}()
	return c
}

// enqueue counts c, and returns the call before it.
func (e *Engine) enqueue(c *Call) (before *Call, ok bool) {
	if e == nil {
		return nil, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.beginLocked() {
		return nil, false
	}
	before, e.last = e.last, c
	return before, true
}

// enter notes that the turn of c has come.
func (c *Call) enter() {
	if c.entered != nil {
		c.once.Do(func() { close(c.entered) })
	}
}

// inQueue is how long an operation gets to enter the engine's queue. It needs
// less than a microsecond, but its thread may have to wait for a processor: on
// a busy machine that took more than 2 ms. If it takes longer than inQueue, the
// next operation may overtake it, as if two goroutines had called the engine at
// once. Only the engine could tell for sure that an operation is in its queue,
// and it has no way to.
//
// Only one operation waits this long: the third, if the first is slow and the
// second waits for its turn.
const inQueue = 100 * time.Millisecond

// waitEntered returns when the turn of c has come or c is over. Otherwise c is
// taken to wait in the engine's queue once inQueue has passed since it was
// called.
func (c *Call) waitEntered() {
	if c == nil {
		return
	}
	select {
	case <-c.entered:
		return
	default:
	}
	<-c.called
	timer := time.NewTimer(inQueue)
	defer timer.Stop()
	select {
	case <-c.entered:
	case <-timer.C:
	}
}
