package nimhttp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var account = engine.KitAccount{UserUUID: "user1", Token: "kit-token-1"}

const loginReply = `{"code":0,"msg":"success","requestId":"r1","ts":1,"cost":"1ms","data":{"userUuid":"user1","imKey":"app1","imToken":"im-token-1","rtcKey":"x"}}`

// A stub is a server that answers as it is told, and notes what it was asked.
type stub struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

func newStub(t *testing.T, answer http.HandlerFunc) *stub {
	t.Helper()
	s := new(stub)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *stub) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func reply(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func ok(body string) http.HandlerFunc { return reply(200, "application/json;charset=UTF-8", body) }

func newKit(t *testing.T, o nimhttp.Options) *nimhttp.Kit {
	t.Helper()
	if o.AppKey == "" {
		o.AppKey = "app1"
	}
	k, err := nimhttp.NewKit(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func TestLoginRequest(t *testing.T) {
	s := newStub(t, ok(loginReply))
	k := newKit(t, nimhttp.Options{KitURL: s.URL + "/private/cloud/", Language: "zh-CN"})
	im, err := k.Authenticate(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	if want := (engine.IMAccount{AppKey: "app1", Accid: "user1", Token: "im-token-1"}); im != want {
		t.Errorf("got %#v of AppKey %q, want %#v", im, im.AppKey, want)
	}
	if err := k.LoginKit(t.Context(), account, engine.Notify{}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Authenticate(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	requests := s.seen()
	if len(requests) != 2 {
		t.Fatalf("got %d requests for two kit logins, want one each", len(requests))
	}
	r := requests[0]
	if r.Method != "POST" || r.URL.Path != "/private/cloud/scene/apps/app1/v1/login" || r.ContentLength != 0 {
		t.Errorf("got %s %s with %d bytes", r.Method, r.URL.Path, r.ContentLength)
	}
	for name, want := range map[string]string{
		"user": "user1", "token": "kit-token-1", "AppKey": "app1", "clientType": "web", "accept-language": "zh-CN",
		"versionCode": "1.31.0", "roomKitVer": "1.31.0", "Accept": "application/json, text/plain, */*", "authType": "", "Content-Type": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("header %s: got %q, want %q", name, got, want)
		}
	}
	device := r.Header.Get("deviceId")
	if device == "" || device != requests[1].Header.Get("deviceId") {
		t.Errorf("got deviceId %q and then %q, want one that stays", device, requests[1].Header.Get("deviceId"))
	}
}

func TestDynamicToken(t *testing.T) {
	s := newStub(t, ok(`{"code":0,"data":{"userUuid":"user1","imKey":"app1"}}`))
	k := newKit(t, nimhttp.Options{KitURL: s.URL, AuthType: nimhttp.AuthDynamic})
	im, err := k.Authenticate(t.Context(), account)
	if err != nil || im.Token != account.Token {
		t.Errorf("got %v, want IM's token to be the one of the login", err)
	}
	if got := s.seen()[0].Header.Get("authType"); got != "1" {
		t.Errorf("got authType %q, want 1", got)
	}
}

func TestBoundAccid(t *testing.T) {
	s := newStub(t, ok(`{"code":0,"data":{"userUuid":"user1","imAccid":"Other","imKey":"app1","imToken":"x"}}`))
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	if im, err := k.Authenticate(t.Context(), account); err != nil || im.Accid != "Other" {
		t.Errorf("got %v and %v, want the imAccid of the reply", im, err)
	}
}

// Every kind of broken server: a clear error with a code, a bounded number of
// requests, nothing logged in, and no token in the error.
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
		{"wrong content type", reply(200, "text/plain", loginReply), engine.ErrUnavailable, 0, 0, 1},
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

// A refusing address: the request is never written, so every call tries again.
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

// Each anonymous login makes a guest: what may have reached the server is not
// said again.
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

func TestAnonymous(t *testing.T) {
	s := newStub(t, ok(`{"code":0,"data":{"userUuid":"guest1","userToken":"guest-token","imKey":"app1","imToken":"x"}}`))
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	a, err := k.Anonymous(t.Context())
	if want := (engine.KitAccount{UserUUID: "guest1", Token: "guest-token"}); err != nil || a != want {
		t.Errorf("got %v and %v, want %v", a, err, want)
	}
	r := s.seen()[0]
	if r.URL.Path != "/scene/apps/app1/v1/anonymous/login" || r.Header.Get("user")+r.Header.Get("token") != "" {
		t.Errorf("got %s as user %q", r.URL.Path, r.Header.Get("user"))
	}

	for name, answer := range map[string]http.HandlerFunc{
		"refused":       ok(`{"code":403,"msg":"forbidden"}`),
		"HTTP refusal":  reply(403, "text/plain", ""),
		"no userToken":  ok(`{"code":0,"data":{"userUuid":"guest1"}}`),
		"bad userToken": ok(`{"code":0,"data":{"userUuid":"guest1","userToken":"a\nb"}}`),
	} {
		k := newKit(t, nimhttp.Options{KitURL: newStub(t, answer).URL})
		_, err := k.Anonymous(t.Context())
		if none := strings.Contains(name, "refus"); err == nil || errors.Is(err, errors.ErrUnsupported) != none {
			t.Errorf("%s: got %v, want ErrUnsupported: %t", name, err, none)
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

// In a bubble of its own, where time is exact: the server's wish is waited for.
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

// The caller's own reason is what errors.Is finds.
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

func TestCheckToken(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   engine.Code
		lost   bool
	}{
		{"good", ok(`{"code":0}`), 0, false},
		{"wrong", ok(`{"code":402,"msg":"kit-token-1"}`), engine.ErrTokenRejected, true},
		{"expired", ok(`{"code":1026}`), engine.ErrTokenExpired, true},
		{"overloaded", reply(503, "text/plain", ""), engine.ErrUnavailable, false},
		{"malformed", ok(`{}`), engine.ErrUnavailable, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/v1/checkToken") && r.Header.Get("token") == account.Token {
					test.answer(w, r)
					return
				}
				ok(loginReply)(w, r)
			})
			k := newKit(t, nimhttp.Options{KitURL: s.URL})
			if err := k.CheckToken(t.Context()); !errors.Is(err, engine.ErrState) {
				t.Errorf("before the login: got %v, want ErrState", err)
			}
			var lost []error
			logIn(t, k, func(cause error) { lost = append(lost, cause) })
			err := k.CheckToken(t.Context())
			if got := engine.CodeOf(err); got != test.want || (err == nil) != (test.want == 0) {
				t.Errorf("got %v, want code %d", err, int(test.want))
			}
			if got := len(lost) == 1 && errors.Is(lost[0], test.want); got != test.lost {
				t.Errorf("got lost %v, want %t", lost, test.lost)
			}
			if err := k.CheckToken(t.Context()); errors.Is(err, engine.ErrState) != test.lost {
				t.Errorf("after that: got %v", err)
			}
			if len(lost) > 1 {
				t.Errorf("one login was lost %d times", len(lost))
			}
		})
	}
}

func logIn(t *testing.T, k *nimhttp.Kit, lost func(error)) {
	t.Helper()
	if _, err := k.Authenticate(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	if err := k.LoginKit(t.Context(), account, engine.Notify{Lost: lost}); err != nil {
		t.Fatal(err)
	}
}

// A refusal that arrives after the logout, or after the next login, is not that
// login's.
func TestLateRefusal(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	s := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "checkToken") {
			close(asked)
			<-answer
			ok(`{"code":402}`)(w, r)
			return
		}
		ok(loginReply)(w, r)
	})
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	never := func(cause error) { t.Errorf("lost: %v", cause) }
	logIn(t, k, never)
	done := make(chan error)
	go func() { done <- k.CheckToken(t.Context()) }()
	<-asked
	if err := k.LogoutKit(t.Context()); err != nil {
		t.Fatal(err)
	}
	logIn(t, k, never)
	close(answer)
	if err := <-done; !errors.Is(err, engine.ErrTokenRejected) {
		t.Errorf("got %v, want ErrTokenRejected", err)
	}
}

func TestAuthorize(t *testing.T) {
	s := newStub(t, ok(loginReply))
	k := newKit(t, nimhttp.Options{KitURL: s.URL + "/prefix"})
	request := func(url string) *http.Request {
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	good := s.URL + "/prefix/scene/apps/app1/v2/rooms"
	if err := k.Authorize(request(good)); !errors.Is(err, engine.ErrState) {
		t.Errorf("before the login: got %v, want ErrState", err)
	}
	logIn(t, k, nil)
	r := request(good)
	if err := k.Authorize(r); err != nil || r.Header.Get("token") != account.Token || r.Header.Get("user") != "user1" {
		t.Errorf("got %v and user %q", err, r.Header.Get("user"))
	}
	forged := request(good)
	forged.Host = "example.com"
	bad := map[string]*http.Request{
		"nil":            nil,
		"other host":     request("http://example.com/prefix/x"),
		"other port":     request("http://127.0.0.1:1/prefix/x"),
		"other scheme":   request(strings.Replace(good, "http:", "https:", 1)),
		"other prefix":   request(s.URL + "/prefixed/x"),
		"out of prefix":  request(s.URL + "/prefix/../x"),
		"forged host":    forged,
		"user info host": request("http://" + strings.TrimPrefix(s.URL, "http://") + "@example.com/prefix/x"),
	}
	for name, r := range bad {
		if err := k.Authorize(r); !errors.Is(err, engine.ErrArgument) {
			t.Errorf("%s: got %v, want ErrArgument", name, err)
		}
		if r != nil && r.Header.Get("token") != "" {
			t.Errorf("%s: the token is on it", name)
		}
	}
}

func TestBadOptions(t *testing.T) {
	long := strings.Repeat("x", 5000)
	tests := []struct {
		name, field string
		options     nimhttp.Options
	}{
		{"no AppKey", "AppKey", nimhttp.Options{}},
		{"long AppKey", "AppKey", nimhttp.Options{AppKey: long}},
		{"AppKey with control", "AppKey", nimhttp.Options{AppKey: "a\r\nb: c"}},
		{"AppKey is a path", "AppKey", nimhttp.Options{AppKey: ".."}},
		{"DeviceID with control", "DeviceID", nimhttp.Options{AppKey: "a", DeviceID: "a\nb"}},
		{"long DeviceID", "DeviceID", nimhttp.Options{AppKey: "a", DeviceID: long}},
		{"ClientType with control", "ClientType", nimhttp.Options{AppKey: "a", ClientType: "a\x00"}},
		{"Language not UTF-8", "Language", nimhttp.Options{AppKey: "a", Language: "\xff"}},
		{"AuthType", "AuthType", nimhttp.Options{AppKey: "a", AuthType: 9}},
		{"not a URL", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "http://[::1"}},
		{"no scheme", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "kit.example.com"}},
		{"ftp", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "ftp://kit.example.com"}},
		{"no host", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https:///x"}},
		{"user info", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://user:hunter2@kit.example.com"}},
		{"query", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://kit.example.com/?a=b"}},
		{"fragment", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://kit.example.com/#a"}},
		{"plain http", "PlainHTTP", nimhttp.Options{AppKey: "a", KitURL: "http://kit.example.com"}},
		{"long URL", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://kit.example.com/" + long}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k, err := nimhttp.NewKit(test.options)
			if k != nil || !errors.Is(err, engine.ErrArgument) || !strings.Contains(err.Error(), test.field) {
				t.Errorf("got %v, want ErrArgument that names %s", err, test.field)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
	for _, url := range []string{"http://kit.example.com", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"} {
		_, err := nimhttp.NewKit(nimhttp.Options{AppKey: "a", KitURL: url, PlainHTTP: strings.Contains(url, "example")})
		if err != nil {
			t.Errorf("%s: got %v", url, err)
		}
	}
}

func TestBadAccounts(t *testing.T) {
	s := newStub(t, ok(loginReply))
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	for name, a := range map[string]engine.KitAccount{
		"no userUuid":           {Token: "x"},
		"no token":              {UserUUID: "user1"},
		"control in userUuid":   {UserUUID: "a\r\nb", Token: "x"},
		"control in token":      {UserUUID: "user1", Token: "x\ny"},
		"token with edge space": {UserUUID: "user1", Token: " x"},
		"long userUuid":         {UserUUID: strings.Repeat("x", 500), Token: "x"},
		"long token":            {UserUUID: "user1", Token: strings.Repeat("x", 5000)},
	} {
		if _, err := k.Authenticate(t.Context(), a); !errors.Is(err, engine.ErrArgument) {
			t.Errorf("%s: got %v, want ErrArgument", name, err)
		}
	}
	if got := len(s.seen()); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
}

func TestClosed(t *testing.T) {
	s := newStub(t, ok(loginReply))
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	logIn(t, k, nil)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := k.Authenticate(t.Context(), account)
	if !errors.Is(err, engine.ErrClosed) || !errors.Is(k.LoginKit(t.Context(), account, engine.Notify{}), engine.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(ok(loginReply))
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	defer s.Close()
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	if _, err := k.Authenticate(t.Context(), account); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(ok(loginReply))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	for range 10 {
		logIn(t, k, nil)
	}
	if got := conns.Load(); got != 1 {
		t.Errorf("got %d connections for 10 logins, want 1", got)
	}
}

func TestNoTokenInLogs(t *testing.T) {
	var log bytes.Buffer
	s := newStub(t, ok(`{"code":402,"msg":"kit-token-1"}`))
	k := newKit(t, nimhttp.Options{KitURL: s.URL, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	_, _ = k.Authenticate(t.Context(), account)
	if !strings.Contains(log.String(), "/v1/login") || strings.Contains(log.String(), account.Token) {
		t.Errorf("got log %q", &log)
	}
	good := newKit(t, nimhttp.Options{KitURL: newStub(t, ok(loginReply)).URL})
	logIn(t, good, nil)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		if got := fmt.Sprintf(format, good); strings.Contains(got, account.Token) {
			t.Errorf("%s prints the token", format)
		}
	}
}
