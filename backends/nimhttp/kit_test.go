package nimhttp_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var account = engine.KitAccount{UserUUID: "user1", Token: "kit-token-1"}

const loginReply = `{"code":0,"msg":"success","requestId":"r1","ts":1,"cost":"1ms","data":{"userUuid":"user1","imKey":"app1","imToken":"im-token-1","rtcKey":"x"}}`

// A stub is a server that sends the given answers and records the requests.
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

// The token of a loginByIM is IM's own, whatever the reply says.
func TestDynamicToken(t *testing.T) {
	for _, answer := range []string{`{"code":0,"data":{"userUuid":"user1","imKey":"app1"}}`, loginReply} {
		s := newStub(t, ok(answer))
		k := newKit(t, nimhttp.Options{KitURL: s.URL, AuthType: nimhttp.AuthDynamic})
		im, err := k.Authenticate(t.Context(), account)
		if err != nil || im.Token != account.Token || !im.Dynamic {
			t.Errorf("%s: got %v, dynamic: %t, and %v, want the token of the login as a dynamic one", answer, im, im.Dynamic, err)
		}
		if got := s.seen()[0].Header.Get("authType"); got != "1" {
			t.Errorf("got authType %q, want 1", got)
		}
	}
}

func TestBoundAccid(t *testing.T) {
	s := newStub(t, ok(`{"code":0,"data":{"userUuid":"user1","imAccid":"Other","imKey":"app1","imToken":"x"}}`))
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	if im, err := k.Authenticate(t.Context(), account); err != nil || im.Accid != "Other" {
		t.Errorf("got %v and %v, want the imAccid of the reply", im, err)
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

// A guest's tokens are static ones, also for a kit whose accounts log in with
// dynamic tokens.
func TestAnonymousWithDynamicTokens(t *testing.T) {
	s := newStub(t, ok(`{"code":0,"data":{"userUuid":"guest1","userToken":"guest-token","imKey":"app1","imToken":"im-token-1"}}`))
	k := newKit(t, nimhttp.Options{KitURL: s.URL, AuthType: nimhttp.AuthDynamic})
	a, err := k.Anonymous(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	im, err := k.Authenticate(t.Context(), a)
	if err != nil || im.Dynamic || im.Token != "im-token-1" {
		t.Errorf("got the account %v, dynamic %t, with its own token %t, and %v", im, im.Dynamic, im.Token == "im-token-1", err)
	}
	if err := k.LoginKit(t.Context(), a, engine.Notify{}); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodGet, s.URL+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Authorize(r); err != nil {
		t.Fatal(err)
	}
	for i, header := range []http.Header{s.seen()[1].Header, r.Header} {
		if got := header.Get("authType"); got != "" || header.Get("token") != "guest-token" {
			t.Errorf("request %d of the guest: authType %q", i, got)
		}
	}
	// The same userUuid with another token is not that guest.
	if im, err = k.Authenticate(t.Context(), engine.KitAccount{UserUUID: "guest1", Token: "signed"}); err != nil || !im.Dynamic {
		t.Errorf("got dynamic %t and %v, want a dynamic token", im.Dynamic, err)
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

// If a refusal arrives after a logout or another login, no login is lost.
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
	r, err := http.NewRequest("GET", s.URL+"/scene", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"CheckToken": k.CheckToken(t.Context()), "Authorize": k.Authorize(r)} {
		if !errors.Is(err, engine.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
}
