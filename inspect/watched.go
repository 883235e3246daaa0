package inspect

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// This file follows one engine. Its changes come in two ways. The engine's Watch
// yields all of them, but later, on a goroutine. The engine's Logger is asked
// whether it is enabled right after each transition, before the next call of the
// backend. So transitions are recorded there, between the right calls, and the
// goroutine only records what the Logger did not: changes that are no
// transition, and everything if the engine was not made with Options.

// A watched is an engine on the page. Inspector.mu guards the fields.
type watched struct {
	engine *engine.Engine // constant, like source and name
	source *source        // nil: the engine was not made with Options
	name   string
	mode   string

	version  uint64 // of the inspector, when the engine last changed
	status   engine.Status
	cause    *problem // of status
	followed engine.Status
	closed   time.Time
	calls    []*call // in progress

	state          engine.State // after the last transition that was recorded
	transitionSeq  uint64       // that transition is not newer than this
	transitionTime time.Time    // zero: none was recorded
	ahead          []uint64     // the Seqs of the transitions that were recorded before they were followed
	forgotten      uint64       // how many older ones ahead no longer has
	imSince        time.Time    // zero: before the watch, or not logged in
	kitSince       time.Time
	failed         *call // the latest call that failed
}

// A call is one call of the backend, or of a token source, in progress.
type call struct {
	name    string
	began   time.Time
	problem *problem // set when it has failed
}

// settle records the transition that the engine has just taken. The engine
// waits for it, so there is at most one that is not recorded yet.
func (i *Inspector) settle(w *watched) {
	s := w.engine.Status()
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if s.Seq > w.transitionSeq && s.State != w.state {
		i.transitionLocked(w, &s, w.state, now)
		w.aheadLocked(s.Seq)
	}
}

// aheadLocked notes that the transition seq was recorded and is still to be
// followed. If the goroutine that follows is far behind, only a count is left of
// the oldest ones.
func (w *watched) aheadLocked(seq uint64) {
	const most = 1024
	if len(w.ahead) == most {
		w.ahead = slices.Delete(w.ahead, 0, most/2)
		w.forgotten += most / 2
	}
	w.ahead = append(w.ahead, seq)
}

// missedLocked returns how many changes before seq were neither followed nor
// recorded.
func (w *watched) missedLocked(seq uint64) uint64 {
	missed := seq - w.followed.Seq - 1
	known := uint64(0)
	for len(w.ahead) > 0 && w.ahead[0] <= seq {
		if w.ahead[0] < seq {
			known++
		}
		w.ahead = w.ahead[1:]
	}
	if missed > 0 {
		known, w.forgotten = known+w.forgotten, 0
	}
	return missed - min(missed, known)
}

// follow records what changed with s, the next Status from the engine's Watch.
func (i *Inspector) follow(w *watched, s engine.Status) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := w.followed
	now := time.Now()
	missed := w.missedLocked(s.Seq)
	w.followed = s
	if missed > 0 {
		i.recordLocked(entry{at: now, engine: w.name, kind: kindSkipped, missed: missed})
	}
	if s.Seq > w.transitionSeq && s.State != w.state {
		i.transitionLocked(w, &s, w.state, now)
	}
	if s.Session == before.Session && s.State >= engine.IMLoggedIn && s.Online != before.Online {
		i.recordLocked(entry{at: now, engine: w.name, kind: kindLink, accid: clip(s.Accid, maxText), on: s.Online})
	}
	if s.State == engine.KitLoggedIn && s.UserUUID == before.UserUUID && s.Expired != before.Expired {
		i.recordLocked(entry{at: now, engine: w.name, kind: kindToken, userUUID: clip(s.UserUUID, maxText), on: !s.Expired})
	}
	if s.Seq > w.status.Seq {
		w.status = s
		i.touchLocked(w)
	}
}

// transitionLocked records that w took an edge from the state from to s.State.
func (i *Inspector) transitionLocked(w *watched, s *engine.Status, from engine.State, now time.Time) {
	old := w.status
	w.state, w.transitionSeq, w.status = s.State, s.Seq, *s
	e := entry{at: now, engine: w.name, kind: kindTransition, seq: s.Seq, trigger: s.Via, from: from, to: s.State,
		session: s.Session, accid: s.Accid, userUUID: s.UserUUID, anonymous: s.Anonymous}
	if s.State < engine.IMLoggedIn { // the entry says which login ended
		e.session, e.accid = old.Session, old.Accid
	}
	if s.State < engine.KitLoggedIn {
		e.userUUID, e.anonymous = old.UserUUID, old.Anonymous
	}
	e.accid, e.userUUID = clip(e.accid, maxText), clip(e.userUUID, maxText)
	if !w.transitionTime.IsZero() {
		e.hasAfter, e.span = true, now.Sub(w.transitionTime)
	}
	w.transitionTime = now
	w.cause = nil
	if s.Cause != nil {
		w.cause = problemOf(s.Cause)
		e.cause = w.cause
	}
	w.sinceLocked(from, s.State, now)
	i.recordLocked(e)
	i.touchLocked(w)
}

func (w *watched) sinceLocked(from, to engine.State, now time.Time) {
	switch {
	case to < engine.IMLoggedIn:
		w.imSince, w.kitSince = time.Time{}, time.Time{}
	case to == engine.KitLoggedIn:
		w.kitSince = now
	case to == engine.IMLoggedIn && from < to:
		w.imSince = now
	default:
		w.kitSince = time.Time{}
	}
}

// jsonLocked describes w as it is now.
func (w *watched) jsonLocked() engineJSON {
	s := w.status
	s.Cause = nil // its text could have a token
	s.Accid, s.UserUUID = clip(s.Accid, maxText), clip(s.UserUUID, maxText)
	status, err := s.MarshalJSON()
	if err != nil {
		status = json.RawMessage("{}")
	}
	j := engineJSON{Name: w.name, Mode: w.mode, Status: status, Cause: w.cause, Traced: w.source != nil}
	if s.State >= engine.IMLoggedIn {
		j.Owner = "engine"
		if s.Floor >= engine.IMLoggedIn {
			j.Owner = "host"
		}
	}
	if !w.imSince.IsZero() || !w.kitSince.IsZero() {
		j.Since = &since{IM: known(w.imSince), Kit: known(w.kitSince)}
	}
	for _, c := range w.calls {
		j.Calls = append(j.Calls, c.json())
	}
	j.Closed = known(w.closed)
	return j
}

// known returns a pointer to t, or nil if t is zero.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// rungs says to which state each call leads, or, for a logout, away from which.
var rungs = map[string]engine.State{
	"InitIM": engine.IMInitialized,

	"AdoptIM": engine.IMLoggedIn, "IMToken": engine.IMLoggedIn, "LoginIM": engine.IMLoggedIn, "LogoutIM": engine.IMLoggedIn,

	"KitToken": engine.KitLoggedIn, "Authenticate": engine.KitLoggedIn, "Anonymous": engine.KitLoggedIn,
	"LoginKit": engine.KitLoggedIn, "RenewKit": engine.KitLoggedIn, "LogoutKit": engine.KitLoggedIn,
}

var callsDown = []string{"LogoutKit", "LogoutIM", "Close"}

func (c *call) json() callJSON {
	return callJSON{Call: c.name, Rung: rungs[c.name].String(), Up: !slices.Contains(callsDown, c.name), Began: c.began}
}
