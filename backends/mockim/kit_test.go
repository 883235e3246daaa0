package mockim_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// EndKit ends the sessions of one kit account, on each device, and no IM login.
func TestEndKit(t *testing.T) {
	s := newService(mockim.ServiceOptions{MultiDevice: true})
	sessions := map[string]*news{} // they also serve the IM logins, which get no report
	devices := map[string]*mockim.Device{}
	for name, a := range map[string]engine.IMAccount{"first": alice, "second": alice, "bob": bob} {
		k := map[string]engine.KitAccount{"alice": kitAlice, "bob": kitBob}[strings.ToLower(a.Accid)]
		devices[name], sessions[name] = initialised(t, s), &news{}
		must(t, devices[name].LoginIM(t.Context(), a, sessions[name].notify()))
		must(t, devices[name].LoginKit(t.Context(), k, sessions[name].notify()))
	}
	s.EndKit(kitAlice.UserUUID, engine.ErrTokenExpired)
	s.EndKit(kitAlice.UserUUID, engine.ErrTokenRejected)
	s.EndKit("nobody", engine.ErrTokenRejected)
	wantLost(t, sessions["first"], engine.ErrTokenExpired)
	wantLost(t, sessions["second"], engine.ErrTokenExpired)
	wantLost(t, sessions["bob"])
	wantLoggedIn(t, devices["first"], "alice")
	wantLoggedIn(t, devices["second"], "alice")
	must(t, devices["first"].LoginKit(t.Context(), kitAlice, engine.Notify{}))
}

// A session that was logged out or replaced gets no more reports.
func TestKitSessionEnds(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d, _ := loggedIn(t, s, alice)
	out, replaced, last := &news{}, &news{}, &news{}
	must(t, d.LoginKit(t.Context(), kitAlice, out.notify()))
	must(t, d.LogoutKit(t.Context()))
	must(t, d.LogoutKit(t.Context()))
	must(t, d.LoginKit(t.Context(), kitAlice, replaced.notify()))
	must(t, d.LoginKit(t.Context(), kitAlice, last.notify()))
	s.EndKit(kitAlice.UserUUID, engine.ErrTokenExpired)
	wantLost(t, out)
	wantLost(t, replaced)
	wantLost(t, last, engine.ErrTokenExpired)
	wantLoggedIn(t, d, "alice")
}

// The kit half of a device works with another IM, such as a host's own.
func TestKitAlone(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	kit := s.Device()
	im := hostim.Wrap(hostim.Client{})
	e, err := engine.New(engine.Join(im, kit), appKey, &engine.Options{Mode: engine.ReuseIM})
	must(t, err)
	im.LoggedIn(engine.IMAccount{AppKey: appKey, Accid: "alice"})

	must(t, e.LoginKit(t.Context(), kitAlice))
	must(t, e.LogoutKit(t.Context()))
	must(t, e.LoginKit(t.Context(), kitAlice))
	s.EndKit(kitAlice.UserUUID, engine.ErrTokenExpired)
	must(t, e.LogoutKit(t.Context()))
	if got := e.Status(); got.State != engine.IMLoggedIn || got.Via != engine.TriggerKitLost || got.Cause != engine.ErrTokenExpired {
		t.Errorf("after the session ended: %+v", got)
	}
	wantErr(t, e.LoginKit(t.Context(), kitBob), engine.ErrIMAccountMismatch)
	must(t, e.Close())

	wantLoggedIn(t, kit, "")
	want := []string{"Authenticate user1", "LoginKit user1", "LogoutKit", "Authenticate user1", "LoginKit user1", "Authenticate user2"}
	if got := kit.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}

// The engine uses the IM of one device and the kit of another, whose own IM is
// not logged in.
func TestKitOverAnotherDevice(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	im, kit := s.Device(), s.Device()
	e, err := engine.New(engine.Join(im, kit), appKey, nil)
	must(t, err)
	must(t, e.LoginKit(t.Context(), kitAlice))
	wantLoggedIn(t, im, "alice")
	wantLoggedIn(t, kit, "")
	s.Kick(alice.Accid, engine.KickedByServer)
	must(t, e.LogoutKit(t.Context()))
	if got := e.Status(); got.State != engine.IMInitialized || !errors.Is(got.Cause, engine.ErrKicked) {
		t.Errorf("after the kick: %+v", got)
	}
	must(t, e.LoginKit(t.Context(), kitAlice)) // replaces the session that was never logged out
	must(t, e.Close())
	if got, want := kit.Calls(), []string{"Authenticate user1", "LoginKit user1", "Authenticate user1", "LoginKit user1", "LogoutKit"}; !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}
