package proof_test

import (
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// A modelMutant is one mistake that can be put into the model.
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

	// Of a lasting model.
	forgetKeepers
	logInAgain
	pauseToTheEnd
	giveUpKeeping
	askForEver
	askWithSlot
	renewTwice
	renewalOutlivesLogin
	hostLeavesRenewal
	expiredOutlivesLogin
	renewedStaysExpired
	forgetLateRenewal
	loseWithoutLogout
	closeAtOnce
)

// A mutantRow is a mistake, and the rule that it must break.
type mutantRow struct {
	name   string
	mutant modelMutant
	mode   engine.Mode
	broken string
}

var mutantRows = []mutantRow{
	{"a late notice is not checked for whose it is", noSessionCheck, engine.AutoDetect, "late notices change nothing"},
	{"a loss does not end the login in flight", lossEndsNothing, engine.AutoDetect, "loss ends a login"},
	{"losses are settled after the operation only", settleAfter, engine.AutoDetect, "loss ends a login"},
	{"no last look at the losses before the slot is given back", noLastLook, engine.AutoDetect, "every call ends"},
	{"the last look keeps the slot for nothing", lookForEver, engine.AutoLogin, "the engine comes to rest"},
	{"nobody applies a loss when nothing is going on", noGoroutine, engine.AutoDetect, "every call ends"},
	{"a login that came too late is not undone", noLateUndo, engine.AutoDetect, "nothing left behind"},
	{"a login that came too late and was lost is logged out", undoLost, engine.AutoDetect, "host's login is left"},
	{"a kit login that failed is not undone", noUndo, engine.AutoDetect, "own login is undone"},
	{"the undo of a kit login ends what LoginIM made", undoBelowFloor, engine.AutoDetect, "host's rung is left"},
	{"an adopted login does not raise the floor", adoptBelow, engine.AutoDetect, "floor is the host's"},
	{"a login that was given up is adopted as the host's", adoptGhost, engine.AutoDetect, "given up is not adopted"},
	{"a login that was given up stays in the way", leaveGhost, engine.AutoDetect, "a fresh login succeeds"},
	{"a logout that returns an error holds up the way down", stopAtFailedLogout, engine.AutoDetect, "the status is true"},
	{"a logout waits for the login that it is to end", logoutWaits, engine.AutoDetect, "logout does not wait"},
	{"an interrupted login is answered by the logout too", answerTwice, engine.AutoDetect, "answered once"},
	{"a caller that gives up waiting is never answered", waitForEver, engine.AutoDetect, "every call ends"},
	{"a login that fails keeps the slot", keepSlot, engine.AutoDetect, "one holder"},
	{"an operation does not wait for its turn", twoHolders, engine.AutoDetect, "one holder"},
	{"login_im is taken before LoginIM has succeeded", edgeFirst, engine.AutoDetect, "the status is true"},
	{"a kit login skips InitIM", skipInit, engine.AutoLogin, "calls in order"},
	{"reuse logs IM in", ignoreMode, engine.ReuseIM, "mode is kept"},
	{"auto-login takes the host's login", ignoreMode, engine.AutoLogin, "mode is kept"},
	{"a login climbs on after its ctx has ended", climbOver, engine.AutoDetect, "a stopped login stops"},
	{"a login that failed says that it worked", sayItWorked, engine.AutoDetect, "success is true"},
	{"Close logs out the host's login", closeAdopted, engine.AutoDetect, "host's login is left"},
	{"a login begins after Close", climbAfterClose, engine.AutoDetect, "closed is closed"},
}

var lastingMutantRows = []mutantRow{
	{"a logout does not end a KeepKit that pauses", forgetKeepers, engine.AutoLogin, "a logout is never overridden"},
	{"KeepKit takes a logout for a loss", logInAgain, engine.AutoLogin, "a logout is never overridden"},
	{"KeepKit does not look at its ctx in a pause", pauseToTheEnd, engine.AutoLogin, "every call ends"},
	{"KeepKit returns after a failure that passes", giveUpKeeping, engine.AutoLogin, "KeepKit keeps trying"},
	{"a source is asked as often as its tokens are refused", askForEver, engine.AutoLogin, "a source is asked twice at most"},
	{"a renewal holds the slot while it asks the source", askWithSlot, engine.AutoLogin, "one holder"},
	{"each report of an expired token starts a renewal", renewTwice, engine.AutoLogin, "one renewal at a time"},
	{"a renewal goes on after a logout", renewalOutlivesLogin, engine.ReuseIM, "a renewal is needed"},
	{"a renewal goes on after the host's RenewKit", hostLeavesRenewal, engine.AutoLogin, "a renewal is needed"},
	{"Expired stays set after a logout", expiredOutlivesLogin, engine.AutoLogin, "Expired is true"},
	{"Expired stays set after RenewKit", renewedStaysExpired, engine.AutoLogin, "a pause ends well"},
	{"a RenewKit that succeeded too late is forgotten", forgetLateRenewal, engine.AutoLogin, "Expired is true"},
	{"a refused renewal leaves the session open", loseWithoutLogout, engine.ReuseIM, "nothing left behind"},
	{"Close does not wait for a source", closeAtOnce, engine.AutoLogin, "Close waits for renewals"},
}

// Each mistake that the engine must not make breaks a rule in the model, and
// each rule is broken by at least one mistake.
func TestModelFindsMutants(t *testing.T) {
	found := map[string]bool{}
	for _, row := range mutantRows {
		found[row.broken] = true
		reports := 1
		if row.mutant == lookForEver {
			reports = 0 // a circle is seen only at the end, and is there without them
		}
		row.find(t, &model{reports: reports})
	}
	for _, row := range lastingMutantRows {
		found[row.broken] = true
		row.find(t, &model{reports: 1, lasting: true})
	}
	for _, rule := range ruleNames() {
		if !found[rule] {
			t.Errorf("no mutant breaks %q", rule)
		}
	}
}

func (row mutantRow) find(t *testing.T, m *model) {
	t.Run(row.name, func(t *testing.T) {
		m.mode, m.mutant = row.mode, row.mutant
		r := explore(m)
		t.Logf("%q is broken after %d states:\n\t%s", r.broken, len(r.states), strings.Join(r.trace, "\n\t"))
		if r.broken != row.broken {
			t.Errorf("got %q, want %q", r.broken, row.broken)
		}
	})
}
