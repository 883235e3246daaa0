package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// A host is logged in to a sandbox over HTTP, with the client of nimhttp.
type host struct {
	*testing.T
	at     map[string]string
	kit    *nimhttp.Kit
	engine *engine.Engine
}

var guideKit = engine.KitAccount{UserUUID: nimhttptest.UserUUID, Token: nimhttptest.UserToken}

func newHost(t *testing.T, at map[string]string) *host {
	t.Helper()
	o := nimhttp.Options{AppKey: nimhttptest.AppKey, KitURL: at["kit"], GatewayURL: at["gateway"], GatewaySecret: at["gatewaySecret"]}
	kit, err := nimhttp.NewKit(o)
	if err != nil {
		t.Fatal(err)
	}
	im, err := nimhttp.NewIM(o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Join(im, kit), nimhttptest.AppKey, &engine.Options{Mode: engine.AutoLogin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.LoginKit(t.Context(), guideKit); err != nil {
		t.Fatal(err)
	}
	return &host{t, at, kit, e}
}

// await waits for a status that matches.
func (h *host) await(what string, match func(engine.Status) bool) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), 20*time.Second)
	defer cancel()
	for s := range h.engine.Watch(ctx) {
		if match(s) {
			return
		}
	}
	h.Errorf("got %+v, want %s", h.engine.Status(), what)
}

func (h *host) awaitLoss(want error) {
	h.Helper()
	h.await(want.Error(), func(s engine.Status) bool { return s.State < engine.IMLoggedIn && errors.Is(s.Cause, want) })
}

// wantRefused checks that the next token check fails and ends the kit login.
func (h *host) wantRefused(want error) {
	h.Helper()
	if err := h.kit.CheckToken(h.Context()); !errors.Is(err, want) {
		h.Errorf("CheckToken: got %v, want %v", err, want)
	}
	h.await(want.Error(), func(s engine.Status) bool { return s.State < engine.KitLoggedIn && errors.Is(s.Cause, want) })
}

// login sends one login request, without nimhttp's retries.
func (h *host) login() (*http.Response, string, error) {
	h.Helper()
	r, err := http.NewRequestWithContext(h.Context(), http.MethodPost, h.at["kit"]+"/scene/apps/app1/v1/login", nil)
	if err != nil {
		h.Fatal(err)
	}
	for name, value := range map[string]string{"AppKey": "app1", "user": guideKit.UserUUID, "token": guideKit.Token} {
		r.Header.Set(name, value)
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

func (h *host) wantLogin(status int, header, value, text string) {
	h.Helper()
	res, body, err := h.login()
	if err != nil {
		h.Fatal(err)
	}
	if res.StatusCode != status || res.Header.Get(header) != value || !strings.Contains(body, text) {
		h.Errorf("login: got HTTP %d, %v and %q, want %d, %s: %q and %q", res.StatusCode, res.Header, body, status, header, value, text)
	}
}

const success = `"code":0`

// docLines are the curl lines of docs/sandbox.md. unique is a text that only one
// line contains; before prepares the host, and after checks the effect.
var docLines = []struct {
	unique string
	before func(*host)
	after  func(*host)
}{
	{"/v1/kick", nil, func(h *host) {
		h.await("a kick", func(s engine.Status) bool {
			var kick *engine.KickError
			return errors.As(s.Cause, &kick) && kick.Reason == engine.KickedByServer && kick.Text == "see you"
		})
	}},
	{"/v1/end-im", nil, func(h *host) { h.awaitLoss(engine.ErrAccountBanned) }},
	{"/v1/end-kit", nil, func(h *host) {
		h.wantRefused(engine.ErrTokenRejected)
		h.wantLogin(200, "", "", success)
	}},
	{"/v1/expire", nil, func(h *host) {
		h.wantRefused(engine.ErrTokenExpired)
		h.wantLogin(200, "", "", `"code":1026`)
	}},
	{`"online": false`, nil, func(h *host) {
		h.await("a link that is down", func(s engine.Status) bool { return s.State == engine.KitLoggedIn && !s.Online })
	}},
	{`"online": true`, func(h *host) {
		if status, text := callControl(h.T, h.at, "/v1/link", `{"accid": "myaccid", "online": false}`); status != 204 {
			h.Fatalf("got HTTP %d, %s", status, text)
		}
		h.await("a link that is down", func(s engine.Status) bool { return !s.Online })
	}, func(h *host) {
		h.await("a link that is up", func(s engine.Status) bool { return s.State == engine.KitLoggedIn && s.Online })
	}},
	{`"delayMs"`, nil, func(h *host) {
		ctx, cancel := context.WithTimeout(h.Context(), 100*time.Millisecond)
		defer cancel()
		if err := h.kit.CheckToken(ctx); !errors.Is(err, context.DeadlineExceeded) {
			h.Errorf("within 100 ms: got %v, want no answer yet", err)
		}
		if err := h.kit.CheckToken(h.Context()); err != nil {
			h.Errorf("with more time: got %v", err)
		}
	}},
	{`"Retry-After"`, nil, func(h *host) {
		for range 2 {
			h.wantLogin(503, "Retry-After", "1", "")
		}
		h.wantLogin(200, "", "", success)
	}},
	{`"cut"`, nil, func(h *host) {
		if _, _, err := h.login(); err == nil {
			h.Error("login: got a reply, want the connection cut")
		}
		h.wantLogin(200, "", "", success)
	}},
	{`"body"`, nil, func(h *host) {
		h.wantLogin(200, "", "", "<html>")
		h.wantLogin(200, "", "", success)
	}},
	{`"Location"`, nil, func(h *host) { h.wantLogin(302, "Location", "http://127.0.0.1:9/", "") }},
}

// Each line is run as it is printed: by curl if there is one, and always by
// runParsed.
func TestControlDoc(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	runners := map[string]func(*testing.T, string, map[string]string){"parsed": runParsed}
	if _, err := exec.LookPath("curl"); err == nil {
		runners["curl"] = runCurl
	}
	done := map[string]bool{}
	for line := range strings.Lines(string(doc)) {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		i := docLine(t, line)
		test := docLines[i]
		done[test.unique] = true
		for name, run := range runners {
			t.Run(test.unique+" "+name, func(t *testing.T) {
				at, stop := startSandbox(t)
				t.Cleanup(func() { stop() })
				h := newHost(t, at)
				if test.before != nil {
					test.before(h)
				}
				run(t, strings.TrimSpace(line), at)
				test.after(h)
			})
		}
	}
	if len(done) != len(docLines) {
		t.Errorf("docs/sandbox.md has %d of the %d lines: %v", len(done), len(docLines), done)
	}
}

// docLine returns the index of the only entry of docLines for a line.
func docLine(t *testing.T, line string) int {
	t.Helper()
	found := -1
	for i, test := range docLines {
		if strings.Contains(line, test.unique) {
			if found >= 0 {
				t.Fatalf("%q and %q are both in %s", docLines[found].unique, test.unique, line)
			}
			found = i
		}
	}
	if found < 0 {
		t.Fatalf("docLines has no entry for %s", line)
	}
	return found
}

func runCurl(t *testing.T, line string, at map[string]string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "sh", "-c", line)
	c.Env = append(os.Environ(), "NO_PROXY=*", "IMREUSE_CONTROL_URL="+at["control"], "IMREUSE_CONTROL_SECRET="+at["controlSecret"])
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// runParsed sends the request that curl would send.
func runParsed(t *testing.T, line string, at map[string]string) {
	t.Helper()
	words := shellWords(t, line, map[string]string{"IMREUSE_CONTROL_URL": at["control"], "IMREUSE_CONTROL_SECRET": at["controlSecret"]})
	if len(words) != 7 || words[1] != "-sSf" || words[2] != "-H" || words[4] != "-d" {
		t.Fatalf("got %q, want curl -sSf -H HEADER -d BODY URL", words)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, words[6], strings.NewReader(words[5]))
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(words[3], ": ")
	r.Header.Set(name, value)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d sets it
	if status, text := send(t, r); status != http.StatusNoContent {
		t.Fatalf("got HTTP %d, %s", status, text)
	}
}

// shellWords splits a line at its spaces. It knows single and double quotes.
func shellWords(t *testing.T, line string, env map[string]string) []string {
	t.Helper()
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		quote := line[:1]
		if !strings.Contains(`'"`, quote) {
			word, rest, _ := strings.Cut(line, " ")
			words, line = append(words, word), rest
			continue
		}
		word, rest, closed := strings.Cut(line[1:], quote)
		if !closed {
			t.Fatalf("a quote is not closed in %s", line)
		}
		if quote == `"` {
			word = os.Expand(word, func(name string) string {
				if env[name] == "" {
					t.Fatalf("$%s has no value", name)
				}
				return env[name]
			})
		}
		words, line = append(words, word), rest
	}
	return words
}

// send sends a request and returns the status and the text of the reply.
func send(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func callControl(t *testing.T, at map[string]string, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at["control"]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+at["controlSecret"])
	return send(t, r)
}

// The tables of docs/sandbox.md have every name that the program has.
func TestSandboxDocNames(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	at, stop := startSandbox(t)
	defer stop()
	for name := range at {
		if !strings.Contains(string(doc), "| `"+name+"` | `IMREUSE_") {
			t.Errorf("docs/sandbox.md has no row for %s", name)
		}
	}
	for path := range actions {
		if !strings.Contains(string(doc), "`"+path+"`") {
			t.Errorf("docs/sandbox.md does not describe %s", path)
		}
	}
	text, err := json.Marshal(fault{})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		if !strings.Contains(string(doc), "| `"+name+"` |") {
			t.Errorf("docs/sandbox.md does not describe the field %s of a fault", name)
		}
	}
}
