package mockim_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

var errNone = errors.New("there is no token")

// A kitLogin is a session, and what was reported about it.
type kitLogin struct {
	renews  bool
	expired []error
	lost    []error
}

func (l *kitLogin) notify() engine.Notify {
	return engine.Notify{
		Lost:    func(cause error) { l.lost = append(l.lost, cause) },
		Link:    func(bool) {},
		Expired: func(cause error) bool { l.expired = append(l.expired, cause); return l.renews },
	}
}

func TestExpireKit(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	ctx := t.Context()
	d, other := s.Device(), s.Device()
	renewed, lost := &kitLogin{renews: true}, &kitLogin{}
	must(t, d.LoginKit(ctx, kitAlice, renewed.notify()))
	must(t, other.LoginKit(ctx, kitAlice, lost.notify()))
	bob := &kitLogin{}
	must(t, s.Device().LoginKit(ctx, kitBob, bob.notify()))

	s.ExpireKit(kitAlice.UserUUID)
	if len(renewed.expired) != 1 || len(renewed.lost) != 0 {
		t.Errorf("where somebody renews: Expired %v, Lost %v", renewed.expired, renewed.lost)
	}
	if len(lost.expired) != 1 || len(lost.lost) != 1 || !errors.Is(lost.lost[0], engine.ErrTokenExpired) {
		t.Errorf("where nobody does: Expired %v, Lost %v", lost.expired, lost.lost)
	}
	if len(bob.expired)+len(bob.lost) != 0 {
		t.Errorf("another account: Expired %v, Lost %v", bob.expired, bob.lost)
	}
	_, err := d.Authenticate(ctx, kitAlice)
	wantErr(t, err, engine.ErrTokenExpired)
	wantErr(t, other.LoginKit(ctx, kitAlice, lost.notify()), engine.ErrTokenExpired)
	wantErr(t, d.RenewKit(ctx, kitAlice), engine.ErrTokenExpired)
	wantErr(t, d.RenewKit(ctx, engine.KitAccount{UserUUID: kitAlice.UserUUID, Token: "wrong"}), engine.ErrTokenRejected)

	s.Bind(kitAlice, alice.Accid) // the same token is as old as before
	wantErr(t, d.RenewKit(ctx, kitAlice), engine.ErrTokenExpired)
	fresh := engine.KitAccount{UserUUID: kitAlice.UserUUID, Token: "fresh"}
	s.Bind(fresh, alice.Accid)
	must(t, d.RenewKit(ctx, fresh))
	wantErr(t, d.RenewKit(ctx, kitAlice), engine.ErrTokenRejected)
	bound, err := d.Authenticate(ctx, fresh)
	if err != nil || !strings.EqualFold(bound.Accid, alice.Accid) {
		t.Errorf("Authenticate with the new token: %v, %v", bound, err)
	}
	wantErr(t, other.RenewKit(ctx, fresh), engine.ErrState)
	wantErr(t, d.RenewKit(ctx, kitBob), engine.ErrState)
	if len(renewed.lost) != 0 {
		t.Errorf("the renewed session was lost: %v", renewed.lost)
	}
	s.ExpireKit("nobody")
	s.EndKit(kitAlice.UserUUID, engine.ErrTokenRejected)
	if len(renewed.lost) != 1 {
		t.Errorf("the renewed session is not the service's any more")
	}
}

// RenewKit is one of the calls that a test can hold up and see.
func TestRenewKitCalls(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d := s.Device()
	must(t, d.LoginKit(t.Context(), kitAlice, (&kitLogin{}).notify()))
	d.Fail("RenewKit", errNone)
	wantErr(t, d.RenewKit(t.Context(), kitAlice), errNone)
	release := d.Block("RenewKit")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errNone)
	wantErr(t, d.RenewKit(ctx, kitAlice), errNone)
	release()
	must(t, d.RenewKit(t.Context(), kitAlice))
	if got, want := d.Calls()[1:], slices.Repeat([]string{"RenewKit " + strings.ToLower(kitAlice.UserUUID)}, 3); !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}

// What becomes of an IM login whose token has run out, when it reconnects.
func TestExpireIM(t *testing.T) {
	fresh := engine.IMAccount{Accid: alice.Accid, Token: "fresh"}
	give := func(token string, err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return token, err }
	}
	for name, test := range map[string]struct {
		token func(context.Context) (string, error)
		holds bool
	}{
		"a fresh token": {give("fresh", nil), true},
		"nobody asked":  {nil, false},
		"an error":      {give("fresh", errNone), false},
		"the old token": {give(alice.Token, nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(mockim.ServiceOptions{})
			d := s.Device()
			ctx := t.Context()
			must(t, d.InitIM(ctx, appKey))
			var lost []error
			var links []bool
			asked := 0
			n := engine.Notify{
				Lost: func(cause error) { lost = append(lost, cause) },
				Link: func(online bool) { links = append(links, online) },
			}
			if test.token != nil {
				n.Token = func(ctx context.Context) (string, error) {
					asked++
					_ = d.LoggedIn() // no lock is held
					return test.token(ctx)
				}
			}
			must(t, d.LoginIM(ctx, alice, n))
			d.Link(false)
			d.Link(true) // the token is good yet
			s.ExpireIM(alice.Accid)
			wantErr(t, s.Device().LoginIM(ctx, alice, n), engine.ErrState)
			other := s.Device()
			must(t, other.InitIM(ctx, appKey))
			wantErr(t, other.LoginIM(ctx, alice, n), engine.ErrTokenRejected)
			if asked+len(lost) > 0 {
				t.Errorf("before it reconnects: asked %d times, lost %v", asked, lost)
			}
			s.AddIM(fresh)
			d.Link(true) // it is up
			if asked+len(lost) > 0 {
				t.Errorf("without a reconnect: asked %d times, lost %v", asked, lost)
			}
			links = nil
			d.Link(false)
			d.Link(true)
			if test.token != nil && asked != 1 {
				t.Errorf("it asked %d times, want once", asked)
			}
			if !test.holds {
				if len(lost) != 1 || !errors.Is(lost[0], engine.ErrTokenRejected) || d.LoggedIn() != "" {
					t.Errorf("lost %v, logged in %q, want %v", lost, d.LoggedIn(), engine.ErrTokenRejected)
				}
				return
			}
			if len(lost) != 0 || !slices.Equal(links, []bool{false, true}) {
				t.Errorf("lost %v, links %v", lost, links)
			}
			d.Link(false)
			d.Link(true)
			if asked != 1 {
				t.Errorf("it asks for a token again, though its token is good")
			}
		})
	}
}

// An account that got a new token without its old one running out stays logged
// in, and nobody is asked.
func TestReconnectWithoutExpiry(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d := s.Device()
	must(t, d.InitIM(t.Context(), appKey))
	must(t, d.LoginIM(t.Context(), alice, engine.Notify{
		Lost: func(cause error) { t.Errorf("lost: %v", cause) },
		Link: func(bool) {},
	}))
	s.AddIM(engine.IMAccount{Accid: alice.Accid, Token: "fresh"})
	d.Link(false)
	d.Link(true)
	wantLoggedIn(t, d, strings.ToLower(alice.Accid))
}

// A logout in the middle of the question ends the question; the answer is
// nobody's.
func TestLogoutWhileAsked(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d := s.Device()
	ctx := t.Context()
	must(t, d.InitIM(ctx, appKey))
	must(t, d.LoginIM(ctx, alice, engine.Notify{
		Lost: func(cause error) { t.Errorf("lost: %v", cause) },
		Link: func(online bool) {
			if online {
				t.Error("online")
			}
		},
		Token: func(ctx context.Context) (string, error) {
			must(t, d.LogoutIM(context.Background()))
			<-ctx.Done()
			return "fresh", nil
		},
	}))
	s.ExpireIM(alice.Accid)
	s.AddIM(engine.IMAccount{Accid: alice.Accid, Token: "fresh"})
	d.Link(false)
	d.Link(true)
	wantLoggedIn(t, d, "")
}

// A whole engine over a login whose tokens run out.
func TestEngineOverExpiry(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d := s.Device()
	var refused []string
	e, err := engine.New(d, appKey, &engine.Options{
		IMToken: func(_ context.Context, _, old string) (string, error) {
			refused = append(refused, old)
			s.AddIM(engine.IMAccount{Accid: alice.Accid, Token: "fresh"})
			return "fresh", nil
		},
	})
	must(t, err)
	defer e.Close()
	must(t, d.HostInit(t.Context()))
	must(t, d.HostLogin(t.Context(), alice))
	must(t, e.LoginKit(t.Context(), kitAlice)) // adopts
	s.ExpireIM(alice.Accid)
	d.Link(false)
	d.Link(true)
	if now := e.Status(); now.State != engine.KitLoggedIn || !now.Online || len(refused) != 1 {
		t.Errorf("got %+v after %d questions", now, len(refused))
	}
}
