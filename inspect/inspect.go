package inspect

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/imreuse/imreuse/engine"
)

const (
	maxName   = 64 // bytes of an engine's name
	maxClosed = 16 // closed engines that stay on the page
)

// An Inspector shows engines. It is safe for concurrent use.
type Inspector struct {
	options engine.Options
	handed  atomic.Bool // Options was called

	mu      sync.Mutex
	story   story
	version uint64     // goes up with each change that a stream shows
	engines []*watched // in the order of Watch
	streams map[*stream]struct{}
	servers map[*http.Server]struct{} // they end their streams when they shut down
}

// New makes an inspector for engines with the options o. The zero Options are
// fine.
func New(o engine.Options) *Inspector {
	return &Inspector{
		options: o,
		story:   story{run: strings.ToLower(rand.Text()[:10])},
		streams: map[*stream]struct{}{},
		servers: map[*http.Server]struct{}{},
	}
}

// Options returns the options for engine.New: those given to New, with a Logger
// and a Trace that also tell the inspector. It returns a new copy each time, and
// the copy may be changed, except for its Logger and Trace.
//
// Call Options once for each engine. The inspector cannot tell the calls and
// failures of engines apart that share one copy, and shows these under all of
// their names.
func (i *Inspector) Options() *engine.Options {
	i.handed.Store(true)
	o := i.options
	s := &source{inspector: i, options: &o, trace: o.Trace}
	var below slog.Handler
	if o.Logger != nil {
		below = o.Logger.Handler()
	}
	o.Logger = slog.New(&handler{source: s, below: below})
	o.Trace = s.startCall
	return &o
}

// Watch shows e on the page under the given name, until e is closed or stop is
// called. A closed engine stays on the page for a while; stop removes it, and
// returns when the watch has ended. stop may be called more than once, but not
// from the engine's Logger or Trace. If the name is taken by an engine that is
// not closed, " #2" is added to it. Watch panics if e is nil.
//
// If e was not made with Options, only its changes of state are shown, without
// calls and failed operations. If such an engine has a Logger, that Logger may
// get a warning about an account named imreuse/inspect. Watch uses that account
// to find out which Options the engine has.
func (i *Inspector) Watch(name string, e *engine.Engine) (stop func()) {
	if e == nil {
		panic("inspect: Watch of a nil Engine")
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watched{engine: e, source: i.sourceOf(e)}
	began := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		for s := range e.Watch(ctx) { // it yields the current Status at once
			if w.name == "" {
				i.add(name, w, s)
				close(began)
				continue
			}
			i.follow(w, s)
		}
		i.end(w, ctx.Err() == nil)
	})
	<-began // from here on, nothing is missed
	return sync.OnceFunc(func() {
		cancel()
		ended.Wait()
		i.remove(w)
	})
}

// Handler serves the page. The package comment says what it serves, and to
// whom. It works under any path that ends in a slash.
func (i *Inspector) Handler() http.Handler { return guard(http.HandlerFunc(i.serve)) }

// asked is the key of the ctx with which Watch asks an engine for its source.
// While no Watch asks, no handler looks for it.
type asked struct{}

var asking atomic.Int32

// sourceOf returns the source of e, or nil if e was not made with Options. It
// makes e log the failure of a login that cannot begin, with a ctx that only
// the handler of an inspector knows.
func (i *Inspector) sourceOf(e *engine.Engine) (s *source) {
	if !i.handed.Load() {
		return nil
	}
	asking.Add(1)
	defer asking.Add(-1)
	ctx := context.WithValue(context.Background(), asked{}, &s)
	_ = e.LoginIM(ctx, engine.IMAccount{Accid: "imreuse/inspect"}) // no accid has a slash
	if s != nil && s.inspector != i {
		return nil
	}
	return s
}

func (i *Inspector) add(name string, w *watched, s engine.Status) {
	name = clip(name, maxName)
	if name == "" {
		name = "engine"
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	w.name = i.freeNameLocked(name)
	w.status, w.followed, w.state, w.transitionSeq = s, s, s.State, s.Seq
	if w.source != nil {
		w.mode = w.source.options.Mode.String()
		w.source.attachLocked(w)
	}
	i.engines = append(i.engines, w)
	i.recordLocked(entry{at: time.Now(), engine: w.name, kind: kindWatch, to: w.status.State})
	i.touchLocked(w)
}

// freeNameLocked returns the name, or the first variant of it that no running
// engine has. A closed engine gives its name away.
func (i *Inspector) freeNameLocked(name string) string {
	for n, candidate := 1, name; ; {
		at := slices.IndexFunc(i.engines, func(w *watched) bool { return w.name == candidate })
		if at < 0 {
			return candidate
		}
		if !i.engines[at].closed.IsZero() {
			i.engines = slices.Delete(i.engines, at, at+1)
			return candidate
		}
		n++
		candidate = fmt.Sprintf("%s #%d", name, n)
	}
}

// end ends the watch of w, because the engine was closed or the watch stopped.
func (i *Inspector) end(w *watched, closed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if w.source != nil {
		w.source.detachLocked(w)
	}
	w.calls = nil
	if !closed {
		return
	}
	w.closed = time.Now()
	i.recordLocked(entry{at: w.closed, engine: w.name, kind: kindClosed})
	i.touchLocked(w)
	closedOnes := 0
	for at := len(i.engines) - 1; at >= 0; at-- {
		if i.engines[at].closed.IsZero() {
			continue
		}
		if closedOnes++; closedOnes > maxClosed {
			i.dropLocked(i.engines[at])
		}
	}
}

// remove takes w off the page.
func (i *Inspector) remove(w *watched) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.dropLocked(w)
}

func (i *Inspector) dropLocked(w *watched) {
	if at := slices.Index(i.engines, w); at >= 0 {
		i.engines = slices.Delete(i.engines, at, at+1)
		i.version++
		i.wakeLocked()
	}
}

// recordLocked adds an entry to the story.
func (i *Inspector) recordLocked(e entry) {
	i.story.add(e)
	i.wakeLocked()
}

// touchLocked notes that w has changed.
func (i *Inspector) touchLocked(w *watched) {
	i.version++
	w.version = i.version
	i.wakeLocked()
}

func (i *Inspector) wakeLocked() {
	for s := range i.streams {
		s.wake()
	}
}
