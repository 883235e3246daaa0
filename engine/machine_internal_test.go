package engine

import "testing"

// A trigger may lead to one state from here and to another from there: the
// table has none that does, and the machine would do as it says.
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
