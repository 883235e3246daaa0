package contract_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
)

// Behaviour that only the vendor's SDK has. The contract tests have the rest.

// One process serves all rows. Each row has its own slot and IM cloud.
func TestRealGateway(t *testing.T) {
	gatewaytest.SkipWithoutVendor(t)
	var said gatewaytest.Buffer
	g := startRealGateway(t, &said)
	rows := []struct {
		name string
		run  func(*testing.T, *nimhttp.Gateway)
	}{
		{"Web client", realWebClient},
		{"refused by number", realRefused},
		{"return", realReturn},
		{"heartbeat death", realHeartbeatDeath},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { row.run(t, g) })
	}
	wantNoSecrets(t, g, &said)
}

func realWebClient(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "web")
	s.wants("login", s.login("User-One", tokenOne), "200")
	clients := cloud.Clients()
	if len(clients) != 1 || clients[0].Accid != "user-one" || clients[0].Account != "user-one" ||
		clients[0].AppKey != gatewayAppKey || clients[0].Type != 16 || clients[0].Automatic {
		t.Errorf("clients %+v, want user-one, folded, as a Web client", clients)
	}
}

func realRefused(t *testing.T, g *nimhttp.Gateway) {
	const always = 100
	for _, row := range []struct {
		name string
		code int
	}{
		{"not found", 102404},
		{"banned", 102422},
		{"banned in the older number", 422},
		{"too many devices", 417},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, cloud := newRealWorld(t, false)
			cloud.Refuse(row.code, always)
			s := readySlot(t, g, cloud, fmt.Sprint("refused-", row.code))
			s.loginFails("user-one", tokenOne, row.code)
			gatewaytest.WantOnline(t, cloud)
			cloud.Refuse(417, 0)
			s.loginOK("user-one", tokenOne)
			gatewaytest.WantOnline(t, cloud, "user-one")
		})
	}
}

func realReturn(t *testing.T, g *nimhttp.Gateway) {
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "return")
	held := s.loginOK("user-one", tokenOne)
	cloud.Drop("user-one")
	s.wantReturn(held, gatewayPatience, func() {})
	clients := cloud.Clients()
	if len(clients) != 1 || clients[0].Accid != "user-one" || !clients[0].Automatic {
		t.Errorf("clients %+v, want user-one, reconnected", clients)
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
	s.await(held, 75*time.Second, "the link to die", func(now gatewaySnapshot) bool { return now.Link != "up" })
	cloud.MuteHeartbeat(false)
	s.await(held, gatewayPatience, "it to return", func(now gatewaySnapshot) bool { return now.isLoggedIn("user-one") })
	if r := s.get(); r.snapshot.Session != held.Session || r.snapshot.Ended != nil {
		t.Errorf("got %v, want session %d", r.snapshot, held.Session)
	}
	gatewaytest.WantOnline(t, cloud, "user-one")
}

// However a gateway ends, it logs its slots out first. The links alone do not
// prove that, because they also end when a process is killed. So a reader of
// the slot must see the logout.
func TestRealGatewayEnds(t *testing.T) {
	gatewaytest.SkipWithoutVendor(t)
	for _, row := range []struct {
		name string
		end  func(*nimhttp.Gateway) error
	}{
		{"SIGTERM", terminate},
		{"Close", (*nimhttp.Gateway).Close},
	} {
		t.Run(row.name, func(t *testing.T) {
			var said gatewaytest.Buffer
			g := startRealGateway(t, &said)
			_, cloud := newRealWorld(t, false)
			one, two := readySlot(t, g, cloud, "one"), readySlot(t, g, cloud, "two")
			first, second := one.loginOK("user-one", tokenOne), two.loginOK("user-two", tokenTwo)
			gatewaytest.WantOnline(t, cloud, "user-one", "user-two")
			ends := []<-chan error{one.watchEnd(first), two.watchEnd(second)}
			one.wantHeld(first) // a later call has been answered, so the readers are waiting
			if err := errors.Join(row.end(g), g.Wait()); err != nil {
				t.Errorf("got %v, want no error", err)
			}
			for i, end := range ends {
				if err := <-end; err != nil {
					t.Errorf("slot %d was not logged out: %v", i+1, err)
				}
			}
			gatewaytest.WantOnline(t, cloud)
			wantNoSecrets(t, g, &said)
		})
	}
}
