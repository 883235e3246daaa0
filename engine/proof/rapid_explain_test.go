package proof_test

import (
	"errors"
	"slices"
	"strings"

	"github.com/imreuse/imreuse/engine"
)

// A rapidSeen is the visible outcome of a crowd once all of it has ended.
type rapidSeen struct {
	calls     []string
	published []rapidStatus
	on        string
}

// explain finds an order of the operations, one after the other, in which the
// specification gives exactly what was seen. An operation that returned before
// another began comes first. One that was interrupted, or whose caller gave up,
// may have ended at any of its moments. The world goes on from there. All
// orders of four operations are few enough to be tried one by one.
func (c *rapidCrowd) explain() {
	for _, r := range c.runs {
		c.spec.closed = c.spec.closed || r.op == "Close"
	}
	seen := rapidSeen{c.called(), c.published(), rapidName(c.device.LoggedIn())}
	c.spec.closed = false
	found := c.search(c.spec, c.runs, seen)
	if found == nil {
		for _, r := range c.runs {
			c.t.Logf("%v (%d to %d, gave up: %v): %v", r, r.started, r.returned, r.gaveUp, r.err)
		}
		c.t.Fatalf("no order explains the calls %v, the changes %v and that %q is logged in", seen.calls, seen.published, seen.on)
	}
	c.spec = found
	c.spec.start()
	c.agrees()
	c.emptyNotices()
}

func (c *rapidCrowd) search(s *rapidSpec, left []*rapidRun, seen rapidSeen) *rapidSpec {
	if len(left) == 0 {
		if len(s.calls) == len(seen.calls) && len(s.published) == len(seen.published) && s.on == seen.on {
			return s
		}
		return nil
	}
	for i, r := range left {
		if slices.ContainsFunc(left, func(o *rapidRun) bool { return o != r && o.returned < r.started }) {
			continue
		}
		rest := slices.Delete(slices.Clone(left), i, i+1)
		for _, doom := range c.dooms(r) {
			next := s.clone()
			next.doom = doom
			if !r.specify(next).is(r.err, false) || !next.hasBegun(seen) {
				continue
			}
			if found := c.search(next, rest, seen); found != nil {
				found.doom = nil
				return found
			}
		}
	}
	return nil
}

// hasBegun reports whether everything that s did is a prefix of what was seen.
func (s *rapidSpec) hasBegun(seen rapidSeen) bool {
	n, m := len(s.calls), len(s.published)
	return n <= len(seen.calls) && slices.Equal(s.calls, seen.calls[:n]) &&
		m <= len(seen.published) && slices.EqualFunc(s.published, seen.published[:m], rapidStatus.is)
}

// rapidMoments is how many an operation has: one, three for each of at most ten
// calls, and one before each of two more questions to a source.
const rapidMoments = 33

// dooms returns the causes that may have ended r; nil means that none did.
func (c *rapidCrowd) dooms(r *rapidRun) []*rapidDoom {
	var cause error
	switch {
	case refusesToken(r.err) && r.gaveUp: // it may have asked no second time
		return append(c.doomsBy(r, errRapidGaveUp), nil)
	case refusesToken(r.err) && c.interrupted(r):
		return append(c.doomsBy(r, engine.ErrInterrupted), nil)
	case r.gaveUp && errors.Is(r.err, errRapidGaveUp):
		cause = errRapidGaveUp
	case c.interrupted(r) && errors.Is(r.err, engine.ErrInterrupted):
		cause = engine.ErrInterrupted
	default:
		return []*rapidDoom{nil}
	}
	if !r.climbs() {
		return c.whileWaiting(r, cause)
	}
	return c.doomsBy(r, cause)
}

// doomsBy returns the moments of r at which cause may have ended it.
func (c *rapidCrowd) doomsBy(r *rapidRun, cause error) []*rapidDoom {
	var all []*rapidDoom
	for at := range rapidMoments {
		all = append(all, &rapidDoom{cause, at})
	}
	return all
}

// whileWaiting is all that can end a logout: it waits for others, the Close
// that goes on among them. After that it has nothing to wait for.
func (c *rapidCrowd) whileWaiting(r *rapidRun, cause error) []*rapidDoom {
	if slices.ContainsFunc(c.runs, func(o *rapidRun) bool { return o.op == "Close" && o.returned < r.started }) {
		return []*rapidDoom{nil}
	}
	return []*rapidDoom{{cause, 0}}
}

// interrupted reports whether a logout or Close that ends such logins went on
// at the same time.
func (c *rapidCrowd) interrupted(r *rapidRun) bool {
	return slices.ContainsFunc(c.runs, func(o *rapidRun) bool {
		ends := endsFrom[o.op]
		return ends > 0 && climbsTo[r.op] >= ends && o.started < r.returned && r.started < o.returned
	})
}

// holds checks the rules that always hold.
func (c *rapidCrowd) holds() {
	for _, r := range c.runs {
		c.spec.closed = c.spec.closed || r.op == "Close"
	}
	before := c.numbered([]engine.Status{c.seen})[0]
	for _, s := range c.published() {
		if !before.leadsTo(s) {
			c.t.Fatalf("%v is followed by %v", before, s)
		}
		before = s
	}
	s, on := c.e.Status(), c.device.LoggedIn()
	switch now := c.numbered([]engine.Status{s})[0]; {
	case now != before:
		c.t.Fatalf("Watch yielded %v last, but Status is %v", before, now)
	case s.State >= imLoggedIn && s.Accid != on:
		c.t.Fatalf("%q is logged in to IM, but the status is %v", on, now)
	case s.State < imLoggedIn && on != "" && !c.hostMay(on):
		c.t.Fatalf("%q is logged in to IM, left behind by the engine: %v", on, now)
	case s.State == imLoggedIn && s.Floor < imLoggedIn:
		c.t.Fatalf("the engine has not undone its own IM login: %v", now)
	}
	if broken := c.gate.broken(); len(broken) > 0 {
		c.t.Fatal(strings.Join(broken, "\n"))
	}
	c.emptyNotices()
}

// leadsTo reports whether one published Status may follow on another: by an
// edge, or a change of the link or of Expired.
func (s rapidStatus) leadsTo(next rapidStatus) bool {
	link, expiry := s, s
	link.Seq, link.Online = s.Seq+1, !s.Online
	expiry.Seq, expiry.Expired = s.Seq+1, !s.Expired
	if next == expiry {
		return s.State == kitLoggedIn
	}
	if next == link {
		return s.State >= imLoggedIn
	}
	if next.State >= imLoggedIn && s.State >= imLoggedIn && (s.login != next.login || s.Accid != next.Accid) {
		return false
	}
	if next.Floor > next.State || (next.Accid != "") != (next.State >= imLoggedIn) || (next.UserUUID != "") != (next.State == kitLoggedIn) {
		return false
	}
	return next.Seq == s.Seq+1 && modelEdges()[engine.Transition{Trigger: next.Via, From: s.State, To: next.State}]
}
