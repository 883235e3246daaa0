package contract_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// Rows about sessions, their ends, and readers.

func query(after, waitMS int) string { return fmt.Sprintf("?after=%d&waitMs=%d", after, waitMS) }

func contractTwoSlots(t *testing.T, w *contractWorld) {
	one, two := w.ready("slot-one"), w.ready("slot-two")
	one.loginOK("user-one", tokenOne)
	held := two.loginOK("user-two", tokenTwo)
	w.online(t, "user-one", "user-two")
	if r := one.must("POST", "/logout", nil); r.status != 200 || !r.snapshot.isLoggedOut() {
		t.Errorf("logout: got %v", r)
	}
	two.wantHeld(held)
	one.wants("DELETE", one.must("DELETE", "", nil), "200")
	two.wantHeld(held)
	w.online(t, "user-two")
}

func contractOneCounter(t *testing.T, w *contractWorld) {
	one, two := w.ready("counter-one"), w.ready("counter-two")
	first := one.loginOK("user-one", tokenOne)
	second := two.loginOK("user-two", tokenTwo)
	third := one.must("POST", "/logout", nil).snapshot
	if second.Seq <= first.Seq || third.Seq <= second.Seq || second.Session <= first.Session {
		t.Errorf("got %v, %v, %v, want increasing numbers", first, second, third)
	}
	if second.Boot != first.Boot {
		t.Errorf("got boots %q and %q in one run", first.Boot, second.Boot)
	}
}

func contractDevices(t *testing.T, w *contractWorld) {
	a, b := w.ready("one-a"), w.ready("one-b")
	first := a.loginOK("user-one", tokenOne)
	second := b.loginOK("user-one", tokenOne)
	if end := a.awaitEnd(first); end.Kick == nil || end.Kick.Reason != int(engine.KickedByClient) || end.Error != nil {
		t.Errorf("got %+v with kick %+v, want a kick by a client", end, end.Kick)
	}
	b.wantHeld(second)
	w.online(t, "user-one")
}

func contractManyDevices(t *testing.T, w *contractWorld) {
	a, b := w.ready("many-a"), w.ready("many-b")
	first := a.loginOK("user-one", tokenOne)
	second := b.loginOK("user-one", tokenOne)
	w.online(t, "user-one", "user-one")
	a.wantHeld(first)
	b.wantHeld(second)
}

func contractKicked(t *testing.T, w *contractWorld) {
	s := w.ready("kicked")
	for _, row := range []struct {
		name   string
		reason engine.KickReason
		number int
		text   string
	}{
		{"by a client", engine.KickedByClient, 1, "says who"},
		{"by the server", engine.KickedByServer, 2, ""},
		{"by another client", engine.KickedByOther, 3, "says who"},
		{"quietly", engine.KickedQuietly, 4, "says who"},
		{"with many words", engine.KickedByServer, 2, strings.Repeat("é", 600)},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			held := s.loginOK("user-one", tokenOne)
			w.im.EndIM("USER-one", &engine.KickError{Reason: row.reason, ClientType: 32, Text: row.text})
			end := s.awaitEnd(held)
			text := []rune(row.text)
			want := gatewayKick{Reason: row.number, ReasonDesc: string(text[:min(len(text), 500)]), ClientType: 32}
			if end.Kick == nil || *end.Kick != want || end.Error != nil {
				t.Errorf("got %+v with kick %+v, want %+v", end, end.Kick, want)
			}
			w.online(t)
			if next := s.loginOK("user-one", tokenOne); next.Session <= held.Session {
				t.Errorf("session %d after %d", next.Session, held.Session)
			}
			s.must("POST", "/logout", nil)
		})
	}
	s.t = t
}

// No packet of the IM service carries these causes. The link is cut, and the
// SDK is refused when it reconnects.
func contractEnded(t *testing.T, w *contractWorld) {
	s := w.ready("ended")
	for _, row := range []struct {
		name  string
		cause error
		code  int
	}{
		{"token rejected", engine.ErrTokenRejected, 102302},
		{"token expired", engine.ErrTokenExpired, 102302},
		{"banned", engine.ErrAccountBanned, 102422},
		{"not enabled", fmt.Errorf("wrapped: %w", engine.ErrNotEnabled), 101301},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			held := s.loginOK("user-one", tokenOne)
			w.im.EndIM("user-one", row.cause)
			if end := s.awaitEnd(held); end.Kick != nil || end.Error == nil || end.Error.Code != row.code {
				t.Errorf("got %+v with error %+v, want %d", end, end.Error, row.code)
			}
			w.online(t)
		})
	}
	s.t = t
	s.loginOK("user-one", tokenOne)
}

// Without a cause, the SDK reconnects, perhaps before a reader notices.
func contractCut(t *testing.T, w *contractWorld) {
	s := w.ready("cut")
	held := s.loginOK("user-one", tokenOne)
	for _, cause := range []error{nil, engine.ErrUnavailable} {
		now := s.get().snapshot
		w.im.EndIM("user-one", cause)
		for _, seen := range s.await(now, gatewayPatience, "its return", func(now gatewaySnapshot) bool { return now.isLoggedIn("user-one") }) {
			if seen.Session != held.Session || seen.Ended != nil {
				t.Errorf("meanwhile: %v, want session %d throughout", seen, held.Session)
			}
		}
		w.online(t, "user-one")
	}
}

func contractOutage(t *testing.T, w *contractWorld) {
	s := w.ready("outage")
	held := s.loginOK("user-one", tokenOne)
	w.outage("USER-one", true)
	s.wantReturn(held, gatewayPatience, func() {
		if r := s.login("user-one", tokenOne); r.status != 200 || r.snapshot.Session != held.Session {
			t.Errorf("login again: got %v, want session %d", r, held.Session)
		}
		w.outage("USER-one", false)
	})
	w.online(t, "user-one")
	w.im.Kick("user-one", engine.KickedByServer) // the login is in the world again
	if end := s.awaitEnd(held); end.Kick == nil {
		t.Errorf("got %+v, want a kick", end)
	}
}

func contractRevoked(t *testing.T, w *contractWorld) {
	s := w.ready("revoked")
	held := s.loginOK("user-one", tokenOne)
	w.outage("user-one", true)
	w.im.AddIM(engine.IMAccount{Accid: "user-one", Token: tokenNew})
	s.await(held, gatewayPatience, "the outage", func(now gatewaySnapshot) bool { return now.Link != "up" && now.Session == held.Session })
	w.outage("user-one", false)
	if end := s.awaitEnd(held); end.Kick != nil || end.Error == nil || end.Error.Code != 102302 {
		t.Errorf("got %+v with error %+v, want 102302", end, end.Error)
	}
	w.online(t)
	s.loginOK("user-one", tokenNew)
}

func contractOutageLogout(t *testing.T, w *contractWorld) {
	s := w.ready("outage-logout")
	held := s.loginOK("user-one", tokenOne)
	w.outage("user-one", true)
	s.await(held, gatewayPatience, "the outage", func(now gatewaySnapshot) bool { return now.Link != "up" })
	r := s.must("POST", "/logout", nil)
	if r.status != 200 || !r.snapshot.isLoggedOut() || r.snapshot.Ended == nil || *r.snapshot.Ended != (gatewayEnd{Session: held.Session}) {
		t.Errorf("got %v, want session %d to have ended without a cause", r, held.Session)
	}
	w.outage("user-one", false)
	w.online(t)
	if now := s.get().snapshot; now.String() != r.snapshot.String() {
		t.Errorf("afterwards: got %v, want %v", now, r.snapshot)
	}
	s.loginOK("user-one", tokenOne)
}

// These reads are answered at once. Otherwise the client would time out.
func contractReader(t *testing.T, w *contractWorld) {
	s := w.ready("reader")
	now := s.get().snapshot
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, query := range []string{
		"", "?", "?waitMs=30000", query(0, 30_000), query(now.Seq-1, 30_000), query(now.Seq, 0), query(now.Seq, 20),
		"?after=9007199254740991&waitMs=30000", query(now.Seq+1000, 30_000), "?waitMs=30000&after=0000000000000000",
	} {
		if r, err := s.call(ctx, "GET", query, nil); err != nil || r.status != 200 || r.snapshot.String() != now.String() {
			t.Errorf("%q: got %v and %v, want %v", query, r, err, now)
		}
	}
}

func contractReaderWaits(t *testing.T, w *contractWorld) {
	s := w.ready("waits")
	held := s.loginOK("user-one", tokenOne)
	gone, leave := context.WithCancel(t.Context())
	left := s.beginRead(gone, query(held.Seq, 30_000))
	leave()
	<-left
	var readers []<-chan gatewayResult
	for range 3 {
		readers = append(readers, s.beginRead(t.Context(), query(held.Seq, 30_000)))
	}
	w.im.Kick("user-one", engine.KickedByServer)
	for _, reader := range readers {
		r := <-reader
		if r.err != nil || r.status != 200 || r.snapshot.Seq <= held.Seq || r.snapshot.Session != 0 || r.snapshot.Ended == nil || r.snapshot.Ended.Kick == nil {
			t.Errorf("got %v and %v, want the kick", r, r.err)
		}
	}
}

func contractLease(t *testing.T, w *contractWorld) {
	s := w.ready("lease")
	s.loginOK("user-one", tokenOne)
	before := w.health(t).Slots
	s.wants("PUT", s.init(map[string]any{"leaseMs": 100}), "200")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(gatewayPatience); w.health(t).Slots != before-1; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the slot is still there")
		}
	}
	w.online(t)
	s.wants("GET after it", s.get(), "no-such-slot")
}

// The lease does not run while a read waits.
func contractLeaseReader(t *testing.T, w *contractWorld) {
	s := w.ready("lease-reader")
	held := s.loginOK("user-one", tokenOne)
	s.wants("PUT", s.init(map[string]any{"leaseMs": 200}), "200")
	for range 2 {
		if r := s.must("GET", query(held.Seq, 500), nil); r.status != 200 || r.snapshot.String() != held.String() {
			t.Fatalf("got %v, want %v", r, held)
		}
	}
	s.wants("PUT", s.init(), "200")
	s.wantHeld(held)
}
