package flat

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// Options configure an Engine. AppKey, IM and Kit are required.
type Options struct {
	AppKey           string
	IM               *IM
	Kit              *Kit
	Mode             engine.Mode
	RequireOnline    bool
	SecondaryProcess bool

	// Log gets each line of the engine's log; nil logs nothing. The engine
	// waits for it.
	Log func(level slog.Level, message string, attrs []slog.Attr)

	// KitToken and IMToken are the token sources of engine.Options. The
	// host answers with Request.Token. refused is "" if no token was.
	KitToken func(userUUID, refused string, r *Request) (end func(gaveUp bool))
	IMToken  func(accid, refused string, r *Request) (end func(gaveUp bool))
}

// An Engine is an engine.Engine whose operations complete later. Make one with
// New. It is safe for concurrent use. A nil *Engine is closed.
type Engine struct {
	engine *engine.Engine
	appKey string
	lane   lane
	own    Call // stands for the calls that the engine makes by itself

	// mu protects the following fields. It is never held during a callback.
	mu      sync.Mutex
	quiet   sync.Cond     // active has become 0
	active  int           // operations and watchers whose callbacks may still come
	last    *Call         // the operation that was started last
	closers []func(error) // of the Close that is in progress
	closed  bool          // engine.Close has returned, so every operation fails
	failing bool          // closed, and the callback of an operation runs
	gone    bool          // nothing is accepted any more
}

// New makes an engine. It sends nothing, and calls nothing of the host's. It
// fails with the errors of engine.New, and with engine.ErrArgument if the IM or
// the Kit is missing or the Kit belongs to another engine.
func New(o Options) (*Engine, error) {
	e := &Engine{appKey: o.AppKey}
	e.quiet.L = &e.mu
	e.own.engine = e
	backend, err := o.join()
	if err != nil {
		return nil, &engine.Error{Op: "New", Err: err}
	}
	options := &engine.Options{
		Mode: o.Mode, RequireOnline: o.RequireOnline, SecondaryProcess: o.SecondaryProcess,
		Trace: e.trace, KitToken: e.source(o.KitToken), IMToken: e.source(o.IMToken),
	}
	if o.Log != nil {
		options.Logger = slog.New(&logHandler{lane: &e.lane, log: o.Log})
	}
	if e.engine, err = engine.New(backend, o.AppKey, options); err != nil {
		return nil, err
	}
	if err := o.Kit.take(); err != nil {
		return nil, &engine.Error{Op: "New", Err: err}
	}
	return e, nil
}

func (o Options) join() (engine.Backend, error) {
	switch {
	case o.IM == nil:
		return nil, fmt.Errorf("%w: there is no IM", engine.ErrArgument)
	case o.Kit == nil:
		return nil, fmt.Errorf("%w: there is no kit", engine.ErrArgument)
	}
	return engine.Join(o.IM.role, o.Kit.role), nil
}

// source makes a token source of the engine's from the host's.
func (e *Engine) source(fetch func(id, refused string, r *Request) func(bool)) func(context.Context, string, string) (string, error) {
	if fetch == nil {
		return nil
	}
	return func(ctx context.Context, id, refused string) (string, error) {
		return wait(ctx, &e.lane, newRequest(refused), func(r *Request) func(bool) { return fetch(id, refused, r) })
	}
}

// trace is engine.Options.Trace. The first call of the backend for an operation
// shows that its turn has come. The ctx leads the backend's calls of the host to
// the engine's lane.
func (e *Engine) trace(ctx context.Context, _ string) (context.Context, func(error)) {
	if c := callOf(ctx); c != nil {
		c.enter()
		return ctx, nil
	}
	return context.WithValue(ctx, callKey{}, &e.own), nil
}

// Status returns the status. A nil Engine has the zero Status. It never blocks.
func (e *Engine) Status() Status {
	if e == nil {
		return Status{}
	}
	return FlattenStatus(e.engine.Status())
}

// beginLocked counts an operation or a watcher, and reports whether the engine
// accepts it. While closing, it accepts nothing from the callback of an operation
// that failed: a host that tries again there would do so forever.
func (e *Engine) beginLocked() bool {
	if e.gone || e.failing {
		return false
	}
	e.active++
	return true
}

// complete calls back at the end of an operation.
func (e *Engine) complete(done func(error), err error) {
	e.lane.run(func() {
		e.setFailing(true)
		defer e.setFailing(false)
		done(err)
	})
}

func (e *Engine) setFailing(failing bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failing = failing && e.closed
}

// end is called when the callbacks of a call have returned.
func (e *Engine) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.active--; e.active == 0 {
		e.quiet.Broadcast()
	}
}

// Close closes the engine as engine.Close does, and waits until no callback of
// this engine runs any more, and no other can come. Then it calls gone, which a
// skin uses to forget its handles, and done with the engine's error. Both may be
// nil. A Close that is called while another is in progress completes with it,
// with a nil error; after that, Close fails with engine.ErrClosed.
//
// Close itself returns at once, so a callback may call it.
func (e *Engine) Close(gone func(), done func(error)) {
	if done == nil {
		done = func(error) {}
	}
	if e == nil {
		e.refuse("Close", done)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case len(e.closers) > 0:
		e.closers = append(e.closers, done)
	case e.gone:
		e.refuse("Close", done)
	default:
		e.closers = append(e.closers, done)
		go e.shutDown(gone)
	}
}

// refuse completes an operation of a closed engine. While other callbacks can
// still come, it waits for its turn among them.
func (e *Engine) refuse(op string, done func(error)) {
	if done == nil {
		return
	}
	call := func() { done(&engine.Error{Op: op, Err: engine.ErrClosed}) }
	go func() {
		if e == nil || !e.lane.run(call) {
			call()
		}
	}()
}

// shutDown runs on a goroutine of its own, because the callback that called
// Close is one of those that it waits for.
func (e *Engine) shutDown(gone func()) {
	err := e.engine.Close()
	e.mu.Lock()
	e.closed = true
	for e.active > 0 {
		e.quiet.Wait()
	}
	e.gone = true
	e.mu.Unlock()
	e.lane.close()
	if gone != nil {
		gone()
	}
	e.mu.Lock()
	closers := e.closers
	e.closers = nil
	e.mu.Unlock()
	for _, done := range closers {
		done(err)
		err = nil // it belongs to the first
	}
}
