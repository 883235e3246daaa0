package mockim_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

func TestLoginIMRefuses(t *testing.T) {
	rows := []struct {
		name string
		a    engine.IMAccount
	}{
		{"unknown account", nobody},
		{"wrong token", withWrongToken(alice)},
		{"the token of another", engine.IMAccount{Accid: "alice", Token: bob.Token}},
		{"the token of the kit", engine.IMAccount{Accid: "alice", Token: kitAlice.Token}},
		{"no token", engine.IMAccount{Accid: "alice"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			d, n := initialised(t, newService(mockim.ServiceOptions{})), &news{}
			wantErr(t, d.LoginIM(t.Context(), row.a, n.notify()), engine.ErrTokenRejected)
			wantLoggedIn(t, d, "")
			must(t, d.LoginIM(t.Context(), alice, engine.Notify{}))
			wantLost(t, n)
		})
	}
}

func TestLoginBeforeInit(t *testing.T) {
	d := newService(mockim.ServiceOptions{}).Device()
	wantErr(t, d.LoginIM(t.Context(), alice, engine.Notify{}), engine.ErrState)
	wantErr(t, d.HostLogin(t.Context(), alice), engine.ErrState)
	wantLoggedIn(t, d, "")
	must(t, d.HostInit(t.Context()))
	must(t, d.LoginIM(t.Context(), alice, engine.Notify{}))
}

// An SDK holds one account, whether the engine or the host logged it in.
func TestOneAccountPerDevice(t *testing.T) {
	for name, login := range map[string]func(*testing.T, *mockim.Service) (*mockim.Device, *news){
		"by the engine": func(t *testing.T, s *mockim.Service) (*mockim.Device, *news) { return loggedIn(t, s, alice) },
		"by the host":   func(t *testing.T, s *mockim.Service) (*mockim.Device, *news) { return adopted(t, s, alice) },
	} {
		t.Run(name, func(t *testing.T) {
			d, n := login(t, newService(mockim.ServiceOptions{}))
			for _, a := range []engine.IMAccount{alice, bob, withWrongToken(alice)} {
				wantErr(t, d.LoginIM(t.Context(), a, engine.Notify{}), engine.ErrIMInUse)
			}
			wantLoggedIn(t, d, "alice")
			wantLost(t, n)
			must(t, d.LogoutIM(t.Context()))
			must(t, d.LoginIM(t.Context(), bob, engine.Notify{}))
			wantLoggedIn(t, d, "bob")
			wantLost(t, n) // the engine asked for that logout
		})
	}
}

func TestSecondDeviceKicks(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	first, n := loggedIn(t, s, alice)
	bobs, bobNews := loggedIn(t, s, bob)

	second, n2 := loggedIn(t, s, alice)
	wantLost(t, n, engine.ErrKicked)
	var kick *engine.KickError
	if !errors.As(n.lost[0], &kick) || kick.Reason != engine.KickedByClient {
		t.Errorf("lost %v, want a kick by a client", n.lost[0])
	}
	wantLoggedIn(t, first, "")
	wantLoggedIn(t, second, "alice")

	must(t, first.HostLogin(t.Context(), alice)) // a host's login kicks too
	wantLost(t, n2, engine.ErrKicked)
	wantLoggedIn(t, second, "")
	wantLost(t, n, engine.ErrKicked)

	wantLoggedIn(t, bobs, "bob")
	wantLost(t, bobNews)
}

// A failed login kicks nobody.
func TestFailedLoginKicksNobody(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	first, n := loggedIn(t, s, alice)
	second := initialised(t, s)
	wantErr(t, second.LoginIM(t.Context(), withWrongToken(alice), engine.Notify{}), engine.ErrTokenRejected)
	wantErr(t, second.HostLogin(t.Context(), withWrongToken(alice)), engine.ErrTokenRejected)
	must(t, second.LoginIM(t.Context(), bob, engine.Notify{}))
	wantErr(t, second.LoginIM(t.Context(), alice, engine.Notify{}), engine.ErrIMInUse)
	wantLoggedIn(t, first, "alice")
	wantLost(t, n)
}

func TestMultiDevice(t *testing.T) {
	s := newService(mockim.ServiceOptions{MultiDevice: true})
	first, n := loggedIn(t, s, alice)
	second, n2 := loggedIn(t, s, alice)
	wantLoggedIn(t, first, "alice")
	wantLoggedIn(t, second, "alice")
	wantLost(t, n)

	s.Kick(alice.Accid, engine.KickedByServer) // every device of that account
	wantLost(t, n, engine.ErrKicked)
	wantLost(t, n2, engine.ErrKicked)
}

// The service accepts ids in any case, and returns them in lower case.
func TestIDsFold(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d, n := initialised(t, s), &news{}
	must(t, d.LoginIM(t.Context(), engine.IMAccount{Accid: "aLICE", Token: alice.Token}, n.notify()))
	wantLoggedIn(t, d, "alice")
	must(t, d.HostLogin(t.Context(), engine.IMAccount{Accid: "ALICE", Token: alice.Token}))
	wantLost(t, n)

	kit := &news{}
	_, err := d.Authenticate(t.Context(), engine.KitAccount{UserUUID: "USER1", Token: kitAlice.Token})
	must(t, err)
	must(t, d.LoginKit(t.Context(), engine.KitAccount{UserUUID: "uSER1", Token: kitAlice.Token}, kit.notify()))
	s.EndKit("User1", engine.ErrTokenExpired)
	wantLost(t, kit, engine.ErrTokenExpired)
	s.Kick("AliCe", engine.KickedByServer)
	wantLost(t, n, engine.ErrKicked)

	want := []string{"InitIM", "LoginIM alice", "Authenticate user1", "LoginKit user1"}
	if got := d.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}

// Calls returns the engine's calls, even those that failed, but not AdoptIM,
// Close or the host's calls.
func TestCalls(t *testing.T) {
	d := newService(mockim.ServiceOptions{}).Device()
	if got := d.Calls(); len(got) != 0 {
		t.Errorf("calls %q of a new device", got)
	}
	must(t, d.HostInit(t.Context()))
	must(t, d.HostLogin(t.Context(), alice))
	d.AdoptIM(t.Context(), engine.Notify{})
	d.LoginIM(t.Context(), bob, engine.Notify{})
	d.Anonymous(t.Context())
	d.LogoutKit(t.Context())
	d.LogoutIM(t.Context())
	d.InitIM(t.Context(), "app2")
	must(t, d.HostLogout(t.Context()))
	must(t, d.Close())
	want := []string{"LoginIM bob", "Anonymous", "LogoutKit", "LogoutIM", "InitIM"}
	if got := d.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	d.Calls()[0] = "changed"
	if got := d.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls %q, changed from outside", got)
	}
}

// A device that gets calls for days remembers the last ones.
func TestCallsAreBounded(t *testing.T) {
	d := newService(mockim.ServiceOptions{}).Device()
	for range 50_000 {
		d.LogoutIM(t.Context())
	}
	d.LogoutKit(t.Context())
	got := d.Calls()
	if len(got) < 10_000 || len(got) > 20_000 || got[len(got)-1] != "LogoutKit" || got[0] != "LogoutIM" {
		t.Errorf("%d calls after 50,001, the last one %q", len(got), got[len(got)-1])
	}
}

// EndIM reports its cause once to each login of that account, and to no other.
func TestEndIM(t *testing.T) {
	s := newService(mockim.ServiceOptions{MultiDevice: true})
	first, n := loggedIn(t, s, alice)
	_, n2 := loggedIn(t, s, alice)
	bobs, bobNews := loggedIn(t, s, bob)
	kit := &news{}
	must(t, first.LoginKit(t.Context(), kitAlice, kit.notify()))

	cause := errors.New("the cloud has gone")
	s.EndIM("alice", cause)
	s.EndIM("alice", engine.ErrAccountBanned)
	s.EndIM("nobody", engine.ErrAccountBanned)
	s.Kick("", engine.KickedByServer)
	wantLost(t, n, cause)
	wantLost(t, n2, cause)
	wantLost(t, kit) // it ended with the IM login
	wantLost(t, bobNews)
	wantLoggedIn(t, first, "")
	wantLoggedIn(t, bobs, "bob")

	s.EndKit(kitAlice.UserUUID, engine.ErrTokenExpired)
	wantLost(t, kit)
	must(t, first.LoginIM(t.Context(), alice, engine.Notify{})) // the account has not changed
}

func TestKickReasons(t *testing.T) {
	for _, want := range []engine.KickReason{engine.KickedByClient, engine.KickedByServer, engine.KickedByOther, engine.KickedQuietly} {
		t.Run(want.String(), func(t *testing.T) {
			s := newService(mockim.ServiceOptions{})
			_, n := loggedIn(t, s, alice)
			s.Kick("alice", want)
			wantLost(t, n, engine.ErrKicked)
			var kick *engine.KickError
			if !errors.As(n.lost[0], &kick) || kick.Reason != want {
				t.Errorf("lost %v, want a kick %v", n.lost[0], want)
			}
		})
	}
}

func TestLink(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d, other := initialised(t, s), initialised(t, s)
	d.Link(false) // nobody is logged in
	first, others := &news{}, &news{}
	must(t, d.LoginIM(t.Context(), alice, first.notify()))
	must(t, other.LoginIM(t.Context(), bob, others.notify()))
	wantLinks(t, first) // a new login is online

	d.Link(true)
	d.Link(false)
	d.Link(false)
	d.Link(true)
	d.Link(false)
	wantLinks(t, first, false, true, false)
	wantLinks(t, others)
	wantLoggedIn(t, d, "alice")

	must(t, d.LogoutIM(t.Context()))
	d.Link(true)
	second := &news{}
	must(t, d.LoginIM(t.Context(), alice, second.notify()))
	d.Link(true) // no change
	d.Link(false)
	wantLinks(t, first, false, true, false)
	wantLinks(t, second, false)
	wantLost(t, first)
	wantLost(t, second)
}
