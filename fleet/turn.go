package fleet

import (
	"context"

	"github.com/imreuse/imreuse/engine"
)

// This file makes the calls of an IM come one at a time. Its engine makes most of
// them; the fleet makes a logout when a lease lapses.

// acquire takes the turn, or fails when ctx ends first. A free turn wins over
// an ended ctx; select would pick one of them at random.
func (m *IM) acquire(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *IM) giveTurn() { <-m.turn }

// inTurn waits for the turn and runs f, which may call im with the ctx that it is
// given: that one also ends when the fleet has to log the current login out. If
// the fleet has to do so already, inTurn fails with the reason.
func (m *IM) inTurn(ctx context.Context, f func(context.Context) error) error {
	if err := m.acquire(ctx); err != nil {
		return err
	}
	defer m.giveTurn()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := m.enter(cancel); err != nil {
		return err
	}
	defer m.exit()
	if m.isBroken() {
		_ = m.logout(ctx)
	}
	return f(inner)
}

// enter lets the fleet end the call that begins now. It fails once the IM or its
// fleet is closed, or if the fleet has to log the current login out.
func (m *IM) enter(cancel context.CancelCauseFunc) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.fleet.ctx.Err() != nil {
		return engine.ErrClosed
	}
	if cause := m.login.lapsed(); cause != nil {
		return cause
	}
	m.cancel = cancel
	return nil
}

func (m *IM) exit() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cancel = nil
}

func (m *IM) isBroken() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.broken
}

func (m *IM) setBroken(broken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = broken
}

func (m *IM) current() *login {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.login
}
