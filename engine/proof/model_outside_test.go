package proof_test

import "github.com/imreuse/imreuse/engine"

// outside visits what can happen outside the engine: acts of the host behind its
// back, acts of the service, and the reports of both.
func (m *model) outside(s modelState) {
	m.deliver(s)
	if m.lasting {
		m.expires(s)
	} else {
		m.hostLogin(s)
	}
	chosen := func(what string, change func(*modelState)) {
		next := s
		change(&next)
		if next != s && next.reports() <= m.reports {
			m.visit(modelMove{what: what, choice: true}, next)
		}
	}
	chosen("the service kicks IM, or the host logs it out", (*modelState).lose)
	chosen("the service ends the kit session", func(s *modelState) {
		switch s.session {
		case linkedSession:
			s.notice[ofKit] = true
		case orphanSession:
			s.late[ofKit]++
		}
		s.session = noSession
	})
	chosen("a login that was given up succeeds", func(s *modelState) {
		if s.ghost && s.maker == madeByNobody {
			s.ghost, s.maker = false, madeByGhost
		}
	})
}

// hostLogin visits the beginning of a login by the host, or its success and its
// failure. It first logs out any other account.
func (m *model) hostLogin(s modelState) {
	if !s.landing {
		s.landing = true
		m.visit(modelMove{what: "the host begins to log IM in", choice: true}, s)
		return
	}
	s.landing = false
	m.visit(modelMove{what: "the host's login fails", choice: true}, s)
	for _, other := range [...]bool{false, true} {
		next := s
		next.landed(other)
		v := modelMove{what: "the host has logged IM in"}
		if other {
			v.what = "the host has logged IM in as another account"
		}
		if next.reports() <= m.reports {
			m.visit(v, next)
		}
	}
}

func (s *modelState) landed(other bool) {
	if (s.maker == madeByHost || s.maker == madeByEngine) && s.other == other {
		return // that account is logged in
	}
	s.lose()
	s.maker, s.other, s.ready, s.ghost = madeByHost, other, true, false
}

// deliver visits the arrival of each report that is on its way, about a current
// login or one that has ended. It also lets a reported loss end the ctx of
// a climb.
func (m *model) deliver(s modelState) {
	for of, what := range [...]string{"the loss of IM is reported", "the loss of the kit is reported"} {
		if s.notice[of] {
			next := s
			next.notice[of] = false
			m.report(&next, of)
			m.visit(modelMove{what: what}, next)
		}
		if s.late[of] > 0 {
			next := s
			next.late[of]--
			if m.mutant == noSessionCheck && next.login[of].phase > lookedFor && !next.login[of].lost {
				m.report(&next, of)
			}
			m.visit(modelMove{what: what + " late, of a login that has ended"}, next)
		}
	}
	for who := caller1; who <= renewer; who++ {
		if s.actor(who).losing {
			next := s
			next.actor(who).losing = false
			next.actor(who).over = true
			m.visit(modelMove{who: who, wish: s.actor(who).wish, what: "the loss ends its ctx"}, next)
		}
	}
}

// report is Notify.Lost. In the same move it looks for the slot. If the slot is
// taken, its holder will see the loss.
func (m *model) report(s *modelState, of int) {
	l := &s.login[of]
	l.lost = true
	if l.phase == lookedFor {
		return
	}
	i := 0
	if s.losses[0] != 0 {
		i = 1
	}
	s.losses[i] = modelLoss(of + 1)
	rung := imLoggedIn + engine.State(of)
	if who := s.running; who != nobody && s.actor(who).wish.top() >= rung && s.actor(who).climbing() && !s.actor(who).over {
		s.actor(who).losing = m.mutant != lossEndsNothing
	}
	if s.slot == nobody && m.mutant != noGoroutine {
		s.slot = applier
		s.actor(applier).settle(atLeave)
	}
}
