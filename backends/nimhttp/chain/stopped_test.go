//go:build unix

package chain_test

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// A stopped process is silent. After a while of silence its login is lost. When
// the process continues, the login that it still holds is logged out before the
// next.
func TestChainStopped(t *testing.T) {
	if os.Getenv("IMREUSE_SLOW") != "1" {
		t.Skip("IMREUSE_SLOW is not 1: each of its losses takes the 15 s of a silence")
	}
	c := newChain(t, startNode(t, nimhttp.GatewayOptions{}))
	for _, climb := range rungs {
		e := c.engine(c.backend("a"), engine.AutoDetect)
		climb(t, e)
		rung := e.Status().State
		c.signal(t, syscall.SIGSTOP)
		if rung >= engine.IMLoggedIn {
			seen := await(t, e, "the loss", func(s engine.Status) bool { return s.State == engine.IMInitialized })
			wantError(t, "the cause", seen[len(seen)-1].Cause, engine.ErrUnavailable)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		wantError(t, "LoginKit while the gateway is stopped", e.LoginKit(ctx, kitAlice), context.DeadlineExceeded)
		cancel()
		c.signal(t, syscall.SIGCONT)
		must(t, "LoginKit after all", e.LoginKit(t.Context(), kitAlice))
		wantStatus(t, e, engine.KitLoggedIn, "alice", false)
		c.wantOnline(nil, "alice")
		must(t, "Close", e.Close())
		c.wantOnline(nil)
	}
}

func (c *chain) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(c.node.Pid(), s); err != nil {
		t.Fatal(err)
	}
}
