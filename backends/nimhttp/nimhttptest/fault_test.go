package nimhttptest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// eventually polls ok until it is true. It fails t if that takes too long.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("timed out waiting for: %s", what)
		}
	}
}

// pausing reports whether any server is delaying a reply.
func pausing() bool {
	stacks := make([]byte, 1<<20)
	return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "nimhttptest.pause(")
}

func TestFaultReplies(t *testing.T) {
	html := http.Header{"Content-Type": {"text/html"}}
	tests := []struct {
		name        string
		fault       nimhttptest.Fault
		status      int
		contentType string
		body        string // "…" for the server's own
	}{
		{"none", nimhttptest.Fault{}, 200, "application/json;charset=UTF-8", "…"},
		{"content type", nimhttptest.Fault{Header: http.Header{"content-type": {"text/html"}}}, 200, "text/html", "…"},
		{"status", nimhttptest.Fault{Status: 503}, 503, "application/json;charset=UTF-8", ""},
		{"empty", nimhttptest.Fault{Status: 200}, 200, "application/json;charset=UTF-8", ""},
		{"body", nimhttptest.Fault{Body: "{}"}, 200, "application/json;charset=UTF-8", "{}"},
		{"proxy", nimhttptest.Fault{Status: 502, Body: "<html>", Header: html}, 502, "text/html", "<html>"},
		{"trickle", nimhttptest.Fault{Body: "null", Trickle: time.Millisecond}, 200, "application/json;charset=UTF-8", "null"},
		{"trickle of its own", nimhttptest.Fault{Trickle: time.Microsecond}, 200, "application/json;charset=UTF-8", "…"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t)
			s.Fault(test.fault)
			res, body := raw(t, "POST", s.KitURL()+login, user1())
			if res.StatusCode != test.status || res.Header.Get("Content-Type") != test.contentType {
				t.Errorf("got HTTP %d, %q, want HTTP %d, %q", res.StatusCode, res.Header.Get("Content-Type"), test.status, test.contentType)
			}
			own := test.body == "…"
			if own != strings.Contains(body, `"code":0`) || !own && body != test.body {
				t.Errorf("got body %q, want %q", body, test.body)
			}
			wantCode(t, "the next login", ask(t, s, "POST", login, user1()), 0)
		})
	}
}

func TestFaultRedirect(t *testing.T) {
	s := newServer(t)
	header := http.Header{"Location": {"http://127.0.0.1:1/"}, "Retry-After": {"7"}, "Access-Control-Allow-Origin": {"http://localhost"}}
	s.Fault(nimhttptest.Fault{Status: 307, Header: header})
	header.Set("Location", "changed")
	res, _ := raw(t, "POST", s.KitURL()+login, user1())
	if h := res.Header; res.StatusCode != 307 || h.Get("Location") != "http://127.0.0.1:1/" || h.Get("Retry-After") != "7" ||
		h.Get("Access-Control-Allow-Origin") != "http://localhost" {
		t.Errorf("got HTTP %d, %v", res.StatusCode, h)
	}
}

func TestFaultHugeBody(t *testing.T) {
	s := newServer(t)
	const size = 64 << 20
	s.Fault(nimhttptest.Fault{Body: strings.Repeat(" ", size)})
	res, err := newClient(t).Do(newRequest(t, "POST", s.KitURL()+login, user1()))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.Copy(io.Discard, res.Body); got != size || err != nil {
		t.Errorf("got %d bytes and %v, want %d", got, err, size)
	}
}

// Without Status and Body the request is carried out; with them it is not. A
// login that was carried out has a session, which the world can end.
func TestFaultEffects(t *testing.T) {
	tests := []struct {
		name   string
		fault  nimhttptest.Fault
		cut    bool
		effect bool
	}{
		{"none", nimhttptest.Fault{}, false, true},
		{"status", nimhttptest.Fault{Status: 503}, false, false},
		{"body", nimhttptest.Fault{Body: "null"}, false, false},
		{"header", nimhttptest.Fault{Header: http.Header{"X": {"y"}}}, false, true},
		{"cut before", nimhttptest.Fault{Cut: nimhttptest.CutBefore}, true, false},
		{"cut after", nimhttptest.Fault{Cut: nimhttptest.CutAfter}, true, true},
		{"cut after, status", nimhttptest.Fault{Cut: nimhttptest.CutAfter, Status: 503, Body: "null"}, true, true},
		{"cut in the body", nimhttptest.Fault{Body: "{", Header: http.Header{"Content-Length": {"100"}}}, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t)
			s.Fault(test.fault)
			res, err := newClient(t).Do(newRequest(t, "POST", s.KitURL()+login, user1()))
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			cut := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
			if cut != test.cut || !cut && err != nil {
				t.Errorf("got error %v, want the connection cut: %t", err, test.cut)
			}
			if got := len(s.Requests()); got != 1 {
				t.Errorf("got %d requests, want 1", got)
			}
			s.World().EndKit("user1", engine.ErrTokenRejected)
			want := 0
			if test.effect {
				want = 402
			}
			wantCode(t, "token check", ask(t, s, "POST", checkToken, user1()), want)
		})
	}
}

func TestFaultsInOrder(t *testing.T) {
	s := newServer(t)
	s.Fault(nimhttptest.Fault{Path: "/v1/login", Times: 2, Status: 500})
	s.Fault(nimhttptest.Fault{Status: 501})
	s.Fault(nimhttptest.Fault{Path: "login", Status: 502})
	tests := []struct {
		path string
		want int
	}{{login, 500}, {anonymous, 501}, {checkToken, 200}, {login, 500}, {anonymous, 502}, {login, 200}, {anonymous, 200}}
	for i, test := range tests {
		if res, _ := raw(t, "POST", s.KitURL()+test.path, user1()); res.StatusCode != test.want {
			t.Errorf("%d, %s: got HTTP %d, want %d", i, test.path, res.StatusCode, test.want)
		}
	}
}

func TestFaultDelay(t *testing.T) {
	s := newServer(t)
	const delay = 50 * time.Millisecond
	s.Fault(nimhttptest.Fault{Delay: delay})
	began := time.Now()
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
	if took := time.Since(began); took < delay {
		t.Errorf("it took %v, want %v at least", took, delay)
	}
}

// If the client goes during the delay, the request is not carried out.
func TestFaultDelayClientGoes(t *testing.T) {
	s := newServer(t)
	s.Fault(nimhttptest.Fault{Delay: time.Hour})
	ctx, leave := context.WithCancel(t.Context())
	result := make(chan error)
	request := newRequest(t, "POST", s.KitURL()+login, user1()).WithContext(ctx)
	client := newClient(t)
	go func() {
		_, err := client.Do(request)
		result <- err
	}()
	eventually(t, "the server waits", pausing)
	leave()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	eventually(t, "the server waits no more", func() bool { return !pausing() })
	s.World().EndKit("user1", engine.ErrTokenRejected)
	wantCode(t, "token check", ask(t, s, "POST", checkToken, user1()), 0)
}

// The header of a slow body comes at once. Only Close or the client ends the
// wait for the rest.
func TestFaultTrickle(t *testing.T) {
	s := newServer(t)
	s.Fault(nimhttptest.Fault{Body: "{}", Trickle: time.Hour})
	res, err := newClient(t).Do(newRequest(t, "POST", s.KitURL()+login, user1()))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	eventually(t, "the server waits", pausing)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if pausing() {
		t.Error("the server still waits after Close")
	}
	if body, err := io.ReadAll(res.Body); len(body) != 0 {
		t.Errorf("got %q and %v, want nothing", body, err)
	}
}

func TestBadFault(t *testing.T) {
	s := newServer(t)
	for _, f := range []nimhttptest.Fault{{Status: 100}, {Status: 600}, {Status: -1}, {Times: -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v: no panic", f)
				}
			}()
			s.Fault(f)
		}()
	}
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
}
