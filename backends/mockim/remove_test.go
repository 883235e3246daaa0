package mockim_test

import (
	"errors"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

func TestRemoveKit(t *testing.T) {
	s := mockim.NewService(mockim.ServiceOptions{AppKey: appKey})
	s.AddIM(alice)
	s.AddIM(bob)
	s.Bind(kitAlice, alice.Accid)
	s.Bind(kitBob, bob.Accid)
	im, kit := s.Device(), s.Device()
	if err := errors.Join(im.HostInit(t.Context()), im.HostLogin(t.Context(), alice)); err != nil {
		t.Fatal(err)
	}
	var lost error
	if err := kit.LoginKit(t.Context(), kitAlice, engine.Notify{Lost: func(cause error) { lost = cause }}); err != nil {
		t.Fatal(err)
	}
	if s.RemoveKit(kitAlice.UserUUID) {
		t.Error("an account that is logged in to IM was removed")
	}
	if _, found := s.FindIM(alice.Accid); !found || lost != nil {
		t.Errorf("the IM account is there: %t, the kit session ended with %v", found, lost)
	}
	if err := im.HostLogout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !s.RemoveKit("USER1") {
		t.Error("an account that is logged out was not removed")
	}
	_, foundIM := s.FindIM(alice.Accid)
	_, _, foundKit := s.FindKit(kitAlice.UserUUID)
	if foundIM || foundKit || !errors.Is(lost, engine.ErrTokenRejected) {
		t.Errorf("IM account %t, kit account %t, the session ended with %v", foundIM, foundKit, lost)
	}
	if _, _, found := s.FindKit(kitBob.UserUUID); !found {
		t.Error("another account is gone too")
	}
	if !s.RemoveKit("User1") {
		t.Error("an account that is gone is not reported as gone")
	}
}
