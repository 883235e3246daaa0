package engine

import (
	"iter"
	"slices"
)

// A Transition is one edge of the engine's state machine: in state From,
// Trigger leads to To.
type Transition struct {
	Trigger  Trigger
	From, To State
}

// transitions has every edge of the machine. The engine takes an edge after its
// effect has succeeded, so there are no states in between. The reason for a
// loss is data (Status.Cause), so one edge serves all causes.
var transitions = []Transition{
	{TriggerInitIM, Uninitialized, IMInitialized},
	{TriggerLoginIM, IMInitialized, IMLoggedIn},
	{TriggerLoginKit, IMLoggedIn, KitLoggedIn},

	{TriggerLogoutKit, KitLoggedIn, IMLoggedIn},
	{TriggerLogoutIM, IMLoggedIn, IMInitialized},

	{TriggerKitLost, KitLoggedIn, IMLoggedIn},
	{TriggerIMLost, IMLoggedIn, IMInitialized},
	{TriggerIMLost, KitLoggedIn, IMInitialized},

	{TriggerClose, IMInitialized, Uninitialized},
	{TriggerClose, IMLoggedIn, Uninitialized},
	{TriggerClose, KitLoggedIn, Uninitialized},
}

// destination returns the state that t leads to from the state from. If the
// table has no such edge, destination returns from.
func destination(from State, t Trigger) State {
	for _, edge := range transitions {
		if edge.From == from && edge.Trigger == t {
			return edge.To
		}
	}
	return from
}

// Transitions yields the edges of the state machine, the edges that climb
// first.
func Transitions() iter.Seq[Transition] { return slices.Values(transitions) }
