package contract_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// Rows about logins that are asked for.

func contractLogin(t *testing.T, w *contractWorld) {
	s := w.ready("login")
	r := s.login("User-One", tokenOne)
	if r.status != 200 || !r.snapshot.isLoggedIn("user-one") || r.snapshot.Owner != "owner-one" || r.snapshot.Ended != nil {
		t.Errorf("got %v, want user-one", r)
	}
	if now := s.get(); now.snapshot.Session != r.snapshot.Session || !now.snapshot.isLoggedIn("user-one") {
		t.Errorf("after the login: got %v", now)
	}
	w.online(t, "user-one")
}

func contractRefused(t *testing.T, w *contractWorld) {
	s := w.ready("refused")
	for _, row := range []struct{ name, accid, token string }{
		{"wrong token", "user-one", tokenWrong},
		{"token of another", "user-one", tokenTwo},
		{"unknown account", "nobody", tokenOne},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			s.loginFails(row.accid, row.token, 102302)
			w.online(t)
		})
	}
	s.t = t
	if now := s.get().snapshot; !now.isLoggedOut() || now.Link != "down" || now.Ended != nil {
		t.Errorf("got %v, want no session so far", now)
	}
	s.loginOK("user-one", tokenOne)
}

// The SDK's init does not contact the cloud. Only the login finds the wrong
// AppKey.
func contractOtherApp(t *testing.T, w *contractWorld) {
	s := w.slot("app")
	s.wants("PUT", s.init(map[string]any{"appKey": "app2"}), "200")
	s.loginFails("user-one", tokenOne, 101303)
	s.wants("PUT of the right one", s.init(), "200")
	s.loginOK("user-one", tokenOne)
}

func contractLoginAgain(t *testing.T, w *contractWorld) {
	s := w.ready("again")
	held := s.loginOK("user-one", tokenOne)
	again := with(loginRequest("USER-one", tokenOne, time.Minute), map[string]any{"owner": "owner-two"})
	if r := s.must("POST", "/login", again); r.status != 200 || r.snapshot.String() != held.String() {
		t.Errorf("got %v, want %v, with its first owner", r, held)
	}
	w.online(t, "user-one")
}

func contractNewToken(t *testing.T, w *contractWorld) {
	s := w.ready("token")
	first := s.loginOK("user-one", tokenOne)
	w.im.AddIM(engine.IMAccount{Accid: "user-one", Token: tokenNew})
	second := s.loginOK("user-one", tokenNew)
	if second.Session <= first.Session || second.Ended == nil || *second.Ended != (gatewayEnd{Session: first.Session}) {
		t.Errorf("got %v, want the logout of session %d first", second, first.Session)
	}
	s.loginFails("user-one", tokenWrong, 102302)
	w.online(t)
}

func contractOtherAccount(t *testing.T, w *contractWorld) {
	s := w.ready("other")
	held := s.loginOK("user-one", tokenOne)
	r := s.login("user-two", tokenTwo)
	if s.wants("login of another", r, "other-account"); r.snapshot.String() != held.String() {
		t.Errorf("got %v, want %v", r, held)
	}
	s.wantHeld(held)
	w.online(t, "user-one")
}

func contractOtherConfiguration(t *testing.T, w *contractWorld) {
	s := w.ready("configuration")
	held := s.loginOK("user-one", tokenOne)
	for name, more := range map[string]map[string]any{
		"appKey":    {"appKey": "app2"},
		"servers":   {"lbsUrl": "http://127.0.0.1:1/lbs", "linkAddr": "127.0.0.1:1", "linkPlain": true},
		"with more": {"appKey": "app2", "leaseMs": 1},
	} {
		r := s.init(more)
		if s.wants(name, r, "other-configuration"); r.snapshot.String() != held.String() {
			t.Errorf("%s: got %v, want %v", name, r, held)
		}
	}
	for _, lease := range []int{0, 30_000} {
		if r := s.init(map[string]any{"leaseMs": lease}); r.status != 200 || r.snapshot.String() != held.String() {
			t.Errorf("the same with another lease: got %v, want %v", r, held)
		}
	}
	s.wants("logout", s.must("POST", "/logout", nil), "200")
	if r := s.init(map[string]any{"appKey": "app2"}); r.status != 200 || r.snapshot.AppKey != "app2" || r.snapshot.Ended == nil {
		t.Errorf("after a logout: got %v, want app2 and the ended session", r)
	}
}

func contractBeforeInit(t *testing.T, w *contractWorld) {
	s := w.slot("before")
	s.wants("login", s.login("user-one", tokenOne), "not-initialised")
	s.wants("logout", s.must("POST", "/logout", nil), "no-such-slot")
	s.wants("GET", s.get(), "no-such-slot")
	s.wants("DELETE", s.must("DELETE", "", nil), "no-such-slot")
	w.online(t)
}

func contractDeadline(t *testing.T, w *contractWorld) {
	s := w.ready("deadline")
	w.mute(true)
	first := s.startLogin(t.Context(), time.Second)
	// The time in the queue counts: this login's deadline passes before its
	// turn.
	second := s.begin(t.Context(), "POST", "/login", loginRequest("user-one", tokenOne, time.Millisecond))
	for _, result := range []<-chan gatewayResult{first, second} {
		if r := <-result; r.err != nil || r.kind != "login-failed" || r.code != 191005 || !r.snapshot.isLoggedOut() {
			t.Errorf("got %v and %v, want login-failed 191005", r, r.err)
		}
	}
	w.online(t)
	w.mute(false)
	s.loginOK("user-one", tokenOne)
	w.online(t, "user-one")
}

func contractClosed(t *testing.T, w *contractWorld) {
	s := w.ready("closed")
	w.mute(true)
	ctx, cancel := context.WithCancel(t.Context())
	result := s.startLogin(ctx, 30*time.Second)
	now := s.get().snapshot
	cancel()
	if r := <-result; !errors.Is(r.err, context.Canceled) {
		t.Errorf("got %v and %v, want a closed request", r, r.err)
	}
	s.await(now, gatewayPatience, "the logout", gatewaySnapshot.isLoggedOut)
	w.online(t)
	w.mute(false)
	if now := s.get().snapshot; !now.isLoggedOut() || now.Ended != nil {
		t.Errorf("got %v, want no session so far", now)
	}
	s.loginOK("user-one", tokenOne)
	w.online(t, "user-one")
}

// A PUT after a login waits for the login. The login succeeds, so the other
// configuration is refused.
func contractQueue(t *testing.T, w *contractWorld) {
	s := w.ready("queue")
	w.mute(true)
	login := s.startLogin(t.Context(), 30*time.Second)
	other := s.begin(t.Context(), "PUT", "", with(s.setup, map[string]any{"appKey": "app2"}))
	s.get() // a read, which does not queue
	w.mute(false)
	in := <-login
	if in.err != nil || in.status != 200 || !in.snapshot.isLoggedIn("user-one") {
		t.Errorf("login: got %v and %v", in, in.err)
	}
	if r := <-other; r.err != nil || r.kind != "other-configuration" || r.snapshot.Session != in.snapshot.Session {
		t.Errorf("PUT: got %v and %v, want other-configuration", r, r.err)
	}
}

func contractLogout(t *testing.T, w *contractWorld) {
	s := w.ready("logout")
	s.wants("of nobody", s.must("POST", "/logout", nil), "200")
	held := s.loginOK("user-one", tokenOne)
	for range 2 {
		r := s.must("POST", "/logout", map[string]any{})
		if r.status != 200 || !r.snapshot.isLoggedOut() || r.snapshot.Link != "down" || r.snapshot.Ended == nil || *r.snapshot.Ended != (gatewayEnd{Session: held.Session}) {
			t.Errorf("got %v, want session %d to have ended without a cause", r, held.Session)
		}
	}
	w.online(t)
}

func contractRelease(t *testing.T, w *contractWorld) {
	s := w.ready("release")
	held := s.loginOK("user-one", tokenOne)
	reader := s.beginRead(t.Context(), query(held.Seq, 30_000))
	r := s.must("DELETE", "", nil)
	if r.status != 200 || !r.snapshot.isLoggedOut() || r.snapshot.Ended == nil || *r.snapshot.Ended != (gatewayEnd{Session: held.Session}) {
		t.Errorf("got %v, want session %d to have ended without a cause", r, held.Session)
	}
	wantLogoutRead(t, <-reader, held)
	w.online(t)
	s.wants("GET after it", s.get(), "no-such-slot")
	s.wants("logout after it", s.must("POST", "/logout", nil), "no-such-slot")
	s.wants("DELETE after it", s.must("DELETE", "", nil), "no-such-slot")
	s.wants("login after it", s.login("user-one", tokenOne), "not-initialised")

	s = w.ready("release") // the new slot has no ended session
	soon, cancel := context.WithTimeout(t.Context(), gatewayPatience)
	defer cancel()
	reader = s.beginRead(soon, query(s.get().snapshot.Seq, 30_000))
	s.wants("DELETE of nobody", s.must("DELETE", "", nil), "200")
	if told := <-reader; told.err != nil || told.kind != "no-such-slot" {
		t.Errorf("the read got %v and %v, want no-such-slot", told, told.err)
	}
}

// With an owner, a logout and a release only affect that owner's login.
func contractOwner(t *testing.T, w *contractWorld) {
	s := w.ready("owner")
	held := s.loginOK("user-one", tokenOne)
	for what, r := range map[string]gatewayReply{
		"logout":  s.must("POST", "/logout", map[string]any{"owner": "owner-two"}),
		"release": s.must("DELETE", "?owner=owner-two", nil),
	} {
		if r.status != 200 || r.snapshot.Session != held.Session || r.snapshot.Owner != "owner-one" {
			t.Errorf("%s by another: got %v, want session %d of owner-one, which stays", what, r, held.Session)
		}
	}
	s.wantHeld(held)
	w.online(t, "user-one")

	r := s.must("POST", "/logout", map[string]any{"owner": "owner-one"})
	if r.status != 200 || !r.snapshot.isLoggedOut() || r.snapshot.Ended == nil || *r.snapshot.Ended != (gatewayEnd{Session: held.Session}) {
		t.Errorf("logout by its owner: got %v, want session %d to have ended", r, held.Session)
	}
	s.wants("logout of nobody", s.must("POST", "/logout", map[string]any{"owner": "owner-two"}), "200")
	w.online(t)

	s.loginOK("user-one", tokenOne)
	if r := s.must("DELETE", "?owner=owner-one", nil); r.status != 200 || !r.snapshot.isLoggedOut() {
		t.Errorf("release by its owner: got %v, want it out", r)
	}
	w.online(t)
	s.wants("GET after it", s.get(), "no-such-slot")
	s = w.ready("owner")
	s.wants("release of nobody", s.must("DELETE", "?owner=owner-two", nil), "200")
	s.wants("GET after it", s.get(), "no-such-slot")
}

// If another owner logs out during a login, the logout waits, and the login
// stays.
func contractOwnerQueues(t *testing.T, w *contractWorld) {
	s := w.ready("owner-queue")
	w.outage("user-one", true)
	login := s.startLogin(t.Context(), 30*time.Second)
	logout := s.begin(t.Context(), "POST", "/logout", map[string]any{"owner": "owner-two"})
	release := s.begin(t.Context(), "DELETE", "?owner=owner-two", nil)
	s.get()
	w.outage("user-one", false)
	held := <-login
	if held.err != nil || held.status != 200 {
		t.Fatalf("login: got %v and %v", held, held.err)
	}
	for _, late := range []<-chan gatewayResult{logout, release} {
		if r := <-late; r.err != nil || r.snapshot.Session != held.snapshot.Session {
			t.Errorf("got %v and %v, want session %d, which stays", r, r.err, held.snapshot.Session)
		}
	}
	s.wantHeld(held.snapshot)
}
