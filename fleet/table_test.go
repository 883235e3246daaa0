package fleet_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

// The tests of this file are the table of the README, row by row. The rows that
// need processes to stop and to kill are in process_linux_test.go.

func TestLoginOfAnAccountThatAnotherHolds(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	one, two := newFleet(t, js, "one", longTTL), newFleet(t, js, "two", longTTL)
	holder, other := newPhone(t, one, cloud), newPhone(t, two, cloud)
	l := mustLogIn(t, holder, alice)

	shouted := alice
	shouted.Accid = strings.ToUpper(alice.Accid) // the same account
	for _, a := range []engine.IMAccount{alice, shouted} {
		wantInUse(t, "LoginIM", other.LoginIM(t.Context(), a, engine.Notify{}), "one")
	}
	if n := other.logins(); n != 0 {
		t.Errorf("the IM was called for %d logins, want none", n)
	}
	wantHolder(t, two, alice.Accid, "one")
	if lost := l.losses(); len(lost) != 0 {
		t.Errorf("the holder lost its login: %v", lost)
	}
	mustLogIn(t, other, bob) // it holds another account
	wantHolder(t, one, bob.Accid, "two")

	// Nor may the same process log it in twice.
	wantInUse(t, "LoginIM in the same process", newPhone(t, one, cloud).LoginIM(t.Context(), alice, engine.Notify{}), "one")
}

func TestLoginThatFails(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	f := newFleet(t, js, "one", longTTL)
	p := newPhone(t, f, cloud)
	wrong := alice
	wrong.Token = "wrong"
	wantError(t, "LoginIM", p.LoginIM(t.Context(), wrong, engine.Notify{}), engine.ErrTokenRejected)
	wantHolder(t, f, alice.Accid, "")
	mustLogIn(t, newPhone(t, newFleet(t, js, "two", longTTL), cloud), alice)
}

// NATS stamps each renewal, so the test needs no clock of its own.
func TestRenewalAtAThirdOfTTL(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	f := newFleet(t, js, "one", shortTTL)
	kv, err := js.KeyValue(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	w, err := kv.WatchAll(t.Context(), jetstream.UpdatesOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	p := newPhone(t, f, cloud)
	l := mustLogIn(t, p, alice)
	const renewals = 6 // two TTLs
	var first, last time.Time
	for i := range renewals + 1 {
		var entry jetstream.KeyValueEntry
		select {
		case entry = <-w.Updates():
		case <-time.After(patience):
			t.Fatalf("the lease was renewed %d times", i)
		}
		if op := entry.Operation(); op != jetstream.KeyValuePut {
			t.Fatalf("the lease ended: %v", op)
		}
		if i == 0 {
			first = entry.Created()
		}
		last = entry.Created()
	}
	if took, least := last.Sub(first), (renewals-1)*shortTTL/3; took < least {
		t.Errorf("%d renewals took %v, want %v or more", renewals, took, least)
	}
	if lost := l.losses(); len(lost) != 0 {
		t.Errorf("the login was lost: %v", lost)
	}
	wantLoggedIn(t, p, alice.Accid)
}

func TestRenewalThatNATSCannotAnswer(t *testing.T) {
	t.Parallel()
	nats, cloud := newNATS(t), newCloud()
	p := newPhone(t, newFleet(t, connect(t, nats), "one", shortTTL), cloud)
	var loggedIn string
	var at time.Time
	l := &listener{onLost: func(error) { loggedIn, at = p.device.LoggedIn(), time.Now() }}
	wantError(t, "LoginIM", p.LoginIM(t.Context(), alice, l.notify()), nil)
	nats.stop()
	gone := time.Now() // the last renewal came before
	l.waitLost(t, engine.ErrUnavailable)
	if loggedIn != "" {
		t.Errorf("Lost was reported while IM was logged in as %s", loggedIn)
	}
	if free := gone.Add(shortTTL); at.After(free) {
		t.Errorf("IM was logged out %v after the lease could be another's", at.Sub(free))
	}
	wantError(t, "LoginIM without NATS", p.LoginIM(t.Context(), alice, engine.Notify{}), engine.ErrUnavailable)
	if n := p.logins(); n != 1 {
		t.Errorf("the IM was called for %d logins, want 1", n)
	}
	nats.start()
	until(t, "a login over the new server", func() bool { return p.LoginIM(t.Context(), alice, engine.Notify{}) == nil })
}

// An outage that is shorter than the lease ends no login.
func TestShortOutageOfNATS(t *testing.T) {
	t.Parallel()
	const ttl = 12 * time.Second // a busy machine takes seconds to start a server
	nats, cloud := newNATS(t), newCloud()
	f := newFleet(t, connect(t, nats), "one", ttl)
	p := newPhone(t, f, cloud)
	l := mustLogIn(t, p, alice)
	nats.stop()
	nats.start()
	kv := f.Bucket()
	revision := func() uint64 {
		e, err := kv.Get(t.Context(), aliceKey)
		if err != nil {
			return 0
		}
		return e.Revision()
	}
	until(t, "NATS is back", func() bool { return revision() > 0 })
	before := revision()
	until(t, "a renewal after the outage", func() bool { return revision() > before })
	if lost := l.losses(); len(lost) != 0 {
		t.Errorf("the login was lost: %v", lost)
	}
	wantLoggedIn(t, p, alice.Accid)
}

func TestLeaseThatAnotherHasTaken(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	f := newFleet(t, js, "one", shortTTL)
	p := newPhone(t, f, cloud)
	var loggedIn string
	l := &listener{onLost: func(error) { loggedIn = p.device.LoggedIn() }}
	wantError(t, "LoginIM", p.LoginIM(t.Context(), alice, l.notify()), nil)
	if _, err := f.Bucket().PutString(t.Context(), aliceKey, `{"owner":"thief","lease":"x"}`); err != nil {
		t.Fatal(err)
	}
	wantInUse(t, "Lost", l.waitLost(t, engine.ErrIMInUse), "thief")
	if loggedIn != "" {
		t.Errorf("Lost was reported while IM was logged in as %s", loggedIn)
	}
	wantHolder(t, f, alice.Accid, "thief") // it has not been given back
}

// An operator takes a lease away with the nats command.
func TestLeaseThatAnOperatorDeletes(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	f := newFleet(t, js, "one", shortTTL)
	p := newPhone(t, f, cloud)
	l := mustLogIn(t, p, alice)
	if err := f.Bucket().Delete(t.Context(), aliceKey); err != nil {
		t.Fatal(err)
	}
	l.waitLost(t, engine.ErrUnavailable)
	wantLoggedIn(t, p, "")
	mustLogIn(t, p, alice)
}

func TestLeaseIsGivenBackAtOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, f *fleet.Fleet, p *phone, cloud *mockim.Service) error{
		"LogoutIM":       func(t *testing.T, _ *fleet.Fleet, p *phone, _ *mockim.Service) error { return p.LogoutIM(t.Context()) },
		"Close of IM":    func(_ *testing.T, _ *fleet.Fleet, p *phone, _ *mockim.Service) error { return p.Close() },
		"Close of Fleet": func(_ *testing.T, f *fleet.Fleet, _ *phone, _ *mockim.Service) error { return f.Close() },
		"LogoutIM after a kick": func(t *testing.T, _ *fleet.Fleet, p *phone, cloud *mockim.Service) error {
			cloud.Kick(alice.Accid, engine.KickedByServer)
			return p.LogoutIM(t.Context())
		},
		"Close of IM after a kick": func(_ *testing.T, _ *fleet.Fleet, p *phone, cloud *mockim.Service) error {
			cloud.Kick(alice.Accid, engine.KickedByServer)
			return p.Close()
		},
		"a kick": func(_ *testing.T, _ *fleet.Fleet, _ *phone, cloud *mockim.Service) error {
			cloud.Kick(alice.Accid, engine.KickedByServer)
			return nil
		},
		"a loss": func(_ *testing.T, _ *fleet.Fleet, _ *phone, cloud *mockim.Service) error {
			cloud.EndIM(alice.Accid, engine.ErrUnavailable)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			js, cloud := connect(t, newNATS(t)), newCloud()
			f, other := newFleet(t, js, "one", longTTL), newFleet(t, js, "two", longTTL)
			p := newPhone(t, f, cloud)
			mustLogIn(t, p, alice)
			wantHolder(t, other, alice.Accid, "one")
			wantError(t, name, end(t, f, p, cloud), nil)
			if name == "a kick" || name == "a loss" { // nobody waits for the lease
				untilHolder(t, other, alice.Accid, "")
			}
			wantHolder(t, other, alice.Accid, "")
			wantLoggedIn(t, p, "")
			mustLogIn(t, newPhone(t, other, cloud), alice)
		})
	}
}

// The lease is given back before Close of the engine returns, whose own errors
// and states are as without a fleet.
func TestEngineOverAFleet(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	one, two := newFleet(t, js, "one", longTTL), newFleet(t, js, "two", longTTL)
	newEngine := func(f *fleet.Fleet) *engine.Engine {
		device := cloud.Device()
		e, err := engine.New(engine.Join(f.IM(device), device), appKey, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		return e
	}
	first, second := newEngine(one), newEngine(two)
	wantError(t, "LoginKit", first.LoginKit(t.Context(), kitAlice), nil)
	wantInUse(t, "LoginKit", second.LoginKit(t.Context(), kitAlice), "one")
	wantInUse(t, "KeepKit", second.KeepKit(t.Context(), kitAlice), "one")
	wantError(t, "Close", first.Close(), nil)
	wantHolder(t, two, alice.Accid, "")
	wantError(t, "LoginKit", second.LoginKit(t.Context(), kitAlice), nil)
	wantHolder(t, one, alice.Accid, "two")
}

// What NATS does delays nobody beyond the 5 seconds of a step.
func TestLogoutWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	const step = 5 * time.Second
	for name, away := range map[string]func(*natsServer, *proxy){
		"gone":   func(s *natsServer, p *proxy) { p.close(); s.stop() },
		"silent": func(_ *natsServer, p *proxy) { p.setDeaf(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, cloud := newNATS(t), newCloud()
			wire := newProxy(t, server)
			p := newPhone(t, newFleet(t, wire.connect(t), "one", longTTL), cloud)
			mustLogIn(t, p, alice)
			away(server, wire)
			ctx, cancel := context.WithTimeout(t.Context(), step)
			defer cancel()
			began := time.Now()
			wantError(t, "LogoutIM", p.LogoutIM(ctx), nil)
			if took := time.Since(began); took > step+time.Second {
				t.Errorf("LogoutIM took %v, want at most the step's %v", took, step)
			}
			wantLoggedIn(t, p, "")
		})
	}
}

func TestAdoptedLogin(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	one, two := newFleet(t, js, "one", longTTL), newFleet(t, js, "two", longTTL)
	host := newPhone(t, one, cloud)
	wantError(t, "HostLogin", host.device.HostLogin(t.Context(), alice), nil)
	for range 2 {
		if a, err := host.AdoptIM(t.Context(), new(listener).notify()); err != nil || !strings.EqualFold(a.Accid, alice.Accid) {
			t.Fatalf("AdoptIM: got %s and %v", a, err)
		}
		wantHolder(t, two, alice.Accid, "one")
	}
	wantInUse(t, "LoginIM", newPhone(t, two, cloud).LoginIM(t.Context(), alice, engine.Notify{}), "one")
	wantError(t, "Close", host.Close(), nil)
	wantHolder(t, two, alice.Accid, "")
	wantLoggedIn(t, host, alice.Accid) // the host's login stays
}

func TestAdoptionOfAnAccountThatAnotherHolds(t *testing.T) {
	t.Parallel()
	js := connect(t, newNATS(t))
	one, two := newFleet(t, js, "one", longTTL), newFleet(t, js, "two", longTTL)
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: appKey, MultiDevice: true})
	cloud.AddIM(alice)
	holder, host := newPhone(t, one, cloud), newPhone(t, two, cloud)
	mustLogIn(t, holder, alice)
	wantError(t, "HostLogin", host.device.HostLogin(t.Context(), alice), nil)
	l := new(listener)
	a, err := host.AdoptIM(t.Context(), l.notify())
	wantInUse(t, "AdoptIM", err, "one")
	if a != (engine.IMAccount{}) {
		t.Errorf("AdoptIM: got %s, want nobody", a)
	}
	wantLoggedIn(t, host, alice.Accid)
	wantHolder(t, two, alice.Accid, "one")
	wantError(t, "HostLogout", host.device.HostLogout(t.Context()), nil)
	if lost := l.losses(); len(lost) != 0 {
		t.Errorf("a login that was not adopted was reported to be lost: %v", lost)
	}
}

// If the lease of an adopted login is lost, the host's login ends.
func TestAdoptedLoginWhoseLeaseIsLost(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	f := newFleet(t, js, "one", shortTTL)
	host := newPhone(t, f, cloud)
	wantError(t, "HostLogin", host.device.HostLogin(t.Context(), alice), nil)
	l := new(listener)
	if _, err := host.AdoptIM(t.Context(), l.notify()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Bucket().PutString(t.Context(), aliceKey, `{"owner":"thief","lease":"x"}`); err != nil {
		t.Fatal(err)
	}
	l.waitLost(t, engine.ErrIMInUse)
	wantLoggedIn(t, host, "")
}
