//lint:file-ignore SA4006 the README leaves out some error handling

package repocheck

import (
	"context"
	"testing"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

// The README's snippet of hostim, in an app whose SDK reports a login.
func TestReadmeHostim(t *testing.T) {
	kit, account := cloud(t)

	im := hostim.Wrap(hostim.Client{}) // your SDK's callbacks call im.LoggingIn, LoggedIn, LoggedOut and Link
	e, err := engine.New(engine.Join(im, kit), "app1", &engine.Options{Mode: engine.ReuseIM})

	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	im.LoggedIn(engine.IMAccount{Accid: "alice"})
	if err := e.LoginKit(t.Context(), account); err != nil || !e.Status().Reused() {
		t.Errorf("LoginKit: %v; reused %v, want true", err, e.Status().Reused())
	}
}

// The README's snippet of sharedim: the second kit keeps IM when the first one
// logs out.
func TestReadmeSharedim(t *testing.T) {
	im, account := cloud(t)
	meetingKit, roomKit := im, im

	shared := sharedim.New(im) // your hostim.IM, nimhttp.IM or mockim device
	meeting, err := engine.New(engine.Join(shared.Seat(), meetingKit), "app1", nil)
	room, err := engine.New(engine.Join(shared.Seat(), roomKit), "app1", nil)

	if err != nil {
		t.Fatal(err)
	}
	defer meeting.Close()
	defer room.Close()
	for _, step := range []func(context.Context, engine.KitAccount) error{meeting.LoginKit, room.LoginKit} {
		if err := step(t.Context(), account); err != nil {
			t.Fatal(err)
		}
	}
	if err := meeting.LogoutKit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := im.LoggedIn(); got != "alice" {
		t.Errorf("IM is logged in as %q, want alice", got)
	}
}

// cloud returns a device of an IM cloud in memory, and a kit account that is
// bound to alice.
func cloud(t *testing.T) (*mockim.Device, engine.KitAccount) {
	t.Helper()
	service := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	service.AddIM(engine.IMAccount{Accid: "alice", Token: "im-token"})
	account, err := service.CreateKitAccount("alice", "im-token")
	if err != nil {
		t.Fatal(err)
	}
	return service.Device(), account
}
