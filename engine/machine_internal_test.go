package engine

import "testing"

// The machine also runs a table in which one trigger leads to different states
// from different states, though the engine's table has no such trigger.
func TestMachineOfOneTriggerTwoStates(t *testing.T) {
	m := newMachine(events([]Transition{
		{TriggerInitIM, Uninitialized, IMInitialized},
		{TriggerLoginIM, IMInitialized, IMLoggedIn},
		{TriggerLoginIM, IMLoggedIn, KitLoggedIn},
	}))
	for _, step := range []struct {
		trigger Trigger
		want    State
	}{
		{TriggerInitIM, IMInitialized},
		{TriggerLoginIM, IMLoggedIn},
		{TriggerLoginIM, KitLoggedIn},
	} {
		if err := m.takeEdge(step.trigger); err != nil || m.state() != step.want {
			t.Fatalf("%s: got %v and %v, want %v", step.trigger, m.state(), err, step.want)
		}
	}
}
