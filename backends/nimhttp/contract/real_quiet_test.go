package contract_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// startQuietGateway starts the installed gateway at its default log level. node
// may be a wrapper script.
func startQuietGateway(t *testing.T, node string) (*nimhttp.Gateway, *gatewaytest.Buffer) {
	t.Helper()
	gatewaytest.SkipWithoutVendor(t)
	t.Setenv("NIM_SDK", "")
	t.Setenv("IMREUSE_GATEWAY_LOG", "error")
	dir, err := gateway.Dir()
	if err != nil {
		t.Fatal(err)
	}
	var said gatewaytest.Buffer
	g, err := nimhttp.StartGateway(t.Context(), nimhttp.GatewayOptions{Dir: dir, Node: node, Stderr: &said})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g, &said
}

// Our IM cloud answers every request of the SDK as it expects: during logins,
// logouts, a reconnect and a kick, the SDK prints nothing.
func TestRealGatewayIsQuiet(t *testing.T) {
	g, said := startQuietGateway(t, "node")
	world, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "quiet")
	held := s.loginOK("user-one", tokenOne)
	cloud.Drop("user-one")
	s.wantReturn(held, gatewayPatience, func() {})
	gatewaytest.WantClients(t, cloud, "a client that asks no more", func(clients []nimcloud.Client) bool {
		return len(clients) == 1 && clients[0].Settled // or the kick would interrupt the SDK's first requests
	})
	world.Kick("user-one", engine.KickedByServer)
	s.await(held, gatewayPatience, "the kick", func(now gatewaySnapshot) bool { return now.Session == 0 })
	for range 3 {
		s.loginOK("user-one", tokenOne)
		s.wants("logout", s.must("POST", "/logout", nil), "200")
	}
	if err := errors.Join(g.Close(), g.Wait()); err != nil {
		t.Error(err)
	}
	if got, want := said.String(), "ends: stdin was closed\n"; got != want {
		t.Errorf("the gateway printed %q, want %q", got, want)
	}
}

// The gateway ends just as cleanly under a wrapper script that runs Node as a
// child, without exec.
func TestRealGatewayEndsInAWrapper(t *testing.T) {
	gatewaytest.SkipWithoutVendor(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	if node, err = filepath.Abs(node); err != nil {
		t.Fatal(err)
	}
	wrapper := gatewaytest.FakeNode(t, "v20.0.0", `"`+node+`" "$@"; exit $?`)
	g, _ := startQuietGateway(t, wrapper)
	_, cloud := newRealWorld(t, false)
	s := readySlot(t, g, cloud, "wrapped")
	held := s.loginOK("user-one", tokenOne)
	end := s.watchEnd(held)
	s.wantHeld(held)
	if err := errors.Join(g.Close(), g.Wait(), <-end); err != nil {
		t.Error(err)
	}
	gatewaytest.WantOnline(t, cloud)
}
