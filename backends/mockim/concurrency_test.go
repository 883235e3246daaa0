package mockim_test

import (
	"context"
	"sync"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// After concurrent calls of every kind, at most one device has each account,
// and an orderly login works.
func TestConcurrentUse(t *testing.T) {
	const devices, rounds = 4, 50
	s := newService(mockim.ServiceOptions{})
	all := make([]*mockim.Device, devices)
	for i := range all {
		all[i] = initialised(t, s)
	}
	calls := []func(ctx context.Context, d *mockim.Device){
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
		for j, call := range calls {
			wg.Go(func() {
				for range rounds + i + j {
					call(t.Context(), d)
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
