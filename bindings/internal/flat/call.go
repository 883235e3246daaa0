package flat

import (
	"context"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// A Call is an operation in flight.
type Call struct {
	engine *Engine
	cancel context.CancelCauseFunc

	// The engine's turns go by the order of the calls, but goroutines start
	// in any order. So each operation waits until the one before it has its
	// turn or a place in the engine's line, or is over.
	entered chan struct{} // closed then
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
	c := &Call{engine: e, cancel: cancel, entered: make(chan struct{})}
	before, ok := e.enqueue(c)
	if !ok {
		cancel(nil)
		e.refuse(op, done)
		return nil
	}
	go func() {
		defer e.end()
		defer cancel(nil)
		before.waitEntered()
		ctx = context.WithValue(ctx, callKey{}, c)
		ctx = context.WithValue(ctx, placedKey, c.enter)
		err := f(ctx, e.engine)
		c.enter()
		if done != nil {
			e.complete(done, err)
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

// placedKey is the key of the function that the engine calls when an operation
// begins to wait in its place; see placedKey in engine/turn.go. Any other
// operation shows its turn by its first call of the backend, or is soon over.
var placedKey any = struct{ EnginePlaced struct{} }{}

func (c *Call) enter() {
	if c.entered != nil {
		c.once.Do(func() { close(c.entered) })
	}
}

func (c *Call) waitEntered() {
	if c != nil {
		<-c.entered
	}
}
