package nimhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// readyIM returns an initialised IM and its gateway, whose record of requests
// is empty.
func readyIM(t *testing.T, change ...func(*nimhttp.Options)) (*imStub, *nimhttp.IM) {
	t.Helper()
	s := newIMStub()
	im := s.client(t, change...)
	if err := im.InitIM(t.Context(), "app1"); err != nil {
		t.Fatal(err)
	}
	s.sent()
	return s, im
}

// asker returns the owner in the last login request.
func (s *imStub) asker(t *testing.T) string {
	t.Helper()
	logins := s.seen("login")
	var sent struct{ Owner string }
	if err := json.Unmarshal([]byte(logins[len(logins)-1].body), &sent); err != nil || sent.Owner == "" {
		t.Errorf("got %v and owner %q", err, sent.Owner)
	}
	return sent.Owner
}

// The SDK decided that the login failed. Nobody is logged in, so no logout
// follows.
func TestIMLoginRefused(t *testing.T) {
	tests := []struct {
		code int
		want engine.Code // 0: none
	}{
		{302, engine.ErrTokenRejected},
		{102302, engine.ErrTokenRejected},
		{404, engine.ErrTokenRejected},
		{102404, engine.ErrTokenRejected},
		{422, engine.ErrAccountBanned},
		{102422, engine.ErrAccountBanned},
		{417, 0},
		{101303, 0},
		{0, engine.ErrUnavailable},
		{408, engine.ErrUnavailable},
		{500, engine.ErrUnavailable},
		{503, engine.ErrUnavailable},
		{191005, engine.ErrUnavailable},
		{192001, engine.ErrUnavailable},
		{192002, engine.ErrUnavailable},
		{192003, engine.ErrUnavailable},
		{192004, engine.ErrUnavailable},
		{192005, engine.ErrUnavailable},
		{192006, engine.ErrUnavailable},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log safeBuffer
				s, im := readyIM(t, logTo(&log))
				s.answer(stubReply(422, fmt.Sprintf(`{"type":"urn:imreuse:gateway:login-failed","title":"no","status":422,
					"detail":"refused %s of alice","code":%d,"snapshot":%s}`, stubToken, test.code, s.shows().json())), "login")
				var n notices
				err := im.LoginIM(t.Context(), stubAlice, n.notify())
				if got := engine.CodeOf(err); err == nil || got != test.want {
					t.Errorf("got %v, want code %d", err, int(test.want))
				}
				var told *nimhttp.ServerError
				if !errors.As(err, &told) {
					t.Fatalf("got %v, want a ServerError in its chain", err)
				}
				want := nimhttp.ServerError{Domain: "sdk", Code: test.code, Msg: "refused *** of alice"}
				if *told != want {
					t.Errorf("got %+v, want %+v", *told, want)
				}
				noSecrets(t, "the error", err.Error())
				if got := s.sent(); got != "init login" {
					t.Errorf("got requests %s, want nothing after the login", got)
				}
				n.wantNothing(t)
				s.answer(nil, "login")
				wantWorks(t, im)
				noSecrets(t, "the log", log.String())
			})
		})
	}
}

// Replies that leave the outcome open. A login that may exist afterwards is
// logged out, unless it belongs to another client.
func TestIMLoginReplies(t *testing.T) {
	then := func(accid, owner string, f func(*imStub) http.HandlerFunc) func(*imStub) http.HandlerFunc {
		return func(s *imStub) http.HandlerFunc {
			if owner == "ours" {
				owner = s.asker(t)
			}
			s.change(func(n *stubSnapshot) { n.hold(7, accid, owner) })
			return f(s)
		}
	}
	snapshot := func(s *imStub) http.HandlerFunc { return stubReply(200, s.shows().json()) }
	cut := func(*imStub) http.HandlerFunc {
		return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	}
	problem := func(status int, kind, more string) func(*imStub) http.HandlerFunc {
		return func(*imStub) http.HandlerFunc { return stubProblem(status, kind, more) }
	}
	gone := func(s *imStub) http.HandlerFunc {
		return func(http.ResponseWriter, *http.Request) {
			s.refuse(true)
			panic(http.ErrAbortHandler)
		}
	}
	tests := []struct {
		name   string
		answer func(*imStub) http.HandlerFunc
		want   engine.Code
		sent   string // after the login
	}{
		{"nobody", snapshot, engine.ErrUnavailable, " logout"},
		{"another accid", then("bob", "ours", snapshot), engine.ErrUnavailable, " logout"},
		{"another owner", then("alice", "another", snapshot), engine.ErrIMInUse, ""},
		{"another owner and accid", then("bob", "another", snapshot), engine.ErrUnavailable, " logout"},
		{"cut", cut, engine.ErrUnavailable, " logout"},
		{"cut after the login", then("alice", "ours", cut), engine.ErrUnavailable, " logout"},
		{"cut, and another's login", then("alice", "another", cut), engine.ErrUnavailable, " logout"},
		{"internal", problem(500, "internal", ""), engine.ErrUnavailable, " logout"},
		{"closing", problem(503, "closing", ""), engine.ErrUnavailable, " logout"},
		{"no JSON", func(*imStub) http.HandlerFunc { return reply(200, "text/html", "<html>") }, engine.ErrUnavailable, " logout"},
		{"not initialised", problem(409, "not-initialised", ""), engine.ErrUnavailable, ""},
		{"other account", problem(409, "other-account", ""), engine.ErrIMInUse, ""},
		{"the gateway ends", gone, engine.ErrUnavailable, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, im := readyIM(t)
				s.answer(func(w http.ResponseWriter, r *http.Request) { test.answer(s)(w, r) }, "login")
				var n notices
				err := im.LoginIM(t.Context(), stubAlice, n.notify())
				if got := engine.CodeOf(err); got != test.want {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if got, want := s.sent(), "init login"+test.sent; got != want {
					t.Errorf("got requests %s, want %s", got, want)
				}
				synctest.Wait()
				n.wantNothing(t)
			})
		})
	}
}

// The login belongs to the run of the gateway that answered the login request.
func TestIMLoginInAnotherRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		s.answer(func(w http.ResponseWriter, r *http.Request) {
			owner := s.asker(t)
			s.change(func(n *stubSnapshot) {
				n.Boot, n.Seq = "boot-2", 1
				n.hold(1, "alice", owner)
			})
			stubReply(200, s.shows().json())(w, r)
		}, "login")
		var n notices
		logInAlice(t, im, n.notify())
		pass(time.Minute)
		n.wantNothing(t)
		s.change(func(n *stubSnapshot) { n.Boot = "boot-1" })
		synctest.Wait()
		if lost, _ := n.told(); len(lost) != 1 || engine.CodeOf(lost[0]) != engine.ErrUnavailable {
			t.Errorf("with the first run back: got lost %v, want ErrUnavailable", lost)
		}
	})
}

func TestIMInUse(t *testing.T) {
	for name, change := range map[string]func(*stubSnapshot){
		"another account": func(n *stubSnapshot) { n.hold(7, "bob", "another") },
		"the same":        func(n *stubSnapshot) { n.hold(7, "alice", "another") },
		"link is down":    func(n *stubSnapshot) { n.hold(7, "bob", "another"); n.Login, n.Link = "backing_off", "waiting" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, im := readyIM(t)
				s.change(change)
				var n notices
				err := im.LoginIM(t.Context(), stubAlice, n.notify())
				if !errors.Is(err, engine.ErrIMInUse) || !strings.Contains(err.Error(), s.shows().Accid) || !strings.Contains(err.Error(), "Slot") {
					t.Errorf("got %v, want ErrIMInUse with who it is and a remedy", err)
				}
				if got := s.sent(); got != "init" {
					t.Errorf("got requests %s, want init alone", got)
				}
				s.change(func(now *stubSnapshot) { now.end(nil) })
				synctest.Wait()
				n.wantNothing(t)
				wantWorks(t, im)
			})
		})
	}
}

// Another client initialised the slot with other servers, and is logged in.
func TestIMInUseWithOtherServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		s.change(func(n *stubSnapshot) { n.hold(7, "bob", "another") })
		s.answer(stubProblem(409, "other-configuration", `,"snapshot":`+s.shows().json()), "init")
		err := im.LoginIM(t.Context(), stubAlice, engine.Notify{})
		if !errors.Is(err, engine.ErrIMInUse) || !strings.Contains(err.Error(), "LBSURL") {
			t.Errorf("got %v, want ErrIMInUse that names the options", err)
		}
		if got := s.sent(); got != "init" {
			t.Errorf("got requests %s, want init alone", got)
		}
	})
}

func TestIMLoginTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		var first, second notices
		logInAlice(t, im, first.notify())
		s.sent()
		for _, a := range []engine.IMAccount{stubAlice, {Accid: "bob", Token: "another-token"}} {
			if err := im.LoginIM(t.Context(), a, second.notify()); !errors.Is(err, engine.ErrIMInUse) {
				t.Errorf("%v: got %v, want ErrIMInUse", a, err)
			}
		}
		if got := s.sent(); got != "init init" {
			t.Errorf("got requests %s, want init alone, of each", got)
		}
		s.change(func(n *stubSnapshot) { n.end(&stubEnd{Session: n.Session, Kick: &stubKick{Reason: 2}}) })
		synctest.Wait()
		second.wantNothing(t)
		if lost, _ := first.told(); len(lost) != 1 || !errors.Is(lost[0], engine.ErrKicked) {
			t.Errorf("got lost %v, want the first login to be kicked", lost)
		}
	})
}

// Arguments that are refused without asking the gateway.
func TestIMLoginArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		long := strings.Repeat("x", 5000)
		for name, a := range map[string]engine.IMAccount{
			"no accid":         {Token: stubToken},
			"no token":         {Accid: "alice"},
			"control in accid": {Accid: "al\nice", Token: stubToken},
			"control in token": {Accid: "alice", Token: stubToken + "\x00"},
			"long accid":       {Accid: long, Token: stubToken},
			"long token":       {Accid: "alice", Token: stubToken + long},
		} {
			err := im.LoginIM(t.Context(), a, engine.Notify{})
			if !errors.Is(err, engine.ErrArgument) {
				t.Errorf("%s: got %v, want ErrArgument", name, err)
			}
			noSecrets(t, name, fmt.Sprint(err))
		}
		for _, appKey := range []string{"", "app\n1", long} {
			if err := im.InitIM(t.Context(), appKey); !errors.Is(err, engine.ErrArgument) {
				t.Errorf("AppKey %.10q: got %v, want ErrArgument", appKey, err)
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("the window was closed")
		cancel(why)
		_, adopted := im.AdoptIM(ctx, engine.Notify{})
		for op, err := range map[string]error{
			"InitIM": im.InitIM(ctx, "app1"), "LoginIM": im.LoginIM(ctx, stubAlice, engine.Notify{}), "AdoptIM": adopted,
		} {
			if !errors.Is(err, why) {
				t.Errorf("%s with a ctx that has ended: got %v, want its cause", op, err)
			}
		}
		if got := s.sent(); got != "" {
			t.Errorf("got requests %s, want none", got)
		}
	})
}

func TestIMOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		im := s.client(t)
		if err := im.LoginIM(t.Context(), stubAlice, engine.Notify{}); !errors.Is(err, engine.ErrState) || !strings.Contains(err.Error(), "InitIM") {
			t.Errorf("LoginIM at first: got %v, want ErrState that names InitIM", err)
		}
		wantWell(t, im.InitIM(t.Context(), "app1"))
		s.sent()
		wantWell(t, im.InitIM(t.Context(), "app1"))
		if got := s.sent(); got != "read" {
			t.Errorf("got requests %s of what is initialised, want read alone", got)
		}
		for op, err := range map[string]error{
			"InitIM":  im.InitIM(t.Context(), "app2"),
			"LoginIM": im.LoginIM(t.Context(), engine.IMAccount{AppKey: "app2", Accid: "alice", Token: stubToken}, engine.Notify{}),
		} {
			if !errors.Is(err, engine.ErrAppKeyMismatch) {
				t.Errorf("%s with another AppKey: got %v, want ErrAppKeyMismatch", op, err)
			}
		}
		if got := s.sent(); got != "" {
			t.Errorf("got requests %s, want none", got)
		}
		if err := im.LoginIM(t.Context(), engine.IMAccount{AppKey: "app1", Accid: "alice", Token: stubToken}, engine.Notify{}); err != nil {
			t.Errorf("LoginIM with that AppKey: got %v", err)
		}
		other := s.client(t)
		s.sent()
		if err := other.InitIM(t.Context(), "app2"); !errors.Is(err, engine.ErrAppKeyMismatch) {
			t.Errorf("InitIM of another client with another AppKey: got %v, want ErrAppKeyMismatch", err)
		}
		if got := s.sent(); got != "read" {
			t.Errorf("got requests %s, want nothing that changes the slot", got)
		}
	})
}
