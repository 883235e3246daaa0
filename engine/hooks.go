package engine

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// In this file the engine calls the host's hooks: Logger, Trace, the function
// that Trace returned, and the methods of a ctx.
//
// A hook that panics does not harm the engine. The panic is caught at the call
// and kept, and the operation goes on as if the hook had returned. The caller
// gets the panic once everything is in order: the slot is free, the losses are
// applied, and the login stands or is undone, as the operation decided. The
// engine's own goroutines have no caller, so there the panic is logged instead.
//
// A hook that calls runtime.Goexit, as t.FailNow does, cannot be stopped.
// operation.hold then undoes the operation, without calling any hook again.

// A guard keeps the panics of one operation's hooks. It also serves as the ctx
// of that operation, wrapped around the host's ctx: package context calls the
// methods of a foreign ctx on a goroutine of its own, where a panic would end
// the process. Value passes through, so that package context recognises its own
// contexts and needs no such goroutine for them.
type guard struct {
	host   context.Context
	outer  *guard // keeps the panics instead; set only for a ctx that Trace returned
	first  atomic.Pointer[any]
	broken atomic.Bool // Done or Err has panicked, so the ctx counts as canceled
	mute   bool        // do not call Logger or Trace any more
}

// catch must be deferred around each call of a hook.
func (g *guard) catch() {
	if v := recover(); v != nil {
		g.keep(v)
	}
}

func (g *guard) keep(v any) {
	if g.outer != nil {
		g = g.outer
	}
	g.first.CompareAndSwap(nil, &v)
}

// repanic panics with the value of the first hook that panicked, if any. Call
// it last, when there is nothing left to do.
func (g *guard) repanic() {
	if v := g.first.Load(); v != nil {
		panic(*v)
	}
}

// Done implements context.Context.
func (g *guard) Done() (done <-chan struct{}) {
	done = closedChan
	if !g.broken.Load() {
		defer g.catchInCtx()
		done = g.host.Done()
	}
	return done
}

// Err implements context.Context.
func (g *guard) Err() (err error) {
	err = context.Canceled
	if !g.broken.Load() {
		defer g.catchInCtx()
		err = g.host.Err()
	}
	return err
}

// Value implements context.Context.
func (g *guard) Value(key any) any {
	defer g.catch()
	return g.host.Value(key)
}

// Deadline implements context.Context.
func (g *guard) Deadline() (deadline time.Time, ok bool) {
	defer g.catch()
	return g.host.Deadline()
}

func (g *guard) catchInCtx() {
	if v := recover(); v != nil {
		g.broken.Store(true)
		g.keep(v)
	}
}

var closedChan = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// startTrace calls Trace. If Trace panics, the backend is called without it.
func (g *guard) startTrace(trace traceFunc, ctx context.Context, call string) (traced context.Context, done func(error)) {
	traced = ctx
	if g.mute {
		return traced, nil
	}
	defer g.catch()
	t, done := trace(ctx, call)
	if t != nil && t != ctx {
		traced = &guard{host: t, outer: g}
	}
	return traced, done
}

func (g *guard) endTrace(done func(error), err error) {
	if done != nil && !g.mute {
		defer g.catch()
		done(err)
	}
}

// logTransition writes the log line of one transition.
func (g *guard) logTransition(ctx context.Context, log *slog.Logger, from, to *Status) {
	defer g.catch()
	if g.mute || !log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	login := to
	if to.State < IMLoggedIn {
		login = from // the line says which login ended
	}
	attrs := append(make([]slog.Attr, 0, 8),
		slog.String("session", login.Session.String()),
		slog.Uint64("seq", to.Seq),
		slog.String("trigger", string(to.Via)),
		slog.String("from", from.State.String()),
		slog.String("to", to.State.String()),
		slog.String("accid", login.Accid))
	if to.Cause != nil {
		attrs = append(attrs, slog.String("cause", to.Cause.Error()), slog.Int("code", int(CodeOf(to.Cause))))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "transition", attrs...)
}

// logFailure writes the log line of a failed operation.
func (g *guard) logFailure(ctx context.Context, log *slog.Logger, err *Error) {
	defer g.catch()
	if g.mute || !log.Enabled(ctx, slog.LevelWarn) {
		return
	}
	log.LogAttrs(ctx, slog.LevelWarn, "operation failed", slog.String("op", err.Op),
		slog.String("call", err.Call), slog.Int("code", int(CodeOf(err))), slog.String("error", err.Error()))
}

// logPanic logs the panic of a hook that has no caller to panic in. If it was
// the Logger that panicked, it may do so again here.
func (o *operation) logPanic() {
	if v := o.guard.first.Load(); v != nil {
		defer o.guard.catch()
		o.e.log.LogAttrs(o.ctx, slog.LevelError, "a Logger or Trace panicked", slog.String("panic", o.describe(*v)))
	}
}
