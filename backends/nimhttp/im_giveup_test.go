package nimhttp_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/engine"
)

var errWindowClosed = errors.New("the window was closed")

// giveUp starts a login that the gateway does not answer, and cancels it.
func giveUp(t *testing.T, s *imStub, login func(ctx context.Context, n engine.Notify) error, shown bool) *notices {
	t.Helper()
	s.answer(func(_ http.ResponseWriter, r *http.Request) {
		if owner := s.asker(t); shown {
			s.change(func(now *stubSnapshot) { now.hold(7, "alice", owner) })
		}
		<-r.Context().Done()
	}, "login")
	defer s.answer(nil, "login")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	n, returned := new(notices), make(chan error)
	go func() { returned <- login(ctx, n.notify()) }()
	synctest.Wait() // the login is now in progress
	cancel(errWindowClosed)
	synctest.Wait()
	select {
	case err := <-returned:
		if !errors.Is(err, errWindowClosed) || engine.CodeOf(err) != 0 {
			t.Errorf("got %v, want the caller's reason and no code", err)
		}
	default:
		t.Error("LoginIM did not return when its ctx ended")
		<-returned
	}
	return n
}

// A login that its caller gave up is logged out, and is never adopted as the
// host's.
func TestIMGiveUp(t *testing.T) {
	tests := []struct {
		name          string
		shown         bool // the gateway has logged in already
		logout        http.HandlerFunc
		late          bool   // it logs in only after that
		atOnce, adopt string // the requests after the cancel, and those of AdoptIM
	}{
		{"not yet logged in", false, nil, false, "init login logout", "read"},
		{"logged in", true, nil, false, "init login logout", "read"},
		{"the logout fails", true, stubProblem(500, "internal", ""), false, "init login logout", "read logout"},
		{"the logout is cut", true, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "init login logout", "read logout"},
		{"logged in late", false, nil, true, "init login logout", "read logout"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, im := readyIM(t)
				s.answer(test.logout, "logout")
				login := func(ctx context.Context, n engine.Notify) error { return im.LoginIM(ctx, stubAlice, n) }
				n := giveUp(t, s, login, test.shown)
				owner := s.asker(t)
				if got := s.sent(); got != test.atOnce {
					t.Errorf("got requests %s, want %s", got, test.atOnce)
				}
				s.answer(nil, "logout")
				if test.late {
					s.change(func(now *stubSnapshot) { now.hold(7, "alice", owner) })
				}
				if a, err := im.AdoptIM(t.Context(), n.notify()); err != nil || a != (engine.IMAccount{}) {
					t.Errorf("AdoptIM: got %v and %v, want nobody", a, err)
				}
				if got := s.sent(); got != test.adopt {
					t.Errorf("AdoptIM: got requests %s, want %s", got, test.adopt)
				}
				if now := s.shows(); now.Session != 0 {
					t.Errorf("%s is still logged in", now.Accid)
				}
				pass(time.Minute)
				n.wantNothing(t)
				wantWorks(t, im)
			})
		})
	}
}

// If a given-up login could not be logged out, it is logged out before the next
// one.
func TestIMLoginAfterGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		s.answer(stubProblem(500, "internal", ""), "logout")
		giveUp(t, s, func(ctx context.Context, n engine.Notify) error { return im.LoginIM(ctx, stubAlice, n) }, true)
		s.sent()
		if err := im.LoginIM(t.Context(), stubAlice, engine.Notify{}); engine.CodeOf(err) != engine.ErrUnavailable {
			t.Errorf("while logouts fail: got %v, want ErrUnavailable", err)
		}
		if _, err := im.AdoptIM(t.Context(), engine.Notify{}); engine.CodeOf(err) != engine.ErrUnavailable {
			t.Errorf("AdoptIM while logouts fail: got %v, want ErrUnavailable", err)
		}
		if got := s.sent(); got != "init logout read logout" {
			t.Errorf("got requests %s, want a logout of each, and no login", got)
		}
		s.answer(nil, "logout")
		var n notices
		if err := im.LoginIM(t.Context(), stubAlice, n.notify()); err != nil {
			t.Errorf("got %v", err)
		}
		if got := s.sent(); got != "init logout login" {
			t.Errorf("got requests %s, want init logout login", got)
		}
		pass(time.Minute)
		n.wantNothing(t)
	})
}

// AdoptIM finds a login in flight that turns out to be a given-up one.
func TestIMAdoptWaitsForGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		giveUp(t, s, func(ctx context.Context, n engine.Notify) error { return im.LoginIM(ctx, stubAlice, n) }, false)
		owner := s.asker(t)
		s.sent()
		s.change(func(n *stubSnapshot) { n.Login, n.Link = "logging_in", "connecting" })
		adopted := make(chan engine.IMAccount)
		go func() {
			a, err := im.AdoptIM(t.Context(), engine.Notify{})
			wantWell(t, err)
			adopted <- a
		}()
		synctest.Wait()
		s.change(func(n *stubSnapshot) { n.hold(7, "alice", owner) })
		if a := <-adopted; a != (engine.IMAccount{}) || s.shows().Session != 0 {
			t.Errorf("got %v, and session %d, want nobody and none", a, s.shows().Session)
		}
		if got := s.sent(); got != "read logout" {
			t.Errorf("got requests %s, want read logout", got)
		}
	})
}

// A gateway that does not answer delays a cancelled login by at most 5 s.
func TestIMGiveUpInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		s.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "login", "read", "logout")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := im.LoginIM(ctx, stubAlice, engine.Notify{})
		if got := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || got > 8*time.Second {
			t.Errorf("got %v after %v, want context.DeadlineExceeded after 8 s at most", err, got)
		}
		s.answer(nil, "login", "read", "logout")
		wantWorks(t, im)
	})
}

// A login that is given up while another client logs in leaves that client's
// login alone.
func TestIMGiveUpLeavesAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		s.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "login")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			<-ctx.Done()
			s.change(func(n *stubSnapshot) { n.hold(7, "bob", "another") })
		}()
		_ = im.LoginIM(ctx, stubAlice, engine.Notify{})
		synctest.Wait() // bob may be slower than the logout
		if s.shows().Accid != "bob" {
			t.Errorf("bob was logged out by a login that alice's client gave up: %s", s.sent())
		}
	})
}
