package proof_test

import (
	"fmt"

	"github.com/imreuse/imreuse/engine"
)

// The model: the host's two callers, the engine, the IM SDK with the kit, and
// the service, as one value that is small enough for all of them to be looked
// at. It shares no code with the engine. A step of it is what the engine does
// between two moments in which somebody else can act: one look at what mu
// guards, one effect of a call, one edge.
//
// How often things happen has no bound: callers call, the backend fails, the
// host and the service act as often as they like. What has one: there are two
// callers, one kit account, two IM accounts (the bound one and another), and at
// most two reports of losses are on their way at once. Left out: anonymous
// logins, the link, panics, and time.
type modelState struct {
	// The engine.
	rung, floor   engine.State
	slot          modelWho    // who holds it
	running       modelWho    // of those who hold it, one who can be interrupted
	queue         [3]modelWho // those who wait for it, in order
	closing, done bool        // Close was called; and has returned
	closed        bool
	login         [2]modelLogin // of IM and of the kit, the one that is made or published
	losses        [2]modelLoss  // reported, in this order, and not dealt with
	actors        [4]modelActor // the callers, and the goroutines that apply a loss and renew a token
	expired       bool          // Status.Expired
	renewals      uint8         // so many renewals of the kit login run
	hanging       bool          // the source of a renewal whose login has ended has not returned

	// The IM SDK with its adapter, and the kit.
	ready   bool       // initialised
	maker   modelMaker // of the IM login that is there
	linked  bool       // it reports to login[ofIM]
	other   bool       // it is not the bound account's
	session modelLink  // the kit session
	stale   bool       // its token has run out
	ghost   bool       // an abandoned login may still succeed
	landing bool       // a login of the host's is in progress
	notice  [2]bool    // the loss of that login is on its way
	late    [2]uint8   // so many losses of logins that have ended are on their way
}

// A modelWho is an index of modelState.actors, plus one.
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

// A modelLoss is ofIM or ofKit, plus one; 0: none.
type modelLoss uint8

type modelLogin struct {
	phase   modelPhase
	adopted bool
	hosts   bool // the host made it, or asked for it: this is what must be so, where the floor is what the engine has
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

// A modelActor is in the middle of one operation, or idle.
type modelActor struct {
	wish     modelWish
	at       modelPlace
	then     modelPlace   // where it goes on when it has settled, or stepped down
	target   engine.State // the rung that it steps down to; kitLoggedIn: it only settles
	over     bool         // its ctx has ended
	losing   bool         // a loss is about to end its ctx
	atKit    bool         // it found kitLoggedIn
	answered uint8
	asked    uint8 // so often did the call at hand ask a source

	// Of KeepKit and of a renewal, which are more than one operation.
	stop      bool       // its own ctx has ended
	kept      modelEnded // of KeepKit: how the login that it waits for stands
	final     bool       // the latest failure is one that no other try can help
	loggedOut bool       // a logout was called since it began
	mine      bool       // of a renewal: its login is the present one
}

// modelEnded is what KeepKit sees of the login that it waits for.
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

// top is the rung that a wish climbs to; uninitialized: it does not climb.
func (w modelWish) top() engine.State {
	return [...]engine.State{wishInitIM: imInitialized, wishLoginIM: imLoggedIn, wishLoginKit: kitLoggedIn, wishClose: uninitialized,
		wishRenewKit: kitLoggedIn, wishKeepKit: kitLoggedIn, wishRenewal: kitLoggedIn}[w]
}

// ends is the rung from which on it ends those that climb; none: it ends none.
func (w modelWish) ends() engine.State {
	const none engine.State = 255
	return [...]engine.State{none, none, none, none, kitLoggedIn, imLoggedIn, imInitialized, none, none, none}[w]
}

// A modelPlace is where in its operation an actor is.
type modelPlace uint8

const (
	atIdle modelPlace = iota
	atWait
	atBegin // it has the slot

	// Places on the way up. In the places in… the actor is in a call of the
	// backend.
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

	// Steps down.
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

	// Places without the slot.
	atHold       // KeepKit waits for the end of a login
	atPause      // KeepKit or a renewal, before the next try
	inSource     // a renewal asks KitToken
	atBackground // Close waits for the renewals
)

// climbing reports whether it is on the way up, so that the end of its ctx
// matters.
func (a modelActor) climbing() bool {
	return a.wish.top() > uninitialized && (a.at >= atWait && a.at <= atRenewed || a.then == atBegan)
}

// climbs reports whether it is in a call that climbs.
func (a modelActor) climbs() bool {
	switch a.at {
	case inAdoptIM, inKitToken, inAuthenticate, inInitIM, inIMToken, inLoginIM, inLoginKit, inRenewKit:
		return true
	}
	return false
}

func (s *modelState) actor(who modelWho) *modelActor { return &s.actors[who-1] }

// holder is the one who has the slot, or an idle one.
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

// sorted gives the callers an order: which of them is the first makes no
// difference, and half as many states are left.
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

// other is the other caller, and for who is no caller that one.
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

// end ends a login of the engine's. Later reports about it are late.
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
	choice   bool           // somebody did it, or a call failed: it need not happen
	via      engine.Trigger // the edge that was taken, if any
	result   modelResult
	answered uint8 // so often has the call been answered
}

type modelResult uint8

const (
	noResult modelResult = iota
	itSucceeds
	itFails
)

// words describes the move. swapped says that the callers have changed places.
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
