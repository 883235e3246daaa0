package play_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/cmd/imreuse/internal/play"
)

const autoLogin = `{"mode":"auto_login"}`

// reused takes a lab to a kit login over the app's own IM login.
func (l *lab) reused() {
	l.t.Helper()
	l.want("done", "reset", `{"mode":"reuse_im"}`)
	l.want("done", "host_init", `{}`)
	l.want("done", "host_login", `{"account":"alice"}`)
	if r := l.want("done", "login_kit", `{"account":"bound"}`); !r.Reused {
		l.t.Error("the kit does not reuse the app's login")
	}
}

// The service ends a login, and the engine's loss is the result.
func TestLosses(t *testing.T) {
	for _, test := range []struct{ act, body, want, text string }{
		{"kick", `{"reason":1}`, "lost -20012", "by a login on another device"},
		{"kick", `{"reason":2}`, "lost -20012", "by the server"},
		{"kick", `{"reason":3}`, "lost -20012", "by another device"},
		{"kick", `{"reason":4}`, "lost -20012", "by a new login on the same device"},
		{"host_logout", `{}`, "lost -20013", "behind the engine's back"},
		{"host_login", `{"account":"bob"}`, "lost -20013", "behind the engine's back"},
		{"expire", `{"token":"kit"}`, "lost -20008", "the token has expired"},
	} {
		l := newLab(t)
		l.reused()
		if r := l.want(test.want, test.act, test.body); !strings.Contains(r.Error, test.text) || r.Remedy == nil {
			t.Errorf("%s %s: got %q and %v, want %q and a remedy", test.act, test.body, r.Error, r.Remedy, test.text)
		}
	}
}

// Acts that cannot have an effect say so.
func TestNothingToDo(t *testing.T) {
	l := newLab(t)
	for _, test := range [][2]string{
		{"kick", `{"reason":1}`}, {"link", `{"up":false}`}, {"host_logout", `{}`},
		{"expire", `{"token":"kit"}`}, {"expire", `{"token":"im"}`}, {"release", `{}`}, {"release", `{"id":7}`},
	} {
		if r := l.want("nothing", test[0], test[1]); r.Note == nil || r.Vendor != nil {
			t.Errorf("%s: got note %v and vendor %v, want a note only", test[0], r.Note, r.Vendor)
		}
	}
}

// The engine does not see what happens to a login that it has not found.
func TestUnseenLogin(t *testing.T) {
	l := newLab(t)
	l.want("failed -20002", "host_login", `{"account":"alice"}`)
	l.want("done", "host_init", `{}`)
	l.want("failed -20007", "host_login", `{"account":"wrong_token"}`)
	if r := l.want("done", "host_login", `{"account":"alice"}`); r.Note == nil {
		t.Error("host_login: got no note")
	}
	if r := l.want("done", "kick", `{"reason":2}`); r.Note == nil {
		t.Error("kick: got no note")
	}
	if got := l.panel().IM; got != "" {
		t.Errorf("after the kick %q is logged in, want nobody", got)
	}
}

// A link that goes down keeps the login. A token that has run out ends it when
// the link comes back, unless the app has sources of tokens.
func TestLinkAndIMToken(t *testing.T) {
	for renewal, want := range map[string]string{"false": "lost -20007", "true": "done"} {
		l := newLab(t)
		l.want("done", "reset", `{"mode":"reuse_im","renewal":`+renewal+`}`)
		l.want("done", "init_im", `{}`)
		l.want("done", "login_im", `{"account":"alice"}`)
		l.want("done", "link", `{"up":false}`)
		l.want("done", "link", `{"up":true}`)
		l.want("done", "expire", `{"token":"im"}`)
		l.want("done", "link", `{"up":false}`)
		if _, got := l.do("link", `{"up":true}`); got != want {
			t.Errorf("renewal %s: got %q, want %q", renewal, got, want)
		}
	}
}

// With sources of tokens the kit login outlives its token. Without, the app has
// to fetch a new one.
func TestKitToken(t *testing.T) {
	l := newLab(t)
	l.want("done", "reset", `{"renewal":true}`)
	l.want("done", "login_kit", `{"account":"bound"}`)
	l.want("done", "expire", `{"token":"kit"}`)
	l.want("done", "logout_kit", `{}`)

	l.want("done", "reset", `{"renewal":false}`)
	l.want("done", "login_kit", `{"account":"bound"}`)
	l.want("lost -20008", "expire", `{"token":"kit"}`)
	l.want("failed -20008", "login_kit", `{"account":"bound"}`)
	l.want("done", "fetch_tokens", `{}`)
	l.want("done", "login_kit", `{"account":"bound"}`)
	l.want("failed -20005", "login_kit", `{"account":"other"}`)
	l.want("failed -20005", "login_anonymous", `{}`)
	l.want("done", "login_kit", `{"account":"wrong_token"}`)
	l.want("done", "logout_im", `{}`)
	l.want("failed -20007", "login_kit", `{"account":"wrong_token"}`)
	l.want("done", "login_kit", `{"account":"other"}`)
	if got := l.panel().IM; got != "bob" {
		t.Errorf("%q is logged in to IM, want bob", got)
	}
}

// A new mode means a new engine. The app's own login stays, and the engine's
// own does not.
func TestNewSetup(t *testing.T) {
	l := newLab(t)
	l.reused()
	l.want("done", "setup", `{"mode":"auto_login"}`)
	if p := l.panel(); p.Mode != "auto_login" || p.IM != "alice" {
		t.Errorf("got mode %s with %q logged in, want auto_login with alice", p.Mode, p.IM)
	}
	l.want("failed -20004", "login_kit", `{"account":"bound"}`)
	l.want("lost -20013", "host_logout", `{}`)
	l.want("done", "login_kit", `{"account":"bound"}`)
	l.want("done", "setup", `{"renewal":true}`)
	if p := l.panel(); p.Mode != "auto_login" || !p.Renewal || p.IM != "" {
		t.Errorf("got mode %s, renewal %v, with %q logged in, want auto_login, true, and nobody", p.Mode, p.Renewal, p.IM)
	}
}

// The page shows the engine that there is, and no earlier one.
func TestOneEngineOnThePage(t *testing.T) {
	l := newLab(t)
	for _, mode := range []string{"reuse_im", "auto_login", "auto_detect", "reuse_im"} {
		l.want("done", "setup", `{"mode":"`+mode+`"}`)
		l.want("done", "reset", `{}`)
		var present struct{ Engines []struct{ Name, Mode string } }
		w := l.serve(httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/status.json", nil))
		if err := json.Unmarshal(w.Body.Bytes(), &present); err != nil {
			t.Fatal(err)
		}
		if e := present.Engines; len(e) != 1 || e[0].Name != "play" || e[0].Mode != mode {
			t.Errorf("got the engines %v, want play in %s", e, mode)
		}
	}
}

// A call that is told to fail does so once.
func TestFail(t *testing.T) {
	l := newLab(t)
	l.want("done", "reset", autoLogin)
	l.want("done", "fail", `{"call":"LoginKit","code":-20014}`)
	l.want("done", "fail", `{"call":"HostLogin","code":-20009}`)
	if got := l.panel().Failing; len(got) != 2 || got[0].Call != "LoginKit" || got[0].Code != -20014 {
		t.Errorf("got %v, want the two faults", got)
	}
	if r := l.want("failed -20014", "login_kit", `{"account":"bound"}`); numbers(r.Vendor) != "100003 100003 -3 no_number -3" {
		t.Errorf("got numbers %q", numbers(r.Vendor))
	}
	l.want("failed -20009", "host_login", `{"account":"alice"}`)
	if got := l.panel().Failing; len(got) != 0 {
		t.Errorf("got %v, want no fault that is still to come", got)
	}
	l.want("done", "login_kit", `{"account":"bound"}`)
	l.want("done", "fail", `{"call":"LogoutKit","code":-20014}`)
	l.want("done", "reset", `{}`)
	if p := l.panel(); len(p.Failing) != 0 || p.Mode != "auto_login" {
		t.Errorf("after a reset: got faults %v and mode %s", p.Failing, p.Mode)
	}
}

// A call that hangs keeps nobody from the controls: it can be released,
// interrupted by a logout, and swept away by a reset.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		l.want("done", "reset", autoLogin)
		for _, end := range []struct{ act, body, want string }{
			{"release", `{}`, "login_kit done"},
			{"logout_kit", `{}`, "login_kit failed -20015"},
			{"setup", `{"mode":"auto_login"}`, "login_kit failed -20015"},
		} {
			l.want("done", "hang", `{"call":"Authenticate"}`)
			a := l.post(http.StatusAccepted, "login_kit", `{"account":"bound"}`)
			if p := a.Panel; len(p.Running) != 1 || p.Running[0].Act != "login_kit" || p.Running[0].ID != a.Running ||
				len(p.Hanging) != 1 || p.Hanging[0].Call != "Authenticate" {
				t.Errorf("got %v running and %v hanging, want LoginKit and Authenticate", p.Running, p.Hanging)
			}
			l.want("done", end.act, end.body)
			synctest.Wait()
			p := l.panel()
			if len(p.Running) != 0 {
				t.Errorf("after %s: got %v running", end.act, p.Running)
			}
			i := slices.IndexFunc(p.Results, func(r result) bool { return r.ID == a.Running })
			if i < 0 {
				t.Fatalf("after %s: the login has no result", end.act)
			}
			got := p.Results[i].Act + " " + p.Results[i].Outcome
			if code := p.Results[i].Code; code != 0 {
				got = fmt.Sprint(got, " ", code)
			}
			if got != end.want {
				t.Errorf("after %s: got %q, want %q: %s", end.act, got, end.want, p.Results[i].Error)
			}
			l.do("release", `{}`)
			l.want("done", "logout_im", `{}`)
		}
	})
}

// A reset works whatever hangs, however many acts wait.
func TestResetWhateverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		l.want("done", "host_init", `{}`)
		for _, call := range l.catalogue().Calls {
			l.want("done", "hang", `{"call":"`+call+`"}`)
		}
		for range 16 {
			l.post(http.StatusAccepted, "host_login", `{"account":"alice"}`)
		}
		if w := l.serve(l.request("login_kit", `{"account":"bound"}`)); w.Code != http.StatusTooManyRequests {
			t.Errorf("with 16 acts that hang: got status %d, want 429", w.Code)
		}
		l.want("done", "reset", `{}`)
		synctest.Wait()
		if p := l.panel(); len(p.Running)+len(p.Hanging) != 0 || p.IM != "" {
			t.Errorf("after the reset: got %v running, %v hanging, %q logged in", p.Running, p.Hanging, p.IM)
		}
		l.want("done", "login_kit", `{"account":"bound"}`)
	})
}

// The engine waits up to five seconds for each logout that hangs; a reset does
// not.
func TestResetDuringSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		l.want("done", "login_kit", `{"account":"bound"}`)
		l.want("done", "hang", `{"call":"LogoutIM"}`)
		l.post(http.StatusAccepted, "setup", `{"mode":"reuse_im"}`)
		l.want("done", "reset", `{}`)
	})
}

func TestTooManyPlans(t *testing.T) {
	l := newLab(t)
	for range 20 {
		l.want("done", "fail", `{"call":"LoginKit","code":-20014}`)
		l.want("done", "hang", `{"call":"RenewKit"}`)
	}
	l.want("failed -20003", "fail", `{"call":"LoginKit","code":-20014}`)
	l.want("failed -20003", "hang", `{"call":"RenewKit"}`)
}

// Close ends every act, and nothing begins after it.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		l.want("done", "hang", `{"call":"AdoptIM"}`)
		for _, act := range []string{"init_im", "login_anonymous", "logout_kit"} {
			l.post(http.StatusAccepted, act, `{}`)
		}
		if err := l.Close(); err != nil {
			t.Errorf("Close: got %v", err)
		}
		if w := l.serve(l.request("init_im", `{}`)); w.Code != http.StatusServiceUnavailable {
			t.Errorf("after Close: got status %d, want 503", w.Code)
		}
	})
}

// No reply has a token in it, whatever the visitor does.
func TestNoToken(t *testing.T) {
	l := newLab(t)
	seen := map[string]bool{}
	act := func(name, body string) {
		for _, token := range l.Tokens() {
			seen[token] = true
		}
		l.serve(l.request(name, body))
		for _, token := range l.Tokens() {
			seen[token] = true
		}
	}
	for _, mode := range []string{"auto_detect", "reuse_im", "auto_login"} {
		for _, renewal := range []string{"false", "true"} {
			act("reset", `{"mode":"`+mode+`","renewal":`+renewal+`}`)
			for _, walk := range []string{"host_init host_login:alice login_kit:bound", "init_im login_im:alice login_kit:wrong_token login_kit:bound login_kit:other",
				"host_login:bob login_kit:bound login_kit:wrong_token", "host_login:wrong_token login_im:wrong_token", "login_anonymous", "login_kit:other"} {
				for _, step := range strings.Fields(walk) {
					name, account, named := strings.Cut(step, ":")
					if named {
						act(name, `{"account":"`+account+`"}`)
					} else {
						act(name, `{}`)
					}
				}
				act("expire", `{"token":"kit"}`)
				act("expire", `{"token":"im"}`)
				act("link", `{"up":false}`)
				act("link", `{"up":true}`)
				act("kick", `{"reason":3}`)
				act("fetch_tokens", `{}`)
				act("create_kit_account", `{"account":"bob"}`)
				for _, call := range []string{"Authenticate", "LoginIM", "LoginKit", "HostLogin"} {
					act("fail", `{"call":"`+call+`","code":-20007}`)
				}
				act("login_kit", `{"account":"bound"}`)
				act("login_im", `{"account":"bob"}`)
				act("logout_im", `{}`)
			}
		}
	}
	l.panel()
	if len(seen) < 100 {
		t.Errorf("there were %d tokens, want 100 or more: this test does not find them", len(seen))
	}
	all := strings.Join(append(l.bodies, l.story()), "\n")
	for token := range seen {
		if token != "" && strings.Contains(all, token) {
			t.Errorf("the token %s is in a reply", token)
		}
	}
	if strings.Contains(all, l.Secret()) {
		t.Error("the secret of the page is in the reply to an act")
	}
}

// story returns the present and the story that the page shows.
func (l *lab) story() string {
	l.t.Helper()
	server := httptest.NewServer(l.handler)
	defer server.Close()
	client := server.Client()
	status, err := client.Get(server.URL + "/status.json")
	if err != nil {
		l.t.Fatal(err)
	}
	defer status.Body.Close()
	present, err := io.ReadAll(status.Body)
	var last struct{ Last int }
	if err = errors.Join(err, json.Unmarshal(present, &last)); err != nil || last.Last < 100 {
		l.t.Fatalf("status.json: got %s and %v, want 100 entries or more", present, err)
	}
	events, err := client.Get(server.URL + "/events")
	if err != nil {
		l.t.Fatal(err)
	}
	defer events.Body.Close()
	var text strings.Builder
	for lines := bufio.NewScanner(events.Body); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "id: ") && strings.HasSuffix(lines.Text(), fmt.Sprint("-", last.Last)) {
			return string(present) + text.String()
		}
	}
	l.t.Fatalf("the story ended before entry %d: %s", last.Last, text.String())
	return ""
}

// The page has a name for every act.
func TestActsHaveNames(t *testing.T) {
	var named []string
	for name := range newLab(t).catalogue().Acts {
		named = append(named, name)
	}
	if got, want := sorted(named), sorted(play.ActNames()); !slices.Equal(got, want) {
		t.Errorf("there are names for %q, want %q", got, want)
	}
}
