package fleet_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

// These tests are about answers of NATS that are lost.

// The answer to a renewal is lost, and the connection then ends. The holder finds
// its own renewal, and goes on.
func TestAnswerToARenewalIsLost(t *testing.T) {
	t.Parallel()
	const ttl = 9 * time.Second
	server, cloud := newNATS(t), newCloud()
	wire := newProxy(t, server)
	f := newFleet(t, wire.connect(t), "one", ttl)
	p := newPhone(t, f, cloud)
	l := mustLogIn(t, p, alice)

	direct := newFleet(t, connect(t, server), "test", ttl).Bucket()
	revision := func() uint64 {
		entry, err := direct.Get(t.Context(), aliceKey)
		if err != nil {
			t.Fatalf("the lease is gone: %v", err)
		}
		return entry.Revision()
	}
	first := revision()
	wire.setDeaf(true)
	until(t, "a renewal arrives", func() bool { return revision() > first })
	unheard := revision()
	wire.setDeaf(false)
	wire.cut()
	until(t, "the next renewal", func() bool { return revision() > unheard })
	if lost := l.losses(); len(lost) != 0 {
		t.Errorf("the login was lost: %v", lost)
	}
	wantError(t, "LogoutIM", p.LogoutIM(t.Context()), nil)
	wantHolder(t, f, alice.Accid, "")
}

// The answer to the request for the lease is lost, and so the login fails. The
// lease is given back as soon as NATS can be heard.
func TestAnswerToALoginIsLost(t *testing.T) {
	t.Parallel()
	server, cloud := newNATS(t), newCloud()
	wire := newProxy(t, server)
	f := newFleet(t, wire.connect(t), "one", longTTL)
	direct := newFleet(t, connect(t, server), "test", longTTL)
	p := newPhone(t, f, cloud)
	wire.setDeaf(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	wantError(t, "LoginIM", p.LoginIM(ctx, alice, engine.Notify{}), context.DeadlineExceeded)
	if n := p.logins(); n != 0 {
		t.Errorf("the IM was called for %d logins, want none", n)
	}
	wantHolder(t, direct, alice.Accid, "one")
	wire.setDeaf(false)
	wire.cut()
	untilHolder(t, direct, alice.Accid, "")
	mustLogIn(t, p, alice)
}

// While NATS does not answer, a fleet sends only so many requests. The rest of
// them wait for their turn.
func TestRequestsAtOnceAreLimited(t *testing.T) {
	t.Parallel()
	server := newNATS(t)
	wire := newProxy(t, server)
	f := newFleet(t, wire.connect(t), "one", longTTL)
	kv := newFleet(t, connect(t, server), "test", longTTL).Bucket()
	arrived := func() uint64 {
		status, err := kv.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return status.Values()
	}
	login := func(ctx context.Context, i int) error {
		return f.IM(&script{t: t}).LoginIM(ctx, engine.IMAccount{Accid: fmt.Sprint("bot", i)}, engine.Notify{})
	}
	wire.setDeaf(true)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for i := range 2 * fleet.MaxRequests {
		work.Go(func() { wantError(t, "LoginIM", login(ctx, i), context.Canceled) })
	}
	until(t, "requests have arrived", func() bool { return arrived() >= fleet.MaxRequests })
	if poll(t.Context(), time.Second, func() bool { return arrived() > fleet.MaxRequests }) {
		t.Errorf("%d requests have arrived, want %d", arrived(), fleet.MaxRequests)
	}
	cancel()
	work.Wait()
	wire.setDeaf(false)
	wire.cut()
	until(t, "a login", func() bool { return login(t.Context(), 0) == nil })
}
