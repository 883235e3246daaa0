//go:build js && wasm

package main

import (
	"context"
	"log/slog"
	"syscall/js"

	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
)

var (
	engines table[*flat.Engine]
	calls   table[*flat.Call]
	watches table[*flat.Watch]
)

// newEngine takes an object with the options; im and mock in it are numbers, or 0.
func newEngine(a []js.Value) any {
	e, err := makeEngine(a[0])
	if err != nil {
		return result(nil, err)
	}
	return result(engines.add(e), nil)
}

func makeEngine(o js.Value) (*flat.Engine, error) {
	options := flat.Options{
		AppKey:        text(o.Get("appKey")),
		IM:            ims.get(o.Get("im")),
		RequireOnline: o.Get("requireOnline").Truthy(),
		Log:           logTo(o.Get("logger")),
		KitToken:      tokensOf(o.Get("kitToken")),
		IMToken:       tokensOf(o.Get("imToken")),
	}
	if mode := text(o.Get("mode")); mode != "" {
		if err := options.Mode.UnmarshalText([]byte(mode)); err != nil {
			return nil, &engine.Error{Op: "initialize", Err: err}
		}
	}
	var err error
	if m := mocks.get(o.Get("mock")); m != nil {
		options.Kit = flat.MockKit(m.cloud.Device())
		if options.IM == nil {
			options.IM = flat.MockIM(m.device, m.cloud)
		}
	} else if options.Kit, err = flat.NewKit(kitOptions(o)); err != nil {
		return nil, &engine.Error{Op: "initialize", Err: err}
	}
	return flat.New(options)
}

func kitOptions(o js.Value) flat.KitOptions {
	return flat.KitOptions{
		AppKey: text(o.Get("appKey")), KitURL: text(o.Get("kitURL")), DeviceID: text(o.Get("deviceId")),
		DynamicToken: o.Get("dynamicToken").Truthy(), PlainHTTP: o.Get("plainHTTP").Truthy(),
	}
}

func tokensOf(f js.Value) func(id, refused string, r *flat.Request) func(bool) {
	if !f.Truthy() {
		return nil
	}
	return func(id, refused string, r *flat.Request) func(bool) {
		return ask(f, map[string]any{"id": id, "refused": refused}, r)
	}
}

var levels = map[slog.Level]string{slog.LevelDebug: "debug", slog.LevelInfo: "info", slog.LevelWarn: "warn", slog.LevelError: "error"}

func logTo(f js.Value) func(slog.Level, string, []slog.Attr) {
	if !f.Truthy() {
		return nil
	}
	return func(level slog.Level, message string, attrs []slog.Attr) {
		fields := js.Global().Get("Object").New() // a map would lose the order
		for _, a := range attrs {
			fields.Set(a.Key, fieldOf(a.Value))
		}
		f.Invoke(levels[level], message, fields)
	}
}

func fieldOf(v slog.Value) any {
	switch v.Kind() {
	case slog.KindBool:
		return v.Bool()
	case slog.KindInt64:
		return v.Int64()
	case slog.KindUint64:
		return v.Uint64()
	case slog.KindFloat64:
		return v.Float64()
	}
	return v.String()
}

// operations are the engine's, by their names in Start. Those without an account
// ignore it.
var operations = map[string]func(ctx context.Context, e *engine.Engine, id, token string) error{
	"InitIM": func(ctx context.Context, e *engine.Engine, _, _ string) error { return e.InitIM(ctx) },
	"LoginIM": func(ctx context.Context, e *engine.Engine, id, token string) error {
		return e.LoginIM(ctx, engine.IMAccount{Accid: id, Token: token})
	},
	"LoginKit": func(ctx context.Context, e *engine.Engine, id, token string) error {
		return e.LoginKit(ctx, engine.KitAccount{UserUUID: id, Token: token})
	},
	"LoginAnonymous": func(ctx context.Context, e *engine.Engine, _, _ string) error { return e.LoginAnonymous(ctx) },
	"KeepKit": func(ctx context.Context, e *engine.Engine, id, token string) error {
		return e.KeepKit(ctx, engine.KitAccount{UserUUID: id, Token: token})
	},
	"RenewKit": func(ctx context.Context, e *engine.Engine, id, token string) error {
		return e.RenewKit(ctx, engine.KitAccount{UserUUID: id, Token: token})
	},
	"LogoutKit": func(ctx context.Context, e *engine.Engine, _, _ string) error { return e.LogoutKit(ctx) },
	"LogoutIM":  func(ctx context.Context, e *engine.Engine, _, _ string) error { return e.LogoutIM(ctx) },
}

// start takes an engine, an operation, an id, a token, and a function. It returns
// the number of the call. The function is called once, with a failure or null and
// the status.
func start(a []js.Value) any {
	e, name, id, token, done := engines.get(a[0]), a[1].String(), a[2].String(), a[3].String(), a[4]
	run := operations[name]
	number := calls.reserve()
	ended := false
	call := e.Start(name,
		func(ctx context.Context, e *engine.Engine) error { return run(ctx, e, id, token) },
		func(err error) {
			ended = true
			calls.take(number)
			done.Invoke(failure(err), statusJSON(e.Status()))
		})
	if !ended {
		calls.put(number, call)
	}
	return number
}

func cancel(a []js.Value) any {
	calls.get(a[0]).Cancel(nil)
	return nil
}

func status(a []js.Value) any { return statusJSON(engines.get(a[0]).Status()) }

// watch takes an engine, a function for each status, and one that is called at the
// end. It returns the number of the watch, or null if the engine is closed.
func watch(a []js.Value) any {
	changed, ended := a[1], a[2]
	w := engines.get(a[0]).Watch(
		func(s flat.Status) { changed.Invoke(statusJSON(s)) },
		func() { ended.Invoke() })
	if w == nil {
		return nil
	}
	return watches.add(w)
}

func unwatch(a []js.Value) any {
	watches.take(a[0].Int()).Stop()
	return nil
}

// closeEngine takes an engine and a function that is called once, with a failure or
// null and the last status. The number refers to the engine until releaseEngine.
func closeEngine(a []js.Value) any {
	e, done := engines.get(a[0]), a[1]
	e.Close(nil, func(err error) { done.Invoke(failure(err), statusJSON(e.Status())) })
	return nil
}

func releaseEngine(a []js.Value) any {
	engines.take(a[0].Int())
	return nil
}
