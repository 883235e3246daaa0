package sharedim_test

import (
	"context"
	"testing"

	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

// A panic of im leaves nothing locked, and nobody logged in.
func TestPanicOfIM(t *testing.T) {
	t.Run("InitIM", func(t *testing.T) {
		im := &script{init: func(context.Context) error { panic("broken") }}
		s := sharedim.New(im)
		wantPanic(t, "InitIM", func() { s.Seat().InitIM(t.Context(), appKey) })
		im.init = nil
		wantError(t, "InitIM", s.Seat().InitIM(t.Context(), appKey), nil)
		wantCalls(t, im, "InitIM", 2)
	})
	t.Run("LoginIM", func(t *testing.T) {
		im := &script{login: func(context.Context, engine.Notify) error { panic("broken") }}
		s := sharedim.New(im)
		var l listener
		wantPanic(t, "LoginIM", func() { s.Seat().LoginIM(t.Context(), alice, l.notify()) })
		wantCalls(t, im, "LogoutIM", 1)
		l.wantLost(t)
		im.login = nil
		mustLogIn(t, s.Seat())
	})
	t.Run("LogoutIM", func(t *testing.T) {
		im := &script{}
		s := sharedim.New(im)
		seat := s.Seat()
		mustLogIn(t, seat)
		im.logout = func(context.Context) error { panic("broken") }
		wantPanic(t, "LogoutIM", func() { seat.LogoutIM(t.Context()) })
		im.logout = nil
		before := im.count("LogoutIM")
		wantError(t, "LogoutIM once more", seat.LogoutIM(t.Context()), nil)
		wantCalls(t, im, "LogoutIM", before+1)
		mustLogIn(t, seat)
	})
	t.Run("AdoptIM", func(t *testing.T) {
		im := &script{}
		im.adopt = func(context.Context, engine.Notify) (engine.IMAccount, error) { panic("broken") }
		s := sharedim.New(im)
		wantPanic(t, "AdoptIM", func() { s.Seat().AdoptIM(t.Context(), engine.Notify{}) })
		im.hostIsAlice()
		mustAdopt(t, s.Seat(), "alice")
		wantCalls(t, im, "LogoutIM", 0) // the host's stays
	})
}
