package proof_test

import (
	"slices"

	"github.com/imreuse/imreuse/engine"
)

// A model says how a modelState can move. It calls visit with each possible
// move, and with the state that the move leads to.
type model struct {
	mode    engine.Mode
	lasting bool        // tokens run out and come from sources, and KeepKit runs
	mutant  modelMutant // what is wrong with it
	reports int         // so many losses may be on their way at once
	visit   func(modelMove, modelState)
}

// moves visits every move that is possible in s.
func (m *model) moves(s modelState) {
	for who := caller1; who <= caller2; who++ {
		if s.actor(who).at == atIdle {
			for _, wish := range m.wishes() {
				m.call(s, who, wish)
			}
			continue
		}
		m.step(s, who)
		m.endCtx(s, who)
	}
	for who := applier; who <= renewer; who++ {
		if s.actor(who).at != atIdle {
			m.step(s, who)
		}
	}
	m.outside(s)
}

// emit visits one move of an actor.
func (m *model) emit(s modelState, v modelMove) { m.visit(v, s) }

// call is an actor that calls an operation.
func (m *model) call(s modelState, who modelWho, wish modelWish) {
	v := modelMove{who: who, wish: wish, what: "is called", choice: true}
	a := s.actor(who)
	a.wish = wish
	switch {
	case wish == wishClose && s.closing:
		a.at = atSecondClose
		m.emit(s, v)
		return
	case wish.top() > uninitialized && s.closing && m.mutant != climbAfterClose:
		*a = modelActor{}
		v.result, v.answered, v.what = itFails, 1, "finds the engine closed"
		m.emit(s, v)
		return
	}
	s.closing = s.closing || wish == wishClose
	s.noteLogout(wish)
	m.interrupt(&s, who, wish.ends())
	m.enqueue(&s, who)
	m.emit(s, v)
}

// interrupt ends the ctx of each actor that climbs to the rung top or above it.
func (m *model) interrupt(s *modelState, by modelWho, top engine.State) {
	for who := caller1; who <= renewer; who++ {
		a := s.actor(who)
		if a.wish == wishKeepKit && !(m.mutant == forgetKeepers && !a.climbing()) && top <= kitLoggedIn {
			a.stop = true
		}
		if who == by || !a.climbing() || a.wish.top() < top || m.mutant == logoutWaits {
			continue
		}
		a.over = true
		if m.mutant == answerTwice {
			a.answered++
		}
	}
}

// endCtx is a caller that gives up.
func (m *model) endCtx(s modelState, who modelWho) {
	a := s.actor(who)
	switch {
	case a.wish == wishKeepKit:
		if a.stop {
			return
		}
		a.stop, a.over = true, a.climbing()
	case a.over || !a.climbing() && (a.at != atWait || a.wish == wishClose):
		return
	default:
		a.over = true
	}
	m.emit(s, modelMove{who: who, wish: a.wish, what: "its ctx ends", choice: true})
}

// enqueue takes the slot if it is free, and otherwise a place in the queue.
func (m *model) enqueue(s *modelState, who modelWho) {
	a := s.actor(who)
	a.at = atWait
	switch {
	case s.slot == nobody || m.mutant == twoHolders:
		s.slot, a.at = who, atBegin
	default:
		s.queue[slices.Index(s.queue[:], nobody)] = who
	}
}

func (s *modelState) leaveQueue(who modelWho) {
	i := slices.Index(s.queue[:], who)
	copy(s.queue[i:], s.queue[i+1:])
	s.queue[len(s.queue)-1] = nobody
}

// giveSlot passes the slot to the actor that has waited the longest.
func (s *modelState) giveSlot() {
	s.slot, s.running = s.queue[0], nobody
	if next := s.queue[0]; next != nobody {
		s.actor(next).at = atBegin
		s.leaveQueue(next)
	}
}

// step visits what a busy actor can do next.
func (m *model) step(s modelState, who modelWho) {
	a := s.actor(who)
	v := modelMove{who: who, wish: a.wish}
	switch {
	case a.at >= atBegan && a.at <= atPublishKit:
		m.climb(s, who, v)
	case a.at == inRenewKit || a.at == atRenewed || a.at >= atRefused && a.at <= atLost:
		m.renew(s, who, v)
	case a.at >= atHold:
		m.last(s, who, v)
	case a.at >= inUndoIM && a.at <= atLoggedOut:
		m.descend(s, who, v)
	case a.at >= atShut && a.at <= atSecondClose:
		m.shutDown(s, who, v)
	default:
		m.turn(s, who, v)
	}
}

// turn handles the beginning and the end of an operation.
func (m *model) turn(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	switch a.at {
	case atWait:
		m.wait(s, who, v)
	case atBegin:
		v.what = "its turn comes"
		m.begin(&s, who, &v)
		m.emit(s, v)
	case atLeave:
		m.leave(s, who, v)
	case atStuck:
		v.what = "returns with the slot"
		m.answer(s, who, v)
	}
}

// wait lets an actor in the queue give up. It gets the slot from giveSlot.
func (m *model) wait(s modelState, who modelWho, v modelMove) {
	if !s.actor(who).over || m.mutant == waitForEver && s.queue[0] != who {
		return
	}
	v.result, v.what = itFails, "gives up waiting"
	s.leaveQueue(who)
	if m.mutant == waitForEver {
		m.emit(s, v)
		return
	}
	m.operationEnds(s, who, v)
}

// begin is what an operation does first once it has the slot.
func (m *model) begin(s *modelState, who modelWho, v *modelMove) {
	a := s.actor(who)
	next := atLogout
	switch {
	case a.wish == wishClose:
		next = atShut
	case a.wish.top() > uninitialized:
		s.running, next = who, atBegan
		if m.mutant == settleAfter {
			a.at = atBegan
			return
		}
	case s.closed:
		v.result, next = itFails, atLeave
	}
	a.over = a.over && next == atBegan
	a.settle(next)
}

// leave gives the slot back, unless a loss was reported. Both happen in one
// move: a loss that is reported later finds the slot free.
func (m *model) leave(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	late := s.losses[0] != 0 && m.mutant != noLastLook
	if late || m.mutant == lookForEver {
		v.what = "sees a loss, and keeps the slot"
		a.settle(atLeave)
		m.emit(s, v)
		return
	}
	s.giveSlot()
	if who == applier {
		v.what = "gives the slot back"
		*a = modelActor{}
		m.emit(s, v)
		return
	}
	v.what = "gives the slot back"
	m.operationEnds(s, who, v)
}

// answer returns the call to its caller.
func (m *model) answer(s modelState, who modelWho, v modelMove) {
	a := s.actor(who)
	v.answered = a.answered + 1
	s.done = s.done || a.wish == wishClose
	*a = modelActor{}
	m.emit(s, v)
}

// settle makes the actor apply the reported losses, and then go on at then.
func (a *modelActor) settle(then modelPlace) { a.stepDown(kitLoggedIn, then) }

// stepDown makes the actor step down to the rung target, and then go on at then.
func (a *modelActor) stepDown(target engine.State, then modelPlace) {
	a.at, a.target, a.then = atDown, target, then
}

// take takes the edge of via to the rung to.
func (m *model) take(s *modelState, v *modelMove, via engine.Trigger, to engine.State) {
	v.via = via
	s.rung, s.floor = to, min(s.floor, to)
	if to < kitLoggedIn {
		s.expired = s.expired && m.mutant == expiredOutlivesLogin
		if s.login[ofKit].phase == published {
			m.endKit(s, via)
		}
	}
	if to < imLoggedIn && s.login[ofIM].phase == published {
		s.end(ofIM)
	}
	if via == engine.TriggerIMLost {
		s.session = noSession // it goes with IM: the engine does not log it out
	}
}

// rise takes an edge up. If the rung is the host's own, it becomes the floor.
func (m *model) rise(s *modelState, v *modelMove, via engine.Trigger, to engine.State, host bool) {
	m.take(s, v, via, to)
	if host {
		s.floor = to
	}
}
