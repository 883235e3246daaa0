package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/looplab/fsm"
)

// machine runs a table of transitions with looplab/fsm, which decides what is
// allowed. It is not safe for concurrent use, because looplab's own locks do
// not keep two events apart (v1.0.3). Only the holder of Engine.op may touch
// it.
type machine struct{ fsm *fsm.FSM }

// The table never changes, so it is converted for looplab only once.
var engineEvents = sync.OnceValue(func() []fsm.EventDesc { return events(transitions) })

func newMachine(table []fsm.EventDesc) machine {
	return machine{fsm.NewFSM(Uninitialized.String(), table, nil)}
}

// events returns one row for each pair of a trigger and the state it leads to.
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

// takeEdge takes the edge that t has from the current state. It fails with
// ErrState if there is none.
func (m machine) takeEdge(t Trigger) error {
	// Do not pass the caller's ctx: if it ends in the middle of an event,
	// looplab v1.0.3 is stuck in a transition that nothing can finish.
	if err := m.fsm.Event(context.Background(), string(t)); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return nil
}
