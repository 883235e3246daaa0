package proof_test

import "github.com/imreuse/imreuse/engine"

// This file has KeepKit, and the tokens: those that run out, those that come
// from a source, and the goroutine that renews one. A model has them only if
// lasting is set. It then leaves out what the host does behind the engine's
// back, which would make too many states.

// start is the state in which a model begins. In ReuseIM, a lasting model
// begins where the host has logged IM in.
func (m *model) start() (s modelState) {
	if m.lasting && m.mode == engine.ReuseIM {
		s.rung, s.floor, s.ready, s.maker, s.linked = imLoggedIn, imLoggedIn, true, madeByEngine, true
		s.login[ofIM] = modelLogin{phase: published, hosts: true}
	}
	return s
}

// wishes are what the callers ask for.
func (m *model) wishes() []modelWish {
	switch {
	case m.lasting && m.mode == engine.ReuseIM:
		return []modelWish{wishLoginKit, wishLogoutKit, wishLogoutIM, wishClose, wishRenewKit, wishKeepKit}
	case m.lasting: // where LogoutKit logs IM out, too
		return []modelWish{wishLoginKit, wishLogoutKit, wishClose, wishRenewKit, wishKeepKit}
	}
	return []modelWish{wishInitIM, wishLoginIM, wishLoginKit, wishLogoutKit, wishLogoutIM, wishClose}
}

// noteLogout notes which KeepKits a logout must end. Only rules read that.
func (s *modelState) noteLogout(wish modelWish) {
	for who := caller1; who <= caller2; who++ {
		a := s.actor(who)
		a.loggedOut = a.loggedOut || a.wish == wishKeepKit && wish.ends() <= kitLoggedIn
	}
}

// The sources of tokens.

// tryWithToken makes a call that needs a token, which comes from a source.
func (m *model) tryWithToken(s *modelState, who modelWho, v *modelMove, what string, at modelPlace) {
	if !m.lasting {
		m.try(s, who, v, what, at)
		return
	}
	source := inKitToken
	if at == inLoginIM {
		source = inIMToken
	}
	s.actor(who).asked = 1
	m.try(s, who, v, "asks the source for a token", source)
}

// source is a source that fails, or returns a token for the call that needs
// one.
func (m *model) source(s modelState, who modelWho, v modelMove) {
	m.callFails(s, who, v)
	a := s.actor(who)
	switch {
	case a.at == inIMToken:
		m.try(&s, who, &v, "has a token, and calls LoginIM", inLoginIM)
	case a.wish == wishRenewKit:
		m.try(&s, who, &v, "has a token, and calls RenewKit", inRenewKit)
	default:
		m.try(&s, who, &v, "has a token, and calls Authenticate", inAuthenticate)
	}
	m.emit(s, v)
}

// refuses is a server that refuses a fetched token. The source is asked once
// more.
func (m *model) refuses(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	if a.over || a.asked == 0 || a.asked > 1 && m.mutant != askForEver || a.asked > 2 {
		return
	}
	v.what, v.choice = "the fetched token is refused", true
	switch a.asked++; a.at {
	case inAuthenticate:
		a.at = inKitToken
	case inLoginIM:
		s.end(ofIM)
		a.at = inIMToken
	case inRenewKit:
		if a.wish == wishRenewal {
			a.final = true // it asks at once
			m.fail(&s, who, &v)
		} else {
			a.at = inKitToken
		}
	default:
		return
	}
	m.emit(s, v)
}

// A renewal.

// expires visits what happens to the kit's token at the server, and the
// reports of that. A backend repeats its report.
func (m *model) expires(s modelState) {
	if s.hanging {
		next := s
		next.hanging = false
		m.visit(modelMove{what: "the source of a renewal that has ended returns"}, next)
	}
	if s.session != linkedSession {
		return
	}
	if !s.stale {
		next := s
		next.stale = true
		m.visit(modelMove{what: "the kit's token runs out", choice: true}, next)
		return
	}
	next := s
	if m.expire(&next); next != s {
		m.visit(modelMove{what: "the backend reports that the token has run out"}, next)
	}
}

// expire is Notify.Expired.
func (m *model) expire(s *modelState) {
	l := &s.login[ofKit]
	at := s.actor(renewer).at
	if l.lost || l.phase < unpublished || at != atIdle && at < atHold && !l.renewing {
		return // the goroutine of an older login is about to end
	}
	l.expired = true
	if l.phase == published && !s.closing {
		s.expired = true
		m.startRenewal(s)
	}
}

// openKit is the moment in which a kit login is published. Its token may have
// run out before.
func (m *model) openKit(s *modelState) {
	if s.login[ofKit].expired {
		s.expired = true
		m.startRenewal(s)
	}
}

func (m *model) startRenewal(s *modelState) {
	l, r := &s.login[ofKit], s.actor(renewer)
	if l.renewing && m.mutant != renewTwice || s.closing {
		return
	}
	s.hanging = s.hanging || r.at != atIdle && !r.mine
	l.renewing = true
	s.renewals++
	*r = modelActor{wish: wishRenewal, at: inSource, asked: 1, mine: true}
	if m.mutant == askWithSlot && s.slot == nobody {
		s.slot = renewer
	}
}

// stopRenewal ends the ctx of the renewal.
func (s *modelState) stopRenewal() {
	if r := s.actor(renewer); r.mine && r.at != atIdle {
		r.stop = true
		r.over = r.over || r.climbing()
	}
}

// endKit ends the kit login, and tells KeepKit and the renewal.
func (m *model) endKit(s *modelState, via engine.Trigger) {
	for who := caller1; who <= caller2; who++ {
		if a := s.actor(who); a.kept == keepsLogin {
			a.kept = lostLogin
			if via == engine.TriggerLogoutKit || via == engine.TriggerClose {
				a.kept = loggedOutLogin
			}
		}
	}
	if m.mutant != renewalOutlivesLogin {
		s.stopRenewal()
	}
	s.actor(renewer).mine = false
	s.renewals = 0
	s.end(ofKit)
}

func (m *model) chooseRenewal(s *modelState, who modelWho, v *modelMove) {
	switch {
	case s.actor(who).wish == wishRenewal:
		m.try(s, who, v, "calls RenewKit", inRenewKit)
	case s.rung < kitLoggedIn:
		v.what = "is refused"
		m.fail(s, who, v)
	default:
		m.tryWithToken(s, who, v, "calls RenewKit", inRenewKit)
	}
}

// renew is RenewKit of the backend, and the end of the login if the server
// refuses to renew it.
func (m *model) renew(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	switch a.at {
	case inRenewKit:
		m.callRenewKit(s, who, v)
		return
	case atRenewed:
		m.renewed(&s, who, &v)
	case atRefused:
		switch {
		case !a.mine:
			v.what = "finds its login ended"
			m.fail(&s, who, &v)
		case m.mutant == loseWithoutLogout:
			v.what, a.at = "does not log out", atLost
		default:
			v.what, a.at = "calls LogoutKit", inLoseKit
		}
	case inLoseKit:
		v.what, a.at = "the backend has logged out", atLost
		s.session = noSession
	case atLost:
		v.what, v.result = "ends the login", itFails
		m.take(&s, &v, engine.TriggerKitLost, imLoggedIn)
		a.over, a.losing, a.atKit = false, false, false
		a.stepDown(s.floor, atLeave)
	}
	m.emit(s, v)
}

func (m *model) callRenewKit(s modelState, who modelWho, v modelMove) {
	m.callFails(s, who, v)
	m.refuses(s, who, v)
	if a := s.actor(who); a.wish == wishRenewal && !a.over {
		refused := s
		refused.actor(who).settle(atRefused)
		m.emit(refused, modelMove{who: who, wish: v.wish, what: "the server refuses for good", choice: true})
	}
	v.what, s.actor(who).at = "RenewKit takes effect", atRenewed
	s.stale = false
	m.emit(s, v)
}

// renewed notes the new token, even if the caller has given up.
func (m *model) renewed(s *modelState, who modelWho, v *modelMove) {
	over := s.actor(who).over
	l := &s.login[ofKit]
	if l.phase == published && !l.lost && !(over && m.mutant == forgetLateRenewal) {
		l.expired, s.expired = false, m.mutant == renewedStaysExpired && s.expired
		if who == renewer || m.mutant != hostLeavesRenewal {
			s.stopRenewal()
		}
	}
	v.what = "has a new token"
	if over {
		m.fail(s, who, v)
	} else {
		m.succeed(s, who, v)
	}
}

// What goes on between operations.

// operationEnds is the end of an operation, which for KeepKit and for a renewal
// is only the end of one try.
func (m *model) operationEnds(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	a.over, a.losing = false, false
	switch {
	case a.wish == wishKeepKit:
		m.tryEnds(s, who, v)
	case a.wish == wishRenewal:
		m.renewalEnds(&s, &v)
		m.emit(s, v)
	case a.wish == wishClose && m.lasting && a.at == atLeave:
		v.what += ", and waits for the renewals"
		a.at = atBackground
		m.emit(s, v)
	default:
		v.what += ", and returns"
		m.answer(s, who, v)
	}
}

func (m *model) tryEnds(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	a.asked = 0
	switch {
	case a.kept != keepsNothing:
		a.at = atHold
	case a.final || a.stop || m.mutant == giveUpKeeping:
		v.result = itFails
		m.answer(s, who, v)
		return
	default:
		a.at = atPause
	}
	m.emit(s, v)
}

func (m *model) renewalEnds(s *modelState, v *modelMove) {
	switch a := s.actor(renewer); {
	case a.stop:
		m.nextRenewal(s)
	case a.final:
		a.final, a.at = false, inSource
	default:
		a.at = atPause
	}
}

// nextRenewal goes on if the token has run out again, and otherwise ends the
// goroutine.
func (m *model) nextRenewal(s *modelState) {
	r, l := s.actor(renewer), &s.login[ofKit]
	if r.mine && l.expired && l.phase == published && !l.lost {
		*r = modelActor{wish: wishRenewal, at: inSource, asked: 1, mine: true}
		return
	}
	if r.mine {
		l.renewing = false
		s.renewals--
	}
	*r = modelActor{}
}

// last is what an actor without the slot does: KeepKit, a renewal, or a Close
// that waits.
func (m *model) last(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	switch {
	case a.at == atBackground:
		if s.actor(renewer).at == atIdle && !s.hanging || m.mutant == closeAtOnce {
			v.what = "returns"
			m.answer(s, who, v)
		}
		return
	case a.wish == wishKeepKit:
		m.keep(s, who, v)
		return
	case a.at == inSource:
		m.sourceOfRenewal(s, v)
		return
	case a.stop:
		v.what = "is not needed any more"
		m.nextRenewal(&s)
	default:
		v.what, v.choice = "pauses no longer, and asks the source", true
		a.at = inSource
	}
	m.emit(s, v)
}

func (m *model) sourceOfRenewal(s modelState, v modelMove) {
	a := s.actor(renewer)
	if a.stop {
		v.what = "the source returns, too late"
		m.nextRenewal(&s)
		m.emit(s, v)
		return
	}
	failed := s
	failed.actor(renewer).at = atPause
	m.emit(failed, modelMove{who: renewer, wish: v.wish, what: "the source fails", choice: true})
	v.what = "the source returns a token"
	if s.closing {
		a.at = atPause
	} else {
		m.enqueue(&s, renewer)
	}
	m.emit(s, v)
}

// keep is KeepKit between two tries.
func (m *model) keep(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	switch {
	case a.kept == loggedOutLogin && m.mutant == logInAgain && !s.closing:
		v.what, a.at, a.kept, a.stop = "takes the logout for a loss", atPause, keepsNothing, false
		m.emit(s, v)
	case a.stop && m.mutant != pauseToTheEnd:
		v.what, v.result = "sees that it must stop, and returns", itFails
		m.answer(s, who, v)
	case a.at == atPause:
		v.what, v.choice = "pauses no longer", true
		a.kept, a.final = keepsNothing, false
		m.enqueue(&s, who)
		m.emit(s, v)
	case a.kept == lostLogin:
		final := s
		final.actor(who).final = true
		m.answer(final, who, modelMove{who: who, wish: v.wish, what: "no other try can help, and it returns", choice: true, result: itFails})
		v.what, a.at = "the login was lost for a reason that passes", atPause
		m.emit(s, v)
	case a.kept == loggedOutLogin:
		v.what, v.result = "the login was logged out, and it returns", itFails
		m.answer(s, who, v)
	}
}
