package fleet_test

import (
	"context"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
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
