package proof_test

import (
	"fmt"

	"github.com/imreuse/imreuse/engine"
)

// A modelState is the state of everything that the model has: two callers, the
// engine, the IM SDK with the kit, and the service. It is so small that a test
// can visit all of them. It shares no code with the engine. Each move is as
// small as the engine's own steps between which somebody else can act: one look
// at the fields that mu protects, one effect of a call, or one edge.
//
// Everything can happen any number of times: operations, failures of the
// backend, and acts of the host and the service. But there are only two callers,
// one kit account, two IM accounts (the bound one and another), and at most two
// reports of losses on their way at once. The model leaves out anonymous logins,
// Notify.Token, the link, panics, and time.
type modelState struct {
	// The engine.
	rung, floor   engine.State
	slot          modelWho    // the actor that holds it
	running       modelWho    // the same, if the actor can be interrupted
	queue         [3]modelWho // the actors that wait for it, in order
	closing, done bool        // Close was called, and has returned
	closed        bool
	login         [2]modelLogin // to IM and to the kit: in progress or published
	losses        [2]modelLoss  // reported, but not applied yet, in this order
	actors        [4]modelActor // the callers, and the goroutines that apply a loss and renew a token
	expired       bool          // Status.Expired
	renewals      uint8         // how many renewals of the kit login run
	hanging       bool          // a source still runs for a renewal whose login has ended

	// The IM SDK with its adapter, and the kit.
	ready   bool       // initialised
	maker   modelMaker // who made the current IM login
	linked  bool       // it reports to login[ofIM]
	other   bool       // it is not the bound account's
	session modelLink  // the kit session
	stale   bool       // its token has run out
	ghost   bool       // an abandoned login may still succeed
	landing bool       // a login of the host's is in progress
	notice  [2]bool    // the loss of that login is on its way
	late    [2]uint8   // how many late losses are on their way: of logins that have ended
}

// A modelWho names an actor: its index in modelState.actors, plus one.
type modelWho uint8

const (
	nobody modelWho = iota
	caller1
	caller2
	applier
	renewer
)

const (
	ofIM = iota
	ofKit
)

// A modelLoss says which login was lost: ofIM or ofKit, plus one. 0 means none.
type modelLoss uint8

type modelLogin struct {
	phase   modelPhase
	adopted bool
	hosts   bool // the host made it or asked for it; the engine's floor must agree
	other   bool // it is not the bound account's
	lost    bool

	expired, renewing bool // of the kit: its token has run out, and a goroutine renews it
}

type modelPhase uint8

const (
	unborn    modelPhase = iota
	lookedFor            // AdoptIM is looking for it
	unpublished
	published
)

type modelMaker uint8

const (
	madeByNobody modelMaker = iota
	madeByEngine
	madeByHost
	madeByGhost // the engine's, which it had given up
)

type modelLink uint8

const (
	noSession modelLink = iota
	linkedSession
	orphanSession // its login has ended
)

// A modelActor is in the middle of an operation, or idle.
type modelActor struct {
	wish     modelWish
	at       modelPlace
	then     modelPlace   // where it goes on after it has settled or stepped down
	target   engine.State // the rung that it steps down to, or kitLoggedIn if it only settles
	over     bool         // its ctx has ended
	losing   bool         // a loss is about to end its ctx
	atKit    bool         // it found kitLoggedIn
	answered uint8
	asked    uint8 // how often the current call has asked a source

	// For KeepKit and renewals, which make several tries.
	stop      bool       // its own ctx has ended
	kept      modelEnded // of KeepKit: how the login that it waits for stands
	final     bool       // another try cannot help after the latest failure
	loggedOut bool       // a logout was called since it began
	mine      bool       // of a renewal: its login is the present one
}

// modelEnded says how the login that KeepKit waits for has ended, if it has.
type modelEnded uint8

const (
	keepsNothing modelEnded = iota
	keepsLogin
	lostLogin
	loggedOutLogin
)

type modelWish uint8

const (
	wishNothing modelWish = iota
	wishInitIM
	wishLoginIM
	wishLoginKit
	wishLogoutKit
	wishLogoutIM
	wishClose
	wishRenewKit
	wishKeepKit
	wishRenewal // of the engine's own
)

var wishNames = [...]string{"the goroutine", "InitIM", "LoginIM", "LoginKit", "LogoutKit", "LogoutIM", "Close", "RenewKit",
	"KeepKit", "the renewal"}

// top returns the rung that an operation climbs to, or uninitialized if it does
// not climb.
func (w modelWish) top() engine.State {
	return [...]engine.State{wishInitIM: imInitialized, wishLoginIM: imLoggedIn, wishLoginKit: kitLoggedIn, wishClose: uninitialized,
		wishRenewKit: kitLoggedIn, wishKeepKit: kitLoggedIn, wishRenewal: kitLoggedIn}[w]
}

// ends returns the lowest rung of the climbs that an operation interrupts, or
// none if it interrupts nothing.
func (w modelWish) ends() engine.State {
	const none engine.State = 255
	return [...]engine.State{none, none, none, none, kitLoggedIn, imLoggedIn, imInitialized, none, none, none}[w]
}

// A modelPlace says how far an actor has got in its operation.
type modelPlace uint8

const (
	atIdle modelPlace = iota
	atWait
	atBegin // it has the slot

	// On the way up. At a place whose name begins with in, the actor is in a call
	// of the backend or of a source.
	atBegan
	inAdoptIM
	atFound
	atAdopted
	atChoice
	inKitToken
	inAuthenticate
	atClimb
	inInitIM
	atInitIM
	inIMToken
	inLoginIM
	atLoginIM
	atPublishIM
	inLoginKit
	atLoginKit
	atPublishKit
	inRenewKit
	atRenewed

	// On the way down.
	inUndoIM
	inUndoKit
	atRefused
	inLoseKit
	atLost
	atDown
	inLogoutKit
	inLogoutIM
	atStepped
	atLogout
	atLoggedOut

	// Close.
	atShut
	inShutKit
	inShutIM
	atShutEdge
	inClose
	atSecondClose

	atLeave
	atStuck // of the mutant keepSlot

	// Without the slot.
	atHold       // KeepKit waits for the end of a login
	atPause      // KeepKit or a renewal, before the next try
	inSource     // a renewal asks KitToken
	atBackground // Close waits for the renewals
)

// climbing reports whether the actor is on its way up. Only then does the end of
// its ctx matter.
func (a modelActor) climbing() bool {
	return a.wish.top() > uninitialized && (a.at >= atWait && a.at <= atRenewed || a.then == atBegan)
}

// climbs reports whether the actor is in a call that climbs.
func (a modelActor) climbs() bool {
	switch a.at {
	case inAdoptIM, inKitToken, inAuthenticate, inInitIM, inIMToken, inLoginIM, inLoginKit, inRenewKit:
		return true
	}
	return false
}

func (s *modelState) actor(who modelWho) *modelActor { return &s.actors[who-1] }

// holder returns the actor that has the slot, or an idle one if nobody has it.
func (s *modelState) holder() modelActor {
	if s.slot == nobody {
		return modelActor{}
	}
	return *s.actor(s.slot)
}

func (s *modelState) reports() (n int) {
	for of := range s.notice {
		n += int(s.late[of])
		if s.notice[of] {
			n++
		}
	}
	return n
}

// sorted puts the callers in an order, because it makes no difference which of
// them is the first. That leaves half as many states.
func (m *model) sorted(s modelState) (_ modelState, swapped bool) {
	if m.lasting {
		s.stale = s.stale && s.session == linkedSession
		s.late = [2]uint8{} // the other models show that late reports have no effect
	}
	a, b := &s.actors[0], &s.actors[1]
	if a.at < b.at || a.at == b.at && (a.wish < b.wish || a.wish == b.wish && (b.over || !a.over)) {
		return s, false
	}
	*a, *b = *b, *a
	s.slot, s.running = s.slot.other(), s.running.other()
	for i := range s.queue {
		s.queue[i] = s.queue[i].other()
	}
	return s, true
}

// other returns the other caller. For an actor that is not a caller, it returns
// that actor.
func (w modelWho) other() modelWho {
	if w == caller1 || w == caller2 {
		return caller1 + caller2 - w
	}
	return w
}

// lose ends the current IM login without a logout.
func (s *modelState) lose() {
	switch {
	case s.linked:
		s.notice[ofIM] = true
	case s.maker == madeByEngine:
		s.late[ofIM]++
	}
	s.leaveIM()
}

// leaveIM ends the current IM login.
func (s *modelState) leaveIM() {
	s.maker, s.linked, s.other, s.session = madeByNobody, false, false, noSession
}

// end ends a login of the engine's. Reports about it are late from now on.
func (s *modelState) end(of int) {
	if s.notice[of] {
		s.notice[of] = false
		s.late[of]++
	}
	switch s.login[of] = (modelLogin{}); {
	case of == ofIM:
		s.linked = false
	case s.session == linkedSession:
		s.session = orphanSession
	}
	switch loss := modelLoss(of + 1); {
	case s.losses[0] == loss:
		s.losses = [2]modelLoss{s.losses[1], 0}
	case s.losses[1] == loss:
		s.losses[1] = 0
	}
}

// A modelMove is what happened between two states.
type modelMove struct {
	who      modelWho
	wish     modelWish
	what     string
	choice   bool           // it need not happen: somebody did it, or a call failed
	via      engine.Trigger // the edge that was taken, if any
	result   modelResult
	answered uint8 // how often the call has been answered
}

type modelResult uint8

const (
	noResult modelResult = iota
	itSucceeds
	itFails
)

// words describes the move. swapped says that sorted has swapped the callers.
func (v modelMove) words(swapped bool) string {
	if swapped {
		v.who = v.who.other()
	}
	text := v.what
	switch v.who {
	case caller1, caller2:
		text = fmt.Sprintf("caller %d, %s: %s", v.who, wishNames[v.wish], text)
	case applier:
		text = "the engine's goroutine " + text
	}
	if v.via != "" {
		text += " (" + string(v.via) + ")"
	}
	return text + [...]string{noResult: "", itSucceeds: "; it succeeds", itFails: "; it fails"}[v.result]
}
