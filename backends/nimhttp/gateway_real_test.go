package nimhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/engine"
)

// skipWithoutVendor skips a test, unless what it needs is promised.
func skipWithoutVendor(t *testing.T) {
	t.Helper()
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20 and the vendor's SDK, from: imreuse gateway install")
	}
}

// startRealGateway starts the installed gateway with the vendor's SDK.
func startRealGateway(t *testing.T, said *syncBuffer) *nimhttp.Gateway {
	t.Helper()
	t.Setenv("NIM_SDK", "")
	t.Setenv("IMREUSE_GATEWAY_LOG", "log") // the SDK's most talkative level, so that what it prints can be judged
	if err := gateway.CheckNode(t.Context(), "node"); err != nil {
		t.Fatal(err)
	}
	dir, err := gateway.Dir()
	if err != nil {
		t.Fatal(err)
	}
	if !gateway.Installed(dir) {
		t.Fatalf("there is no gateway in %s; run: imreuse gateway install", dir)
	}
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before the cleanup
	g, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{Dir: dir, Stderr: said})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.Close(), g.Wait()); err != nil {
			t.Errorf("the end of the gateway: %v", err)
		}
		cancel()
	})
	return g
}

// wantNoSecrets judges what a gateway that has ended printed.
func wantNoSecrets(t *testing.T, g *nimhttp.Gateway, said *syncBuffer) {
	t.Helper()
	if err := g.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	text := said.String()
	if !strings.Contains(text, "user-one") {
		t.Errorf("the gateway did not speak of user-one in %d bytes: this test sees nothing", len(text))
	}
	for _, secret := range []string{g.Secret(), tokenOne, tokenTwo, tokenNew, tokenWrong} {
		for line := range strings.Lines(text) {
			if strings.Contains(line, secret) {
				t.Errorf("the gateway printed a secret (%.12s…): %.300s", secret, line)
				break
			}
		}
	}
}

// One process for all rows, each of which has a slot and an IM cloud of its own.
func TestRealGateway(t *testing.T) {
	skipWithoutVendor(t)
	var said syncBuffer
	g := startRealGateway(t, &said)
	rows := []struct {
		name string
		run  func(*testing.T, *nimhttp.Gateway)
	}{
		{"login", realLogin},
		{"login refused", realRefused},
		{"kicked", realKicked},
		{"drop and return", realDrop},
		{"token revoked during an outage", realRevoked},
		{"deadline", realDeadline},
		{"request closed", realClosed},
		{"two slots", realTwoSlots},
		{"two devices", realTwoDevices},
		{"logout", realLogout},
		{"delete", realDelete},
		{"another account", realOtherAccount},
		{"login before init", realBeforeInit},
		{"secret", realSecret},
		{"heartbeat death", realHeartbeatDeath},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { row.run(t, g) })
	}
	wantNoSecrets(t, g, &said)
}

func realLogin(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "login")
	r := s.login("User-One", tokenOne)
	if r.status != 200 || !r.snapshot.holds("user-one") || r.snapshot.Owner != "owner-one" || r.snapshot.Ended != nil {
		t.Errorf("got %d %s %d %v, want user-one", r.status, r.kind, r.code, r.snapshot)
	}
	clients := cloud.Clients()
	if len(clients) != 1 || clients[0].Accid != "user-one" || clients[0].Account != "user-one" ||
		clients[0].AppKey != realAppKey || clients[0].Type != 16 || clients[0].Automatic {
		t.Errorf("clients %+v, want user-one, folded, as a Web client", clients)
	}
	if again := s.login("user-one", tokenOne); again.status != 200 || again.snapshot != r.snapshot {
		t.Errorf("login again: got %d %v, want %v", again.status, again.snapshot, r.snapshot)
	}
}

func realRefused(t *testing.T, g *nimhttp.Gateway) {
	const always = 100
	for i, row := range []struct {
		name, accid, token string
		refuse, code       int
	}{
		{"wrong token", "user-one", tokenWrong, 0, 102302},
		{"token of another", "user-one", tokenTwo, 0, 102302},
		{"unknown account", "nobody", tokenOne, 0, 102302},
		{"not found", "user-one", tokenOne, 102404, 102404},
		{"banned", "user-one", tokenOne, 102422, 102422},
		{"banned in the older number", "user-one", tokenOne, 422, 422},
		{"too many devices", "user-one", tokenOne, 417, 417},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, cloud := newRealWorld(t, false)
			if row.refuse != 0 {
				cloud.Refuse(row.refuse, always)
			}
			s := readySlot(t, g, cloud, fmt.Sprint("refused-", i))
			s.loginFails(row.accid, row.token, row.code)
			wantOnline(t, cloud)
			cloud.Refuse(417, 0)
			s.loginOK("user-one", tokenOne)
			wantOnline(t, cloud, "user-one")
		})
	}
}

func realKicked(t *testing.T, g *nimhttp.Gateway) {
	for _, row := range []struct {
		name   string
		reason engine.KickReason
		number int
	}{
		{"by a client", engine.KickedByClient, 1},
		{"by the server", engine.KickedByServer, 2},
		{"by another client", engine.KickedByOther, 3},
		{"quietly", engine.KickedQuietly, 4},
	} {
		t.Run(row.name, func(t *testing.T) {
			world, cloud := newRealWorld(t, false)
			s := readySlot(t, g, cloud, fmt.Sprint("kicked-", row.number))
			held := s.loginOK("user-one", tokenOne)
			world.EndIM("user-one", &engine.KickError{Reason: row.reason, ClientType: 32, Text: "says who"})
			end := s.awaitEnd(held)
			want := realKick{Reason: row.number, ReasonDesc: "says who", ClientType: 32}
			if end.Kick == nil || *end.Kick != want || end.Error != nil {
				t.Errorf("got %+v with kick %+v, want %+v", end, end.Kick, want)
			}
			wantOnline(t, cloud)
			if next := s.loginOK("user-one", tokenOne); next.Session <= held.Session {
				t.Errorf("session %d after %d", next.Session, held.Session)
			}
		})
	}
}

func realDrop(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "drop")
	held := s.loginOK("user-one", tokenOne)
	cloud.Drop("user-one")
	wantReturn(s, held, realPatience)
	clients := cloud.Clients()
	if len(clients) != 1 || clients[0].Accid != "user-one" || !clients[0].Automatic {
		t.Errorf("clients %+v, want user-one, who came back by itself", clients)
	}
}

func realRevoked(t *testing.T, g *nimhttp.Gateway) {
	world, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "revoked")
	held := s.loginOK("user-one", tokenOne)
	cloud.FailLink(http.StatusServiceUnavailable)
	cloud.Drop("user-one")
	world.AddIM(engine.IMAccount{Accid: "user-one", Token: tokenNew})
	s.await(held, realPatience, "the outage", func(now realSnapshot) bool { return now.Link != "up" && now.Session == held.Session })
	cloud.FailLink(0)
	if end := s.awaitEnd(held); end.Kick != nil || end.Error == nil || end.Error.Code != 102302 {
		t.Errorf("got %+v with error %+v, want 102302", end, end.Error)
	}
	wantOnline(t, cloud)
	s.loginOK("user-one", tokenNew)
}

func realDeadline(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "deadline")
	cloud.MuteLogin(true)
	r := <-s.startLogin(t.Context(), cloud, time.Second)
	if r.err != nil || r.status != 422 || r.code != 191005 || !r.snapshot.isOut() {
		t.Errorf("got %d %s %d %v %v, want 422 with 191005", r.status, r.kind, r.code, r.snapshot, r.err)
	}
	wantOnline(t, cloud)
	cloud.MuteLogin(false)
	s.loginOK("user-one", tokenOne)
	wantOnline(t, cloud, "user-one")
}

func realClosed(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "closed")
	cloud.MuteLogin(true)
	ctx, cancel := context.WithCancel(t.Context())
	result := s.startLogin(ctx, cloud, 30*time.Second)
	cancel()
	if r := <-result; !errors.Is(r.err, context.Canceled) {
		t.Errorf("got %v, want that it was closed", r.err)
	}
	wantOnline(t, cloud)
	cloud.MuteLogin(false)
	s.loginOK("user-one", tokenOne)
	wantOnline(t, cloud, "user-one")
}

func realTwoSlots(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	one, two := readySlot(t, g, cloud, "slot-one"), readySlot(t, g, cloud, "slot-two")
	one.loginOK("user-one", tokenOne)
	held := two.loginOK("user-two", tokenTwo)
	wantOnline(t, cloud, "user-one", "user-two")
	if r := one.must("POST", "/logout", nil); r.status != 200 || !r.snapshot.isOut() {
		t.Errorf("logout: got %d %v", r.status, r.snapshot)
	}
	two.wantHeld(held)
	wantOnline(t, cloud, "user-two")
}

func realTwoDevices(t *testing.T, g *nimhttp.Gateway) {
	t.Run("many at once", func(t *testing.T) {
		_, cloud := newRealWorld(t, true)
		a, b := readySlot(t, g, cloud, "many-a"), readySlot(t, g, cloud, "many-b")
		first := a.loginOK("user-one", tokenOne)
		second := b.loginOK("user-one", tokenOne)
		wantOnline(t, cloud, "user-one", "user-one")
		a.wantHeld(first)
		b.wantHeld(second)
	})
	t.Run("one at a time", func(t *testing.T) {
		_, cloud := newRealWorld(t, false)
		a, b := readySlot(t, g, cloud, "one-a"), readySlot(t, g, cloud, "one-b")
		first := a.loginOK("user-one", tokenOne)
		second := b.loginOK("user-one", tokenOne)
		if end := a.awaitEnd(first); end.Kick == nil || end.Kick.Reason != int(engine.KickedByClient) || end.Error != nil {
			t.Errorf("got %+v with kick %+v, want one by a client", end, end.Kick)
		}
		b.wantHeld(second)
		wantOnline(t, cloud, "user-one")
	})
}

func realLogout(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "logout")
	held := s.loginOK("user-one", tokenOne)
	for range 2 {
		r := s.must("POST", "/logout", nil)
		if r.status != 200 || !r.snapshot.isOut() || r.snapshot.Ended == nil || *r.snapshot.Ended != (realEnd{Session: held.Session}) {
			t.Errorf("got %d %v, want session %d to have ended without a cause", r.status, r.snapshot, held.Session)
		}
	}
	wantOnline(t, cloud)
}

func realDelete(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "delete")
	s.loginOK("user-one", tokenOne)
	if r := s.must("DELETE", "", nil); r.status != 200 || !r.snapshot.isOut() {
		t.Errorf("got %d %v", r.status, r.snapshot)
	}
	wantOnline(t, cloud)
	if r := s.must("GET", "", nil); r.status != 404 || r.kind != "no-such-slot" {
		t.Errorf("after it: got %d %s, want 404", r.status, r.kind)
	}
}

func realOtherAccount(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "other")
	held := s.loginOK("user-one", tokenOne)
	if r := s.login("user-two", tokenTwo); r.status != 409 || r.kind != "other-account" || r.snapshot != held {
		t.Errorf("got %d %s %v, want 409 other-account and %v", r.status, r.kind, r.snapshot, held)
	}
	wantOnline(t, cloud, "user-one")
}

func realBeforeInit(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := newRealSlot(t, g, cloud, "before")
	if r := s.login("user-one", tokenOne); r.status != 409 || r.kind != "not-initialised" {
		t.Errorf("got %d %s, want 409 not-initialised", r.status, r.kind)
	}
	wantOnline(t, cloud)
}

func realSecret(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	for _, row := range []struct{ name, secret string }{
		{"none", ""},
		{"wrong", "not-the-secret-of-it"},
		{"with more", g.Secret() + "x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newRealSlot(t, g, cloud, "secret")
			s.secret = row.secret
			replies := []realReply{
				s.init(), s.login("user-one", tokenOne), s.must("GET", "", nil),
				s.must("POST", "/logout", nil), s.must("DELETE", "", nil),
			}
			for i, r := range replies {
				if r.status != 401 || r.kind != "unauthorized" || r.snapshot != (realSnapshot{}) {
					t.Errorf("call %d: got %d %s %v, want 401 and no snapshot", i, r.status, r.kind, r.snapshot)
				}
			}
		})
	}
	wantOnline(t, cloud)
	if r := newRealSlot(t, g, cloud, "secret").must("GET", "", nil); r.status != 404 {
		t.Errorf("got %d, want that no slot was made", r.status)
	}
}

func realHeartbeatDeath(t *testing.T, g *nimhttp.Gateway) {
	if os.Getenv("IMREUSE_SLOW") != "1" {
		t.Skip("IMREUSE_SLOW is not 1: the SDK takes 53 s to hold a mute link for dead")
	}
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "heartbeat")
	held := s.loginOK("user-one", tokenOne)
	cloud.MuteHeartbeat(true)
	s.await(held, 75*time.Second, "the link to die", func(now realSnapshot) bool { return now.Link != "up" })
	cloud.MuteHeartbeat(false)
	s.await(held, realPatience, "it to return", func(now realSnapshot) bool { return now.holds("user-one") })
	if r := s.must("GET", "", nil); r.snapshot.Session != held.Session || r.snapshot.Ended != nil {
		t.Errorf("got %v, want session %d", r.snapshot, held.Session)
	}
	wantOnline(t, cloud, "user-one")
}

// Each end of a gateway logs its slots out first. That the links are gone does
// not show it, for so they are when a process is killed: a reader of the slot
// has to be told.
func TestRealGatewayEnds(t *testing.T) {
	skipWithoutVendor(t)
	for _, row := range []struct {
		name string
		end  func(*nimhttp.Gateway) error
	}{
		{"SIGTERM", terminate},
		{"Close", (*nimhttp.Gateway).Close},
	} {
		t.Run(row.name, func(t *testing.T) {
			var said syncBuffer
			g := startRealGateway(t, &said)
			_, cloud := newRealWorld(t, false)
			one, two := readySlot(t, g, cloud, "one"), readySlot(t, g, cloud, "two")
			first, second := one.loginOK("user-one", tokenOne), two.loginOK("user-two", tokenTwo)
			wantOnline(t, cloud, "user-one", "user-two")
			ends := []<-chan error{one.watchEnd(first), two.watchEnd(second)}
			one.wantHeld(first) // a call that came later has been answered: the readers wait
			if err := errors.Join(row.end(g), g.Wait()); err != nil {
				t.Errorf("got %v, want an end without an error", err)
			}
			for i, end := range ends {
				if err := <-end; err != nil {
					t.Errorf("slot %d was not logged out: %v", i+1, err)
				}
			}
			wantOnline(t, cloud)
			wantNoSecrets(t, g, &said)
		})
	}
}
