package proof_test

import (
	"slices"

	"github.com/imreuse/imreuse/engine"
)

// A modelRun has all states that a model can get into, found breadth first.
type modelRun struct {
	*model
	ids    map[modelState]int32
	states []modelState
	parent []int32 // from which state each was found first
	count  int     // of moves
	edges  map[engine.Transition]bool

	// What the rules look at. It is here so that a move need not allocate it.
	from, to modelState
	move     modelMove

	// The moves that happen by themselves, in the order of states.
	quiet     []int32
	quietFrom []int32

	broken string   // the rule, "" for none
	trace  []string // the shortest way there
}

// explore visits every state, until one breaks a rule.
func explore(m *model) *modelRun {
	r := &modelRun{
		model: m,
		ids:   map[modelState]int32{m.start(): 0}, states: []modelState{m.start()}, parent: []int32{0},
		edges: map[engine.Transition]bool{},
	}
	for id := 0; id < len(r.states) && r.broken == ""; id++ {
		r.expand(int32(id))
	}
	if r.broken == "" {
		r.findCircle()
	}
	return r
}

func (r *modelRun) expand(id int32) {
	r.from = r.states[id]
	r.quietFrom = append(r.quietFrom, int32(len(r.quiet)))
	r.visit = func(v modelMove, to modelState) { r.moved(id, v, to) }
	r.moves(r.from)
	if r.broken == "" && int(r.quietFrom[id]) == len(r.quiet) {
		r.atRest(id)
	}
}

// moved checks a move, and records the state that it leads to.
func (r *modelRun) moved(id int32, v modelMove, to modelState) {
	if r.broken != "" {
		return
	}
	r.count++
	if v.via != "" {
		r.edges[engine.Transition{Trigger: v.via, From: r.from.rung, To: to.rung}] = true
	}
	r.move, r.to = v, to
	next, isNew := r.add(id, to)
	for _, rule := range modelRules {
		if (isNew || rule.ofMoves) && !rule.holds(r.model, &r.from, &r.move, &r.to) {
			r.fail(rule.name, id, v)
			return
		}
	}
	if !v.choice {
		r.quiet = append(r.quiet, next)
	}
}

func (r *modelRun) add(from int32, s modelState) (id int32, isNew bool) {
	s, _ = r.sorted(s)
	id, ok := r.ids[s]
	if !ok {
		id = int32(len(r.states))
		r.ids[s] = id
		r.states = append(r.states, s)
		r.parent = append(r.parent, from)
	}
	return id, !ok
}

// atRest checks a state in which nothing moves by itself. Every call has ended
// there, and a fresh login succeeds.
func (r *modelRun) atRest(id int32) {
	s := r.states[id]
	if s.slot != nobody || !s.rests() || s.losses[0] != 0 || s.reports() > 0 {
		r.fail(everyCallEnds, id)
		return
	}
	if s.closed {
		return
	}
	if moves, ok := r.freshLogin(s); !ok {
		r.fail(freshLoginSucceeds, id, moves...)
		return
	}
	for who := caller1; who <= renewer; who++ {
		if a := s.actor(who); a.at != atPause || who == renewer && !a.mine {
			continue
		}
		if moves, ok := r.lastsAfterPause(s, who); !ok {
			r.fail(lastsAfterPause, id, moves...)
			return
		}
	}
}

// rests reports whether no actor has anything to do by itself. KeepKit may wait
// for the end of a login, and KeepKit and a renewal for the end of a pause.
func (s *modelState) rests() bool {
	for _, a := range s.actors {
		waits := !a.stop && (a.at == atPause || a.at == atHold && a.kept == keepsLogin)
		if a != (modelActor{}) && !waits {
			return false
		}
	}
	return !s.closed || s.actors == [4]modelActor{}
}

// lastsAfterPause lets the pause of KeepKit, or of a renewal, end. If nothing
// fails after that, the kit is logged in, and the renewal has given it a good
// token. (In ReuseIM, KeepKit also needs the host's IM login.)
func (r *modelRun) lastsAfterPause(s modelState, who modelWho) (all []modelMove, ok bool) {
	hostLoggedIn := s.floor >= imLoggedIn
	s, all = r.runs(func(s modelState) { r.step(s, who) }, s)
	if who != renewer && r.mode == engine.ReuseIM && !hostLoggedIn {
		return all, s.actor(who).at == atIdle
	}
	if who == renewer && (s.stale || s.expired) {
		return all, false
	}
	return all, s.rung == kitLoggedIn && s.session == linkedSession
}

// freshLogin logs out and in again. Before that, the host ends its own login,
// because LogoutIM may not know of it.
func (r *modelRun) freshLogin(s modelState) (all []modelMove, ok bool) {
	wishes := []modelWish{wishLogoutIM, wishLoginKit}
	if r.mode == engine.ReuseIM {
		wishes = []modelWish{wishLogoutIM, wishInitIM, wishLoginIM, wishLoginKit}
	}
	if s.maker == madeByHost {
		s.lose()
	}
	if s.actor(caller1).at != atIdle {
		return nil, true // both callers are in KeepKit
	}
	for _, wish := range wishes {
		next, moves := r.alone(s, wish)
		if s = next; s.slot != nobody {
			return nil, true // it does not come to rest, which findCircle notices
		}
		all = append(all, moves...)
		if !slices.ContainsFunc(moves, func(v modelMove) bool { return v.result == itSucceeds }) {
			return all, false
		}
	}
	return all, s.rung == kitLoggedIn && s.session == linkedSession
}

// alone runs one operation while nothing else is done.
func (r *modelRun) alone(s modelState, wish modelWish) (modelState, []modelMove) {
	return r.runs(func(s modelState) { r.call(s, caller1, wish) }, s)
}

// runs makes the first move, and then all moves that happen by themselves.
func (r *modelRun) runs(first func(modelState), s modelState) (modelState, []modelMove) {
	defer func(visit func(modelMove, modelState)) { r.visit = visit }(r.visit)
	next, moved := s, []modelMove{}
	r.visit = func(v modelMove, to modelState) { next, moved = to, append(moved, v) }
	first(s)
	for range 100 { // more than any operation has
		s = next
		took := false
		r.visit = func(v modelMove, to modelState) {
			if !v.choice && !took {
				next, took = to, true
				moved = append(moved, v)
			}
		}
		if r.moves(s); !took {
			break
		}
	}
	return next, moved
}

// findCircle looks for moves that happen by themselves and lead back to where
// they began, because then the engine need never come to rest. It removes the
// states that no such move leads to, and again, until none is left.
func (r *modelRun) findCircle() {
	in := make([]int32, len(r.states))
	for _, to := range r.quiet {
		in[to]++
	}
	var free []int32
	for id, n := range in {
		if n == 0 {
			free = append(free, int32(id))
		}
	}
	r.quietFrom = append(r.quietFrom, int32(len(r.quiet)))
	for i := 0; i < len(free); i++ {
		for _, to := range r.quiet[r.quietFrom[free[i]]:r.quietFrom[free[i]+1]] {
			if in[to]--; in[to] == 0 {
				free = append(free, to)
			}
		}
	}
	if len(free) == len(r.states) {
		return
	}
	for id, n := range in {
		if n > 0 {
			r.fail(comesToRest, int32(id), modelMove{what: "and on, and back again"})
			return
		}
	}
}

// fail records that a rule is broken, and how: by the moves that lead to the
// state id, and then by the last ones.
func (r *modelRun) fail(rule string, id int32, last ...modelMove) {
	r.broken = rule
	path := []int32{id}
	for ; id != 0; id = r.parent[id] {
		path = append([]int32{r.parent[id]}, path...)
	}
	swapped := false // the callers, since the beginning
	for i, from := range path[:len(path)-1] {
		v, swaps := r.between(from, path[i+1])
		r.trace = append(r.trace, v.words(swapped))
		swapped = swapped != swaps
	}
	for _, v := range last {
		r.trace = append(r.trace, v.words(swapped))
	}
}

// between returns the move that leads from one state to the other, and whether
// sorted swapped the callers after it.
func (r *modelRun) between(from, to int32) (found modelMove, swaps bool) {
	defer func(visit func(modelMove, modelState)) { r.visit = visit }(r.visit)
	r.visit = func(v modelMove, s modelState) {
		if sorted, swapped := r.sorted(s); found.what == "" && sorted == r.states[to] {
			found, swaps = v, swapped
		}
	}
	r.moves(r.states[from])
	return found, swaps
}
