package inspect

import (
	"fmt"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// This file keeps the story: the latest entries of all engines, in the order in
// which they happened.

const (
	maxEntries = 500
	maxBytes   = 256 << 10 // of all entries, roughly
	maxText    = 200       // bytes of an id or a detail
)

type kind uint8

const (
	kindWatch kind = iota
	kindTransition
	kindCall
	kindFailure
	kindLink
	kindToken
	kindSkipped
	kindClosed
)

var kinds = [...]string{"watch", "transition", "call", "failure", "link", "token", "skipped", "closed"}

// An entry is an entryJSON that costs little to make. Most entries are never
// sent.
type entry struct {
	id        uint64
	at        time.Time
	engine    string
	kind      kind
	seq       uint64
	trigger   engine.Trigger
	from, to  engine.State
	session   [16]byte
	accid     string
	userUUID  string
	anonymous bool
	hasAfter  bool          // it is not the engine's first transition
	span      time.Duration // of a call; for a transition, since the one before
	op, call  string
	on        bool
	missed    uint64
	cause     *problem
}

// size is roughly how many bytes e takes.
func (e *entry) size() int {
	n := 256 + len(e.engine) + len(e.trigger) + len(e.accid) + len(e.userUUID) + len(e.op) + len(e.call)
	if p := e.cause; p != nil {
		n += 256 + len(p.Detail)
		if m := p.Mismatch; m != nil {
			n += len(m.Bound) + len(m.LoggedIn)
		}
	}
	return n
}

// A story is a ring of entries. Its owner locks it.
type story struct {
	run   string
	last  uint64 // the number of the newest entry
	ring  [maxEntries]entry
	count int
	bytes int
}

func (s *story) add(e entry) {
	size := e.size()
	for s.count == maxEntries || s.count > 0 && s.bytes+size > maxBytes {
		s.dropOldest()
	}
	s.last++
	e.id = s.last
	s.ring[s.last%maxEntries] = e
	s.count++
	s.bytes += size
}

func (s *story) dropOldest() {
	oldest := &s.ring[s.first()%maxEntries]
	s.bytes -= oldest.size()
	s.count--
	*oldest = entry{}
}

// first is the number of the oldest entry that is kept.
func (s *story) first() uint64 { return s.last - uint64(s.count) + 1 }

// after returns up to most entries with numbers above id, oldest first, and how
// many before them are not kept any more.
func (s *story) after(id uint64, most int) (entries []entry, missed uint64) {
	from := id + 1
	if first := s.first(); from < first {
		missed, from = first-from, first
	}
	for n := from; n <= s.last && len(entries) < most; n++ {
		entries = append(entries, s.ring[n%maxEntries])
	}
	return entries, missed
}

func (e *entry) json() entryJSON {
	j := entryJSON{
		ID: e.id, Time: e.at, Engine: e.engine, Kind: kinds[e.kind], Seq: e.seq, Trigger: string(e.trigger),
		Accid: e.accid, UserUUID: e.userUUID, Anonymous: e.anonymous, Op: e.op, Call: e.call, Missed: e.missed, Cause: e.cause,
	}
	ms := float64(e.span.Microseconds()) / 1000
	switch e.kind {
	case kindWatch:
		j.To = e.to.String()
	case kindTransition:
		j.From, j.To = e.from.String(), e.to.String()
		if s := e.session; s != [16]byte{} {
			j.Session = fmt.Sprintf("%x-%x-%x-%x-%x", s[:4], s[4:6], s[6:8], s[8:10], s[10:])
		}
		if e.hasAfter {
			j.After = &ms
		}
	case kindCall:
		j.Took = &ms
	case kindLink, kindToken:
		j.On = &e.on
	}
	return j
}
