package engine

import (
	"iter"
	"slices"
)

// A Transition is one edge of the machine: in state From, Trigger leads to To.
type Transition struct {
	Trigger  Trigger
	From, To State
}

// transitions is the machine. Every edge is here and nowhere else. An edge is
// taken after its effect has succeeded, so there are no states in between; why
// a login was lost is data (Status.Cause), so there is one edge for all causes.
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

// Transitions returns the edges of the machine, the climb first.
func Transitions() iter.Seq[Transition] { return slices.Values(transitions) }
