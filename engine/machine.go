package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/looplab/fsm"
)

// machine executes a table of transitions with looplab/fsm, which decides what
// is allowed. It is not safe for concurrent use: looplab's own locks do not
// keep two events apart (v1.0.3), so the holder of Engine.op alone may touch it.
type machine struct{ fsm *fsm.FSM }

// The table never changes, so looplab's form of it is made once.
var engineEvents = sync.OnceValue(func() []fsm.EventDesc { return events(transitions) })

func newMachine(table []fsm.EventDesc) machine {
	return machine{fsm.NewFSM(Uninitialized.String(), table, nil)}
}

// events has one row for each trigger and the state that it leads to.
func events(table []Transition) []fsm.EventDesc {
	descs := make([]fsm.EventDesc, 0, len(table))
	for _, t := range table {
		i := slices.IndexFunc(descs, func(d fsm.EventDesc) bool { return d.Name == string(t.Trigger) && d.Dst == t.To.String() })
		if i < 0 {
			i = len(descs)
			descs = append(descs, fsm.EventDesc{Name: string(t.Trigger), Dst: t.To.String()})
		}
		descs[i].Src = append(descs[i].Src, t.From.String())
	}
	return descs
}

func (m machine) state() State {
	return State(slices.Index(stateNames[:], m.fsm.Current()))
}

// takeEdge takes the edge that t has from the current state, or fails with
// ErrState where there is none.
func (m machine) takeEdge(t Trigger) error {
	// Never the caller's context: one that ends in the middle of an event
	// leaves looplab v1.0.3 in a transition that nothing can finish.
	if err := m.fsm.Event(context.Background(), string(t)); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return nil
}
