package chain_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

const giveUpRounds = 150

// randomDeadline returns a ctx that ends before, during or after a login.
func randomDeadline(t *testing.T) (context.Context, context.CancelFunc) {
	const longest = 30 * time.Millisecond
	return context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(longest))))
}

// A login that is given up at any moment does not disturb the next one: the
// next login does not hang, and its link does not go down.
func TestChainGivenUp(t *testing.T) {
	forEachGateway(t, func(t *testing.T, c *chain) {
		im := c.im("given-up")
		must(t, "InitIM", im.InitIM(t.Context(), "app1"))
		var drops atomic.Int64
		n := engine.Notify{
			Link: func(online bool) { drops.Add(1) },
			Lost: func(cause error) { t.Errorf("lost: %v", cause) },
		}
		for i := range giveUpRounds {
			ctx, cancel := randomDeadline(t)
			_ = im.LoginIM(ctx, alice, engine.Notify{})
			cancel()
			must(t, "LogoutIM", im.LogoutIM(t.Context()))
			ctx, cancel = context.WithTimeout(t.Context(), chainPatience)
			if err := im.LoginIM(ctx, alice, n); err != nil {
				t.Errorf("login %d: %v", i, err)
			}
			cancel()
			must(t, "LogoutIM", im.LogoutIM(t.Context()))
		}
		if got := drops.Load(); got != 0 {
			t.Errorf("the link of a successful login changed %d times", got)
		}
		c.wantOnline([]string{"given-up"})
	})
}

// Two clients share a slot. One gives up its logins at random moments; the
// other must not lose its login because of that.
func TestChainGivenUpBesideAnother(t *testing.T) {
	forEachGateway(t, func(t *testing.T, c *chain) {
		first, second := c.im("shared"), c.im("shared")
		must(t, "InitIM", first.InitIM(t.Context(), "app1"))
		must(t, "InitIM", second.InitIM(t.Context(), "app1"))
		var both sync.WaitGroup
		over := make(chan struct{})
		both.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				ctx, cancel := randomDeadline(t)
				if first.LoginIM(ctx, alice, engine.Notify{}) == nil {
					wantError(t, "LogoutIM", first.LogoutIM(t.Context()), nil)
				}
				cancel()
			}
		})
		for range giveUpRounds {
			n := engine.Notify{Lost: func(cause error) { t.Errorf("lost: %v", cause) }}
			if second.LoginIM(t.Context(), bob, n) == nil {
				must(t, "LogoutIM", second.LogoutIM(t.Context()))
			}
		}
		close(over)
		both.Wait()
		c.wantOnline([]string{"shared"})
	})
}

// forEachGateway runs f over the double, and over the real gateway if the
// vendor's software is installed.
func forEachGateway(t *testing.T, f func(*testing.T, *chain)) {
	t.Run("fake", func(t *testing.T) { f(t, newChain(t, nil)) })
	t.Run("real", func(t *testing.T) { f(t, newChain(t, startNode(t, nimhttp.GatewayOptions{}))) })
}
