//go:build cgo

package main

// #include "bridge.h"
import "C"

import (
	"context"
	"sync/atomic"

	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
)

// This file has the engine: it is made, its operations are run, and it is
// watched.

var (
	engines table[*flat.Engine]
	calls   table[*call]
	watches table[*watch]
)

// A call is what an imreuse_op stands for. It has its handle before it runs.
type call struct{ running atomic.Pointer[flat.Call] }

// A watch is what an imreuse_watch stands for.
type watch struct{ running atomic.Pointer[flat.Watch] }

//export goNew
func goNew(understood C.bool, o *C.imreuse_options, e *C.imreuse_error) C.uintptr_t {
	if !understood {
		return fail(e, errNotUnderstood("imreuse_options"))
	}
	options, err := newOptions(o)
	if err != nil {
		return fail(e, &engine.Error{Op: "New", Err: err})
	}
	made, err := flat.New(options)
	if err != nil {
		return fail(e, err)
	}
	succeed(e)
	return C.uintptr_t(engines.add(made))
}

// operations has the operations by their numbers in bridge.h.
var operations = [...]struct {
	name string
	run  func(ctx context.Context, e *engine.Engine, id, token string) error
}{
	C.INIT_IM: {"InitIM", func(ctx context.Context, e *engine.Engine, _, _ string) error { return e.InitIM(ctx) }},
	C.LOGIN_IM: {"LoginIM", func(ctx context.Context, e *engine.Engine, id, token string) error {
		return e.LoginIM(ctx, engine.IMAccount{Accid: id, Token: token})
	}},
	C.LOGIN_KIT: {"LoginKit", func(ctx context.Context, e *engine.Engine, id, token string) error {
		return e.LoginKit(ctx, engine.KitAccount{UserUUID: id, Token: token})
	}},
	C.LOGIN_ANONYMOUS: {"LoginAnonymous", func(ctx context.Context, e *engine.Engine, _, _ string) error { return e.LoginAnonymous(ctx) }},
	C.KEEP_KIT: {"KeepKit", func(ctx context.Context, e *engine.Engine, id, token string) error {
		return e.KeepKit(ctx, engine.KitAccount{UserUUID: id, Token: token})
	}},
	C.RENEW_KIT: {"RenewKit", func(ctx context.Context, e *engine.Engine, id, token string) error {
		return e.RenewKit(ctx, engine.KitAccount{UserUUID: id, Token: token})
	}},
	C.LOGOUT_KIT: {"LogoutKit", func(ctx context.Context, e *engine.Engine, _, _ string) error { return e.LogoutKit(ctx) }},
	C.LOGOUT_IM:  {"LogoutIM", func(ctx context.Context, e *engine.Engine, _, _ string) error { return e.LogoutIM(ctx) }},
}

//export goStart
func goStart(e C.uintptr_t, which C.operation, id, token C.text, done, user C.uintptr_t) C.uintptr_t {
	operation := operations[which]
	idText, tokenText := str(id), str(token)
	c := new(call)
	h := calls.add(c)
	c.running.Store(engines.get(handle(e)).Start(operation.name,
		func(ctx context.Context, e *engine.Engine) error { return operation.run(ctx, e, idText, tokenText) },
		func(err error) {
			callDone(done, user, err)
			calls.remove(h)
		}))
	return C.uintptr_t(h)
}

//export goCancel
func goCancel(op C.uintptr_t) {
	if c := calls.get(handle(op)); c != nil {
		c.running.Load().Cancel(nil)
	}
}

//export goClose
func goClose(e, done, user C.uintptr_t) {
	engines.get(handle(e)).Close(
		func() { engines.remove(handle(e)) },
		func(err error) { callDone(done, user, err) })
}

//export goStatus
func goStatus(e C.uintptr_t, s *C.imreuse_status) C.bool {
	found := engines.get(handle(e))
	if found == nil || s == nil {
		return false
	}
	writeStatus(s, found.Status())
	return true
}

//export goWatch
func goWatch(e, changed, user C.uintptr_t) C.uintptr_t {
	found := engines.get(handle(e))
	if found == nil || changed == 0 {
		return 0
	}
	w := new(watch)
	h := watches.add(w)
	running := found.Watch(
		func(s flat.Status) { callChanged(changed, user, s) },
		func() { watches.remove(h) })
	if running == nil {
		watches.remove(h)
		return 0
	}
	w.running.Store(running)
	return C.uintptr_t(h)
}

//export goStopWatch
func goStopWatch(w C.uintptr_t) {
	if w := watches.remove(handle(w)); w != nil {
		w.running.Load().Stop()
	}
}
