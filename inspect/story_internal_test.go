package inspect

import (
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// The story drops its oldest entries as soon as it is too long or too big.
func TestStoryDropsTheOldest(t *testing.T) {
	s := &story{}
	for range 3000 {
		s.add(entry{kind: kindCall, call: "LoginKit"})
	}
	if s.count != maxEntries || s.first() != 2501 {
		t.Errorf("%d entries from %d on, want 500 from 2501 on", s.count, s.first())
	}
	for range 1000 {
		s.add(entry{kind: kindFailure, op: strings.Repeat("x", 2000)})
	}
	entries, missed := s.after(0, maxEntries)
	size := 0
	for _, e := range entries {
		size += len(e.op)
	}
	if size > maxBytes || size < maxBytes/2 || missed != 4000-uint64(len(entries)) || entries[len(entries)-1].id != 4000 {
		t.Errorf("%d entries of %d bytes, %d missed", len(entries), size, missed)
	}
	s.add(entry{op: strings.Repeat("x", 2*maxBytes)})
	s.add(entry{op: "small"})
	if entries, _ := s.after(0, maxEntries); len(entries) != 1 || entries[0].op != "small" || s.bytes > 1000 {
		t.Errorf("after an entry that is too big alone: %d entries of %d bytes", len(entries), s.bytes)
	}
}

// What the engine's queue dropped is a gap only if the Logger did not see it.
func TestSkippedChanges(t *testing.T) {
	i := New(engine.Options{})
	w := &watched{name: "a"}
	follow := func(seq uint64, state engine.State) (skipped uint64) {
		last := i.story.last
		i.follow(w, engine.Status{Seq: seq, State: state})
		entries, _ := i.story.after(last, maxEntries)
		for _, e := range entries {
			skipped += e.missed
		}
		return skipped
	}
	if n := follow(1, engine.IMInitialized); n != 0 {
		t.Errorf("the next change: %d skipped", n)
	}
	if n := follow(5, engine.IMLoggedIn); n != 3 {
		t.Errorf("changes 2 to 4 are missing: %d skipped", n)
	}
	for seq := uint64(6); seq <= 2006; seq++ { // recorded already, but not followed
		w.transitionSeq = seq
		w.aheadLocked(seq)
	}
	if n := follow(2006, engine.IMLoggedIn); n != 0 || len(w.ahead) > 0 || w.forgotten != 0 {
		t.Errorf("all were recorded: %d skipped, %d and %d are left", n, len(w.ahead), w.forgotten)
	}
	if n := follow(2008, engine.IMLoggedIn); n != 1 {
		t.Errorf("change 2007 is missing: %d skipped", n)
	}
}

// A goroutine that follows too slowly loses nothing, because the Logger is asked
// after each transition.
func TestSlowFollowerSkipsNothing(t *testing.T) {
	i := New(engine.Options{})
	e, err := engine.New(mockim.NewService(mockim.ServiceOptions{}).Device(), "app1", i.Options())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := &watched{engine: e, source: i.sourceOf(e)}
	i.add("slow", w, e.Status())
	for range 100 { // three transitions each
		if err := e.LoginAnonymous(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.LogoutIM(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	last := i.story.last
	if i.follow(w, e.Status()); i.story.last != last {
		entries, _ := i.story.after(last, maxEntries)
		t.Errorf("got %+v, want nothing new", entries)
	}
	if w.state != engine.IMInitialized || w.status.Seq != e.Status().Seq {
		t.Errorf("got %v and Seq %d", w.state, w.status.Seq)
	}
}
