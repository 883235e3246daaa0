package nimhttp_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// watchedIM returns an IM that is logged in and idle, and the record of its
// Notify.
func watchedIM(t *testing.T) (*imStub, *nimhttp.IM, *notices) {
	t.Helper()
	s, im := readyIM(t)
	n := new(notices)
	logInAlice(t, im, n.notify())
	synctest.Wait()
	s.sent()
	return s, im, n
}

// wantLost checks that the login was lost exactly once.
func wantLost(t *testing.T, n *notices) error {
	t.Helper()
	pass(time.Minute)
	lost, _ := n.told()
	if len(lost) != 1 {
		t.Fatalf("got lost %v, want one loss", lost)
	}
	return lost[0]
}

// A kick is reported with all its details.
func TestIMKicked(t *testing.T) {
	tests := []struct {
		name string
		kick stubKick
		want engine.KickError
	}{
		{"by a client", stubKick{Reason: 1, ReasonDesc: "another device", ClientType: 1}, engine.KickError{Reason: engine.KickedByClient, ClientType: 1, Text: "another device"}},
		{"by the server", stubKick{Reason: 2, ReasonDesc: "the console"}, engine.KickError{Reason: engine.KickedByServer, Text: "the console"}},
		{"by another", stubKick{Reason: 3, ClientType: 16, CustomClientType: 5}, engine.KickError{Reason: engine.KickedByOther, ClientType: 16}},
		{"quietly", stubKick{Reason: 4, ClientType: 64}, engine.KickError{Reason: engine.KickedQuietly, ClientType: 64}},
		{"for a reason to come", stubKick{Reason: 99}, engine.KickError{Reason: 99}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, im, n := watchedIM(t)
				s.change(func(now *stubSnapshot) { now.end(&stubEnd{Session: now.Session, Kick: &test.kick}) })
				cause := wantLost(t, n)
				var kick *engine.KickError
				if !errors.As(cause, &kick) || *kick != test.want || !errors.Is(cause, engine.ErrKicked) {
					t.Errorf("got %#v, want %#v", cause, test.want)
				}
				if got := s.sent(); got != "" {
					t.Errorf("got requests %s, want none", got)
				}
				wantWorks(t, im)
			})
		})
	}
}

// All other ways to lose a login.
func TestIMLost(t *testing.T) {
	ended := func(end func(session int) *stubEnd) func(*imStub) {
		return func(s *imStub) { s.change(func(n *stubSnapshot) { n.end(end(n.Session)) }) }
	}
	failed := func(code int) func(*imStub) {
		return ended(func(session int) *stubEnd { return &stubEnd{session, nil, &stubError{code, "the reason"}} })
	}
	replaced := func(end func(session int) *stubEnd) func(*imStub) {
		return func(s *imStub) {
			s.change(func(n *stubSnapshot) {
				n.Ended = end(n.Session)
				n.hold(n.Session+1, "alice", "another")
			})
		}
	}
	released := func(s *imStub) { s.change(func(n *stubSnapshot) { *n = stubSnapshot{Boot: n.Boot, Seq: n.Seq} }) }
	tests := []struct {
		name string
		end  func(*imStub)
		want engine.Code
		sdk  int // the SDK's code; -1: it has none
	}{
		{"logged out", ended(func(session int) *stubEnd { return &stubEnd{Session: session} }), engine.ErrIMLoggedOut, -1},
		{"logged out, no word", ended(func(int) *stubEnd { return nil }), engine.ErrIMLoggedOut, -1},
		{"ended of another", ended(func(session int) *stubEnd { return &stubEnd{session + 5, &stubKick{Reason: 1}, nil} }), engine.ErrIMLoggedOut, -1},
		{"replaced", replaced(func(session int) *stubEnd { return &stubEnd{Session: session} }), engine.ErrIMLoggedOut, -1},
		{"replaced, twice", replaced(func(session int) *stubEnd { return &stubEnd{session + 1, &stubKick{Reason: 1}, nil} }), engine.ErrIMLoggedOut, -1},
		{"replaced after a kick", replaced(func(session int) *stubEnd { return &stubEnd{session, &stubKick{Reason: 1}, nil} }), engine.ErrKicked, -1},
		{"wrong token", failed(302), engine.ErrTokenRejected, 302},
		{"token revoked", failed(102302), engine.ErrTokenRejected, 102302},
		{"no such account", failed(102404), engine.ErrTokenRejected, 102404},
		{"banned", failed(102422), engine.ErrAccountBanned, 102422},
		{"too many devices", failed(417), 0, 417},
		{"no code", failed(0), engine.ErrUnavailable, 0},
		{"the SDK gave up", failed(192001), engine.ErrUnavailable, 192001},
		{"released", released, engine.ErrIMLoggedOut, -1},
		{"released, and no health", func(s *imStub) { s.answer(stubReply(500, ``), "health"); released(s) }, engine.ErrUnavailable, -1},
		{"another run, no slots", (*imStub).restart, engine.ErrUnavailable, -1},
		{"another run", func(s *imStub) { s.change(func(n *stubSnapshot) { n.Boot = "boot-2" }) }, engine.ErrUnavailable, -1},
		{"another run, lower numbers", func(s *imStub) { s.change(func(n *stubSnapshot) { n.Boot, n.Seq = "boot-2", 1 }) }, engine.ErrUnavailable, -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, im, n := watchedIM(t)
				test.end(s)
				cause := wantLost(t, n)
				if got := engine.CodeOf(cause); got != test.want {
					t.Errorf("got %v, want code %d", cause, int(test.want))
				}
				code := -1
				if told := (*nimhttp.ServerError)(nil); errors.As(cause, &told) {
					code = told.Code
				}
				if code != test.sdk {
					t.Errorf("got %v with code %d, want %d", cause, code, test.sdk)
				}
				s.answer(nil, "health")
				s.change(func(now *stubSnapshot) { now.end(now.Ended) })
				wantWorks(t, im)
			})
		})
	}
}

// The gateway dies while a read waits. The connection is cut, and the next one
// is refused.
func TestIMLostWithGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im, n := watchedIM(t)
		s.refuse(true)
		s.answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "watch")
		s.change(func(now *stubSnapshot) { now.Link = "waiting" })
		if cause := wantLost(t, n); engine.CodeOf(cause) != engine.ErrUnavailable {
			t.Errorf("got %v, want ErrUnavailable", cause)
		}
		if err := im.LogoutIM(t.Context()); err != nil {
			t.Errorf("LogoutIM: got %v, want nil: nobody is logged in there", err)
		}
		s.refuse(false)
		s.answer(nil, "watch")
		s.restart()
		if err := im.LoginIM(t.Context(), stubAlice, n.notify()); err != nil {
			t.Errorf("with another run there, without InitIM: got %v", err)
		}
		if lost, _ := n.told(); len(lost) != 1 {
			t.Errorf("got lost %v, want no more", lost)
		}
	})
}

// The same with a real socket and a server that ends.
func TestIMLostWithServer(t *testing.T) {
	s := newIMStub()
	server := httptest.NewServer(s)
	im := s.client(t, func(o *nimhttp.Options) { o.GatewayURL, o.HTTPClient = server.URL, nil })
	lost := make(chan error, 10)
	logInAlice(t, im, engine.Notify{Lost: func(cause error) { lost <- cause }})
	server.Listener.Close()
	server.CloseClientConnections()
	if cause := within(t, lost); engine.CodeOf(cause) != engine.ErrUnavailable {
		t.Errorf("got %v, want ErrUnavailable", cause)
	}
	server.Close()
	if err := im.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if len(lost) != 0 {
		t.Errorf("and lost once more: %v", <-lost)
	}
}

// within returns the value that c receives, and fails the test if none comes.
func within[T any](t *testing.T, c <-chan T) (got T) {
	t.Helper()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	select {
	case got = <-c:
	case <-timer.C:
		t.Fatal("nothing came")
	}
	return got
}

// With a real socket and shorter limits: a stopped gateway does not answer.
func TestIMLostInSilence(t *testing.T) {
	s := newIMStub()
	server := httptest.NewServer(s)
	defer server.Close()
	im := s.client(t, func(o *nimhttp.Options) { o.GatewayURL, o.HTTPClient = server.URL, nil })
	im.SetLimits(50*time.Millisecond, 20*time.Millisecond, time.Millisecond, time.Minute, 5*time.Second)
	lost := make(chan error, 10)
	s.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "watch")
	logInAlice(t, im, engine.Notify{Lost: func(cause error) { lost <- cause }})
	if cause := within(t, lost); engine.CodeOf(cause) != engine.ErrUnavailable {
		t.Errorf("got %v, want ErrUnavailable", cause)
	}
	s.answer(nil, "watch")
	if err := im.LoginIM(t.Context(), stubAlice, engine.Notify{}); err != nil {
		t.Errorf("when it goes on: got %v", err)
	}
}

// Replies that say nothing about the login are tolerated for 15 s after the
// last good reply.
func TestIMSilence(t *testing.T) {
	answer := func(f http.HandlerFunc) func(*imStub) http.HandlerFunc {
		return func(*imStub) http.HandlerFunc { return f }
	}
	tests := map[string]func(*imStub) http.HandlerFunc{
		"no answer for long": func(s *imStub) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-s.next():
					stubReply(200, s.shows().json())(w, r)
				case <-r.Context().Done():
				}
			}
		},
		"cut":               answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"internal":          answer(stubProblem(500, "internal", "")),
		"closing":           answer(stubProblem(503, "closing", "")),
		"unauthorized":      answer(stubProblem(401, "unauthorized", "")),
		"a page":            answer(reply(502, "text/html", "<html>")),
		"no JSON":           answer(stubReply(200, "{")),
		"empty object":      answer(stubReply(200, "{}")),
		"404 of another":    answer(reply(404, "text/plain", "404 page not found")),
		"session of nobody": answer(stubReply(200, `{"boot":"b","seq":99,"appKey":"app1","accid":"","owner":"","session":99,"login":"logged_in","link":"up"}`)),
	}
	nothing := func(*stubSnapshot) {}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, im, n := watchedIM(t)
				for range 2 {
					s.answer(answer(s), "watch")
					s.change(nothing) // the last good reply
					pass(14500 * time.Millisecond)
					s.answer(nil, "watch")
					s.change(nothing)
					pass(time.Minute)
					n.wantNothing(t)
				}
				s.answer(answer(s), "watch")
				s.change(nothing)
				pass(14999 * time.Millisecond)
				n.wantNothing(t)
				pass(time.Millisecond)
				if lost, _ := n.told(); len(lost) != 1 {
					t.Errorf("got lost %v after 15 s, want one loss", lost)
				}
				if cause := wantLost(t, n); engine.CodeOf(cause) != engine.ErrUnavailable {
					t.Errorf("got %v, want ErrUnavailable", cause)
				}
				s.answer(nil, "watch")
				s.change(func(now *stubSnapshot) { now.end(nil) })
				wantWorks(t, im)
			})
		})
	}
}

// While a session lasts, the SDK's states may change. They affect only Link.
func TestIMNotLost(t *testing.T) {
	tests := []struct {
		name   string
		change func(*stubSnapshot)
		links  []bool // that follow, and the way back
	}{
		{"backing off", func(n *stubSnapshot) { n.Login, n.Link = "backing_off", "waiting" }, []bool{false, true}},
		{"logging in", func(n *stubSnapshot) { n.Login, n.Link = "logging_in", "connecting" }, []bool{false, true}},
		{"logged out", func(n *stubSnapshot) { n.Login, n.Link = "logged_out", "down" }, []bool{false, true}},
		{"a word to come", func(n *stubSnapshot) { n.Login = "dreaming" }, nil},
		{"a link to come", func(n *stubSnapshot) { n.Link = "dreaming" }, []bool{false, true}},
		{"waiting for a token", func(n *stubSnapshot) { n.Login = "logging_in" }, []bool{false, true}},
		{"ended of an earlier session", func(n *stubSnapshot) { n.Ended = &stubEnd{n.Session - 1, &stubKick{Reason: 1}, nil} }, nil},
		{"ended of this one", func(n *stubSnapshot) { n.Ended = &stubEnd{n.Session, &stubKick{Reason: 1}, nil} }, nil},
		{"nothing", func(*stubSnapshot) {}, nil},
		{"older", func(n *stubSnapshot) { n.Seq -= 2; n.Link = "down" }, nil},
		{"older, logged out", func(n *stubSnapshot) { n.Seq -= 2; n.end(&stubEnd{Session: n.Session}) }, nil},
		{"older, of another session", func(n *stubSnapshot) { n.Seq -= 2; n.hold(1, "bob", "another") }, nil},
		{"first", func(n *stubSnapshot) { n.Seq = 1; n.end(nil) }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, n := watchedIM(t)
				before := s.shows()
				s.change(test.change)
				pass(time.Minute)
				s.change(func(now *stubSnapshot) { seq := now.Seq; *now = before; now.Seq = max(seq, before.Seq) + 1 })
				pass(time.Minute)
				lost, links := n.told()
				if len(lost) != 0 || !slices.Equal(links, test.links) {
					t.Errorf("got lost %v and links %v, want none and %v", lost, links, test.links)
				}
			})
		})
	}
}

// Link is called only if the state of the link changes.
func TestIMLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, n := watchedIM(t)
		for _, link := range []string{"up", "down", "connecting", "waiting", "down", "up", "up", "waiting", "connecting", "up"} {
			s.change(func(now *stubSnapshot) { now.Link = link })
			synctest.Wait()
		}
		lost, links := n.told()
		if want := []bool{false, true, false, true}; len(lost) != 0 || !slices.Equal(links, want) {
			t.Errorf("got lost %v and links %v, want none and %v", lost, links, want)
		}
	})
}

// A Notify may have no functions.
func TestIMLostUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		logInAlice(t, im, engine.Notify{})
		s.change(func(n *stubSnapshot) { n.Link = "down" })
		synctest.Wait()
		s.change(func(n *stubSnapshot) { n.end(nil) })
		synctest.Wait()
		wantWorks(t, im)
	})
}

// A logout is not a loss, and later news about that login is not reported.
func TestIMLoggedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im, n := watchedIM(t)
		for range 2 {
			if err := im.LogoutIM(t.Context()); err != nil {
				t.Errorf("LogoutIM: %v", err)
			}
		}
		s.change(func(now *stubSnapshot) { now.end(&stubEnd{1, &stubKick{Reason: 1}, nil}) })
		pass(time.Minute)
		n.wantNothing(t)
		if got := s.sent(); got != "logout logout" {
			t.Errorf("got requests %s, want the logouts alone", got)
		}
	})
}
