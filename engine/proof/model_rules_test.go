package proof_test

import "github.com/imreuse/imreuse/engine"

// A modelRule must hold for each state, or for each move and the state that it
// leads to.
type modelRule struct {
	name    string
	ofMoves bool // it looks at moves, not only at states
	holds   func(m *model, from *modelState, v *modelMove, to *modelState) bool
}

// modelRules are checked in this order.
var modelRules = []modelRule{
	{"one holder", false, oneHolder},
	{"the status is true", false, statusIsTrue},
	{"a renewal is needed", true, renewalIsNeeded},
	{"calls in order", false, callsInOrder},
	{"answered once", true, answeredOnce},
	{"success is true", true, successIsTrue},
	{"late notices change nothing", true, lateNoticesChangeNothing},
	{"given up is not adopted", false, givenUpIsNotAdopted},
	{"host's login is left", true, hostsLoginIsLeft},
	{"host's rung is left", true, hostsRungIsLeft},
	{"floor is the host's", false, floorIsTheHosts},
	{"own login is undone", false, ownLoginIsUndone},
	{"nothing left behind", false, nothingLeftBehind},
	{"mode is kept", false, modeIsKept},
	{"a stopped login stops", true, stoppedLoginStops},
	{"logout does not wait", false, logoutDoesNotWait},
	{"loss ends a login", false, lossEndsALogin},
	{"closed is closed", true, closedIsClosed},

	// Of a lasting model.
	{"a logout is never overridden", true, logoutIsNeverOverridden},
	{"KeepKit keeps trying", true, keepKitKeepsTrying},
	{"a source is asked twice at most", false, askedTwiceAtMost},
	{"one renewal at a time", false, oneRenewal},
	{"Expired is true", false, expiredIsTrue},
	{"Close waits for renewals", false, closeWaitsForRenewals},
}

// modelRun checks these, which are about where things end.
const (
	everyCallEnds      = "every call ends"
	comesToRest        = "the engine comes to rest"
	freshLoginSucceeds = "a fresh login succeeds"
	lastsAfterPause    = "a pause ends well"
)

func ruleNames() []string {
	names := []string{everyCallEnds, comesToRest, freshLoginSucceeds, lastsAfterPause}
	for _, rule := range modelRules {
		names = append(names, rule.name)
	}
	return names
}

// oneHolder: at most one operation is between the beginning and the end of its
// turn, and that operation has the slot.
func oneHolder(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	for who := caller1; who <= renewer; who++ {
		at := s.actor(who).at
		inside := at >= atBegin && at <= atLeave && at != atSecondClose
		if inside != (s.slot == who) {
			return false
		}
	}
	return true
}

// callsInOrder: the backend is called only in the states that the table allows,
// and a login is asked for only if the engine has none.
func callsInOrder(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	a := s.holder()
	switch a.at {
	case inAdoptIM:
		return s.rung <= imInitialized
	case inAuthenticate:
		return s.rung <= imLoggedIn
	case inInitIM:
		return s.rung == uninitialized
	case inLoginIM:
		return s.rung == imInitialized && s.ready
	case inLoginKit:
		return s.rung == imLoggedIn
	case inLogoutKit, inShutKit:
		return s.rung == kitLoggedIn
	case inRenewKit, inLoseKit:
		return s.rung == kitLoggedIn
	case inUndoKit, inLogoutIM:
		return s.rung == imLoggedIn
	case inUndoIM:
		return s.rung == imInitialized
	case inShutIM:
		return s.rung >= imLoggedIn && s.login[ofKit].phase == unborn
	case inClose:
		return s.rung == uninitialized
	}
	return true
}

// answeredOnce: each call gets at most one answer.
func answeredOnce(_ *model, _ *modelState, v *modelMove, _ *modelState) bool { return v.answered <= 1 }

// statusIsTrue: the published state agrees with the SDK and the kit, except while
// the report of a loss is on its way or a step down is in progress.
func statusIsTrue(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	im, kit := s.login[ofIM], s.login[ofKit]
	a := s.holder()
	steps := a.at == atStepped || a.at == atLost || a.wish == wishClose
	switch {
	case s.rung >= imInitialized && !s.ready,
		(s.rung >= imLoggedIn) != (im.phase == published),
		(s.rung == kitLoggedIn) != (kit.phase == published) && !steps,
		s.floor > min(s.rung, imLoggedIn):
		return false
	case steps || im.phase != published || s.notice[ofIM] || im.lost:
		return true
	case !s.linked || s.maker == madeByNobody || s.other != im.other:
		return false
	}
	return kit.phase != published || s.notice[ofKit] || kit.lost || s.session == linkedSession
}

// successIsTrue: if an operation succeeds, the state is what its name says.
func successIsTrue(_ *model, _ *modelState, v *modelMove, s *modelState) bool {
	if v.result != itSucceeds {
		return true
	}
	switch v.wish {
	case wishLogoutKit:
		return s.rung < kitLoggedIn
	case wishLogoutIM:
		return s.rung < imLoggedIn
	case wishClose:
		return s.rung == uninitialized
	case wishLoginIM:
		return s.rung >= imLoggedIn && !s.login[ofIM].other
	}
	return s.rung >= v.wish.top()
}

// lateNoticesChangeNothing: a report about a login that has ended changes nothing
// at all.
func lateNoticesChangeNothing(_ *model, from *modelState, _ *modelMove, to *modelState) bool {
	for of := range from.late {
		if from.late[of] == to.late[of]+1 {
			want := *from
			want.late[of]--
			return *to == want
		}
	}
	return true
}

// givenUpIsNotAdopted: the engine adopts only logins that the host made, never
// one that it had given up.
func givenUpIsNotAdopted(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	return !s.linked || s.login[ofIM].phase == lookedFor && s.maker == madeByHost ||
		s.login[ofIM].adopted == (s.maker == madeByHost)
}

// beginsLogoutIM reports whether the move begins a logout of IM. LogoutIM does
// not count, because it logs out whoever is there.
func beginsLogoutIM(v *modelMove, from, to *modelState) bool {
	before, after := from.holder().at, to.holder().at
	return before != after && (after == inLogoutIM || after == inUndoIM || after == inShutIM) && v.wish != wishLogoutIM
}

// hostsLoginIsLeft: no kit logout, failed login, loss or Close logs out a login
// that the host made behind the engine's back. That holds for the moment in
// which the call begins. (If the engine's own login has ended, and the report is
// still on its way, the engine cannot know.)
func hostsLoginIsLeft(_ *model, from *modelState, v *modelMove, to *modelState) bool {
	return !beginsLogoutIM(v, from, to) || to.maker != madeByHost || from.notice[ofIM]
}

// hostsRungIsLeft: only LogoutIM and Close end a login that LoginIM made for the
// host.
func hostsRungIsLeft(_ *model, from *modelState, v *modelMove, to *modelState) bool {
	return !beginsLogoutIM(v, from, to) || v.wish == wishClose || !to.login[ofIM].hosts
}

// floorIsTheHosts: the floor is im_logged_in if, and only if, the IM login is the
// host's.
func floorIsTheHosts(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	return s.rung < imLoggedIn || (s.floor == imLoggedIn) == s.login[ofIM].hosts
}

// ownLoginIsUndone: when nobody has the slot, the engine has an IM login of its
// own only under a kit login, and no login that is half made.
func ownLoginIsUndone(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	im, kit := s.login[ofIM], s.login[ofKit]
	return s.slot != nobody ||
		(s.rung != imLoggedIn || im.hosts) && (im.phase == unborn || im.phase == published) && (kit.phase == unborn || kit.phase == published)
}

// nothingLeftBehind: a login that succeeded too late is being undone, or already
// gone.
func nothingLeftBehind(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	at := s.holder().at
	return (s.maker != madeByEngine || s.linked || at == inUndoIM) && (s.session != orphanSession || at == inUndoKit)
}

// modeIsKept: with reuse on, no kit login initialises IM or logs it in. With
// reuse off, none uses the host's IM login.
func modeIsKept(m *model, _ *modelState, _ *modelMove, s *modelState) bool {
	a := s.holder()
	switch m.mode {
	case engine.ReuseIM:
		return a.wish != wishLoginKit && a.wish != wishKeepKit || a.at != inInitIM && a.at != inLoginIM
	case engine.AutoLogin:
		return s.rung < kitLoggedIn || !s.login[ofIM].hosts
	}
	return true
}

// stoppedLoginStops: an operation whose ctx has ended takes no further step up.
func stoppedLoginStops(_ *model, from *modelState, v *modelMove, to *modelState) bool {
	if v.who == nobody {
		return true
	}
	before, after := *from.actor(v.who), *to.actor(v.who)
	return !before.over || before.at == after.at || !after.climbs()
}

// logoutDoesNotWait: no logout and no Close waits for a login that it ends.
func logoutDoesNotWait(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	for who := caller1; who <= caller2; who++ {
		if a := s.actor(who); a.at == atWait && s.holder().climbs() && s.holder().wish.top() >= a.wish.ends() && !s.holder().over {
			return false
		}
	}
	return true
}

// lossEndsALogin: once a loss is reported, no login continues on top of the lost
// one.
func lossEndsALogin(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	a := s.holder()
	if !a.climbs() || a.over || a.losing {
		return true
	}
	for _, loss := range s.losses {
		if loss != 0 && a.wish.top() >= imInitialized+engine.State(loss) {
			return false
		}
	}
	return true
}

// closedIsClosed: after Close the state no longer changes, only another Close
// succeeds, and the engine holds no login.
func closedIsClosed(_ *model, from *modelState, v *modelMove, to *modelState) bool {
	if !from.closed {
		return true
	}
	succeeds := v.result == itSucceeds && v.wish != wishClose
	return v.via == "" && !succeeds && to.rung == uninitialized && to.floor == uninitialized && to.login == from.login &&
		to.losses == [2]modelLoss{} && to.maker != madeByEngine && to.session == noSession && !to.holder().climbs()
}
