package proof_test

import (
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// A modelMutant is one thing that is wrong with the model.
type modelMutant uint8

const (
	sound modelMutant = iota
	noSessionCheck
	lossEndsNothing
	settleAfter
	noLastLook
	lookForEver
	noGoroutine
	noLateUndo
	undoLost
	noUndo
	undoBelowFloor
	adoptBelow
	adoptGhost
	leaveGhost
	stopAtFailedLogout
	logoutWaits
	answerTwice
	waitForEver
	keepSlot
	twoHolders
	edgeFirst
	skipInit
	ignoreMode
	climbOver
	sayItWorked
	closeAdopted
	climbAfterClose
)

// Each of the things that the engine must not get wrong breaks a rule in the
// model, and each rule is there for one of them at least.
func TestModelFindsMutants(t *testing.T) {
	rows := []struct {
		name   string
		mutant modelMutant
		mode   engine.Mode
		broken string
	}{
		{"a late notice is not checked for whose it is", noSessionCheck, engine.AutoDetect, "late notices change nothing"},
		{"a loss does not end the login in flight", lossEndsNothing, engine.AutoDetect, "loss ends a login"},
		{"losses are settled after the operation only", settleAfter, engine.AutoDetect, "loss ends a login"},
		{"no last look at the losses before the slot is given back", noLastLook, engine.AutoDetect, "every call ends"},
		{"the last look keeps the slot for nothing", lookForEver, engine.AutoLogin, "nothing goes round"},
		{"nobody applies a loss when nothing is going on", noGoroutine, engine.AutoDetect, "every call ends"},
		{"a login that came too late is not undone", noLateUndo, engine.AutoDetect, "nothing left behind"},
		{"a login that came too late and was lost is logged out", undoLost, engine.AutoDetect, "host's login is left"},
		{"a kit login that failed is not undone", noUndo, engine.AutoDetect, "own login is undone"},
		{"the undo of a kit login ends what LoginIM made", undoBelowFloor, engine.AutoDetect, "host's rung is left"},
		{"an adopted login does not raise the floor", adoptBelow, engine.AutoDetect, "floor is the host's"},
		{"a login that was given up is adopted as the host's", adoptGhost, engine.AutoDetect, "given up is not adopted"},
		{"a login that was given up stays in the way", leaveGhost, engine.AutoDetect, "a fresh login succeeds"},
		{"a logout that returns an error holds up the way down", stopAtFailedLogout, engine.AutoDetect, "claims what is so"},
		{"a logout waits for the login that it is to end", logoutWaits, engine.AutoDetect, "logout does not wait"},
		{"an interrupted login is answered by the logout too", answerTwice, engine.AutoDetect, "answered once"},
		{"a caller that gives up waiting is never answered", waitForEver, engine.AutoDetect, "every call ends"},
		{"a login that fails keeps the slot", keepSlot, engine.AutoDetect, "one holder"},
		{"an operation does not wait for its turn", twoHolders, engine.AutoDetect, "one holder"},
		{"login_im is taken before LoginIM has succeeded", edgeFirst, engine.AutoDetect, "claims what is so"},
		{"a kit login skips InitIM", skipInit, engine.AutoLogin, "calls in order"},
		{"reuse logs IM in", ignoreMode, engine.ReuseIM, "mode is kept"},
		{"auto-login takes the host's login", ignoreMode, engine.AutoLogin, "mode is kept"},
		{"a login climbs on after its ctx has ended", climbOver, engine.AutoDetect, "over is over"},
		{"a login that failed says that it worked", sayItWorked, engine.AutoDetect, "success is true"},
		{"Close logs out the host's login", closeAdopted, engine.AutoDetect, "host's login is left"},
		{"a login begins after Close", climbAfterClose, engine.AutoDetect, "closed is closed"},
	}
	found := map[string]bool{}
	for _, row := range rows {
		found[row.broken] = true
		t.Run(row.name, func(t *testing.T) {
			reports := 1
			if row.mutant == lookForEver {
				reports = 0 // a circle is seen in the end only, and is there without them
			}
			r := explore(&model{mode: row.mode, mutant: row.mutant, reports: reports})
			t.Logf("%q is broken after %d states:\n\t%s", r.broken, len(r.states), strings.Join(r.trace, "\n\t"))
			if r.broken != row.broken {
				t.Errorf("got %q, want %q", r.broken, row.broken)
			}
		})
	}
	for _, rule := range modelRules {
		if !found[rule.name] {
			t.Errorf("no mutant breaks %q", rule.name)
		}
	}
	for _, name := range []string{everyCallEnds, nothingGoesRound, freshLoginSucceeds} {
		if !found[name] {
			t.Errorf("no mutant breaks %q", name)
		}
	}
}
