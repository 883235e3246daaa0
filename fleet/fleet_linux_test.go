package fleet_test

import (
	"context"
	"iter"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Two hundred accounts, three NATS servers with stores on disk, two workers and
// the IM cloud. A worker is killed, the leader of the cluster is stopped and
// started, and a worker is stopped for longer than the TTL and continued. At no
// instant do two live workers hold one account: a login in the second kicks the
// first, and the cloud logs each kick.
func TestFleetOfTwoHundred(t *testing.T) {
	const (
		accounts = 200
		ttl      = 6 * time.Second
	)
	servers := newNATSCluster(t)
	cloud := startCloud(t, accounts)
	one := cloud.startWorker("one", ttl, servers...)
	two := cloud.startWorker("two", ttl, servers...)
	one.say("forward")
	two.say("backward")
	cloud.untilAllHeld(patience, one, two)
	if a, b := cloud.held(one), cloud.held(two); a == 0 || b == 0 {
		t.Fatalf("one worker holds %d accounts and the other %d, want that they share", a, b)
	}

	t.Log("the worker one is killed")
	one.kill()
	cloud.note("killed", one)
	cloud.untilAllHeld(ttl+slack, two)

	three := cloud.startWorker("three", ttl, servers...)
	three.say("forward") // it waits for all of them
	until(t, "the worker two knows its logins", func() bool { return two.count() == accounts })

	t.Log("the leader is stopped and started")
	leader := leaderOf(t, servers)
	leader.stop()
	cloud.wantRenewed(servers, ttl, two, three)
	leader.start()
	until(t, "the cluster is whole", func() bool { return isWhole(servers) })
	cloud.wantRenewed(servers, ttl, two, three)

	t.Log("the worker two is stopped for longer than the TTL")
	two.stop()
	cloud.note("stopped", two)
	cloud.untilAllHeld(ttl+slack, three)
	t.Log("the worker two is continued")
	cloud.note("continued", two)
	two.signal(syscall.SIGCONT)
	until(t, "it has found its logins ended", func() bool { return two.count() == 0 })

	three.leave() // at the end a clean hand-over
	cloud.untilAllHeld(ttl+slack, two)
	cloud.wantOneHolder()
	two.leave()
}

// wantRenewed fails unless NATS stores a renewal, or a new lease, of each account
// within the TTL and 5 s, and the workers hold all of them then.
func (c *cloudChild) wantRenewed(servers []*natsServer, ttl time.Duration, workers ...*child) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), ttl+slack)
	defer cancel()
	renewed := map[string]bool{}
	for entry := range watchBucket(ctx, c.t, servers) {
		if entry.Operation() == jetstream.KeyValuePut {
			renewed[entry.Key()] = true
		}
		if len(renewed) == c.accounts {
			break
		}
	}
	if len(renewed) < c.accounts {
		c.t.Fatalf("after %v, %d of %d leases were renewed", ttl+slack, len(renewed), c.accounts)
	}
	c.untilAllHeld(slack, workers...)
}

// watchBucket yields what happens in the bucket, until ctx ends.
func watchBucket(ctx context.Context, t testing.TB, servers []*natsServer) iter.Seq[jetstream.KeyValueEntry] {
	js := connect(t, servers...)
	return func(yield func(jetstream.KeyValueEntry) bool) {
		var w jetstream.KeyWatcher
		until(t, "NATS lets the test watch", func() bool {
			try, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			kv, err := js.KeyValue(try, bucket)
			if err == nil {
				w, err = kv.WatchAll(ctx, jetstream.UpdatesOnly(), jetstream.MetaOnly())
			}
			return err == nil
		})
		defer w.Stop()
		for {
			select {
			case entry, ok := <-w.Updates():
				if !ok || !yield(entry) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// leaderOf returns the server that leads the bucket's stream.
func leaderOf(t *testing.T, servers []*natsServer) (leader *natsServer) {
	t.Helper()
	until(t, "the bucket has a leader", func() bool {
		for _, s := range servers {
			if s.Running() && s.JetStreamIsStreamLeader("$G", "KV_"+bucket) {
				leader = s
			}
		}
		return leader != nil
	})
	return leader
}

// isWhole reports whether all servers have a current copy of the bucket.
func isWhole(servers []*natsServer) bool {
	for _, s := range servers {
		if !s.Running() || !s.JetStreamIsStreamCurrent("$G", "KV_"+bucket) {
			return false
		}
	}
	return true
}
