package proof_test

import "github.com/imreuse/imreuse/engine"

// descend visits what an actor on its way down can do: for a logout, to undo
// a login, or because of a loss.
func (m *model) descend(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	switch a.at {
	case atDown:
		m.down(&s, who, &v)
		m.emit(s, v)
	case inLogoutKit, inLogoutIM:
		m.logOut(s, who, v)
	case atStepped:
		m.stepped(&s, who, &v)
		m.emit(s, v)
	case inUndoIM, inUndoKit:
		v.what = "the login that came too late is undone"
		s.logOut(a.at == inUndoIM)
		m.fail(&s, who, &v)
		m.emit(s, v)
	case atLogout:
		v.what = "goes down"
		target := imInitialized
		if a.wish == wishLogoutKit {
			target = s.floor
		}
		a.stepDown(target, atLoggedOut)
		m.emit(s, v)
	case atLoggedOut:
		v.what, v.result = "is down", itSucceeds
		a.at = atLeave
		m.emit(s, v)
	}
}

// down applies a reported loss, or makes a step towards the target. Without
// either, the actor has arrived.
func (m *model) down(s *modelState, who modelWho, v *modelMove) {
	a := s.actor(who)
	switch {
	case s.losses[0] == ofIM+1:
		v.what = "settles the loss of IM"
		m.take(s, v, engine.TriggerIMLost, imInitialized)
		a.target = min(a.target, s.floor)
	case s.losses[0] == ofKit+1:
		v.what = "settles the loss of the kit"
		m.take(s, v, engine.TriggerKitLost, imLoggedIn)
		a.target = min(a.target, s.floor)
	case s.rung == kitLoggedIn && a.target < kitLoggedIn:
		v.what, a.at = "calls LogoutKit", inLogoutKit
	case s.rung == imLoggedIn && a.target < imLoggedIn:
		v.what, a.at = "calls LogoutIM", inLogoutIM
	default:
		v.what = "has nothing more to settle"
		a.at, a.then, a.target = a.then, atIdle, uninitialized
		m.shut(s, who, v)
	}
}

// shut begins the next call of Close, in the same move in which the losses are
// settled. A loss that is reported in between could just as well be reported
// after the call has begun.
func (m *model) shut(s *modelState, who modelWho, v *modelMove) {
	a := s.actor(who)
	im := s.login[ofIM]
	switch {
	case a.at != atShut:
	case s.login[ofKit].phase == published:
		v.what, a.at = "calls LogoutKit", inShutKit
	case im.phase == published && (!im.adopted || m.mutant == closeAdopted):
		v.what, a.at = "calls LogoutIM", inShutIM
	default:
		v.what, a.at = "has nothing to log out", atShutEdge
	}
}

// logOut is a logout call of the backend. Afterwards nobody is logged in, even if
// it fails.
func (m *model) logOut(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	s.logOut(a.at == inLogoutIM)
	then := a.then
	a.at = atStepped
	v.what = "the backend has logged out"
	m.emit(s, v)
	if m.mutant == stopAtFailedLogout {
		a.at, a.then, a.target = then, atIdle, uninitialized
	}
	v.what, v.choice = "the backend has logged out, but returns an error", true
	m.emit(s, v)
}

func (s *modelState) logOut(im bool) {
	if im {
		s.leaveIM()
	}
	s.session = noSession
}

func (m *model) stepped(s *modelState, who modelWho, v *modelMove) {
	v.what = "steps down"
	s.actor(who).at = atDown
	if s.rung == kitLoggedIn {
		m.take(s, v, engine.TriggerLogoutKit, imLoggedIn)
	} else {
		m.take(s, v, engine.TriggerLogoutIM, imInitialized)
	}
}

// shutDown visits what Close does once it has the slot.
func (m *model) shutDown(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	switch a.at {
	case inShutKit:
		v.what = "the backend has logged out of the kit"
		s.session = noSession
		m.endKit(&s, engine.TriggerClose)
		a.settle(atShut)
	case inShutIM:
		v.what, a.at = "the backend has logged out of IM", atShutEdge
		s.leaveIM()
	case atShutEdge:
		v.what, a.at = "closes", inClose
		if s.rung != uninitialized {
			m.take(&s, &v, engine.TriggerClose, uninitialized)
		}
		s.closed = true
	case inClose:
		v.what, v.result = "the backend is closed", itSucceeds
		a.settle(atLeave)
	case atSecondClose:
		if !s.done {
			return
		}
		v.what = "finds the first Close done"
		m.answer(s, who, v)
		return
	}
	m.emit(s, v)
}
