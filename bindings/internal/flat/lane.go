package flat

import (
	"context"
	"sync"
)

// A lane runs the callbacks of one engine, one at a time. Callbacks never run
// inside each other: nothing that a host can call takes a lane.
type lane struct {
	mu     sync.Mutex
	closed bool
}

// run calls f, and reports whether it did: a closed lane calls nothing. A nil
// lane calls f at once.
func (l *lane) run(f func()) bool {
	if l == nil {
		f()
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	f()
	return true
}

// close waits for the callback that is running. None comes after it.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

type callKey struct{}

// callOf returns the call that the backend is working for, or nil.
func callOf(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// laneOf returns the lane of the engine that a call of the host's IM client is
// for. Several engines may share the client.
func laneOf(ctx context.Context) *lane {
	if c := callOf(ctx); c != nil {
		return &c.engine.lane
	}
	return nil
}
