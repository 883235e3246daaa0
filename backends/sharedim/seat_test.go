package sharedim_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

func TestLossIsReportedOnce(t *testing.T) {
	im := &script{}
	var n engine.Notify
	im.login = func(_ context.Context, given engine.Notify) error { n = given; return nil }
	s := sharedim.New(im)
	one, two, gone := s.Seat(), s.Seat(), s.Seat()
	first, second, third := mustLogIn(t, one), mustLogIn(t, two), mustLogIn(t, gone)
	if err := gone.Close(); err != nil {
		t.Error(err)
	}
	old := n
	old.Lost(engine.ErrKicked)
	old.Lost(engine.ErrUnavailable)
	again := mustLogIn(t, one)
	old.Lost(engine.ErrUnavailable)
	old.Link(false)
	first.wantLost(t, engine.ErrKicked)
	second.wantLost(t, engine.ErrKicked)
	third.wantLost(t)
	again.wantLost(t)
	for name, l := range map[string]*listener{"lost": first, "new": again} {
		if len(l.links) != 0 {
			t.Errorf("the %s login heard of the link of a lost one: %v", name, l.links)
		}
	}
	wantCalls(t, im, "LogoutIM", 0)
	if err := two.LogoutIM(t.Context()); err != nil { // it was lost, and so holds nothing
		t.Error(err)
	}
	wantCalls(t, im, "LogoutIM", 0)
}

// im calls Lost or Link before LoginIM or AdoptIM returns.
func TestReportBeforeReturn(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
	}{{"success", nil}, {"failure", engine.ErrKicked}} {
		t.Run("lost, "+row.name, func(t *testing.T) {
			im := &script{}
			im.login = func(_ context.Context, n engine.Notify) error { n.Lost(engine.ErrKicked); return row.err }
			s := sharedim.New(im)
			l := new(listener)
			wantError(t, "LoginIM", s.Seat().LoginIM(t.Context(), alice, l.notify()), row.err)
			l.wantLost(t, engine.ErrKicked)
			im.login = nil
			mustLogIn(t, s.Seat()).wantLost(t)
			wantCalls(t, im, "LoginIM", 2)
			wantCalls(t, im, "LogoutIM", 0)
		})
	}
	t.Run("adoption lost", func(t *testing.T) {
		im := &script{}
		im.adopt = func(_ context.Context, n engine.Notify) (engine.IMAccount, error) {
			n.Lost(engine.ErrKicked)
			return alice, nil
		}
		s := sharedim.New(im)
		mustAdopt(t, s.Seat(), "alice").wantLost(t, engine.ErrKicked)
		mustLogIn(t, s.Seat())
	})
	t.Run("offline", func(t *testing.T) {
		im := &script{}
		im.login = func(_ context.Context, n engine.Notify) error { n.Link(false); return nil }
		s := sharedim.New(im)
		for range 2 {
			if l := mustLogIn(t, s.Seat()); len(l.links) != 1 || l.links[0] {
				t.Errorf("Link: got %v, want [false]", l.links)
			}
		}
	})
}

// A seat never takes a seat's login for the host's, even if im does.
func TestSeatsLoginIsNotAdopted(t *testing.T) {
	im := &script{}
	s := sharedim.New(im)
	seat := s.Seat()
	mustLogIn(t, seat)
	im.hostIsAlice() // wrong: it is the seat's login
	mustAdopt(t, seat, "")
	mustAdopt(t, s.Seat(), "")
}

func TestAdoptionFails(t *testing.T) {
	im := &script{}
	im.adopt = func(context.Context, engine.Notify) (engine.IMAccount, error) {
		return engine.IMAccount{}, engine.ErrUnavailable
	}
	s := sharedim.New(im)
	_, err := s.Seat().AdoptIM(t.Context(), engine.Notify{})
	wantError(t, "AdoptIM", err, engine.ErrUnavailable)
	mustLogIn(t, s.Seat())
}

// An engine.IM that is not an engine.IMAdopter has no login to adopt.
func TestNoAdopter(t *testing.T) {
	im := &script{}
	s := sharedim.New(struct{ engine.IM }{im})
	mustAdopt(t, s.Seat(), "")
	mustLogIn(t, s.Seat())
	mustAdopt(t, s.Seat(), "")
}

func TestNilNotify(t *testing.T) {
	im := &script{}
	var n engine.Notify
	im.login = func(_ context.Context, given engine.Notify) error { n = given; return nil }
	s := sharedim.New(im)
	for range 2 {
		wantError(t, "LoginIM", s.Seat().LoginIM(t.Context(), alice, engine.Notify{}), nil)
		n.Link(false)
	}
	n.Lost(nil)
}

// If the last seat gives up waiting for another seat's call, IM is logged out
// when that call returns.
func TestLogoutGivesUpWaiting(t *testing.T) {
	for _, row := range []struct {
		name  string
		leave func(context.Context, *sharedim.IM, *sharedim.Seat) error
		outs  int
		want  error
	}{
		{"LogoutIM", func(ctx context.Context, _ *sharedim.IM, seat *sharedim.Seat) error { return seat.LogoutIM(ctx) }, 1, context.DeadlineExceeded},
		{"Close", func(_ context.Context, _ *sharedim.IM, seat *sharedim.Seat) error { return seat.Close() }, 0, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				im := &script{}
				im.hostIsAlice()
				release := make(chan struct{})
				im.init = func(context.Context) error { <-release; return nil }
				s := sharedim.New(im)
				seat := s.Seat()
				mustAdopt(t, seat, "alice")
				init := begin(func() error { return s.Seat().InitIM(t.Context(), appKey) })
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				wantError(t, row.name, row.leave(ctx, s, seat), row.want)
				wantCalls(t, im, "LogoutIM", 0)
				close(release)
				wantError(t, "InitIM", <-init, nil)
				wantCalls(t, im, "LogoutIM", row.outs)
				wantError(t, "LogoutIM again", seat.LogoutIM(t.Context()), nil)
				wantCalls(t, im, "LogoutIM", row.outs)
			})
		})
	}
}

// LogoutIM of the last seat has yet to log the host's login out. If a seat that
// does not hold the login closes meanwhile, the logout still happens.
func TestCloseOfAnotherSeatKeepsLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		im := &script{}
		im.hostIsAlice()
		release := make(chan struct{})
		im.init = func(context.Context) error { <-release; return nil }
		s := sharedim.New(im)
		seat, other := s.Seat(), s.Seat()
		mustAdopt(t, seat, "alice")
		init := begin(func() error { return s.Seat().InitIM(t.Context(), appKey) })
		logout := begin(func() error { return seat.LogoutIM(t.Context()) })
		closing := begin(other.Close)
		close(release)
		wantError(t, "InitIM", <-init, nil)
		wantError(t, "LogoutIM", <-logout, nil)
		wantError(t, "Close", <-closing, nil)
		wantCalls(t, im, "LogoutIM", 1)
	})
}

// A free turn wins over a ctx that has ended: someone has to log out.
func TestLogoutWithEndedCtx(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	im := &script{}
	s := sharedim.New(im)
	const often = 50 // a random select would hardly be right 50 times in a row
	for i := range often {
		seat := s.Seat()
		mustLogIn(t, seat)
		wantError(t, "LogoutIM", seat.LogoutIM(ended), nil)
		wantCalls(t, im, "LogoutIM", i+1)
	}
}

// A seat does not join a login whose logout failed, but logs it out first.
func TestLeftLoginIsNotJoined(t *testing.T) {
	im := &script{}
	s := sharedim.New(im)
	seat := s.Seat()
	mustLogIn(t, seat)
	im.logout = func(context.Context) error { panic("broken") }
	wantPanic(t, "LogoutIM", func() { seat.LogoutIM(t.Context()) })
	im.logout = nil
	before := im.count("LogoutIM")
	mustLogIn(t, s.Seat())
	wantCalls(t, im, "LogoutIM", before+1)
	wantCalls(t, im, "LoginIM", 2)
}

func TestAdoptAgain(t *testing.T) {
	im := &script{}
	var n engine.Notify
	im.adopt = func(_ context.Context, given engine.Notify) (engine.IMAccount, error) {
		n = given
		return alice, nil
	}
	s := sharedim.New(im)
	seat := s.Seat()
	first, second := mustAdopt(t, seat, "alice"), mustAdopt(t, seat, "alice")
	n.Lost(engine.ErrKicked)
	first.wantLost(t)
	second.wantLost(t, engine.ErrKicked)
	wantCalls(t, im, "AdoptIM", 1)
}

// As with an IM that is not shared: the engine adopts the host's login instead.
func TestLoginOverHostsLogin(t *testing.T) {
	im := &script{}
	im.hostIsAlice()
	s := sharedim.New(im)
	seat := s.Seat()
	mustAdopt(t, seat, "alice")
	for _, other := range []*sharedim.Seat{seat, s.Seat()} {
		wantError(t, "LoginIM", other.LoginIM(t.Context(), alice, engine.Notify{}), engine.ErrIMInUse)
	}
	wantCalls(t, im, "LoginIM", 0)
	wantError(t, "LogoutIM of the last", seat.LogoutIM(t.Context()), nil)
	wantCalls(t, im, "LogoutIM", 1)
}

// While a logout waits for its turn, the next caller in line does it.
func TestNextInLineLogsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		im := &script{}
		im.hostIsAlice()
		release := make(chan struct{})
		im.init = func(context.Context) error { <-release; return nil }
		s := sharedim.New(im)
		seat := s.Seat()
		mustAdopt(t, seat, "alice")
		init := begin(func() error { return s.Seat().InitIM(t.Context(), appKey) })
		login := begin(func() error { return s.Seat().LoginIM(t.Context(), bob, engine.Notify{}) })
		logout := begin(func() error { return seat.LogoutIM(t.Context()) })
		close(release)
		wantError(t, "InitIM", <-init, nil)
		wantError(t, "LogoutIM", <-logout, nil)
		wantError(t, "LoginIM of another account", <-login, nil)
		wantCalls(t, im, "LogoutIM", 1)
		wantCalls(t, im, "LoginIM", 1)
	})
}

func TestErrorOfLogout(t *testing.T) {
	im := &script{logout: func(context.Context) error { return engine.ErrUnavailable }}
	s := sharedim.New(im)
	seat := s.Seat()
	mustLogIn(t, seat)
	wantError(t, "LogoutIM", seat.LogoutIM(t.Context()), engine.ErrUnavailable)
	mustLogIn(t, seat) // a failed logout also ends the login
	wantCalls(t, im, "LoginIM", 2)
}

func TestClosedSeat(t *testing.T) {
	im := &script{}
	s := sharedim.New(im)
	seat := s.Seat()
	mustLogIn(t, seat)
	wantError(t, "Close", seat.Close(), nil)
	wantCalls(t, im, "LogoutIM", 1)
	wantRefusals(t, seat)
	wantError(t, "Close again", seat.Close(), nil)
	mustLogIn(t, s.Seat())
}

func wantRefusals(t *testing.T, seat *sharedim.Seat) {
	t.Helper()
	wantError(t, "InitIM", seat.InitIM(t.Context(), appKey), engine.ErrClosed)
	wantError(t, "LoginIM", seat.LoginIM(t.Context(), alice, engine.Notify{}), engine.ErrClosed)
	_, err := seat.AdoptIM(t.Context(), engine.Notify{})
	wantError(t, "AdoptIM", err, engine.ErrClosed)
	wantError(t, "LogoutIM", seat.LogoutIM(t.Context()), nil)
}

// If a seat, or the IM, is closed while the seat logs in, the login that it
// opens is logged out.
func TestCloseWhileOpening(t *testing.T) {
	for name, close := range map[string]func(*sharedim.IM, *sharedim.Seat) error{
		"seat": func(_ *sharedim.IM, seat *sharedim.Seat) error { return seat.Close() },
		"IM":   func(s *sharedim.IM, _ *sharedim.Seat) error { return s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				im := &script{}
				release := make(chan struct{})
				im.login = func(context.Context, engine.Notify) error { <-release; return nil }
				s := sharedim.New(im)
				seat := s.Seat()
				login := begin(func() error { return seat.LoginIM(t.Context(), alice, engine.Notify{}) })
				wantError(t, "Close", close(s, seat), context.DeadlineExceeded)
				release <- struct{}{}
				wantError(t, "LoginIM", <-login, engine.ErrClosed)
				wantCalls(t, im, "LogoutIM", 1)
			})
		})
	}
}

func TestCloseOfIM(t *testing.T) {
	t.Run("a seat's login", func(t *testing.T) {
		im := &script{}
		s := sharedim.New(im)
		seats := []*sharedim.Seat{s.Seat(), s.Seat()}
		first, second := mustLogIn(t, seats[0]), mustLogIn(t, seats[1])
		for range 2 {
			wantError(t, "Close", s.Close(), nil)
		}
		first.wantLost(t, engine.ErrIMLoggedOut)
		second.wantLost(t, engine.ErrIMLoggedOut)
		wantCalls(t, im, "LogoutIM", 1)
		wantRefusals(t, seats[0])
		wantRefusals(t, s.Seat())
	})
	t.Run("the host's login", func(t *testing.T) {
		im := &script{}
		im.hostIsAlice()
		s := sharedim.New(im)
		l := mustAdopt(t, s.Seat(), "alice")
		wantError(t, "Close", s.Close(), nil)
		l.wantLost(t, engine.ErrIMLoggedOut)
		wantCalls(t, im, "LogoutIM", 0)
	})
}

// Neither the IM nor its seats keep a goroutine between calls, whether engines
// are logged in or have all left.
func TestNoGoroutineAtRest(t *testing.T) {
	others := goleak.IgnoreCurrent()
	cloud := newCloud()
	s := sharedim.New(cloud.Device())
	var engines []*engine.Engine
	for _, kit := range []engine.KitAccount{meetingAlice, roomAlice} {
		e, err := engine.New(engine.Join(s.Seat(), cloud.Device()), appKey, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		wantError(t, "LoginKit", e.LoginKit(t.Context(), kit), nil)
		engines = append(engines, e)
	}
	goleak.VerifyNone(t, others)
	cloud.Kick(alice.Accid, engine.KickedByServer)
	goleak.VerifyNone(t, others)
	for _, e := range engines {
		wantError(t, "LoginKit", e.LoginKit(t.Context(), roomAlice), nil)
		wantError(t, "LogoutKit", e.LogoutKit(t.Context()), nil)
	}
	goleak.VerifyNone(t, others)
}
