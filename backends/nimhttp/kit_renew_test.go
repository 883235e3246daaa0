package nimhttp_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/engine"
)

var renewed = engine.KitAccount{UserUUID: "User1", Token: "kit-token-renewed"}

// reports counts what a Notify of a kit was told. Expired answers renews.
type reports struct{ expired, lost []error }

func (r *reports) notify(renews bool) engine.Notify {
	return engine.Notify{
		Lost:    func(cause error) { r.lost = append(r.lost, cause) },
		Expired: func(cause error) bool { r.expired = append(r.expired, cause); return renews },
	}
}

// tokenOf returns the token that Authorize puts onto a request.
func tokenOf(t *testing.T, k *nimhttp.Kit, base string) string {
	t.Helper()
	r, err := http.NewRequest("GET", base+"/rooms", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Authorize(r); err != nil {
		t.Fatalf("Authorize: %v", err)
	}
	return r.Header.Get("token")
}

// checks are the tokens that the server was asked to check, in order.
func (s *stub) checks() (tokens []string) {
	for _, r := range s.seen() {
		if strings.HasSuffix(r.URL.Path, "/v1/checkToken") {
			tokens = append(tokens, r.Header.Get("token"))
		}
	}
	return tokens
}

// answerChecks answers the checks of a token with that handler, and all else as
// it should be.
func answerChecks(of string, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/v1/checkToken") && r.Header.Get("token") == of {
			answer(w, r)
			return
		}
		ok(loginReply)(w, r)
	}
}

func openKit(t *testing.T, k *nimhttp.Kit, n engine.Notify) {
	t.Helper()
	_, err := k.Authenticate(t.Context(), account)
	must(t, "Authenticate", err)
	must(t, "LoginKit", k.LoginKit(t.Context(), account, n))
}

func TestRenewKit(t *testing.T) {
	s := newStub(t, ok(loginReply))
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	var told reports
	openKit(t, k, told.notify(true))
	must(t, "RenewKit", k.RenewKit(t.Context(), renewed))
	if got := tokenOf(t, k, s.URL); got != renewed.Token {
		t.Errorf("Authorize uses %q, want the new token", got)
	}
	must(t, "CheckToken", k.CheckToken(t.Context()))
	if got, want := s.checks(), []string{renewed.Token, renewed.Token}; !slices.Equal(got, want) {
		t.Errorf("the server checked %q, want %q", got, want)
	}
	if user := s.seen()[1].Header.Get("user"); user != account.UserUUID {
		t.Errorf("the check was for user %q, want %q", user, account.UserUUID)
	}
	if len(told.expired)+len(told.lost) > 0 {
		t.Errorf("got %+v, want no report", told)
	}
}

// The old token stays in each of these cases, and nothing is reported.
func TestRenewKitFails(t *testing.T) {
	tests := []struct {
		name    string
		answer  http.HandlerFunc
		account engine.KitAccount
		want    engine.Code
		asked   bool // the server
	}{
		{"rejected", ok(`{"code":402,"msg":"not kit-token-renewed"}`), renewed, engine.ErrTokenRejected, true},
		{"expired", ok(`{"code":1026}`), renewed, engine.ErrTokenExpired, true},
		{"overloaded", reply(503, "text/plain", ""), renewed, engine.ErrUnavailable, true},
		{"malformed", ok(`{}`), renewed, engine.ErrUnavailable, true},
		{"another account", ok(`{"code":0}`), engine.KitAccount{UserUUID: "user2", Token: renewed.Token}, engine.ErrState, false},
		{"no token", ok(`{"code":0}`), engine.KitAccount{UserUUID: "user1"}, engine.ErrArgument, false},
		{"no header's token", ok(`{"code":0}`), engine.KitAccount{UserUUID: "user1", Token: "a\nb"}, engine.ErrArgument, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStub(t, answerChecks(renewed.Token, test.answer))
			k := newKit(t, nimhttp.Options{KitURL: s.URL})
			if err := k.RenewKit(t.Context(), renewed); !errors.Is(err, engine.ErrState) {
				t.Errorf("before the login: got %v, want ErrState", err)
			}
			var told reports
			openKit(t, k, told.notify(true))
			err := k.RenewKit(t.Context(), test.account)
			if !errors.Is(err, test.want) || strings.Contains(err.Error(), renewed.Token) {
				t.Errorf("got %v, want code %d without the token", err, int(test.want))
			}
			if got := len(s.checks()) > 0; got != test.asked {
				t.Errorf("the server was asked: %t, want %t", got, test.asked)
			}
			if got := tokenOf(t, k, s.URL); got != account.Token {
				t.Errorf("Authorize uses %q, want the old token", got)
			}
			if len(told.expired)+len(told.lost) > 0 {
				t.Errorf("got %+v, want no report", told)
			}
			must(t, "Close", k.Close())
			if err := k.RenewKit(t.Context(), renewed); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("after Close: got %v, want ErrClosed", err)
			}
		})
	}
}

// beginCheck answers the check of a token once the test says so.
func beginCheck(t *testing.T, of string, answer http.HandlerFunc) (s *stub, asked <-chan struct{}, reply func()) {
	t.Helper()
	begun, release := make(chan struct{}), make(chan struct{})
	s = newStub(t, answerChecks(of, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		answer(w, r)
	}))
	return s, begun, func() { close(release) }
}

// A session that ends while its new token is being checked does not get it, and
// the next session does not, either.
func TestRenewKitTooLate(t *testing.T) {
	tests := []struct {
		name      string
		meanwhile func(*testing.T, *nimhttp.Kit)
		want      engine.Code
	}{
		{"logout", func(t *testing.T, k *nimhttp.Kit) { must(t, "LogoutKit", k.LogoutKit(t.Context())) }, engine.ErrState},
		{"next login", func(t *testing.T, k *nimhttp.Kit) { openKit(t, k, engine.Notify{}) }, engine.ErrState},
		{"Close", func(t *testing.T, k *nimhttp.Kit) { must(t, "Close", k.Close()) }, engine.ErrClosed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, asked, answer := beginCheck(t, renewed.Token, ok(`{"code":0}`))
			k := newKit(t, nimhttp.Options{KitURL: s.URL})
			openKit(t, k, engine.Notify{})
			done := make(chan error)
			go func() { done <- k.RenewKit(t.Context(), renewed) }()
			<-asked
			test.meanwhile(t, k)
			answer()
			if err := <-done; !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if test.name == "next login" {
				if got := tokenOf(t, k, s.URL); got != account.Token {
					t.Errorf("the next session has the token %q, want its own", got)
				}
			}
		})
	}
}

// Of two renewals at once, the one that ends last decides.
func TestRenewKitTwice(t *testing.T) {
	s, asked, answer := beginCheck(t, renewed.Token, ok(`{"code":0}`))
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	openKit(t, k, engine.Notify{})
	done := make(chan error)
	go func() { done <- k.RenewKit(t.Context(), renewed) }()
	<-asked
	must(t, "the other RenewKit", k.RenewKit(t.Context(), engine.KitAccount{UserUUID: "user1", Token: "another"}))
	answer()
	must(t, "RenewKit", <-done)
	if got := tokenOf(t, k, s.URL); got != renewed.Token {
		t.Errorf("got token %q, want %q", got, renewed.Token)
	}
}

// A token that has expired is reported by Expired at each check. Only if nobody
// renews it is the login lost. A rejected one is a loss at once.
func TestCheckTokenReports(t *testing.T) {
	var told reports
	without := func(r *reports) engine.Notify { n := r.notify(true); n.Expired = nil; return n }
	renews := func(r *reports) engine.Notify { return r.notify(true) }
	refuses := func(r *reports) engine.Notify { return r.notify(false) }
	tests := []struct {
		name          string
		code          string
		notify        func(*reports) engine.Notify
		want          engine.Code
		expired, lost int // after two checks
	}{
		{"expired, and renewed", `{"code":1026}`, renews, engine.ErrTokenExpired, 2, 0},
		{"expired, and nobody renews", `{"code":1026}`, refuses, engine.ErrTokenExpired, 1, 1},
		{"expired, and no Expired", `{"code":1026}`, without, engine.ErrTokenExpired, 0, 1},
		{"rejected", `{"code":402}`, renews, engine.ErrTokenRejected, 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			told = reports{}
			s := newStub(t, answerChecks(account.Token, ok(test.code)))
			k := newKit(t, nimhttp.Options{KitURL: s.URL})
			openKit(t, k, test.notify(&told))
			if err := k.CheckToken(t.Context()); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			want := test.want
			if test.lost > 0 {
				want = engine.ErrState
			}
			if err := k.CheckToken(t.Context()); !errors.Is(err, want) {
				t.Errorf("the second time: got %v, want %v", err, want)
			}
			if len(told.expired) != test.expired || len(told.lost) != test.lost {
				t.Errorf("got %+v, want %d times Expired and %d times Lost", told, test.expired, test.lost)
			}
			for _, cause := range slices.Concat(told.expired, told.lost) {
				if !errors.Is(cause, test.want) {
					t.Errorf("got the cause %v, want %v", cause, test.want)
				}
			}
			if test.lost == 0 {
				must(t, "RenewKit", k.RenewKit(t.Context(), renewed))
				must(t, "CheckToken after it", k.CheckToken(t.Context()))
			}
		})
	}
}

// A CheckToken that began with the old token says nothing about the new one.
func TestCheckTokenOfAnOldToken(t *testing.T) {
	for _, answer := range []string{`{"code":1026}`, `{"code":402}`} {
		s, asked, reply := beginCheck(t, account.Token, ok(answer))
		k := newKit(t, nimhttp.Options{KitURL: s.URL})
		var told reports
		openKit(t, k, told.notify(false))
		done := make(chan error)
		go func() { done <- k.CheckToken(t.Context()) }()
		<-asked
		must(t, "RenewKit", k.RenewKit(t.Context(), renewed))
		reply()
		if err := <-done; err == nil {
			t.Errorf("%s: got no error, want the answer about the old token", answer)
		}
		if len(told.expired)+len(told.lost) > 0 || tokenOf(t, k, s.URL) != renewed.Token {
			t.Errorf("%s: got %+v, want no report, and the new token", answer, told)
		}
	}
}

func TestBackendRenews(t *testing.T) {
	b, err := nimhttp.New(nimhttp.Options{AppKey: "app1", GatewayURL: "http://127.0.0.1:1", GatewaySecret: stubSecret})
	must(t, "New", err)
	defer b.Close()
	var all engine.Backend = b
	if _, renews := all.(engine.KitRenewer); !renews {
		t.Error("a Backend is no KitRenewer")
	}
}

// The engine renews a token that has run out, and the session holds.
func TestEngineRenews(t *testing.T) {
	o := newOffice(t, mockim.ServiceOptions{})
	fresh := engine.KitAccount{UserUUID: kitAlice.UserUUID, Token: "kit-token-fresh"}
	e, err := engine.New(o.backend(), "app1", &engine.Options{
		Mode: engine.AutoLogin,
		KitToken: func(_ context.Context, _, refused string) (string, error) {
			if refused != kitAlice.Token {
				t.Errorf("refused is %q, want the token that has run out", refused)
			}
			o.cloud.Bind(fresh, alice.Accid)
			return fresh.Token, nil
		},
	})
	must(t, "New", err)
	defer e.Close()
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	o.cloud.EndKit(kitAlice.UserUUID, engine.ErrTokenExpired)
	if err := o.kit.CheckToken(t.Context()); !errors.Is(err, engine.ErrTokenExpired) {
		t.Errorf("CheckToken: got %v, want ErrTokenExpired", err)
	}
	if !gatewaytest.Poll(func() bool { return tokenOf(t, o.kit, o.server.KitURL()) == fresh.Token && !e.Status().Expired }) {
		t.Fatalf("got %v, want the token to be renewed", e.Status())
	}
	must(t, "CheckToken", o.kit.CheckToken(t.Context()))
	if s := e.Status(); s.State != engine.KitLoggedIn {
		t.Errorf("got %v, want the session to hold", s)
	}
}
