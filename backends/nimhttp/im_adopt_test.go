package nimhttp_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// theirs changes the slot to a login that another client made.
func theirs(n *stubSnapshot) {
	n.AppKey = "app1"
	n.hold(7, "bob", "another")
}

func TestIMAdopt(t *testing.T) {
	tests := []struct {
		name  string
		there func(*stubSnapshot)
		want  engine.IMAccount
		links []bool // before AdoptIM returns
	}{
		{"no slot", func(*stubSnapshot) {}, engine.IMAccount{}, nil},
		{"nobody", func(n *stubSnapshot) { n.AppKey = "app1"; n.end(nil) }, engine.IMAccount{}, nil},
		{"nobody any more", func(n *stubSnapshot) { n.AppKey = "app1"; n.end(&stubEnd{6, &stubKick{Reason: 1}, nil}) }, engine.IMAccount{}, nil},
		{"somebody", theirs, engine.IMAccount{AppKey: "app1", Accid: "bob"}, nil},
		{"of another app", func(n *stubSnapshot) { theirs(n); n.AppKey = "app2" }, engine.IMAccount{AppKey: "app2", Accid: "bob"}, nil},
		{"link is down", func(n *stubSnapshot) { theirs(n); n.Link = "down" }, engine.IMAccount{AppKey: "app1", Accid: "bob"}, []bool{false}},
		{"backing off", func(n *stubSnapshot) { theirs(n); n.Login, n.Link = "backing_off", "waiting" }, engine.IMAccount{AppKey: "app1", Accid: "bob"}, []bool{false}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIMStub()
				s.change(test.there)
				im := s.client(t)
				var n notices
				a, err := im.AdoptIM(t.Context(), n.notify())
				if err != nil || a != test.want {
					t.Errorf("got %#v of %q and %v, want %#v of %q", a, a.AppKey, err, test.want, test.want.AppKey)
				}
				if _, links := n.told(); !slices.Equal(links, test.links) {
					t.Errorf("got links %v when it returned, want %v", links, test.links)
				}
				if got := s.sent(); got != "read" {
					t.Errorf("got requests %s, want nothing that changes the slot", got)
				}
				s.change(func(now *stubSnapshot) { now.end(&stubEnd{now.Session, &stubKick{Reason: 2}, nil}) })
				pass(time.Minute)
				lost, _ := n.told()
				if heard := len(lost) == 1 && errors.Is(lost[0], engine.ErrKicked); heard != (test.want.Accid != "") || len(lost) > 1 {
					t.Errorf("got lost %v after a kick of %q", lost, test.want.Accid)
				}
			})
		})
	}
}

// AdoptIM waits for a login in flight.
func TestIMAdoptWaits(t *testing.T) {
	type result struct {
		a   engine.IMAccount
		err error
	}
	tests := []struct {
		name  string
		then  func(*imStub, *nimhttp.IM, context.CancelCauseFunc)
		accid string
		want  error
	}{
		{"logged in", func(s *imStub, _ *nimhttp.IM, _ context.CancelCauseFunc) { s.change(theirs) }, "bob", nil},
		{"given up", func(s *imStub, _ *nimhttp.IM, _ context.CancelCauseFunc) {
			s.change(func(n *stubSnapshot) { n.end(nil) })
		}, "", nil},
		{"released", func(s *imStub, _ *nimhttp.IM, _ context.CancelCauseFunc) { s.restart() }, "", nil},
		{"unreachable", func(s *imStub, _ *nimhttp.IM, _ context.CancelCauseFunc) {
			s.answer(stubProblem(500, "internal", ""), "watch")
			s.change(func(n *stubSnapshot) { n.Login = "backing_off" })
		}, "", engine.ErrUnavailable},
		{"the caller gives up", func(_ *imStub, _ *nimhttp.IM, cancel context.CancelCauseFunc) { cancel(errWindowClosed) }, "", errWindowClosed},
		{"closed", func(_ *imStub, im *nimhttp.IM, _ context.CancelCauseFunc) { go im.Close() }, "", engine.ErrClosed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIMStub()
				s.change(func(n *stubSnapshot) { n.AppKey, n.Login, n.Link = "app1", "logging_in", "connecting" })
				im := s.client(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				adopted := make(chan result, 1)
				go func() {
					a, err := im.AdoptIM(ctx, engine.Notify{})
					adopted <- result{a, err}
				}()
				for _, word := range []string{"backing_off", "logging_in"} {
					pass(30 * time.Second)
					s.change(func(n *stubSnapshot) { n.Login = word })
				}
				synctest.Wait()
				if len(adopted) != 0 {
					t.Fatalf("got %v, while a login is in flight", <-adopted)
				}
				test.then(s, im, cancel)
				pass(time.Second)
				if got := <-adopted; got.a.Accid != test.accid || !errors.Is(got.err, test.want) {
					t.Errorf("got %v and %v, want %q and %v", got.a, got.err, test.accid, test.want)
				}
			})
		})
	}
}

// AdoptIM does not return a login of the same IM.
func TestIMDoesNotAdoptItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im, n := watchedIM(t)
		var other notices
		if a, err := im.AdoptIM(t.Context(), other.notify()); err != nil || a != (engine.IMAccount{}) {
			t.Errorf("got %v and %v, want nobody", a, err)
		}
		if got := s.sent(); got != "read" {
			t.Errorf("got requests %s, want read alone", got)
		}
		s.change(func(now *stubSnapshot) { now.Link = "down" })
		synctest.Wait()
		s.change(func(now *stubSnapshot) { now.end(&stubEnd{now.Session, &stubKick{Reason: 1}, nil}) })
		synctest.Wait()
		other.wantNothing(t)
		if lost, links := n.told(); len(lost) != 1 || !errors.Is(lost[0], engine.ErrKicked) || !slices.Equal(links, []bool{false}) {
			t.Errorf("got lost %v and links %v, want a kick and the link down", lost, links)
		}
	})
}

// A login with our owner that is not watched was given up.
func TestIMAdoptFindsAnotherOfItsOwn(t *testing.T) {
	for name, change := range map[string]func(*stubSnapshot){
		"session": func(n *stubSnapshot) { n.Session++ },
		"run":     func(n *stubSnapshot) { n.Boot = "boot-2" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, im := readyIM(t)
				s.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "watch") // the client has not seen it yet
				logInAlice(t, im, engine.Notify{})
				s.sent()
				s.change(change)
				if a, err := im.AdoptIM(t.Context(), engine.Notify{}); err != nil || a != (engine.IMAccount{}) {
					t.Errorf("got %v and %v, want nobody", a, err)
				}
				if got := s.sent(); got != "read logout" {
					t.Errorf("got requests %s, want read logout", got)
				}
			})
		})
	}
}

// Only the Notify of the last AdoptIM is called.
func TestIMAdoptTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		s.change(theirs)
		im := s.client(t)
		var first, second notices
		for _, n := range []*notices{&first, &second} {
			if a, err := im.AdoptIM(t.Context(), n.notify()); err != nil || a.Accid != "bob" {
				t.Errorf("got %v and %v, want bob", a, err)
			}
		}
		s.change(func(n *stubSnapshot) { n.Link = "down" })
		synctest.Wait()
		s.change(func(n *stubSnapshot) { n.end(nil) })
		pass(time.Minute)
		first.wantNothing(t)
		if lost, links := second.told(); len(lost) != 1 || !errors.Is(lost[0], engine.ErrIMLoggedOut) || !slices.Equal(links, []bool{false}) {
			t.Errorf("got lost %v and links %v, want a logout and the link down", lost, links)
		}
	})
}

// After an adoption the client knows the AppKey, so LoginIM needs no InitIM.
func TestIMLoginAfterAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		s.change(theirs)
		im := s.client(t)
		var first, second notices
		if _, err := im.AdoptIM(t.Context(), first.notify()); err != nil {
			t.Fatal(err)
		}
		if err := im.LoginIM(t.Context(), stubAlice, second.notify()); !errors.Is(err, engine.ErrIMInUse) {
			t.Errorf("over it: got %v, want ErrIMInUse", err)
		}
		s.restart()
		pass(time.Minute)
		if lost, _ := first.told(); len(lost) != 1 || engine.CodeOf(lost[0]) != engine.ErrUnavailable {
			t.Errorf("got lost %v, want ErrUnavailable", lost)
		}
		if err := im.LoginIM(t.Context(), stubAlice, second.notify()); err != nil {
			t.Errorf("without InitIM: got %v", err)
		}
		if now := s.shows(); now.Accid != "alice" || now.AppKey != "app1" {
			t.Errorf("got %q of %q logged in, want alice of app1", now.Accid, now.AppKey)
		}
		pass(time.Minute)
		second.wantNothing(t)
	})
}

// After an adoption, LogoutIM logs out whoever is logged in.
func TestIMLogoutOfAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		s.change(theirs)
		im := s.client(t)
		var n notices
		if _, err := im.AdoptIM(t.Context(), n.notify()); err != nil {
			t.Fatal(err)
		}
		if err := im.LogoutIM(t.Context()); err != nil || s.shows().Session != 0 {
			t.Errorf("got %v and session %d, want none", err, s.shows().Session)
		}
		pass(time.Minute)
		n.wantNothing(t)
	})
}

// Two clients share one slot. Each adopts the other's login.
func TestIMAdoptAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, host, hosts := watchedIM(t)
		guest := s.client(t)
		var guests notices
		if a, err := guest.AdoptIM(t.Context(), guests.notify()); err != nil || a.Accid != "alice" || a.Token != "" {
			t.Errorf("got %v and %v, want alice without a token", a, err)
		}
		if err := host.LogoutIM(t.Context()); err != nil {
			t.Error(err)
		}
		pass(time.Minute)
		hosts.wantNothing(t)
		if lost, _ := guests.told(); len(lost) != 1 || !errors.Is(lost[0], engine.ErrIMLoggedOut) {
			t.Errorf("got lost %v, want ErrIMLoggedOut", lost)
		}
		wantWell(t, guest.InitIM(t.Context(), "app1"))
		wantWell(t, guest.LoginIM(t.Context(), stubAlice, guests.notify()))
		if a, err := host.AdoptIM(t.Context(), hosts.notify()); err != nil || a.Accid != "alice" {
			t.Errorf("the other way round: got %v and %v, want alice", a, err)
		}
	})
}

// If another program used the slot for another app, this client must not log in
// under that app.
func TestIMAfterLoginOfAnotherApp(t *testing.T) {
	for _, how := range []string{"LoginIM", "LoginIM app1"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIMStub()
				s.change(func(n *stubSnapshot) { n.AppKey = "app2"; n.hold(7, "bob", "another") })
				im := s.client(t)
				kit := newKit(t, nimhttp.Options{KitURL: "http://127.0.0.1:1"})
				e, err := engine.New(engine.Join(im, kit), "app1", nil)
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				must(t, "InitIM", e.InitIM(t.Context()))
				s.change(func(n *stubSnapshot) { *n = stubSnapshot{Boot: n.Boot, Seq: n.Seq} }) // logged out and released
				pass(time.Minute)
				a := stubAlice
				if how == "LoginIM app1" {
					a.AppKey = "app1"
				}
				err = e.LoginIM(t.Context(), a)
				if now := s.shows(); err != nil || now.AppKey != "app1" {
					t.Errorf("LoginIM of an engine of app1: got %v; the slot holds %s of %s", err, now.Accid, now.AppKey)
				}
			})
		})
	}
}
