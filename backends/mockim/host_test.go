package mockim_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

func TestHostInit(t *testing.T) {
	d := newService(mockim.ServiceOptions{}).Device()
	gaveUp := errors.New("the host gave up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gaveUp)
	wantErr(t, d.HostInit(ctx), gaveUp)
	wantErr(t, d.HostLogin(t.Context(), alice), engine.ErrState)
	must(t, d.HostInit(t.Context()))
	must(t, d.HostInit(t.Context()))
	must(t, d.HostLogin(t.Context(), alice))
}

// The host's login replaces the one that is there, whether the engine or the
// host made it.
func TestHostLogin(t *testing.T) {
	rows := []struct {
		name string
		a    engine.IMAccount
		want error
		who  string // is logged in afterwards
		lost error  // reported to the login that was there
	}{
		{"the same account", alice, nil, "alice", nil},
		{"the same account, whatever its token", withWrongToken(alice), nil, "alice", nil},
		{"another account", bob, nil, "bob", engine.ErrIMLoggedOut},
		{"an unknown account", nobody, engine.ErrTokenRejected, "", engine.ErrIMLoggedOut},
		{"a wrong token", withWrongToken(bob), engine.ErrTokenRejected, "", engine.ErrIMLoggedOut},
		{"another app's", engine.IMAccount{AppKey: "app2", Accid: "bob", Token: bob.Token}, engine.ErrAppKeyMismatch, "", engine.ErrIMLoggedOut},
	}
	for _, row := range rows {
		for name, login := range map[string]func(*testing.T, *mockim.Service, engine.IMAccount) (*mockim.Device, *news){
			"engine": loggedIn, "host": adopted,
		} {
			t.Run(row.name+" over the "+name, func(t *testing.T) {
				s := newService(mockim.ServiceOptions{})
				d, n := login(t, s, alice)
				kit := &news{}
				must(t, d.LoginKit(t.Context(), kitAlice, kit.notify()))

				wantErr(t, d.HostLogin(t.Context(), row.a), row.want)
				wantLoggedIn(t, d, row.who)
				s.EndKit(kitAlice.UserUUID, engine.ErrTokenExpired)
				if row.lost == nil {
					wantLost(t, n)
					wantLost(t, kit, engine.ErrTokenExpired)
					return
				}
				wantLost(t, n, row.lost)
				wantLost(t, kit) // it ended with the IM login
				wantAdopted(t, d, &news{}, row.who)
			})
		}
	}
}

func TestHostLogout(t *testing.T) {
	for name, login := range map[string]func(*testing.T, *mockim.Service, engine.IMAccount) (*mockim.Device, *news){
		"engine": loggedIn, "host": adopted,
	} {
		t.Run(name, func(t *testing.T) {
			d, n := login(t, newService(mockim.ServiceOptions{}), alice)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			must(t, d.HostLogout(ctx))
			must(t, d.HostLogout(t.Context()))
			wantLoggedIn(t, d, "")
			wantLost(t, n, engine.ErrIMLoggedOut)
			wantAdopted(t, d, &news{}, "")
		})
	}
}

// AdoptIM finds the host's login, never the engine's own.
func TestAdoptIM(t *testing.T) {
	s := newService(mockim.ServiceOptions{MultiDevice: true})
	d, n := loggedIn(t, s, alice)
	dropped := &news{}
	wantAdopted(t, d, dropped, "")
	must(t, d.LogoutIM(t.Context()))
	wantAdopted(t, d, dropped, "")

	must(t, d.HostLogin(t.Context(), alice))
	first, second := &news{}, &news{}
	wantAdopted(t, d, first, "alice")
	wantAdopted(t, d, second, "alice") // as another engine does
	d.Link(false)
	s.Kick("alice", engine.KickedByServer)
	for _, old := range []*news{n, dropped} {
		wantLost(t, old)
		wantLinks(t, old)
	}
	for _, adopted := range []*news{first, second} {
		wantLost(t, adopted, engine.ErrKicked)
		wantLinks(t, adopted, false)
	}
}

// AdoptIM reports a link that is down before it returns; a new login is online.
func TestAdoptOffline(t *testing.T) {
	d := newService(mockim.ServiceOptions{}).Device()
	must(t, d.HostInit(t.Context()))
	must(t, d.HostLogin(t.Context(), alice))
	d.Link(false)
	n := &news{}
	wantAdopted(t, d, n, "alice")
	wantLinks(t, n, false)
	d.Link(true)
	wantLinks(t, n, false, true)

	d.Link(false)
	must(t, d.HostLogin(t.Context(), bob))
	n = &news{}
	wantAdopted(t, d, n, "bob")
	wantLinks(t, n)
}

// AdoptIM waits for a HostLogin in flight, and finds its result.
func TestAdoptWaitsForHostLogin(t *testing.T) {
	failure := errors.New("the host gave up")
	rows := []struct {
		name   string
		a      engine.IMAccount
		finish func(d *mockim.Device, release func(), cancel context.CancelCauseFunc)
		who    string
		want   error
	}{
		{"success", alice, func(_ *mockim.Device, release func(), _ context.CancelCauseFunc) { release() }, "alice", nil},
		{"a wrong token", withWrongToken(alice), func(_ *mockim.Device, release func(), _ context.CancelCauseFunc) { release() }, "", engine.ErrTokenRejected},
		{"a fault", alice, func(d *mockim.Device, release func(), _ context.CancelCauseFunc) {
			d.Fail("HostLogin", failure)
			release()
		}, "", failure},
		{"given up", alice, func(_ *mockim.Device, _ func(), cancel context.CancelCauseFunc) { cancel(failure) }, "", failure},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := initialised(t, newService(mockim.ServiceOptions{}))
				release := d.Block("HostLogin")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				login := start(func() error { return d.HostLogin(ctx, row.a) })
				synctest.Wait()
				n := &news{}
				adoption := start(func() error { wantAdopted(t, d, n, row.who); return nil })
				wantWaits(t, login, adoption)

				row.finish(d, release, cancel)
				wantErr(t, <-login, row.want)
				<-adoption
				wantLoggedIn(t, d, row.who)
				must(t, d.HostLogout(t.Context()))
				if row.who == "" {
					wantLost(t, n)
				} else {
					wantLost(t, n, engine.ErrIMLoggedOut)
				}
			})
		})
	}
}

func TestAdoptGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := initialised(t, newService(mockim.ServiceOptions{}))
		release := d.Block("HostLogin")
		login := start(func() error { return d.HostLogin(t.Context(), alice) })
		synctest.Wait()
		gaveUp := errors.New("the engine gave up")
		ctx, cancel := context.WithCancelCause(t.Context())
		n := &news{}
		adoption := start(func() error { _, err := d.AdoptIM(ctx, n.notify()); return err })
		wantWaits(t, login, adoption)
		cancel(gaveUp)
		wantErr(t, <-adoption, gaveUp)
		release()
		must(t, <-login)
		must(t, d.HostLogout(t.Context()))
		wantLost(t, n)
	})
}

// A HostLogin in flight has already logged out the other account. If the engine
// logs in the same account first, that login stays.
func TestHostLoginOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, before := loggedIn(t, newService(mockim.ServiceOptions{}), bob)
		release := d.Block("HostLogin")
		login := start(func() error { return d.HostLogin(t.Context(), alice) })
		wantWaits(t, login)
		wantLost(t, before, engine.ErrIMLoggedOut)
		wantLoggedIn(t, d, "")

		n := &news{}
		must(t, d.LoginIM(t.Context(), alice, n.notify()))
		release()
		must(t, <-login)
		wantLost(t, n)
		wantLoggedIn(t, d, "alice")
		wantAdopted(t, d, &news{}, "") // it is the engine's login
	})
}

// If the engine logs in another account while HostLogin is in flight, HostLogin
// replaces it.
func TestHostLoginReplacesFasterLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := initialised(t, newService(mockim.ServiceOptions{}))
		release := d.Block("HostLogin")
		login := start(func() error { return d.HostLogin(t.Context(), alice) })
		wantWaits(t, login)
		n := &news{}
		must(t, d.LoginIM(t.Context(), bob, n.notify()))
		release()
		must(t, <-login)
		wantLost(t, n, engine.ErrIMLoggedOut)
		wantAdopted(t, d, &news{}, "alice")
	})
}

// A HostLogin that fails does not end a login made while it was in flight.
func TestFailedHostLoginKeepsFasterLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := initialised(t, newService(mockim.ServiceOptions{}))
		d.Fail("HostLogin", engine.ErrUnavailable)
		release := d.Block("HostLogin")
		login := start(func() error { return d.HostLogin(t.Context(), alice) })
		wantWaits(t, login)
		n := &news{}
		must(t, d.LoginIM(t.Context(), bob, n.notify()))
		release()
		wantErr(t, <-login, engine.ErrUnavailable)
		wantLost(t, n)
		wantLoggedIn(t, d, "bob")
	})
}

// A Device is one process: it stays usable when its engine is closed.
func TestDeviceOutlivesEngine(t *testing.T) {
	d := newService(mockim.ServiceOptions{}).Device()
	must(t, d.HostInit(t.Context()))
	must(t, d.HostLogin(t.Context(), alice))
	for range 2 {
		e, err := engine.New(d, appKey, &engine.Options{Mode: engine.ReuseIM})
		must(t, err)
		must(t, e.LoginKit(t.Context(), kitAlice))
		must(t, e.Close())
		wantLoggedIn(t, d, "alice")
	}
}

func TestEndIMWithoutCause(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d := s.Device()
	e, err := engine.New(d, appKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.LoginKit(t.Context(), kitAlice); err != nil {
		t.Fatal(err)
	}
	s.EndIM(alice.Accid, nil)
	for status := range e.Watch(t.Context()) {
		if status.State == engine.IMInitialized {
			if status.Cause != engine.ErrUnavailable {
				t.Errorf("got cause %v, want ErrUnavailable", status.Cause)
			}
			break
		}
	}
}

func TestHostLoginWithEndedContext(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d := s.Device()
	if err := errors.Join(d.HostInit(t.Context()), d.HostLogin(t.Context(), alice)); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.HostLogin(ended, bob); !errors.Is(err, context.Canceled) || d.LoggedIn() != "alice" {
		t.Errorf("got %v and %q, want context.Canceled and alice", err, d.LoggedIn())
	}
}

// A fault applies even to a call that would fail, or do nothing, anyway.
func TestFailedHostLoginOfSameAccount(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d := s.Device()
	d.Fail("HostLogin", engine.ErrUnavailable)
	if err := d.HostLogin(t.Context(), alice); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("before init: got %v, want ErrUnavailable", err)
	}
	if err := errors.Join(d.HostInit(t.Context()), d.HostLogin(t.Context(), alice)); err != nil {
		t.Fatal(err)
	}
	d.Fail("HostLogin", engine.ErrUnavailable)
	if err := d.HostLogin(t.Context(), alice); !errors.Is(err, engine.ErrUnavailable) || d.LoggedIn() != "alice" {
		t.Errorf("same account: got %v and %q, want ErrUnavailable and alice", err, d.LoggedIn())
	}
}

// AdoptIM waits for the last of two host logins in flight.
func TestTwoHostLoginsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(mockim.ServiceOptions{})
		d := s.Device()
		if err := d.HostInit(t.Context()); err != nil {
			t.Fatal(err)
		}
		release := d.Block("HostLogin")
		ctx, giveUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = d.HostLogin(ctx, alice) })
		synctest.Wait()
		wg.Go(func() {
			if err := d.HostLogin(t.Context(), bob); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if a, err := d.AdoptIM(t.Context(), engine.Notify{}); err != nil || a.Accid != "bob" {
				t.Errorf("got %v and %v, want bob", a, err)
			}
		})
		synctest.Wait()
		giveUp()
		synctest.Wait()
		release()
		wg.Wait()
	})
}
