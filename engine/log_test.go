package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/engine"
)

// A traced is one call of Options.Trace, and what the function it returned was
// called with.
type traced struct {
	call string
	err  error
	done bool
}

type traceKey struct{}

// tracing returns a Trace that writes to list, and looks at the Status of the
// engine as Trace may.
func tracing(list *[]*traced, e **engine.Engine) func(context.Context, string) (context.Context, func(error)) {
	return func(ctx context.Context, call string) (context.Context, func(error)) {
		(*e).Status()
		one := &traced{call: call}
		*list = append(*list, one)
		return context.WithValue(ctx, traceKey{}, fmt.Sprint(ctx.Value(traceKey{}), " ", call)), func(err error) {
			(*e).Status()
			one.err, one.done = err, true
		}
	}
}

// Trace is called around each call, in order, and gets the backend's error.
func TestTrace(t *testing.T) {
	var list []*traced
	var e *engine.Engine
	o := autoLogin
	o.Trace = tracing(&list, &e)
	inWorld(t, overMockim, o, func(w *world) {
		e = w.engine
		w.host.Fail("LoginKit", engine.ErrUnavailable)
		w.host.Fail("LogoutIM", errStuck)
		w.tap.on(w.tap.before, "Authenticate", func(context.Context) { panic("on purpose") })
		w.failedAt(w.loginKit(), panicsBefore, "LoginKit", "Authenticate")
		w.fails(w.loginKit(), engine.ErrUnavailable)
		w.fails(w.anonymous(), nil)
		w.fails(w.engine.Close(), nil)
	})
	panicked := errors.New("an error of no known kind")
	want := []traced{
		{"AdoptIM", nil, true}, {"Authenticate", panicked, true},
		{"AdoptIM", nil, true}, {"Authenticate", nil, true}, {"InitIM", nil, true}, {"LoginIM", nil, true},
		{"LoginKit", engine.ErrUnavailable, true}, {"LogoutIM", errStuck, true},
		{"AdoptIM", nil, true}, {"Anonymous", nil, true}, {"Authenticate", nil, true}, {"LoginIM", nil, true}, {"LoginKit", nil, true},
		{"LogoutKit", nil, true}, {"LogoutIM", nil, true}, {"Close", nil, true},
	}
	if len(list) != len(want) {
		t.Fatalf("%d calls, want %d", len(list), len(want))
	}
	for i, got := range list {
		x := want[i]
		if got.call != x.call || got.done != x.done || !errors.Is(got.err, x.err) && (x.err != panicked || got.err == nil) {
			t.Errorf("call %d: %+v, want %+v", i, *got, x)
		}
	}
}

// Values that Trace puts into the ctx reach the backend, and values that the
// caller put there reach Trace, even in steps down, which no ctx of the caller
// ends.
func TestTraceCtx(t *testing.T) {
	var list []*traced
	var e *engine.Engine
	o := autoLogin
	o.Trace = tracing(&list, &e)
	inWorld(t, overMockim, o, func(w *world) {
		e = w.engine
		reached := map[string]any{}
		calls := []string{"AdoptIM", "Authenticate", "InitIM", "LoginIM", "LoginKit", "LogoutKit", "LogoutIM"}
		for _, call := range calls {
			w.tap.on(w.tap.before, call, func(ctx context.Context) { reached[call] = ctx.Value(traceKey{}) })
		}
		w.ctx = context.WithValue(w.ctx, traceKey{}, "caller")
		w.fails(w.loginKit(), nil)
		w.fails(w.logoutKit(), nil)
		for _, call := range calls {
			if got, want := reached[call], "caller "+call; got != want {
				w.t.Errorf("%s has %q in its ctx, want %q", call, got, want)
			}
		}
	})
}

// Trace may return nil for both results.
func TestTraceNothing(t *testing.T) {
	o := autoLogin
	o.Trace = func(context.Context, string) (context.Context, func(error)) { return nil, nil }
	inWorld(t, overMockim, o, climbsAlone)
}

// A record is one line of the log.
type record struct {
	level   slog.Level
	message string
	attrs   map[string]any
}

// A recorder is a slog.Handler that keeps what it gets, and looks at the Status
// of the engine as a handler may.
type recorder struct {
	engine *engine.Engine

	mu      sync.Mutex // protects the following fields
	records []record
	acts    map[string]func()
}

// on runs act during the next transition with that trigger.
func (r *recorder) on(trigger string, act func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acts = map[string]func(){trigger: act}
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *recorder) WithGroup(string) slog.Handler            { return r }

func (r *recorder) Handle(_ context.Context, in slog.Record) error {
	if r.engine != nil {
		r.engine.Status()
	}
	out := record{in.Level, in.Message, map[string]any{}}
	in.Attrs(func(a slog.Attr) bool { out.attrs[a.Key] = a.Value.Any(); return true })
	trigger, _ := out.attrs["trigger"].(string)
	r.mu.Lock()
	act := r.acts[trigger]
	delete(r.acts, trigger)
	r.records = append(r.records, out)
	r.mu.Unlock()
	if act != nil {
		act()
	}
	return nil
}

func (r *recorder) taken() []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.records
	r.records = nil
	return taken
}

// inLoggedWorld runs a test in a world whose engine writes to a recorder.
func inLoggedWorld(t *testing.T, o engine.Options, run func(w *world, r *recorder)) {
	t.Helper()
	r := &recorder{}
	o.Logger = slog.New(r)
	inWorld(t, overMockim, o, func(w *world) {
		r.engine = w.engine
		run(w, r)
	})
}

// There is one Info line per transition, with these attributes. The last two
// are there only if there is a cause.
func TestLogTransitions(t *testing.T) {
	inLoggedWorld(t, autoLogin, func(w *world, r *recorder) {
		climbsAlone(w)
		session := w.engine.Status().Session.String()
		w.host.Link(false) // no transition
		w.cloud.EndKit("user1", engine.ErrTokenExpired)
		w.stands(imInitialized, uninitialized, "")
		w.fails(w.engine.Close(), nil)

		expired := engine.ErrTokenExpired.Error()
		line := func(seq uint64, trigger, from, to, session, accid string, more ...any) record {
			attrs := map[string]any{"session": session, "seq": seq, "trigger": trigger, "from": from, "to": to, "accid": accid}
			if len(more) > 0 {
				attrs["cause"], attrs["code"] = more[0], more[1]
			}
			return record{slog.LevelInfo, "transition", attrs}
		}
		none := uuid.Nil.String()
		want := []record{
			line(1, "init_im", "uninitialized", "im_initialized", none, ""),
			line(2, "login_im", "im_initialized", "im_logged_in", session, "myaccid"),
			line(3, "login_kit", "im_logged_in", "kit_logged_in", session, "myaccid"),
			line(5, "kit_lost", "kit_logged_in", "im_logged_in", session, "myaccid", expired, int64(-20008)),
			line(6, "logout_im", "im_logged_in", "im_initialized", session, "myaccid", expired, int64(-20008)),
			line(7, "close", "im_initialized", "uninitialized", none, ""),
		}
		got := r.taken()
		if len(got) != len(want) {
			w.t.Fatalf("%d lines, want %d: %+v", len(got), len(want), got)
		}
		for i, x := range want {
			if got[i].level != x.level || got[i].message != x.message || !maps.Equal(got[i].attrs, x.attrs) {
				w.t.Errorf("line %d is %+v, want %+v", i, got[i], x)
			}
		}
	})
}

// One Warn line per failed operation, with the operation, the call and the
// code.
func TestLogFailures(t *testing.T) {
	inLoggedWorld(t, reuseIM, func(w *world, r *recorder) {
		ended, cancel := context.WithCancel(w.ctx)
		cancel()
		var noCtx context.Context // a nil literal is what linters look for
		for _, row := range []struct {
			op, call string
			code     int64
			run      func() error
		}{
			{"LoginKit", "", 100004, w.loginKit},
			{"LoginAnonymous", "", 112001, w.anonymous},
			{"LoginIM", "", -20002, func() error { return w.engine.LoginIM(w.ctx, imAccount) }},
			{"LoginKit", "", -20003, func() error { return w.engine.LoginKit(w.ctx, engine.KitAccount{}) }},
			{"LogoutIM", "", -20003, func() error { return w.engine.LogoutIM(noCtx) }},
			{"InitIM", "", 0, func() error { return w.engine.InitIM(ended) }},
			{"InitIM", "InitIM", -20014, func() error {
				w.host.Fail("InitIM", engine.ErrUnavailable)
				return w.engine.InitIM(w.ctx)
			}},
			{"InitIM", "AdoptIM", -20014, func() error {
				w.host.Fail("AdoptIM", engine.ErrUnavailable)
				return w.engine.InitIM(w.ctx)
			}},
			{"LoginKit", "Authenticate", -20007, func() error {
				w.hostLogsIn(imAccount)
				return w.engine.LoginKit(w.ctx, engine.KitAccount{UserUUID: "user1", Token: "old-" + secret})
			}},
			{"LogoutKit", "LogoutKit", -20014, func() error {
				w.host.Fail("LogoutKit", engine.ErrUnavailable)
				w.must(w.loginKit())
				return w.logoutKit()
			}},
			{"Close", "Close", 0, func() error {
				w.tap.closing = errStuck
				return w.engine.Close()
			}},
			{"LogoutKit", "", -20001, w.logoutKit},
			{"InitIM", "", -20001, func() error { return w.engine.InitIM(w.ctx) }},
		} {
			err := row.run()
			lines := slices.DeleteFunc(r.taken(), func(l record) bool { return l.level == slog.LevelInfo })
			if err == nil || len(lines) != 1 {
				w.t.Errorf("%s: %v and %d lines, want an error and one: %+v", row.op, err, len(lines), lines)
				continue
			}
			want := map[string]any{"op": row.op, "call": row.call, "code": row.code, "error": err.Error()}
			if got := lines[0]; got.level != slog.LevelWarn || got.message != "operation failed" || !maps.Equal(got.attrs, want) {
				w.t.Errorf("got %+v, want %v", got, want)
			}
		}
	})
}

// A logout that the engine makes by itself may fail, too.
func TestLogLossThatFails(t *testing.T) {
	inLoggedWorld(t, autoLogin, func(w *world, r *recorder) {
		climbsAlone(w)
		r.taken()
		w.host.Fail("LogoutIM", engine.ErrUnavailable)
		w.cloud.EndKit("user1", engine.ErrTokenExpired)
		w.stands(imInitialized, uninitialized, "")
		warned := 0
		for _, line := range r.taken() {
			if line.level == slog.LevelWarn {
				warned++
				if line.attrs["op"] != "kit_lost" || line.attrs["call"] != "LogoutIM" || line.attrs["code"] != int64(-20014) {
					w.t.Errorf("got %+v, want the failure of LogoutIM after kit_lost", line)
				}
			}
		}
		if warned != 1 {
			w.t.Errorf("%d lines say that it failed, want 1", warned)
		}
	})
}

// No line and no error shows a token.
func TestLogHasNoToken(t *testing.T) {
	var text bytes.Buffer
	level := &slog.HandlerOptions{Level: slog.LevelDebug}
	for name, handler := range map[string]slog.Handler{"text": slog.NewTextHandler(&text, level), "JSON": slog.NewJSONHandler(&text, level)} {
		t.Run(name, func(t *testing.T) {
			text.Reset()
			o := autoDetect
			o.Logger = slog.New(handler)
			inWorld(t, overMockim, o, func(w *world) {
				stale := engine.IMAccount{Accid: "myaccid", Token: "old-" + secret}
				w.must(w.engine.InitIM(w.ctx))
				errs := []error{
					w.engine.LoginIM(w.ctx, stale),
					w.engine.LoginKit(w.ctx, engine.KitAccount{UserUUID: "user1", Token: "old-" + secret}),
					w.engine.LoginKit(w.ctx, engine.KitAccount{UserUUID: "user1", Token: secret + "\n"}),
					w.engine.LoginIM(w.ctx, engine.IMAccount{Accid: "no spaces", Token: secret}),
					w.loginKit(),
					w.engine.LoginKit(w.ctx, secondKit),
					w.engine.LoginIM(w.ctx, secondIM),
					w.logoutKit(),
				}
				w.hostLogsIn(secondIM)
				errs = append(errs, w.loginKit(), w.anonymous(), w.engine.Close(), w.loginKit())
				if all := errors.Join(errs...).Error(); strings.Contains(all, secret) {
					w.t.Errorf("a token is in the errors:\n%s", all)
				}
			})
			if lines := strings.Count(text.String(), "\n"); lines < 12 {
				t.Errorf("only %d lines: there is nothing to look at", lines)
			}
			if strings.Contains(text.String(), secret) {
				t.Errorf("a token is in the log:\n%s", text.String())
			}
		})
	}
}
