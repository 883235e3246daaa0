package nimhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

func TestBrokenServers(t *testing.T) {
	const most = 3
	cut := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	huge := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	envelope := func(code int) string {
		return fmt.Sprintf(`{"code":%d,"msg":"refused kit-token-1 of user1","requestId":"r1"}`, code)
	}
	tests := []struct {
		name     string
		answer   http.HandlerFunc
		want     engine.Code
		status   int // of the ServerError; 0: there is none
		code     int
		requests int
	}{
		{"empty object", ok(`{}`), engine.ErrUnavailable, 0, 0, 1},
		{"null", ok(`null`), engine.ErrUnavailable, 0, 0, 1},
		{"empty", ok(``), engine.ErrUnavailable, 0, 0, 1},
		{"text", ok(`ok`), engine.ErrUnavailable, 0, 0, 1},
		{"array", ok(`[]`), engine.ErrUnavailable, 0, 0, 1},
		{"code as text", ok(`{"code":"zero","data":{}}`), engine.ErrUnavailable, 0, 0, 1},
		{"code 200", ok(`{"code":200,"data":{"userUuid":"user1","imKey":"app1","imToken":"x"}}`), 0, 200, 200, 1},
		{"no data", ok(`{"code":0}`), engine.ErrUnavailable, 0, 0, 1},
		{"data null", ok(`{"code":0,"data":null}`), engine.ErrUnavailable, 0, 0, 1},
		{"data text", ok(`{"code":0,"data":"yes"}`), engine.ErrUnavailable, 0, 0, 1},
		{"no userUuid", ok(`{"code":0,"data":{"imKey":"app1","imToken":"x"}}`), engine.ErrUnavailable, 0, 0, 1},
		{"no imToken", ok(`{"code":0,"data":{"userUuid":"user1","imKey":"app1"}}`), engine.ErrUnavailable, 0, 0, 1},
		{"no imKey", ok(`{"code":0,"data":{"userUuid":"user1","imToken":"x"}}`), engine.ErrUnavailable, 0, 0, 1},
		{"64 MiB", huge, engine.ErrUnavailable, 0, 0, 1},
		{"cut", cut, engine.ErrUnavailable, 0, 0, 1},
		{"a proxy's page", reply(200, "text/html", "<html>Please log in</html>"), engine.ErrUnavailable, 0, 0, 1},
		{"body 401", ok(envelope(401)), engine.ErrTokenRejected, 200, 401, 1},
		{"body 402", ok(envelope(402)), engine.ErrTokenRejected, 200, 402, 1},
		{"body 1027", ok(envelope(1027)), engine.ErrTokenRejected, 200, 1027, 1},
		{"body 1026", ok(envelope(1026)), engine.ErrTokenExpired, 200, 1026, 1},
		{"body 1021", ok(envelope(1021)), engine.ErrNoIMAccount, 200, 1021, 1},
		{"body 600420", ok(envelope(600420)), engine.ErrNotEnabled, 200, 600420, 1},
		{"body 500", ok(envelope(500)), engine.ErrUnavailable, 200, 500, 1},
		{"body 503", ok(envelope(503)), engine.ErrUnavailable, 200, 503, 1},
		{"body 1004", ok(envelope(1004)), 0, 200, 1004, 1},
		{"401", reply(401, "text/plain", "no"), engine.ErrTokenRejected, 401, 0, 1},
		{"402 with a code", reply(402, "application/json", envelope(402)), engine.ErrTokenRejected, 402, 402, 1},
		{"404", reply(404, "text/html", "not found"), 0, 404, 0, 1},
		{"429", reply(429, "text/plain", "slow down"), engine.ErrUnavailable, 429, 0, most},
		{"500", reply(500, "application/json", envelope(500)), engine.ErrUnavailable, 500, 500, 1},
		{"502", reply(502, "text/html", "<html>"), engine.ErrUnavailable, 502, 0, most},
		{"503", reply(503, "text/plain", ""), engine.ErrUnavailable, 503, 0, most},
		{"504", reply(504, "text/plain", ""), engine.ErrUnavailable, 504, 0, most},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStub(t, test.answer)
			k := newKit(t, nimhttp.Options{KitURL: s.URL})
			im, err := k.Authenticate(t.Context(), account)
			if err == nil || im != (engine.IMAccount{}) {
				t.Fatalf("got %v and no error", im)
			}
			if got := engine.CodeOf(err); got != test.want {
				t.Errorf("got code %d (%v), want %d", int(got), err, int(test.want))
			}
			var se *nimhttp.ServerError
			if got := errors.As(err, &se); got != (test.status != 0) {
				t.Errorf("got a ServerError: %t (%v)", got, err)
			} else if got && (se.Status != test.status || se.Code != test.code || se.Domain != "kit") {
				t.Errorf("got %+v, want HTTP %d, code %d", se, test.status, test.code)
			}
			if strings.Contains(err.Error(), account.Token) || strings.Contains(fmt.Sprintf("%+v", se), account.Token) {
				t.Errorf("the token is in %q", err)
			}
			if got := len(s.seen()); got != test.requests {
				t.Errorf("got %d requests, want %d", got, test.requests)
			}
			if err := k.LoginKit(t.Context(), account, engine.Notify{}); !errors.Is(err, engine.ErrState) {
				t.Errorf("LoginKit after that: got %v, want ErrState", err)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := newStub(t, ok(loginReply))
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
		})
		for name, client := range map[string]*http.Client{"own": nil, "the host's": {}} {
			k := newKit(t, nimhttp.Options{KitURL: s.URL, HTTPClient: client})
			if _, err := k.Authenticate(t.Context(), account); !errors.Is(err, engine.ErrUnavailable) {
				t.Errorf("%d with %s client: got %v, want ErrUnavailable", status, name, err)
			}
		}
		http.DefaultClient.CloseIdleConnections()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	}
	if got := len(elsewhere.seen()); got != 0 {
		t.Errorf("%d requests were sent where a redirect pointed", got)
	}
}

func TestConnectErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for name, call := range map[string]func(*nimhttp.Kit) error{
		"Authenticate": func(k *nimhttp.Kit) error { _, err := k.Authenticate(t.Context(), account); return err },
		"Anonymous":    func(k *nimhttp.Kit) error { _, err := k.Anonymous(t.Context()); return err },
	} {
		var dials atomic.Int32
		transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
		k := newKit(t, nimhttp.Options{KitURL: "http://" + address, HTTPClient: &http.Client{Transport: transport}})
		if err := call(k); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
		if got := dials.Load(); got != 3 {
			t.Errorf("%s: got %d dials, want 3", name, got)
		}
	}
}

func TestAnonymousIsNotRepeated(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"503": reply(503, "text/plain", ""),
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		s := newStub(t, answer)
		k := newKit(t, nimhttp.Options{KitURL: s.URL})
		if _, err := k.Anonymous(t.Context()); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
		if got := len(s.seen()); got != 1 {
			t.Errorf("%s: got %d requests, want 1", name, got)
		}
	}
}

func TestRetries(t *testing.T) {
	var n atomic.Int32
	s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) < 3 {
			reply(503, "text/plain", "")(w, r)
			return
		}
		ok(loginReply)(w, r)
	})
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	if _, err := k.Authenticate(t.Context(), account); err != nil {
		t.Errorf("got %v, want success at the third try", err)
	}
}

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		name, header string
		requests     int
	}{
		{"longer than ctx", "10", 1},
		{"an hour", "3600", 1},
		{"a date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 1},
		{"nonsense", "soon", 3},
		{"past", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", test.header)
				w.WriteHeader(503)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			defer cancel()
			k := newKit(t, nimhttp.Options{KitURL: s.URL})
			if _, err := k.Authenticate(ctx, account); !errors.Is(err, engine.ErrUnavailable) || ctx.Err() != nil {
				t.Errorf("got %v, want ErrUnavailable before ctx ends", err)
			}
			if got := len(s.seen()); got != test.requests {
				t.Errorf("got %d requests, want %d", got, test.requests)
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		busy := roundTripper(func(*http.Request) (*http.Response, error) {
			if n++; n < 3 {
				return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"7"}}, Body: http.NoBody}, nil
			}
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(strings.NewReader(loginReply))}, nil
		})
		k := newKit(t, nimhttp.Options{HTTPClient: &http.Client{Transport: busy}})
		began := time.Now()
		if _, err := k.Authenticate(t.Context(), account); err != nil || time.Since(began) != 14*time.Second {
			t.Errorf("got %v after %v, want success after twice 7 s", err, time.Since(began))
		}
	})
}

func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := roundTripper(func(r *http.Request) (*http.Response, error) {
			httptrace.ContextClientTrace(r.Context()).WroteHeaders()
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		k := newKit(t, nimhttp.Options{HTTPClient: &http.Client{Transport: silent}})
		_, err := k.Authenticate(t.Context(), account)
		if !errors.Is(err, engine.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ErrUnavailable, and nothing of a deadline that the caller does not have", err)
		}
	})
}

func TestCallerGivesUp(t *testing.T) {
	reason := errors.New("the user closed the window")
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	trickle := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"code":0,`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, answer := range map[string]http.HandlerFunc{"slow headers": hang, "slow body": trickle} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				cancel(reason)
				answer(w, r)
			})
			k := newKit(t, nimhttp.Options{KitURL: s.URL})
			_, err := k.Authenticate(ctx, account)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) || engine.CodeOf(err) != 0 {
				t.Errorf("got %v, want the caller's reason and no code", err)
			}
			if got := len(s.seen()); got != 1 {
				t.Errorf("got %d requests, want 1", got)
			}
		})
	}
}

func TestEndedContextSendsNothing(t *testing.T) {
	s := newStub(t, ok(loginReply))
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Authenticate(ctx, account); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got := len(s.seen()); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
}
