package engine

import (
	"context"
	"slices"
)

// This file gives the tests access to the inside: the machine without an
// engine, the decisions of a mode, and the table of codes.

// NewWithout is New with a machine that lacks one edge.
func NewWithout(b Backend, appKey string, o *Options, missing Transition) (*Engine, error) {
	e, err := New(b, appKey, o)
	if err != nil {
		return nil, err
	}
	rest := slices.DeleteFunc(slices.Clone(transitions), func(t Transition) bool { return t == missing })
	e.machine = newMachine(events(rest))
	return e, nil
}

// state asks looplab. The engine knows the state from its Status, which costs
// less.
func (m machine) state() State {
	return State(slices.Index(stateNames[:], m.fsm.Current()))
}

// Take has a machine without an engine take the edge that t has from the state
// from.
func Take(from State, t Trigger) (State, error) {
	m := newMachine(engineEvents())
	m.fsm.SetState(from.String())
	err := m.takeEdge(t)
	return m.state(), err
}

// Hold takes the slot of the operations. The next operation finds the losses
// that are reported before release.
func (e *Engine) Hold() (release func()) {
	o := e.newOperation(context.Background(), "Hold", Uninitialized)
	_ = o.acquire()
	return o.giveBack
}

// Watchers returns the number of registered watchers.
func (e *Engine) Watchers() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.watchers)
}

func ModeReuse(m Mode, hostLoggedIn bool) (bool, error) { return m.reuse(hostLoggedIn) }

func ModeAnonymous(m Mode, hostLoggedIn bool) error { return m.anonymous(hostLoggedIn) }

// Codes returns the code of each row of the table in errors.go.
func Codes() []Code {
	list := make([]Code, 0, len(codes))
	for _, row := range codes {
		list = append(list, row.code)
	}
	return list
}

// Busy says why an engine is not at rest, or returns "" if it is.
func (e *Engine) Busy() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case len(e.op) > 0:
		return "the slot is taken"
	case e.running != nil || len(e.climbing)+len(e.descending) > 0:
		return "an operation has not ended"
	case len(e.losses) > 0:
		return "a loss is not applied"
	}
	return ""
}

// TriesAgain reports what KeepKit makes of a Code, with or without a source of
// tokens.
func TriesAgain(c Code, hasSource bool) bool { return triesAgain(c, hasSource, false) }
