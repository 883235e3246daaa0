package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/inspect"
)

// lines writes a story down in short.
func lines(entries []entryJSON) []string {
	var list []string
	for _, e := range entries {
		line := e.Kind
		switch e.Kind {
		case "transition":
			line = fmt.Sprintf("%s %s %s", e.Trigger, e.From, e.To)
		case "call":
			line = "call " + e.Call
		case "failure":
			line = fmt.Sprintf("failure %s %s %d", e.Op, e.Call, e.Cause.Code)
		case "link", "token":
			line = fmt.Sprintf("%s %t", e.Kind, *e.On)
		}
		list = append(list, line)
	}
	return list
}

func wantLines(t *testing.T, got []entryJSON, want ...string) {
	t.Helper()
	if g := lines(got); !slices.Equal(g, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(g, "\n"), strings.Join(want, "\n"))
	}
}

// Each transition stands after the call that made it, and before the next call.
func TestStoryIsInOrder(t *testing.T) {
	w := newWorld(t, engine.Options{Mode: engine.AutoLogin})
	ctx := t.Context()
	w.must(w.engine.LoginKit(ctx, w.kit))
	w.must(w.engine.LogoutKit(ctx))
	story := w.story()
	wantLines(t, story, "watch", "call AdoptIM", "call Authenticate",
		"call InitIM", "init_im uninitialized im_initialized",
		"call LoginIM", "login_im im_initialized im_logged_in",
		"call LoginKit", "login_kit im_logged_in kit_logged_in",
		"call LogoutKit", "logout_kit kit_logged_in im_logged_in",
		"call LogoutIM", "logout_im im_logged_in im_initialized")
	var seqs []uint64
	for i, e := range story {
		if e.Engine != "chat" || e.Time.IsZero() || e.ID != uint64(i+1) || e.Cause != nil {
			t.Errorf("entry %d: %+v", i, e)
		}
		if (e.Took != nil) != (e.Kind == "call") {
			t.Errorf("entry %d, of kind %s: took %v", i, e.Kind, e.Took)
		}
		if e.Kind == "transition" {
			seqs = append(seqs, e.Seq)
			if first := len(seqs) == 1; (e.After == nil) != first || e.After != nil && *e.After < 0 {
				t.Errorf("entry %d: %v after the transition before", i, e.After)
			}
		}
	}
	if !slices.Equal(seqs, []uint64{1, 2, 3, 4, 5}) {
		t.Errorf("got Seqs %v", seqs)
	}
	in, out := story[8], story[12]
	if in.To != "kit_logged_in" || in.Accid != "alice" || in.UserUUID != "kit-of-alice" || in.Session == "" || out.Accid != "alice" || out.Session != in.Session {
		t.Errorf("got the logins %+v and %+v, want both of alice, and the same session", in, out)
	}
}

func TestStoryOfAFailure(t *testing.T) {
	w := newWorld(t, engine.Options{Mode: engine.ReuseIM})
	ctx := t.Context()
	_ = w.engine.LoginKit(ctx, w.kit)
	w.must(w.engine.InitIM(ctx))
	w.must(w.engine.LoginIM(ctx, otherAccount))
	_ = w.engine.LoginKit(ctx, w.kit)
	w.device.Fail("Authenticate", fmt.Errorf("%w: at https://kit.example: %w", engine.ErrUnavailable,
		&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: syscall.ECONNREFUSED}))
	_ = w.engine.LoginKit(ctx, w.kit)
	var failures []entryJSON
	for _, e := range w.story() {
		if e.Kind == "failure" {
			failures = append(failures, e)
		}
	}
	wantLines(t, failures, "failure LoginKit  100004", "failure LoginKit  100005", "failure LoginKit Authenticate -20014")
	p := failures[0].Cause
	if p.Text != "IM reuse is on and the host has not logged IM in" || p.Hidden || p.Detail != "" ||
		!strings.HasPrefix(p.Remedy["en"], "Log IM in with the bound account") || !strings.HasPrefix(p.Remedy["zh"], "请先用绑定的 IM 账号登录") {
		t.Errorf("100004: got %+v", p)
	}
	for profile, want := range map[string]int{"meeting": 100004, "room": 100004, "desktop": 1801, "roomkit1": -6, "meeting1": -3} {
		if got := p.Numbers[profile]; got != want {
			t.Errorf("100004 of %s: got %d, want %d", profile, got, want)
		}
	}
	if p := failures[1].Cause; p.Mismatch == nil || p.Mismatch.Bound != "alice" || p.Mismatch.LoggedIn != "bob" || p.Hidden || len(p.Numbers) != 5 {
		t.Errorf("100005: got %+v, want alice and bob", p)
	}
	if p := failures[2].Cause; p.Detail != "dial tcp 192.0.2.1:443: connection refused" || !p.Hidden || len(p.Numbers) != 4 {
		t.Errorf("a refused connection: got %+v", p)
	}
}

// The engine's own words are shown.
func TestStoryShowsTheEnginesWords(t *testing.T) {
	w := newWorld(t, engine.Options{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = w.engine.LoginIM(t.Context(), appAccount)
	_ = w.engine.LoginKit(t.Context(), engine.KitAccount{UserUUID: "x"})
	_ = w.engine.InitIM(ended)
	w.device.Fail("InitIM", context.DeadlineExceeded)
	_ = w.engine.InitIM(t.Context())
	var got []string
	for _, e := range w.story() {
		if e.Kind == "failure" {
			got = append(got, fmt.Sprintf("%d %s %t", e.Cause.Code, e.Cause.Detail, e.Cause.Hidden))
		}
	}
	want := []string{"-20002 IM is not initialised; call InitIM first false", "-20003 token is empty false", "0 context canceled false",
		"0 context deadline exceeded false"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStoryOfLosses(t *testing.T) {
	renewed := make(chan string, 1)
	w := newWorld(t, engine.Options{Mode: engine.ReuseIM, KitToken: func(context.Context, string, string) (string, error) { return <-renewed, nil }})
	w.loginKit()
	f := follow(t, w.server, "")
	login := func(e entryJSON) bool { return e.To == "kit_logged_in" }
	up, _ := f.until(login)
	if got, want := up[len(up)-1].Session, w.engine.Status().Session.String(); got != want {
		t.Errorf("got the session %s, want %s", got, want)
	}
	w.device.Link(false)
	w.device.Link(true)
	w.cloud.ExpireKit(w.kit.UserUUID)
	fresh := engine.KitAccount{UserUUID: w.kit.UserUUID, Token: "fresh-s3cr3t"}
	w.cloud.Bind(fresh, appAccount.Accid)
	renewed <- fresh.Token
	entries, _ := f.until(func(e entryJSON) bool { return e.Kind == "token" && *e.On })
	entries = slices.DeleteFunc(entries, func(e entryJSON) bool { return e.Kind == "call" })
	wantLines(t, entries, "link false", "link true", "token false", "token true")

	w.cloud.Kick(appAccount.Accid, engine.KickedByClient)
	entries, _ = f.until(func(e entryJSON) bool { return e.Kind == "transition" })
	lost := entries[len(entries)-1]
	if lost.Trigger != "im_lost" || lost.From != "kit_logged_in" || lost.To != "im_initialized" || lost.Accid != "alice" || lost.UserUUID != "kit-of-alice" {
		t.Errorf("got %+v", lost)
	}
	if c := lost.Cause; c == nil || c.Code != -20012 || c.Kick == nil || c.Kick.Reason != 1 || c.Hidden || c.Remedy["zh"] == "" {
		t.Errorf("got the cause %+v, want a kick by another device", c)
	}
	if e := w.status().Engines[0]; e.Cause == nil || e.Cause.Code != -20012 || e.Since != nil || e.Owner != "" {
		t.Errorf("got %+v, want the cause in the status, and nobody logged in", e)
	}
}

func TestStatusSaysWhoIsLoggedIn(t *testing.T) {
	w := newWorld(t, engine.Options{Mode: engine.AutoLogin})
	now := w.status().Engines[0]
	if now.Name != "chat" || now.Mode != "auto_login" || !now.Traced || now.Owner != "" || now.Since != nil || now.Status["state"] != "uninitialized" {
		t.Errorf("at first: got %+v", now)
	}
	w.must(w.engine.LoginKit(t.Context(), w.kit))
	now = w.status().Engines[0]
	if now.Owner != "engine" || now.Since == nil || now.Since.IM == nil || now.Since.Kit == nil || now.Status["accid"] != "alice" ||
		now.Status["userUuid"] != "kit-of-alice" || now.Status["online"] != true || now.Status["reused"] != false || now.Status["floor"] != "uninitialized" {
		t.Errorf("over the engine's login: got %+v", now)
	}
	w.must(w.engine.LogoutKit(t.Context()))
	w.must(w.engine.LoginIM(t.Context(), appAccount))
	if now = w.status().Engines[0]; now.Owner != "host" || now.Since == nil || now.Since.IM == nil || now.Since.Kit != nil {
		t.Errorf("the host's login: got %+v", now)
	}
	if _, has := now.Status["cause"]; has {
		t.Errorf("the engine's own text of a cause is in the status: %v", now.Status)
	}
}

func TestStatusShowsTheCallInProgress(t *testing.T) {
	w := newWorld(t, engine.Options{Mode: engine.AutoLogin})
	for _, test := range []struct {
		call, rung string
		up         bool
		run        func() error
	}{
		{"LoginIM", "im_logged_in", true, func() error { return w.engine.LoginKit(t.Context(), w.kit) }},
		{"LogoutKit", "kit_logged_in", false, func() error { return w.engine.LogoutKit(t.Context()) }},
	} {
		release := w.device.Block(test.call)
		done := make(chan error)
		go func() { done <- test.run() }()
		eventually(t, test.call, func() bool {
			calls := w.status().Engines[0].Calls
			return len(calls) == 1 && calls[0].Call == test.call
		})
		if c := w.status().Engines[0].Calls[0]; c.Rung != test.rung || c.Up != test.up {
			t.Errorf("got %+v, want %+v", c, test)
		}
		release()
		w.must(<-done)
		if calls := w.status().Engines[0].Calls; len(calls) > 0 {
			t.Errorf("after %s: got %+v", test.call, calls)
		}
	}
}

// At most 500 entries, and 256 KiB of them.
func TestStoryIsBounded(t *testing.T) {
	w := newWorld(t, engine.Options{Mode: engine.AutoLogin})
	for range 200 {
		w.must(w.engine.LoginKit(t.Context(), w.kit))
		w.must(w.engine.LogoutKit(t.Context()))
	}
	if n := len(w.story()); n != 500 {
		t.Errorf("%d entries, want 500", n)
	}
	w.kit.UserUUID = strings.Repeat("x", 10_000)
	w.cloud.Bind(w.kit, appAccount.Accid)
	for range 200 {
		w.must(w.engine.LoginKit(t.Context(), w.kit))
		w.must(w.engine.LogoutKit(t.Context()))
	}
	size := 0
	story := w.story()
	for _, e := range story {
		if len(e.UserUUID) > 210 {
			t.Fatalf("an id of %d bytes is kept", len(e.UserUUID))
		}
		size += 256 + len(e.UserUUID) + len(e.Accid)
	}
	if size > 256<<10 || len(story) < 400 {
		t.Errorf("%d entries of %d bytes, want less than 256 KiB", len(story), size)
	}
}

// An engine that was not made with Options shows its states, and nothing else.
func TestStoryOfAForeignEngine(t *testing.T) {
	w := newWorld(t, engine.Options{})
	e := w.open(w.cloud.Device(), &engine.Options{Mode: engine.AutoLogin})
	t.Cleanup(w.inspector.Watch("foreign", e))
	w.must(e.LoginKit(t.Context(), w.kit))
	w.must(e.LogoutKit(t.Context()))
	_ = e.LogoutKit(nil) //lint:ignore SA1012 it has to fail
	f := follow(t, w.server, "")
	entries, _ := f.until(func(e entryJSON) bool { return e.Trigger == "logout_im" })
	entries = slices.DeleteFunc(entries, func(e entryJSON) bool { return e.Engine != "foreign" })
	wantLines(t, entries, "watch", "init_im uninitialized im_initialized", "login_im im_initialized im_logged_in",
		"login_kit im_logged_in kit_logged_in", "logout_kit kit_logged_in im_logged_in", "logout_im im_logged_in im_initialized")
	if got := w.status().Engines[1]; got.Traced || got.Mode != "" {
		t.Errorf("got %+v, want no mode and no trace", got)
	}
}

// Each engine has its own entries, even if names are the same.
func TestStoriesOfSeveralEngines(t *testing.T) {
	w := newWorld(t, engine.Options{Mode: engine.AutoLogin})
	o := w.inspector.Options()
	o.Mode = engine.ReuseIM
	second := w.open(w.cloud.Device(), o)
	t.Cleanup(w.inspector.Watch("chat", second))
	_ = second.LoginKit(t.Context(), w.kit)
	w.must(w.engine.LoginKit(t.Context(), w.kit))
	for _, e := range w.story() {
		want := "chat"
		if e.Kind == "failure" {
			want = "chat #2"
		}
		if e.Engine != want && e.Call != "AdoptIM" && e.Kind != "watch" {
			t.Errorf("got %+v, want it of %s", e, want)
		}
	}
	if now := w.status().Engines; len(now) != 2 || now[0].Mode != "auto_login" || now[1].Name != "chat #2" || now[1].Mode != "reuse_im" {
		t.Errorf("got %+v", now)
	}
}

func TestStoryOfEnginesThatShareOptions(t *testing.T) {
	w := newWorld(t, engine.Options{})
	o := w.inspector.Options()
	a, b := w.open(w.cloud.Device(), o), w.open(w.device, o)
	t.Cleanup(w.inspector.Watch("a", a))
	t.Cleanup(w.inspector.Watch("b", b))
	w.must(b.InitIM(t.Context()))
	for _, e := range w.story() {
		if e.Kind == "transition" && e.Engine != "b" || e.Kind == "call" && e.Engine != "a, b" {
			t.Errorf("got %+v", e)
		}
	}
	release := w.blockLogin(b)
	for _, e := range w.status().Engines {
		if len(e.Calls) > 0 {
			t.Errorf("got %+v, and nobody knows whose call it is", e)
		}
	}
	release()
	w.must(b.Close())
	eventually(t, "the end of b", func() bool { return w.status().Engines[2].Closed != nil })
	w.must(a.InitIM(t.Context()))
	if last := w.story(); last[len(last)-1].Engine != "a" || last[len(last)-2].Engine != "a" {
		t.Errorf("after the end of b: got %+v", last)
	}
}

// A watch ends when the engine is closed, or with stop; TestMain looks for
// goroutines that are left.
func TestWatchEnds(t *testing.T) {
	w := newWorld(t, engine.Options{})
	w.must(w.engine.Close())
	eventually(t, "the end", func() bool { return w.status().Engines[0].Closed != nil })
	// The end of the watch is reported before or after the call of Close.
	story := w.story()
	if !slices.ContainsFunc(story, func(e entryJSON) bool { return e.Kind == "closed" && e.Engine == "chat" }) {
		t.Errorf("got %+v, want the end of chat", story)
	}
	again := w.open(w.cloud.Device(), w.inspector.Options())
	stop := w.inspector.Watch("chat", again)
	if now := w.status().Engines; len(now) != 1 || now[0].Name != "chat" || now[0].Closed != nil {
		t.Errorf("got %+v, want the new engine in the place of the closed one", now)
	}
	stop()
	stop()
	last := w.status().Last
	w.must(again.InitIM(t.Context()))
	_ = again.LoginKit(t.Context(), engine.KitAccount{})
	if now := w.status(); len(now.Engines) != 0 || now.Last != last {
		t.Errorf("got %+v, want nothing after stop", now)
	}
}

func TestClosedEnginesDoNotPileUp(t *testing.T) {
	w := newWorld(t, engine.Options{})
	for n := range 40 {
		e := w.open(w.cloud.Device(), w.inspector.Options())
		w.inspector.Watch(fmt.Sprint("engine ", n), e)
		w.must(e.Close())
		name := fmt.Sprint("engine ", n)
		eventually(t, name, func() bool {
			return slices.ContainsFunc(w.status().Engines, func(e engineJSON) bool { return e.Name == name && e.Closed != nil })
		})
	}
	if now := w.status().Engines; len(now) != 17 || now[0].Name != "chat" || now[16].Name != "engine 39" || now[1].Name != "engine 24" {
		t.Errorf("%d engines, want chat and the last 16: %+v", len(now), now)
	}
}

func TestWatchOfNothing(t *testing.T) {
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "nil Engine") {
			t.Errorf("got %v, want a panic that says why", v)
		}
	}()
	inspect.New(engine.Options{}).Watch("none", nil)
}

// blockLogin begins a login of e that hangs in w.device, until release is called.
func (w *world) blockLogin(e *engine.Engine) (release func()) {
	unblock := w.device.Block("LoginIM")
	done := make(chan error)
	go func() { done <- e.LoginIM(w.Context(), appAccount) }()
	eventually(w.T, "the call", func() bool { return slices.Contains(w.device.Calls(), "LoginIM alice") })
	return func() {
		unblock()
		w.must(<-done)
	}
}

var errHost = errors.New("the host's own")
