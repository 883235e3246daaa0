package proof_test

import "github.com/imreuse/imreuse/engine"

// climb visits what an actor on its way up can do.
func (m *model) climb(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	switch a.at {
	case inAdoptIM:
		m.adopt(s, who, v)
		return
	case inKitToken, inIMToken:
		m.source(s, who, v)
		return
	case inAuthenticate, inInitIM, inLoginIM, inLoginKit:
		m.callBackend(s, who, v)
		return
	case atBegan:
		m.began(&s, who, &v)
	case atFound:
		v.what, a.at = "takes over what was found", atAdopted
		im := &s.login[ofIM]
		im.phase, im.adopted, im.hosts, im.other = unpublished, true, true, s.other
		if im.lost {
			s.losses[0], a.over = ofIM+1, a.over || a.wish.top() >= imLoggedIn
		}
	case atAdopted:
		m.adopted(&s, who, &v)
	case atChoice:
		m.choose(&s, who, &v)
	case atClimb:
		m.nextRung(&s, who, &v)
	case atInitIM:
		v.what = "publishes im_initialized"
		m.rise(&s, &v, engine.TriggerInitIM, imInitialized, a.wish == wishInitIM)
		m.goOn(&s, who, &v, imInitialized)
	case atLoginIM, atLoginKit:
		m.returned(&s, who, &v)
	case atPublishIM:
		v.what = "publishes im_logged_in"
		im := &s.login[ofIM]
		im.phase, im.hosts = published, a.wish == wishLoginIM
		m.rise(&s, &v, engine.TriggerLoginIM, imLoggedIn, im.hosts)
		m.goOn(&s, who, &v, imLoggedIn)
	case atPublishKit:
		v.what = "publishes kit_logged_in"
		m.rise(&s, &v, engine.TriggerLoginKit, kitLoggedIn, false)
		s.login[ofKit].phase = published
		m.openKit(&s)
		m.succeed(&s, who, &v)
	}
	m.emit(s, v)
}

// fail makes an operation fail. It then undoes what it did.
func (m *model) fail(s *modelState, who modelWho, v *modelMove) {
	a := s.actor(who)
	v.result = itFails
	if m.mutant == sayItWorked {
		v.result = itSucceeds
	}
	target, then := s.floor, atLeave
	switch {
	case a.atKit || m.mutant == noUndo:
		target = kitLoggedIn
	case m.mutant == undoBelowFloor && !s.login[ofIM].adopted:
		target = imInitialized
	}
	if m.mutant == keepSlot {
		then = atStuck
	}
	a.over, a.losing, a.atKit = false, false, false
	a.stepDown(target, then)
}

func (m *model) succeed(s *modelState, who modelWho, v *modelMove) {
	v.result = itSucceeds
	a := s.actor(who)
	if a.wish == wishKeepKit {
		v.result, a.kept = noResult, keepsLogin
	}
	a.over, a.losing, a.atKit = false, false, false
	a.settle(atLeave)
}

// goOn ends an operation that wanted just this rung. A kit login climbs on.
func (m *model) goOn(s *modelState, who modelWho, v *modelMove, rung engine.State) {
	switch a := s.actor(who); {
	case a.wish == wishLoginKit || a.wish == wishKeepKit:
		a.at = atClimb
	case a.over && rung == imInitialized:
		m.fail(s, who, v)
	default:
		m.succeed(s, who, v)
	}
}

// try makes a call of the backend, unless the ctx has ended.
func (m *model) try(s *modelState, who modelWho, v *modelMove, what string, at modelPlace) {
	a := s.actor(who)
	v.what = what
	if a.over && m.mutant != climbOver {
		v.what = "does not climb on, for its ctx has ended"
		m.fail(s, who, v)
		return
	}
	a.at = at
	switch at {
	case inAdoptIM:
		s.login[ofIM].phase = lookedFor
	case inLoginIM:
		s.login[ofIM].phase = unpublished
		if m.mutant == edgeFirst {
			s.login[ofIM].phase = published
			m.rise(s, v, engine.TriggerLoginIM, imLoggedIn, a.wish == wishLoginIM)
		}
	case inLoginKit:
		s.login[ofKit].phase = unpublished
	}
}

func (m *model) began(s *modelState, who modelWho, v *modelMove) {
	a := s.actor(who)
	a.atKit = s.rung == kitLoggedIn
	switch {
	case a.over && m.mutant != climbOver:
		v.what = "its ctx has ended"
		m.fail(s, who, v)
	case s.rung < imLoggedIn && a.wish.top() > s.rung && !m.lasting:
		m.try(s, who, v, "calls AdoptIM", inAdoptIM)
	default:
		v.what, a.at = "looks where the engine stands", atChoice
	}
}

// adopt is a call of AdoptIM. If the host is logging in, it waits for that.
func (m *model) adopt(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	m.callFails(s, who, v)
	if s.landing {
		return
	}
	m.dropGhost(&s)
	if s.maker == madeByHost || s.maker == madeByGhost && m.mutant == adoptGhost {
		v.what, s.linked, a.at = "AdoptIM finds a login", true, atFound
	} else {
		v.what, a.at = "AdoptIM finds nobody", atChoice
		s.end(ofIM)
	}
	m.emit(s, v)
}

// dropGhost logs out a login that the engine gave up, as the SDK's adapter does.
func (m *model) dropGhost(s *modelState) {
	if s.maker == madeByGhost && m.mutant != adoptGhost && m.mutant != leaveGhost {
		s.leaveIM()
	}
}

func (m *model) adopted(s *modelState, who modelWho, v *modelMove) {
	a := s.actor(who)
	raise := m.mutant != adoptBelow
	if s.rung == uninitialized {
		v.what = "publishes im_initialized, as it was found"
		m.rise(s, v, engine.TriggerInitIM, imInitialized, raise)
		return
	}
	v.what, a.at = "publishes im_logged_in, as it was found", atChoice
	s.login[ofIM].phase = published
	m.rise(s, v, engine.TriggerLoginIM, imLoggedIn, raise)
	if a.over {
		m.fail(s, who, v)
	}
}

// choose decides what an operation does, now that it knows the state.
func (m *model) choose(s *modelState, who modelWho, v *modelMove) {
	switch a := s.actor(who); a.wish {
	case wishInitIM:
		if s.rung == uninitialized {
			m.try(s, who, v, "calls InitIM", inInitIM)
			return
		}
	case wishLoginIM:
		switch {
		case s.rung == uninitialized,
			s.rung >= imLoggedIn && s.login[ofIM].other,
			s.rung == kitLoggedIn && s.floor < imLoggedIn:
			v.what = "is refused"
			m.fail(s, who, v)
			return
		case s.rung == imInitialized:
			m.try(s, who, v, "calls LoginIM", inLoginIM)
			return
		}
	case wishLoginKit, wishKeepKit:
		if s.rung < kitLoggedIn {
			m.chooseKit(s, who, v)
			return
		}
	case wishRenewKit, wishRenewal:
		m.chooseRenewal(s, who, v)
		return
	}
	v.what = "finds it so"
	m.succeed(s, who, v)
}

func (m *model) chooseKit(s *modelState, who modelWho, v *modelMove) {
	hostLoggedIn := s.floor >= imLoggedIn
	refused := m.mode == engine.ReuseIM && !hostLoggedIn || m.mode == engine.AutoLogin && hostLoggedIn
	if refused && m.mutant != ignoreMode {
		v.what = "is refused by the mode"
		s.actor(who).final = s.actor(who).wish == wishKeepKit
		m.fail(s, who, v)
		return
	}
	m.tryWithToken(s, who, v, "calls Authenticate", inAuthenticate)
}

// nextRung makes the call for the next rung that a kit login needs.
func (m *model) nextRung(s *modelState, who modelWho, v *modelMove) {
	switch {
	case s.rung == uninitialized && m.mutant != skipInit:
		m.try(s, who, v, "calls InitIM", inInitIM)
	case s.rung <= imInitialized:
		m.tryWithToken(s, who, v, "calls LoginIM", inLoginIM)
	case s.login[ofIM].other:
		v.what = "finds another account logged in"
		m.fail(s, who, v)
	default:
		m.try(s, who, v, "calls LoginKit", inLoginKit)
	}
}

// callFails visits the failure of a call. If the call failed because its ctx has
// ended, its login may still succeed later.
func (m *model) callFails(s modelState, who modelWho, v modelMove) {
	a := *s.actor(who)
	v.what, v.choice = "the call fails", !a.over
	switch a.at {
	case inAdoptIM, inLoginIM:
		s.end(ofIM)
	case inLoginKit:
		s.end(ofKit)
	}
	m.fail(&s, who, &v)
	m.emit(s, v)
	if a.wish == wishKeepKit && !a.over {
		s.actor(who).final, v.what = true, "the call fails, and no other try can help"
		m.emit(s, v)
	}
	if a.at == inLoginIM && a.over && !s.ghost && !m.lasting {
		v.what = "the call fails, but its login may still succeed"
		s.ghost = true
		m.emit(s, v)
	}
}

// callBackend visits the success of a call that climbs, and its failure.
func (m *model) callBackend(s modelState, who modelWho, v modelMove) {
	m.callFails(s, who, v)
	m.refuses(s, who, v)
	a := s.actor(who)
	switch a.at {
	case inAuthenticate:
		v.what, a.at, a.asked = "Authenticate succeeds", atClimb, 0
	case inInitIM:
		v.what, a.at, s.ready = "InitIM succeeds", atInitIM, true
	case inLoginIM:
		m.dropGhost(&s)
		if s.maker != madeByNobody {
			v.what = "IM is in use"
			s.end(ofIM)
			m.fail(&s, who, &v)
			break
		}
		v.what, a.at, a.asked = "LoginIM takes effect", atLoginIM, 0
		s.maker, s.linked, s.ghost = madeByEngine, true, false
	case inLoginKit:
		v.what, a.at = "LoginKit takes effect", atLoginKit
		if s.maker != madeByNobody {
			s.session = linkedSession
		}
	}
	m.emit(s, v)
}

// returned is a login call that has succeeded, perhaps too late.
func (m *model) returned(s *modelState, who modelWho, v *modelMove) {
	a := s.actor(who)
	of, undo, publish := ofIM, inUndoIM, atPublishIM
	if a.at == atLoginKit {
		of, undo, publish = ofKit, inUndoKit, atPublishKit
	}
	if !a.over {
		v.what, a.at = "its login has succeeded", publish
		return
	}
	lost := s.login[of].lost
	s.end(of)
	if lost && m.mutant != undoLost || m.mutant == noLateUndo {
		v.what = "gives up a login"
		m.fail(s, who, v)
		return
	}
	v.what, a.at = "undoes the login that came too late", undo
}
