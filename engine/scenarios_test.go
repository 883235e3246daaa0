package engine_test

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// The ids of all scenarios, written by hand. The test fails if a row is not
// here, or if the row of an id did not run to its end.
const scenarioIDs = `
	A1 A2 A3 A4 A7 A8
	B3 B4 B5 B7 B9 B12 B15
	C1 C2 C3 C5 C6 C7 C8
	D1 D2 D3 D4 D6 D7 D8
	E1 E2 E3 E6 E7 E8 E9 E10 E12 E15 E18 E19 E20
	F1 F2 F3 F8 F9 F12
	G6 G7 G8 G10
	H1 H2 H3 H4 H6 H7 H8 H11 H12 H14 H15
	I1 I2 I3 I4 I5 I7 I13
	L1 L2 L4 L6
	M3 M5 M6 M7 M8 M11
	N1 N2 N4 N6`

// A scenario is one given, when, then: a world is made with the options, and
// run does the rest.
type scenario struct {
	id      string
	options engine.Options
	run     func(w *world)
}

var scenarios = slices.Concat(
	scenariosHappy, scenariosOrdering, scenariosIdentity, scenariosAnonymous,
	scenariosLoss, scenariosLink, scenariosToken,
	scenariosTurns, scenariosLogout, scenariosSwitch,
	scenariosProfile, scenariosOrder,
)

// TestScenarios runs every row over mockim.
func TestScenarios(t *testing.T) { runScenarios(t, overMockim) }

// TestScenariosOverHostim runs every row with a host that has its own IM
// client.
func TestScenariosOverHostim(t *testing.T) { runScenarios(t, overHostim) }

func runScenarios(t *testing.T, on setting) {
	ids, ran := strings.Fields(scenarioIDs), map[string]bool{}
	for _, row := range scenarios {
		if !slices.Contains(ids, row.id) || ran[row.id] {
			t.Errorf("the row %s is not in the list, or is there twice", row.id)
		}
		t.Run(row.id, func(t *testing.T) {
			c := &checks{}
			synctest.Test(t, func(t *testing.T) {
				row.run(newWorld(t, on, row.options, mockim.ServiceOptions{AppKey: appKey}, c))
			})
			if !c.stood || !c.called || !c.yielded {
				t.Errorf("the row does not assert state, calls and what Watch yielded: %+v", *c)
			}
			ran[row.id] = !t.Skipped()
		})
	}
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // somebody wants to see some of the rows
	}
	for _, id := range ids {
		if !ran[id] {
			t.Errorf("%s did not run", id)
		}
	}
}
