package contract_test

import (
	"os"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
)

// Rows about dynamic tokens, and the SDK's questions for fresh ones.

const contractAppSecret = "secret-of-app1"

func dynamicToken(accid string) string {
	return provision.DynamicToken(gatewayAppKey, contractAppSecret, accid, time.Now(), time.Minute)
}

var dynamic = map[string]any{"dynamic": true}

// loginDynamic logs in with a dynamic token, which has to work.
func (s *gatewaySlot) loginDynamic(accid string) gatewaySnapshot {
	s.t.Helper()
	r := s.must("POST", "/login", with(loginRequest(accid, dynamicToken(accid), 20*time.Second), dynamic))
	if r.status != 200 || !r.snapshot.isLoggedIn(accid) || r.snapshot.Asks != 0 {
		s.t.Fatalf("login: got %v, want one that asks nobody", r)
	}
	return r.snapshot
}

// awaitQuestion waits for the SDK's next question. While it asks, the link is up,
// and nobody is logged in.
func (s *gatewaySlot) awaitQuestion(held gatewaySnapshot) gatewaySnapshot {
	s.t.Helper()
	now := s.get().snapshot
	if asks := func(now gatewaySnapshot) bool { return now.Asks > held.Asks }; !asks(now) {
		seen := s.await(now, gatewayPatience, "a question", asks)
		now = seen[len(seen)-1]
	}
	if now.Session != held.Session || now.Login != "logging_in" || now.Link != "up" {
		s.t.Errorf("asking: got %v, want session %d to log in over its link", now, held.Session)
	}
	return now
}

// reconnect cuts the link of user-one, and returns when the SDK asks for a token.
func (w *contractWorld) reconnect(s *gatewaySlot, held gatewaySnapshot) gatewaySnapshot {
	s.t.Helper()
	w.outage("user-one", true)
	s.await(held, gatewayPatience, "the outage", func(now gatewaySnapshot) bool { return now.Link != "up" })
	w.outage("user-one", false)
	return s.awaitQuestion(held)
}

func answer(asks int, token string) map[string]any {
	if token == "" {
		return map[string]any{"asks": asks}
	}
	return map[string]any{"asks": asks, "token": token}
}

// wantBack answers a question, and wants the login back.
func (s *gatewaySlot) wantBack(asks gatewaySnapshot) gatewaySnapshot {
	s.t.Helper()
	r := s.must("PUT", "/token", answer(asks.Asks, dynamicToken("user-one")))
	if r.status != 200 || r.snapshot.Asks != 0 || r.snapshot.Session != asks.Session {
		s.t.Errorf("answer: got %v, want session %d without a question", r, asks.Session)
	}
	seen := s.await(asks, gatewayPatience, "the login to come back", func(now gatewaySnapshot) bool { return now.isLoggedIn("user-one") })
	for _, now := range seen[1:] {
		if now.Session != asks.Session || now.Asks != 0 {
			s.t.Errorf("after the answer: got %v, want session %d without a question", now, asks.Session)
		}
	}
	return seen[len(seen)-1]
}

func contractDynamic(t *testing.T, w *contractWorld) {
	s := w.ready("dynamic")
	for name, request := range map[string]map[string]any{
		"static as dynamic":          with(loginRequest("user-one", tokenOne, 20*time.Second), dynamic),
		"dynamic as static":          loginRequest("user-one", dynamicToken("user-one"), 20*time.Second),
		"dynamic of another account": with(loginRequest("user-one", dynamicToken("user-two"), 20*time.Second), dynamic),
	} {
		if r := s.must("POST", "/login", request); r.kind != "login-failed" || r.code != 102302 || !r.snapshot.isLoggedOut() {
			t.Errorf("%s: got %v, want login-failed 102302", name, r)
		}
	}
	s.loginDynamic("user-one")
	w.online(t, "user-one")
}

// Each question has a greater number than the one before, in every slot.
func contractFreshToken(t *testing.T, w *contractWorld) {
	s := w.ready("fresh")
	held := s.loginDynamic("user-one")
	before := 0
	for range 2 {
		asks := w.reconnect(s, held)
		if asks.Asks <= before {
			t.Errorf("question %d after %d", asks.Asks, before)
		}
		before = asks.Asks
		held = s.wantBack(asks)
		w.online(t, "user-one")
	}
}

// The session holds, offline, and the SDK asks again.
func contractNoToken(t *testing.T, w *contractWorld) {
	s := w.ready("no-token")
	asks := w.reconnect(s, s.loginDynamic("user-one"))
	if r := s.must("PUT", "/token", answer(asks.Asks, "")); r.status != 200 || r.snapshot.Session != asks.Session || r.snapshot.Asks != 0 {
		t.Errorf("got %v, want session %d without a question", r, asks.Session)
	}
	s.wantBack(s.awaitQuestion(asks))
	w.online(t, "user-one")
}

func contractTokenRefused(t *testing.T, w *contractWorld) {
	s := w.ready("refused")
	held := s.loginDynamic("user-one")
	asks := w.reconnect(s, held)
	s.wants("answer", s.must("PUT", "/token", answer(asks.Asks, tokenWrong)), "200")
	seen := s.await(asks, gatewayPatience, "the end", func(now gatewaySnapshot) bool { return now.Session != held.Session })
	if last := seen[len(seen)-1]; !last.isLoggedOut() || last.Ended == nil || last.Ended.Error == nil || last.Ended.Error.Code != 102302 {
		t.Errorf("got %v, want 102302", last)
	}
	w.online(t)
	s.loginDynamic("user-one")
}

func contractNoQuestion(t *testing.T, w *contractWorld) {
	s := w.ready("unasked")
	refused := func(when string, asks int) {
		t.Helper()
		s.wants(when, s.must("PUT", "/token", answer(asks, dynamicToken("user-one"))), "no-such-question")
	}
	refused("before a login", 1)
	held := s.loginDynamic("user-one")
	refused("while it holds", 1)
	asks := w.reconnect(s, held)
	refused("another question", asks.Asks+1)
	s.wantBack(asks)
	refused("the same question again", asks.Asks)
	held = s.get().snapshot
	asks = w.reconnect(s, held)
	r := s.must("POST", "/logout", nil)
	if r.status != 200 || !r.snapshot.isLoggedOut() || r.snapshot.Asks != 0 || r.snapshot.Ended == nil || *r.snapshot.Ended != (gatewayEnd{Session: held.Session}) {
		t.Errorf("logout: got %v, want the logout of session %d, and no question", r, held.Session)
	}
	refused("after the logout", asks.Asks)
	w.online(t)
}

// With IMREUSE_SLOW=1: it takes those 15 s.
func contractAnswerTime(t *testing.T, w *contractWorld) {
	if os.Getenv("IMREUSE_SLOW") != "1" {
		t.Skip("IMREUSE_SLOW is not 1: an answer is waited for 15 s")
	}
	s := w.ready("answer-time")
	asks := w.reconnect(s, s.loginDynamic("user-one"))
	s.await(asks, 2*gatewayPatience, "the question to be given up", func(now gatewaySnapshot) bool { return now.Asks == 0 && now.Session == asks.Session })
	s.wantBack(s.awaitQuestion(asks))
}
