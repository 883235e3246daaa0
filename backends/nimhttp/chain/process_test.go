package chain_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// The engine adopts a login that another process made in the slot, and loses it
// when that process logs out.
func TestChainAcrossProcesses(t *testing.T) {
	forEachGateway(t, func(t *testing.T, c *chain) {
		host := exec.Command(os.Args[0], "-test.run", "^TestHostProcess$", "-test.count", "1")
		host.Env = append(os.Environ(), "IMREUSE_TEST_GATEWAY="+c.options.GatewayURL, "IMREUSE_TEST_SECRET="+c.options.GatewaySecret,
			"IMREUSE_TEST_LBS="+c.options.LBSURL, "IMREUSE_TEST_LINK="+c.options.LinkAddr)
		host.Stderr = os.Stderr
		stdin, err := host.StdinPipe()
		must(t, "StdinPipe", err)
		stdout, err := host.StdoutPipe()
		must(t, "StdoutPipe", err)
		must(t, "Start", host.Start())
		lines := bufio.NewReader(stdout)
		if line, err := lines.ReadString('\n'); line != "logged in\n" {
			t.Fatalf("the other process printed %q, %v", line, err)
		}
		e := c.engine(c.backend("shared"), engine.ReuseIM)
		must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
		wantStatus(t, e, engine.KitLoggedIn, "alice", true)
		must(t, "LogoutKit", e.LogoutKit(t.Context()))
		c.wantOnline([]string{"shared"}, "alice")
		must(t, "Close", stdin.Close()) // tells the other process to log out and end
		seen := await(t, e, "the loss", func(s engine.Status) bool { return s.State == engine.IMInitialized })
		wantError(t, "the cause", seen[len(seen)-1].Cause, engine.ErrIMLoggedOut)
		_, _ = io.Copy(io.Discard, lines)
		must(t, "the other process", host.Wait())
		c.wantOnline([]string{"shared"})
	})
}

// TestHostProcess is the other process of TestChainAcrossProcesses.
func TestHostProcess(t *testing.T) {
	url := os.Getenv("IMREUSE_TEST_GATEWAY")
	if url == "" {
		t.Skip("only TestChainAcrossProcesses runs this")
	}
	lbs := os.Getenv("IMREUSE_TEST_LBS")
	im, err := nimhttp.NewIM(nimhttp.Options{
		AppKey: "app1", GatewayURL: url, GatewaySecret: os.Getenv("IMREUSE_TEST_SECRET"), Slot: "shared",
		LBSURL: lbs, LinkAddr: os.Getenv("IMREUSE_TEST_LINK"), LinkPlain: lbs != "",
	})
	must(t, "NewIM", err)
	defer im.Close()
	ctx := context.Background()
	must(t, "InitIM", im.InitIM(ctx, "app1"))
	must(t, "LoginIM", im.LoginIM(ctx, alice, engine.Notify{}))
	fmt.Println("logged in")
	_, _ = io.Copy(io.Discard, os.Stdin)
	must(t, "LogoutIM", im.LogoutIM(ctx))
}
