package play

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/imreuse/imreuse/engine"
)

// calls are the methods of the device that can fail or hang on request.
var calls = []string{"InitIM", "LoginIM", "LogoutIM", "AdoptIM", "Authenticate", "Anonymous", "LoginKit", "RenewKit", "LogoutKit", "HostLogin"}

// failures are the Codes that a call can fail with on request.
var failures = []engine.Code{engine.ErrUnavailable, engine.ErrTokenRejected, engine.ErrTokenExpired,
	engine.ErrAccountBanned, engine.ErrNotEnabled}

const maxPlans = 20 // faults, and hangs

var errTooManyPlans = fmt.Errorf("%w: at most %d calls can be told to fail or to hang", engine.ErrArgument, maxPlans)

// A fault makes the next call of that name fail. It is that call's error, so
// the world sees when the call has failed.
type fault struct {
	ID   int         `json:"id"`
	Call string      `json:"call"`
	Code engine.Code `json:"code"`
}

func (f *fault) Error() string { return fmt.Sprintf("%v (the page asked for it)", f.Code) }

func (f *fault) Unwrap() error { return f.Code }

// A hang makes calls of that name wait.
type hang struct {
	ID      int    `json:"id"`
	Call    string `json:"call"`
	release func()
}

func (w *world) failNext(call string, code engine.Code) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) >= maxPlans {
		return errTooManyPlans
	}
	w.lastID++
	f := &fault{w.lastID, call, code}
	w.faults = append(w.faults, f)
	w.device.Fail(call, f)
	return nil
}

func (w *world) hang(call string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx) // letGo has released the others
	}
	if len(w.hangs) >= maxPlans {
		return errTooManyPlans
	}
	w.lastID++
	w.hangs = append(w.hangs, &hang{w.lastID, call, w.device.Block(call)})
	return nil
}

// release lets the calls of one hang go on, or all calls if id is 0. It reports
// whether there was one.
func (w *world) release(id int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.hangs)
	w.hangs = slices.DeleteFunc(w.hangs, func(h *hang) bool {
		if id != 0 && h.ID != id {
			return false
		}
		h.release()
		return true
	})
	return len(w.hangs) < before
}

// trace is the Trace of the engines. It notes which calls have failed on request.
func (s *Session) trace(ctx context.Context, _ string) (context.Context, func(error)) {
	return ctx, s.noteFault
}

func (s *Session) noteFault(err error) {
	var came *fault
	if !errors.As(err, &came) {
		return
	}
	w := s.current()
	w.mu.Lock()
	w.faults = slices.DeleteFunc(w.faults, func(f *fault) bool { return f == came })
	w.mu.Unlock()
	s.changed()
}
