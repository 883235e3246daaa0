package inspect

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// This file listens to an engine through its Options: Trace tells of calls, the
// Logger of failed operations, and that a transition was taken.

// A source is what one copy of the Options tells.
type source struct {
	inspector *Inspector
	options   *engine.Options // the copy, which the host may have changed before engine.New
	trace     func(context.Context, string) (context.Context, func(error))

	// The engines that were made with the copy and are watched; nil if there
	// are none. Changed under Inspector.mu.
	engines atomic.Pointer[[]*watched]
}

func (s *source) attachLocked(w *watched) {
	list := []*watched{w}
	if now := s.engines.Load(); now != nil {
		list = append(slices.Clone(*now), w)
	}
	s.engines.Store(&list)
}

func (s *source) detachLocked(w *watched) {
	now := s.engines.Load()
	if now == nil {
		return
	}
	list := slices.DeleteFunc(slices.Clone(*now), func(other *watched) bool { return other == w })
	if len(list) == 0 {
		s.engines.Store(nil)
		return
	}
	s.engines.Store(&list)
}

// startCall is the Trace of the options.
func (s *source) startCall(ctx context.Context, name string) (context.Context, func(error)) {
	engines := s.engines.Load()
	if engines == nil {
		if s.trace == nil {
			return ctx, nil
		}
		return s.trace(ctx, name)
	}
	c := &call{name: name, began: time.Now()}
	s.inspector.begin(*engines, c)
	if s.trace == nil {
		return ctx, func(err error) { s.inspector.finish(*engines, c, err) }
	}
	traced := false
	defer func() {
		if !traced { // it panicked, and the engine calls the backend without it
			s.inspector.forget(*engines, c)
		}
	}()
	below, done := s.trace(ctx, name)
	traced = true
	return below, func(err error) {
		s.inspector.finish(*engines, c, err)
		if done != nil {
			done(err)
		}
	}
}

// begin notes that c is in progress. A source of several engines does not know
// whose call it is.
func (i *Inspector) begin(engines []*watched, c *call) {
	if len(engines) != 1 {
		return
	}
	w := engines[0]
	i.mu.Lock()
	defer i.mu.Unlock()
	if !isTokenSource(c.name) {
		// An engine calls its backend one call at a time. A call that is still
		// here never returned: it ended its goroutine.
		w.calls = slices.DeleteFunc(w.calls, func(old *call) bool { return !isTokenSource(old.name) })
	}
	w.calls = append(w.calls, c)
	i.touchLocked(w)
}

func isTokenSource(name string) bool { return name == "KitToken" || name == "IMToken" }

// finish records that c has returned err.
func (i *Inspector) finish(engines []*watched, c *call, err error) {
	now := time.Now()
	if err != nil {
		c.problem = problemOf(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, w := range engines {
		i.endCallLocked(w, c)
		if c.problem != nil {
			w.failed = c
		}
	}
	i.recordLocked(entry{at: now, engine: namesOf(engines), kind: kindCall, call: c.name, span: now.Sub(c.began), cause: c.problem})
}

func (i *Inspector) forget(engines []*watched, c *call) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, w := range engines {
		i.endCallLocked(w, c)
	}
}

func (i *Inspector) endCallLocked(w *watched, c *call) {
	if at := slices.Index(w.calls, c); at >= 0 {
		w.calls = slices.Delete(w.calls, at, at+1)
		i.touchLocked(w)
	}
}

func namesOf(engines []*watched) string {
	if len(engines) == 1 {
		return engines[0].name
	}
	var names []string
	for _, w := range engines {
		names = append(names, w.name)
	}
	return clip(strings.Join(names, ", "), maxText)
}

// A handler is the handler of the options' Logger.
type handler struct {
	source *source
	below  slog.Handler // the host's; nil if it has none
	plain  bool         // made by WithAttrs or WithGroup, so it is not the engine's
}

// Enabled implements slog.Handler. The engine calls it right after each
// transition, even if nothing is logged then.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	wanted := h.below != nil && h.below.Enabled(ctx, level)
	if h.plain {
		return wanted
	}
	if engines := h.source.engines.Load(); engines != nil {
		for _, w := range *engines {
			h.source.inspector.settle(w)
		}
		wanted = wanted || level >= slog.LevelWarn
	}
	return wanted || asking.Load() > 0
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if asking.Load() > 0 {
		if answer, ok := ctx.Value(asked{}).(**source); ok {
			*answer = h.source
			return nil
		}
	}
	if engines := h.source.engines.Load(); engines != nil && !h.plain && r.Level >= slog.LevelWarn {
		h.source.inspector.failure(*engines, r)
	}
	if h.below == nil || !h.below.Enabled(ctx, r.Level) {
		return nil
	}
	return h.below.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.derive(func(below slog.Handler) slog.Handler { return below.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return h.derive(func(below slog.Handler) slog.Handler { return below.WithGroup(name) })
}

func (h *handler) derive(change func(slog.Handler) slog.Handler) slog.Handler {
	derived := &handler{source: h.source, plain: true}
	if h.below != nil {
		derived.below = change(h.below)
	}
	return derived
}

// failure records a failed operation from its log line.
func (i *Inspector) failure(engines []*watched, r slog.Record) {
	if r.Message != "operation failed" {
		return
	}
	var op, callName, text string
	var code int64
	r.Attrs(func(a slog.Attr) bool {
		switch {
		case a.Key == "op":
			op = a.Value.String()
		case a.Key == "call":
			callName = a.Value.String()
		case a.Key == "error":
			text = a.Value.String()
		case a.Key == "code" && a.Value.Kind() == slog.KindInt64:
			code = a.Value.Int64()
		}
		return true
	})
	now := time.Now()
	p := problemOfText(engine.Code(code), op, callName, text)
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, w := range engines {
		if c := w.failed; c != nil && c.name == callName && c.problem.Code == p.Code && c.problem.knowsMore(p) {
			p = c.problem // made of the error itself
		}
		w.failed = nil
	}
	i.recordLocked(entry{at: now, engine: namesOf(engines), kind: kindFailure, op: clip(op, maxText), call: clip(callName, maxText), cause: p})
}
