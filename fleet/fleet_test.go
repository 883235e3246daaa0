package fleet_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	f, err := fleet.New(t.Context(), js, fleet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kv, err := js.KeyValue(t.Context(), "imreuse")
	if err != nil {
		t.Fatal(err)
	}
	status, err := kv.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ttl := status.TTL(); ttl != 15*time.Second {
		t.Errorf("the TTL is %v, want 15 s", ttl)
	}
	mustLogIn(t, newPhone(t, f, cloud), alice)
	owner, err := f.Holder(t.Context(), alice.Accid)
	if err != nil || len(owner) <= len("-00000000-0000-0000-0000-000000000000") {
		t.Errorf("the owner is %q (%v), want the host name and a UUID", owner, err)
	}
	again, err := fleet.New(t.Context(), js, fleet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	wantInUse(t, "LoginIM by another Fleet of this process", newPhone(t, again, cloud).LoginIM(t.Context(), alice, engine.Notify{}), owner)
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	js := connect(t, newNATS(t))
	newFleet(t, js, "one", shortTTL)
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "markerless", TTL: 15 * time.Second}); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]fleet.Options{
		"TTL too short":        {TTL: time.Second},
		"negative TTL":         {TTL: -time.Second},
		"another TTL":          {Bucket: bucket, TTL: shortTTL + time.Second},
		"bucket's name":        {Bucket: "no.such name"},
		"bucket without marks": {Bucket: "markerless"},
		"owner's name":         {Owner: "two\nlines"},
	} {
		_, err := fleet.New(t.Context(), js, o)
		wantError(t, name, err, engine.ErrArgument)
	}
	_, err := fleet.New(t.Context(), nil, fleet.Options{})
	wantError(t, "no JetStream", err, engine.ErrArgument)
}

func TestNewWithoutNATS(t *testing.T) {
	t.Parallel()
	server := newNATS(t)
	js := connect(t, server)
	server.stop()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("given up"))
	defer cancel()
	_, err := fleet.New(ctx, js, fleet.Options{})
	wantError(t, "New", err, context.Cause(ctx))
}

// A bucket of a cluster has a copy on each server, and its leader answers.
func TestBucketOfACluster(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATSCluster(t)...), newCloud()
	one, two := newFleet(t, js, "one", longTTL), newFleet(t, js, "two", longTTL)
	stream, err := js.Stream(t.Context(), "KV_"+bucket)
	if err != nil {
		t.Fatal(err)
	}
	if c := stream.CachedInfo().Config; c.Replicas != 3 || c.AllowDirect {
		t.Errorf("the bucket has %d copies, and any server answers: %v; want 3, false", c.Replicas, c.AllowDirect)
	}
	a, b := newPhone(t, one, cloud), newPhone(t, two, cloud)
	for range 20 { // a server that is behind would refuse a login sooner or later
		mustLogIn(t, a, alice)
		wantInUse(t, "LoginIM", b.LoginIM(t.Context(), alice, engine.Notify{}), "one")
		wantError(t, "LogoutIM", a.LogoutIM(t.Context()), nil)
		mustLogIn(t, b, alice)
		wantInUse(t, "LoginIM", a.LoginIM(t.Context(), alice, engine.Notify{}), "two")
		wantError(t, "LogoutIM", b.LogoutIM(t.Context()), nil)
	}
}

// Two accids are one account only if they differ in letter case alone.
func TestAccidsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	f := newFleet(t, connect(t, newNATS(t)), "one", longTTL)
	var ims []*fleet.IM
	for _, accid := range []string{"a.b", "a@b", "a_b", "a-b", ".a", "a.", "a..b", "=40", "@", strings.Repeat("@", 32), "a b", "é"} {
		im := f.IM(&script{t: t})
		ims = append(ims, im)
		wantError(t, "LoginIM of "+accid, im.LoginIM(t.Context(), engine.IMAccount{Accid: accid}, engine.Notify{}), nil)
		wantHolder(t, f, accid, "one")
	}
	wantInUse(t, "LoginIM", f.IM(&script{t: t}).LoginIM(t.Context(), engine.IMAccount{Accid: "A@B"}, engine.Notify{}), "one")
	for _, im := range ims {
		wantError(t, "Close", im.Close(), nil)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	js := connect(t, newNATS(t))
	one, two := newFleet(t, js, "one", longTTL), newFleet(t, js, "two", longTTL)
	failing := errors.New("failed")
	own, host := &script{t: t, logout: func(context.Context) error { return failing }}, &script{t: t}
	host.hostIs(bob)
	leased, adopted := one.IM(own), one.IM(host)
	first, second := mustLogIn(t, leased, alice), new(listener)
	if _, err := adopted.AdoptIM(t.Context(), second.notify()); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() { waiting <- one.Wait(context.Background(), alice.Accid) }()

	wantError(t, "Close", one.Close(), failing)
	wantError(t, "Close again", one.Close(), nil)
	first.waitLost(t, engine.ErrIMLoggedOut)
	second.waitLost(t, engine.ErrIMLoggedOut)
	wantCalls(t, own, "LogoutIM", 1)
	wantCalls(t, host, "LogoutIM", 0)
	if err := <-waiting; err != nil { // it may have seen the lease end
		wantError(t, "Wait", err, engine.ErrClosed)
	}
	own.logout = nil
	wantRefusals(t, leased)
	wantRefusals(t, one.IM(&script{t: t}))
	_, err := one.Holder(t.Context(), alice.Accid)
	wantError(t, "Holder", err, engine.ErrClosed)
	wantError(t, "Wait", one.Wait(t.Context(), alice.Accid), engine.ErrClosed)
	wantHolder(t, two, alice.Accid, "")
	wantHolder(t, two, bob.Accid, "")
}

// Close ends a login that is being made.
func TestCloseDuringLogin(t *testing.T) {
	t.Parallel()
	js := connect(t, newNATS(t))
	one, two := newFleet(t, js, "one", longTTL), newFleet(t, js, "two", longTTL)
	im := &script{t: t, login: func(ctx context.Context, _ engine.Notify) error { <-ctx.Done(); return nil }}
	login := make(chan error)
	go func() { login <- one.IM(im).LoginIM(context.Background(), alice, engine.Notify{}) }()
	until(t, "the login runs", func() bool { return im.count("LoginIM") == 1 })
	wantError(t, "Close", one.Close(), nil)
	wantError(t, "LoginIM", <-login, engine.ErrClosed)
	wantCalls(t, im, "LogoutIM", 1)
	wantHolder(t, two, alice.Accid, "")
}

func TestWait(t *testing.T) {
	t.Parallel()
	server, cloud := newNATS(t), newCloud()
	js := connect(t, server)
	one, two := newFleet(t, js, "one", longTTL), newFleet(t, js, "two", longTTL)
	wantError(t, "Wait for a lease that is free", two.Wait(t.Context(), alice.Accid), nil)

	a, b := newPhone(t, one, cloud), newPhone(t, one, cloud)
	mustLogIn(t, a, alice)
	mustLogIn(t, b, bob)
	var work sync.WaitGroup
	var mu sync.Mutex
	freed := map[string]int{}
	wait := func(f *fleet.Fleet, accid string) {
		work.Go(func() {
			if err := f.Wait(context.Background(), accid); err != nil {
				t.Errorf("Wait for %s: %v", accid, err)
			}
			mu.Lock()
			defer mu.Unlock()
			freed[accid]++
		})
	}
	count := func(accid string) int {
		mu.Lock()
		defer mu.Unlock()
		return freed[accid]
	}
	for range 3 {
		wait(one, alice.Accid)
		wait(two, strings.ToUpper(alice.Accid))
		wait(two, bob.Accid)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	wantError(t, "Wait", two.Wait(ctx, alice.Accid), context.DeadlineExceeded)
	wantError(t, "LogoutIM", a.LogoutIM(t.Context()), nil)
	until(t, "those who wait for alice return", func() bool { return count(alice.Accid)+count(strings.ToUpper(alice.Accid)) == 6 })
	if n := count(bob.Accid); n != 0 {
		t.Errorf("%d of those who wait for bob returned too early", n)
	}
	wantError(t, "LogoutIM", b.LogoutIM(t.Context()), nil)
	work.Wait()
}

// All who wait share one consumer, which goes when nobody waits.
func TestWaitersShareOneConsumer(t *testing.T) {
	t.Parallel()
	js := connect(t, newNATS(t))
	f := newFleet(t, js, "one", longTTL)
	im := f.IM(&script{t: t})
	mustLogIn(t, im, alice)
	stream, err := js.Stream(t.Context(), "KV_"+bucket)
	if err != nil {
		t.Fatal(err)
	}
	consumers := func() int {
		info, err := stream.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.State.Consumers
	}
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 50 {
		work.Go(func() { _ = f.Wait(ctx, alice.Accid) })
	}
	until(t, "a consumer", func() bool { return consumers() > 0 })
	if n := consumers(); n != 1 {
		t.Errorf("there are %d consumers, want 1", n)
	}
	cancel()
	work.Wait()
	until(t, "no consumer", func() bool { return consumers() == 0 })
	again, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	go func() { work.Wait(); _ = im.LogoutIM(context.Background()) }()
	wantError(t, "Wait once more", f.Wait(again, alice.Accid), nil)
}

// While NATS is away, each of many waiters ends when its ctx does.
func TestWaitersEndWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	server := newNATS(t)
	f := newFleet(t, connect(t, server), "one", longTTL)
	server.stop()
	const waiters = 50
	ctx, cancel := context.WithCancelCause(t.Context())
	gone, ended := errors.New("the caller is gone"), make(chan error)
	for range waiters {
		go func() { ended <- f.Wait(ctx, alice.Accid) }()
	}
	cancel(gone)
	bound := time.After(patience)
	for range waiters {
		select {
		case err := <-ended:
			wantError(t, "Wait", err, gone)
		case <-bound:
			t.Fatal("a waiter has not returned")
		}
	}
}

// Wait goes on through an outage of NATS, and notices a lease that ran out.
func TestWaitThroughAnOutage(t *testing.T) {
	t.Parallel()
	server, cloud := newNATS(t), newCloud()
	wire := newProxy(t, server)
	holder := newPhone(t, newFleet(t, wire.connect(t), "one", shortTTL), cloud)
	other := newFleet(t, connect(t, server), "two", shortTTL)
	l := mustLogIn(t, holder, alice)
	done := make(chan error, 1)
	go func() { done <- other.Wait(context.Background(), alice.Accid) }()
	wire.close() // the holder's way to NATS, for good
	server.stop()
	server.start()
	l.waitLost(t, engine.ErrUnavailable)
	select {
	case err := <-done:
		wantError(t, "Wait", err, nil)
	case <-time.After(patience):
		t.Fatal("Wait has not returned")
	}
	mustLogIn(t, newPhone(t, other, cloud), alice)
}
