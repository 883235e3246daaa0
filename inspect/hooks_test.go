package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/slogtest"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/inspect"
)

// The host's Logger gets what it would get without the inspector.
func TestLoggerIsTheHostsToo(t *testing.T) {
	var text bytes.Buffer
	plain := &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "session" {
			return slog.Attr{}
		}
		return a
	}}
	var logs [2]string
	for n := range logs {
		text.Reset()
		w := newWorld(t, engine.Options{Mode: engine.AutoLogin, Logger: slog.New(slog.NewTextHandler(&text, plain))})
		if n == 1 { // without an inspector
			text.Reset()
			w.engine = w.open(w.device, &engine.Options{Mode: engine.AutoLogin, Logger: slog.New(slog.NewTextHandler(&text, plain))})
		}
		w.must(w.engine.LoginKit(t.Context(), w.kit))
		_ = w.engine.LoginIM(t.Context(), appAccount)
		w.must(w.engine.Close())
		logs[n] = text.String()
	}
	if logs[0] != logs[1] || strings.Count(logs[0], "\n") != 5 {
		t.Errorf("got\n%s\nwant\n%s", logs[0], logs[1])
	}
}

// A Logger that wants only errors gets no warnings, though the page shows them.
func TestLoggerKeepsTheHostsLevel(t *testing.T) {
	var text bytes.Buffer
	w := newWorld(t, engine.Options{Logger: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelError}))})
	_ = w.engine.LoginIM(t.Context(), appAccount)
	wantLines(t, w.story(), "watch", "call AdoptIM", "failure LoginIM  -20002")
	if text.Len() > 0 {
		t.Errorf("it logs\n%s", text.String())
	}
}

// What the host itself logs with the Logger is no failure of the engine.
func TestLoggerOfTheHostTellsNothing(t *testing.T) {
	w := newWorld(t, engine.Options{})
	o := w.inspector.Options()
	t.Cleanup(w.inspector.Watch("other", w.open(w.cloud.Device(), o)))
	o.Logger.With("part", "billing").Warn("operation failed", "op", "refund")
	o.Logger.WithGroup("billing").Warn("operation failed", "op", "refund")
	o.Logger.Warn("something else", "op", "refund")
	o.Logger.Info("operation failed", "op", "refund")
	wantLines(t, w.story(), "watch", "watch")
}

func TestLoggerKeepsTheRulesOfSlog(t *testing.T) {
	var text bytes.Buffer
	o := inspect.New(engine.Options{Logger: slog.New(slog.NewJSONHandler(&text, nil))}).Options()
	err := slogtest.TestHandler(o.Logger.Handler(), func() (all []map[string]any) {
		for line := range strings.Lines(text.String()) {
			var one map[string]any
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
		return all
	})
	if err != nil {
		t.Error(err)
	}
}

type hostKey struct{}

// The host's Trace is called around each call, its ctx reaches the backend, and
// its panics reach the caller.
func TestTraceIsTheHostsToo(t *testing.T) {
	var began, ended []string
	panics := ""
	w := newWorld(t, engine.Options{Mode: engine.AutoLogin, Trace: func(ctx context.Context, call string) (context.Context, func(error)) {
		if call == panics {
			panic(errHost)
		}
		began = append(began, call)
		if call == "AdoptIM" {
			return nil, nil
		}
		return context.WithValue(ctx, hostKey{}, call), func(err error) { ended = append(ended, call) }
	}})
	w.must(w.engine.LoginKit(t.Context(), w.kit))
	if want := []string{"AdoptIM", "Authenticate", "InitIM", "LoginIM", "LoginKit"}; !slices.Equal(began, want) || !slices.Equal(ended, want[1:]) {
		t.Errorf("began %v, ended %v, want %v", began, ended, want)
	}
	panics = "LogoutIM" // the last call of the logout
	func() {
		defer func() {
			if v := recover(); v != errHost {
				t.Errorf("got the panic %v, want the host's", v)
			}
		}()
		_ = w.engine.LogoutKit(t.Context())
	}()
	now := w.status().Engines[0]
	if len(now.Calls) > 0 || now.Status["state"] != "im_initialized" {
		t.Errorf("after a panic in Trace: got %+v", now)
	}
}

// Watch asks an engine for its Options without a trace in the host's log.
func TestWatchIsSilent(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w := newWorld(t, engine.Options{Logger: log})
	other := inspect.New(engine.Options{Logger: log})
	_ = other.Options()
	t.Cleanup(other.Watch("seen twice", w.engine))
	wantLines(t, w.story(), "watch")
	if text.Len() > 0 {
		t.Errorf("it logs\n%s", text.String())
	}
	if now := statusOf(t, serve(t, other)).Engines[0]; now.Traced {
		t.Errorf("got %+v, want an engine of another inspector", now)
	}
}
