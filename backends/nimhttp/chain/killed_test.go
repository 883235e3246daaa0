package chain_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// The gateway below an engine that is logged in is killed and started again,
// with its own address and secret: 20 times with the vendor's SDK, and 3 times
// with the stand-in, because Node takes almost a second to start. Each time the
// login is lost, and the next one works.
func TestGatewayIsKilled(t *testing.T) {
	g := newKilledGateway(t)
	node := g.start(t, "127.7.13.20:0") // no other test listens on this address
	addr := strings.TrimPrefix(node.URL(), "http://")
	g.options.AppKey, g.options.Slot = "app1", "killed"
	g.options.GatewayURL, g.options.GatewaySecret = node.URL(), killedSecret
	im, err := nimhttp.NewIM(g.options)
	must(t, "NewIM", err)
	kit, err := nimhttp.NewKit(nimhttp.Options{AppKey: "app1", KitURL: "http://127.0.0.1:1"})
	must(t, "NewKit", err)
	e, err := engine.New(engine.Join(im, kit), "app1", nil)
	must(t, "New", err)
	defer e.Close()
	must(t, "InitIM", e.InitIM(t.Context()))
	for range g.rounds {
		must(t, "LoginIM", e.LoginIM(t.Context(), g.account))
		wantStatus(t, e, engine.IMLoggedIn, "alice", false)
		must(t, "Kill", kill(node))
		seen := await(t, e, "the loss", func(s engine.Status) bool { return s.State == engine.IMInitialized })
		wantError(t, "the cause", seen[len(seen)-1].Cause, engine.ErrUnavailable)
		node = g.start(t, addr)
	}
	must(t, "LoginIM", e.LoginIM(t.Context(), g.account))
	must(t, "LogoutIM", e.LogoutIM(t.Context()))
}

// newKilledGateway returns a gateway with the vendor's SDK if IMREUSE_VENDOR is
// 1, and otherwise with a stand-in for the SDK. Without Node it skips the test.
func newKilledGateway(t *testing.T) killedGateway {
	if os.Getenv("IMREUSE_VENDOR") == "1" {
		return withVendor(t)
	}
	return withStandIn(t)
}

const killedSecret = "a-secret-that-outlives-the-gateway"

type killedGateway struct {
	rounds  int
	dir     string
	node    string
	options nimhttp.Options
	account engine.IMAccount
}

func (g killedGateway) start(t *testing.T, addr string) *nimhttp.Gateway {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before the cleanup
	node, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{Dir: g.dir, Node: g.node, Addr: addr, Secret: killedSecret})
	if err != nil {
		cancel()
		t.Fatalf("StartGateway on %s: %v", addr, err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
		cancel()
	})
	return node
}

// kill kills the process and waits for its end.
func kill(node *nimhttp.Gateway) error {
	process, err := os.FindProcess(node.Pid())
	if err != nil {
		return err
	}
	if err := process.Kill(); err != nil {
		return err
	}
	if err := node.Wait(); err == nil {
		return fmt.Errorf("the gateway ended by itself")
	}
	return nil
}

// withStandIn returns a gateway with gateway/testing/fake-nim.mjs for the SDK.
func withStandIn(t *testing.T) killedGateway {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no Node")
	}
	sdk, err := filepath.Abs("../gateway/testing/fake-nim.mjs")
	must(t, "Abs", err)
	t.Setenv("NIM_SDK", sdk)
	return killedGateway{rounds: 3, dir: gatewaytest.FakeInstall(t), node: node, account: engine.IMAccount{Accid: "alice", Token: "good-and-secret"}}
}

func withVendor(t *testing.T) killedGateway {
	t.Helper()
	t.Setenv("NIM_SDK", "")
	dir, err := gateway.Dir()
	must(t, "Dir", err)
	world := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	world.AddIM(alice)
	cloud, err := nimcloud.Start(nimcloud.Options{World: world})
	must(t, "the cloud", err)
	t.Cleanup(func() { cloud.Close() })
	return killedGateway{rounds: 20, dir: dir, options: nimhttp.Options{LBSURL: cloud.LBSURL(), LinkAddr: cloud.LinkAddr(), LinkPlain: true}, account: alice}
}
