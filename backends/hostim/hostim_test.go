package hostim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// forEachOrder runs f for an SDK that reports what the engine asks for before
// its calls return, and for one that does not report it.
func forEachOrder(t *testing.T, f func(t *testing.T, s *sdk)) {
	for name, report := range map[string]when{"before": before, "never": never} {
		t.Run(name, func(t *testing.T) { f(t, newSDK(report)) })
	}
}

func TestOwnLoginIsNotTheHosts(t *testing.T) {
	forEachOrder(t, func(t *testing.T, s *sdk) {
		l := logsIn(t, s, alice)
		adopts(t, s.im, "")
		s.im.LoggedIn(alice) // again
		adopts(t, s.im, "")
		if err := s.im.LoginIM(t.Context(), bob, engine.Notify{}); !errors.Is(err, engine.ErrIMInUse) {
			t.Errorf("a second login: got %v, want ErrIMInUse", err)
		}
		if err := s.im.LogoutIM(t.Context()); err != nil {
			t.Error(err)
		}
		adopts(t, s.im, "")
		l.heard(t, nil)
		if got, want := s.called(), "[Login Logout]"; got != want {
			t.Errorf("got calls %s, want %s", got, want)
		}
	})
}

func TestOwnLoginIsLostOnce(t *testing.T) {
	forEachOrder(t, func(t *testing.T, s *sdk) {
		l := logsIn(t, s, alice)
		s.end(&engine.KickError{Reason: engine.KickedByServer})
		s.end(engine.ErrTokenRejected)
		s.im.LoggedOut(nil)
		l.heard(t, engine.ErrKicked)

		next := logsIn(t, s, alice)
		s.hostLogout()
		next.heard(t, engine.ErrIMLoggedOut)
		l.heard(t, engine.ErrKicked)
		adopts(t, s.im, "")
	})
}

func TestHostTakesOver(t *testing.T) {
	forEachOrder(t, func(t *testing.T, s *sdk) {
		own := logsIn(t, s, alice)
		s.im.LoggedIn(bob) // no logout in between
		own.heard(t, engine.ErrIMLoggedOut)
		host := adopts(t, s.im, "bob")
		s.im.LoggedIn(bob)
		host.heard(t, nil)
		s.im.LoggedIn(alice)
		host.heard(t, engine.ErrIMLoggedOut)
		adopts(t, s.im, "alice")
		own.heard(t, engine.ErrIMLoggedOut)
	})
}

func TestHostLoginAfterOwn(t *testing.T) {
	forEachOrder(t, func(t *testing.T, s *sdk) {
		own := logsIn(t, s, alice)
		if err := s.im.LogoutIM(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.im.LoggedIn(alice) // a host that does not say LoggingIn
		host := adopts(t, s.im, "alice")
		s.end(engine.ErrAccountBanned)
		host.heard(t, engine.ErrAccountBanned)
		own.heard(t, nil)
	})
}

// The host logs in while the engine's logout is in progress: the next reported
// logout is about the host's login.
func TestHostLoginDuringLogout(t *testing.T) {
	s := newSDK(never)
	s.im.LoggedIn(alice)
	adopts(t, s.im, "alice")
	s.inside = func(call string) {
		if call == "Logout" {
			s.im.LoggedIn(bob)
		}
	}
	if err := s.im.LogoutIM(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := adopts(t, s.im, "bob")
	s.im.LoggedOut(nil)
	host.heard(t, engine.ErrIMLoggedOut)
	adopts(t, s.im, "")
}

func TestWhatHappensDuringLogin(t *testing.T) {
	tests := []struct {
		name    string
		inside  func(*sdk)
		want    error // of LoginIM
		adopted string
	}{
		{"link", func(s *sdk) { s.im.Link(false); s.im.Link(true) }, nil, ""},
		{"logout is reported", func(s *sdk) { s.im.LoggedOut(nil) }, engine.ErrIMLoggedOut, ""},
		{"kicked", func(s *sdk) { s.im.LoggedIn(alice); s.end(engine.ErrKicked) }, engine.ErrKicked, ""},
		{"kicked, not reported", func(s *sdk) { s.end(engine.ErrKicked) }, engine.ErrKicked, ""},
		{"host takes over", func(s *sdk) { s.im.LoggedIn(bob) }, engine.ErrIMLoggedOut, "bob"},
		{"host logs out", func(s *sdk) { s.im.LoggedIn(alice); s.im.LoggedOut(nil) }, engine.ErrIMLoggedOut, ""},
		{"lost and back", func(s *sdk) { s.end(engine.ErrKicked); s.im.LoggedIn(alice) }, nil, ""},
		{"kicked, the host follows", func(s *sdk) { s.end(engine.ErrKicked); s.im.LoggedIn(bob) }, engine.ErrKicked, "bob"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSDK(never)
			s.inside = func(call string) {
				if call == "Login" {
					test.inside(s)
				}
			}
			var l listener
			if err := s.im.LoginIM(t.Context(), alice, l.notify()); !errors.Is(err, test.want) {
				t.Errorf("LoginIM: got %v, want %v", err, test.want)
			}
			l.heard(t, nil) // LoginIM has said so
			adopts(t, s.im, test.adopted)
		})
	}
}

func TestAdoptWaits(t *testing.T) {
	outcomes := []struct {
		name  string
		ends  func(*sdk)
		wants string
	}{
		{"success", func(s *sdk) { s.im.LoggedIn(alice) }, "alice"},
		{"failure", func(s *sdk) { s.im.LoggedOut(engine.ErrTokenRejected) }, ""},
		{"given up", func(s *sdk) { s.im.LoggedOut(nil) }, ""},
	}
	for _, test := range outcomes {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSDK(never)
				s.im.LoggingIn()
				s.im.LoggingIn()
				var wg sync.WaitGroup
				done := make(chan struct{})
				wg.Go(func() {
					adopts(t, s.im, test.wants)
					close(done)
				})
				synctest.Wait()
				select {
				case <-done:
					t.Error("AdoptIM did not wait for the login in progress")
				default:
				}
				test.ends(s)
				wg.Wait()
			})
		})
	}
}

func TestAdoptHonoursContext(t *testing.T) {
	gaveUp := errors.New("gave up")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(gaveUp)
	s := newSDK(never)
	s.im.LoggingIn()
	if _, err := s.im.AdoptIM(ended, engine.Notify{}); !errors.Is(err, gaveUp) {
		t.Errorf("got %v, want %v", err, gaveUp)
	}
	s.im.LoggedIn(alice)
	adopts(t, s.im, "alice")
}

func TestLink(t *testing.T) {
	s := newSDK(never)
	s.im.Link(false) // nobody is logged in: nothing
	s.im.LoggedIn(alice)
	first := adopts(t, s.im, "alice")
	s.im.Link(true) // it is
	s.im.Link(false)
	s.im.Link(false)
	second := adopts(t, s.im, "alice") // is told before AdoptIM returns
	s.im.Link(true)
	s.end(engine.ErrKicked)
	s.im.Link(false)
	for name, test := range map[string]struct {
		got, want []bool
	}{
		"first":  {first.links, []bool{false, true}}, // each engine hears of it
		"second": {second.links, []bool{false, true}},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s: got %v, want %v", name, test.got, test.want)
		}
	}
	s.im.LoggedIn(alice)
	if l := adopts(t, s.im, "alice"); l.links != nil {
		t.Errorf("a new login: got %v, want online", l.links)
	}
}

// LoggingIn from an SDK that reconnects does not announce a new login. Once the
// login has ended, even without a report, nobody waits.
func TestLoggingInWhileLoggedIn(t *testing.T) {
	tests := []struct {
		name string
		when string // the call in which it is reported; "": between calls
	}{
		{"during the login", "Login"},
		{"after the login", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSDK(never)
				s.inside = func(call string) {
					if call == test.when {
						s.im.LoggingIn()
					}
				}
				logsIn(t, s, alice)
				if test.when == "" {
					s.im.LoggingIn()
				}
				if err := s.im.LogoutIM(t.Context()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of the bubble's time
				defer cancel()
				if a, err := s.im.AdoptIM(ctx, engine.Notify{}); err != nil || a.Accid != "" {
					t.Errorf("AdoptIM: got %v and %v, want nobody", a, err)
				}
			})
		})
	}
}

func TestMeaninglessReports(t *testing.T) {
	s := newSDK(never)
	s.im.LoggedOut(nil)
	s.im.LoggedOut(engine.ErrKicked)
	s.im.LoggedIn(engine.IMAccount{})
	adopts(t, s.im, "")
	s.im.LoggedIn(engine.IMAccount{Accid: "ALICE"})
	s.im.LoggingIn() // as SDKs report when they reconnect
	l := adopts(t, s.im, "alice")
	s.im.LoggedIn(engine.IMAccount{Accid: "alice", AppKey: "app1"})
	l.heard(t, nil)
}

func TestReportsFromEverywhere(t *testing.T) {
	s := newSDK(before)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				s.im.LoggingIn()
				s.im.LoggedIn(alice)
				s.im.Link(false)
				s.im.LoggedOut(engine.ErrKicked)
			}
		})
		wg.Go(func() {
			for range 200 {
				var l listener
				if err := s.im.LoginIM(t.Context(), bob, l.notify()); err == nil {
					_ = s.im.LogoutIM(t.Context())
				}
				s.im.LoggedIn(alice) // lets AdoptIM end
				if _, err := s.im.AdoptIM(t.Context(), l.notify()); err != nil {
					t.Error(err)
				}
				if l.mu.Lock(); len(l.lost) > 2 { // of the login, and of the adoption
					t.Errorf("got %d losses of two logins", len(l.lost))
				}
				l.mu.Unlock()
			}
		})
		wg.Go(func() {
			for range 2000 {
				s.im.LoggedOut(nil) // nobody waits forever
			}
		})
	}
	wg.Wait()
	s.im.LoggedOut(nil)
}

func TestTokensDoNotPrint(t *testing.T) {
	s := newSDK(before)
	logsIn(t, s, alice)
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if got := fmt.Sprintf(format, s.im); strings.Contains(got, "alice-token") {
			t.Errorf("%s prints the token", format)
		}
	}
}
