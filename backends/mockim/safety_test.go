package mockim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// No token is in any form of a service or a device, nor in any error.
func TestTokensNeverPrint(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d, _ := loggedIn(t, s, alice)
	must(t, d.LoginKit(t.Context(), kitAlice, engine.Notify{}))
	made, err := s.CreateKitAccount("alice", alice.Token)
	must(t, err)
	_, rejected := s.CreateKitAccount("bob", alice.Token)
	_, unknown := d.Authenticate(t.Context(), engine.KitAccount{UserUUID: "user9", Token: secret})
	unnamed := mockim.NewService(mockim.ServiceOptions{NoAnonymous: true}).Device()
	_, unsupported := unnamed.Anonymous(t.Context())
	for name, v := range map[string]any{
		"service":     s,
		"device":      d,
		"options":     mockim.ServiceOptions{AppKey: appKey},
		"holder":      struct{ d *mockim.Device }{d},
		"calls":       d.Calls(),
		"in use":      d.LoginIM(t.Context(), bob, engine.Notify{}),
		"rejected":    rejected,
		"wrong kit":   d.LoginKit(t.Context(), engine.KitAccount{UserUUID: "user1", Token: "wrong-" + secret}, engine.Notify{}),
		"unknown":     unknown,
		"unsupported": unsupported,
		"no init":     s.Device().HostLogin(t.Context(), alice),
		"wrong host":  d.HostLogin(t.Context(), wrong(bob)),
		"other app":   d.InitIM(t.Context(), "app2"),
	} {
		if v == nil {
			t.Errorf("%s is nil", name)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			t.Run(name+" with "+verb, func(t *testing.T) {
				text := fmt.Sprintf(verb, v)
				for _, token := range []string{secret, made.Token, fmt.Sprintf("%x", secret)} {
					if strings.Contains(text, token) {
						t.Errorf("a token: %s", text)
					}
				}
			})
		}
	}
}

// The kit half of a device works with another IM: here with a host's own.
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

// IM on one device, and the kit on another, which has no IM login of its own.
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
	must(t, e.LoginKit(t.Context(), kitAlice)) // over the session that nobody logged out
	must(t, e.Close())
	if got, want := kit.Calls(), []string{"Authenticate user1", "LoginKit user1", "Authenticate user1", "LoginKit user1", "LogoutKit"}; !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}

// Everything at once. In the end at most one device has each account, and an
// orderly login works.
func TestConcurrentUse(t *testing.T) {
	const devices, rounds = 4, 50
	s := newService(mockim.ServiceOptions{})
	all := make([]*mockim.Device, devices)
	for i := range all {
		all[i] = initialised(t, s)
	}
	deeds := []func(ctx context.Context, d *mockim.Device){
		func(ctx context.Context, d *mockim.Device) { d.LoginIM(ctx, alice, (&news{}).notify()) },
		func(ctx context.Context, d *mockim.Device) { d.LoginIM(ctx, bob, (&news{}).notify()) },
		func(ctx context.Context, d *mockim.Device) { d.LogoutIM(ctx) },
		func(ctx context.Context, d *mockim.Device) { d.HostLogin(ctx, bob) },
		func(ctx context.Context, d *mockim.Device) { d.HostLogout(ctx) },
		func(ctx context.Context, d *mockim.Device) { d.AdoptIM(ctx, (&news{}).notify()) },
		func(ctx context.Context, d *mockim.Device) { d.LoginKit(ctx, kitAlice, (&news{}).notify()) },
		func(ctx context.Context, d *mockim.Device) { d.LogoutKit(ctx) },
		func(_ context.Context, d *mockim.Device) { d.Link(len(d.Calls())%2 == 0) },
		func(_ context.Context, d *mockim.Device) { d.Fail("LoginIM", engine.ErrUnavailable) },
		func(_ context.Context, d *mockim.Device) { defer d.Block("LoginIM")(); _ = d.LoggedIn() },
		func(context.Context, *mockim.Device) { s.Kick("alice", engine.KickedByServer) },
		func(context.Context, *mockim.Device) { s.EndKit(kitAlice.UserUUID, engine.ErrTokenExpired) },
		func(context.Context, *mockim.Device) { s.AddIM(bob); s.Bind(kitBob, "bob") },
		func(context.Context, *mockim.Device) { s.CreateKitAccount("", "") },
	}
	var wg sync.WaitGroup
	for i, d := range all {
		for j, deed := range deeds {
			wg.Go(func() {
				for range rounds + i + j {
					deed(t.Context(), d)
				}
			})
		}
	}
	wg.Wait()

	holders := map[string]int{}
	for _, d := range all {
		holders[d.LoggedIn()]++
	}
	if holders["alice"] > 1 || holders["bob"] > 1 {
		t.Errorf("devices by account: %v, want one each at most", holders)
	}
	d := s.Device()
	must(t, d.InitIM(t.Context(), appKey))
	must(t, d.LoginIM(t.Context(), alice, engine.Notify{}))
	for _, other := range all {
		if other.LoggedIn() == "alice" {
			t.Error("two devices have alice")
		}
	}
}
