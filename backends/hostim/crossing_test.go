package hostim_test

import (
	"context"
	"errors"
	"testing"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/engine"
)

// A host that logs in first keeps its login, even if the engine's caller has
// given up, or if the SDK reports the host's login later.
func TestHostIsFasterThanCallerWhoGaveUp(t *testing.T) {
	for _, late := range []bool{false, true} {
		who, logouts := "", 0
		ctx, cancel := context.WithCancel(t.Context())
		var im *hostim.IM
		im = hostim.Wrap(hostim.Client{
			Login: func(context.Context, engine.IMAccount) error {
				im.LoggingIn()
				who = "alice" // the host's login succeeds
				if !late {
					im.LoggedIn(alice)
				}
				cancel()
				return engine.ErrIMInUse
			},
			Logout: func(context.Context) error { logouts++; who = ""; return nil },
		})
		err := im.LoginIM(ctx, alice, engine.Notify{})
		if err := im.Close(); err != nil { // waits until it is settled
			t.Error(err)
		}
		if late {
			im.LoggedIn(alice)
		}
		adopts(t, im, "alice")
		if !errors.Is(err, engine.ErrIMInUse) && !errors.Is(err, context.Canceled) || logouts != 0 || who != "alice" {
			t.Errorf("late report %v: %v; %d logouts, who %q", late, err, logouts, who)
		}
	}
}

// Reports about the host's login do not affect the logins that the engine asks
// for: if one of those is kicked, the engine learns of it.
func TestHostIsFasterAndNothingElseIsReported(t *testing.T) {
	faster := true
	var im *hostim.IM
	im = hostim.Wrap(hostim.Client{
		Login: func(context.Context, engine.IMAccount) error {
			if faster {
				im.LoggedIn(alice) // the host's
				return engine.ErrIMInUse
			}
			return nil // and reports nothing
		},
		Logout: func(context.Context) error { return nil },
	})
	_ = im.LoginIM(t.Context(), alice, engine.Notify{})
	adopts(t, im, "alice")
	im.LoggedOut(nil) // the host's
	faster = false
	var l listener
	for range 2 {
		if err := im.LoginIM(t.Context(), alice, l.notify()); err != nil {
			t.Fatal(err)
		}
		if err := im.LogoutIM(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := im.LoginIM(t.Context(), alice, l.notify()); err != nil {
		t.Fatal(err)
	}
	im.LoggedOut(engine.ErrKicked)
	l.heard(t, engine.ErrKicked)
}

// A later login of the host's is not mistaken for the engine's.
func TestHostIsFasterAndComesBack(t *testing.T) {
	faster := true
	logouts := 0
	var im *hostim.IM
	im = hostim.Wrap(hostim.Client{
		Login: func(context.Context, engine.IMAccount) error {
			if faster {
				im.LoggedIn(alice)
				return engine.ErrIMInUse
			}
			return nil
		},
		Logout: func(context.Context) error { logouts++; return nil },
	})
	_ = im.LoginIM(t.Context(), alice, engine.Notify{})
	im.LoggedOut(nil)
	faster = false
	_ = im.LoginIM(t.Context(), alice, engine.Notify{})
	_ = im.LogoutIM(t.Context())
	im.LoggedIn(alice) // the host's
	adopts(t, im, "alice")
	if logouts != 1 {
		t.Errorf("got %d logouts, want 1", logouts)
	}
}

// The host may log in as someone else right after the engine's login succeeded,
// before Client.Login has returned. Then the engine's login is lost, although
// the host's has only begun.
func TestHostLogsInRightAfterTheEngine(t *testing.T) {
	var im *hostim.IM
	im = hostim.Wrap(hostim.Client{
		Login: func(context.Context, engine.IMAccount) error {
			im.LoggedIn(alice)
			im.LoggedOut(nil)
			im.LoggingIn() // the host's
			return nil
		},
		Logout: func(context.Context) error { t.Error("the host's login was logged out"); return nil },
	})
	if err := im.LoginIM(t.Context(), alice, engine.Notify{}); !errors.Is(err, engine.ErrIMLoggedOut) {
		t.Errorf("got %v, want %v", err, engine.ErrIMLoggedOut)
	}
	im.LoggedIn(bob)
	adopts(t, im, "bob")
}
