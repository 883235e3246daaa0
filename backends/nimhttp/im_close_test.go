package nimhttp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// Close logs out and releases only what this IM made.
func TestIMClose(t *testing.T) {
	ours := func(t *testing.T, _ *imStub, im *nimhttp.IM) { logInAlice(t, im, engine.Notify{}) }
	initialised := func(t *testing.T, _ *imStub, im *nimhttp.IM) { wantWell(t, im.InitIM(t.Context(), "app1")) }
	adopted := func(t *testing.T, s *imStub, im *nimhttp.IM) {
		s.change(theirs)
		if a, err := im.AdoptIM(t.Context(), engine.Notify{}); err != nil || a.Accid != "bob" {
			t.Errorf("AdoptIM: got %v and %v, want bob", a, err)
		}
	}
	then := func(first func(*testing.T, *imStub, *nimhttp.IM), change func(*stubSnapshot)) func(*testing.T, *imStub, *nimhttp.IM) {
		return func(t *testing.T, s *imStub, im *nimhttp.IM) {
			first(t, s, im)
			s.change(change)
		}
	}
	nobody := func(n *stubSnapshot) { n.end(nil) }
	loggingIn := func(n *stubSnapshot) { n.Login, n.Link = "logging_in", "connecting" }
	tests := []struct {
		name  string
		given func(*testing.T, *imStub, *nimhttp.IM)
		want  string // the requests that Close sends
	}{
		{"new", func(*testing.T, *imStub, *nimhttp.IM) {}, ""},
		{"initialised", initialised, "read release"},
		{"logged in", ours, "read release"},
		{"link is down", then(ours, func(n *stubSnapshot) { n.Login, n.Link = "backing_off", "waiting" }), "read release"},
		{"lost", then(ours, nobody), "read release"},
		{"another's login is there", then(initialised, theirs), "read"},
		{"another's login is in flight", then(initialised, loggingIn), "read"},
		{"ours was replaced", then(ours, theirs), "read"},
		{"adopted", adopted, ""},
		{"adopted, and lost", then(adopted, nobody), ""},
		{"initialised over an adopted", func(t *testing.T, s *imStub, im *nimhttp.IM) {
			adopted(t, s, im)
			initialised(t, s, im)
		}, ""},
		{"found initialised", func(t *testing.T, s *imStub, im *nimhttp.IM) {
			s.change(func(n *stubSnapshot) { n.AppKey = "app1"; n.end(nil) })
			initialised(t, s, im)
		}, ""},
		{"found initialised, and logged in", func(t *testing.T, s *imStub, im *nimhttp.IM) {
			s.change(func(n *stubSnapshot) { n.AppKey = "app1"; n.end(nil) })
			ours(t, s, im)
		}, "read release"},
		{"the slot is gone", func(t *testing.T, s *imStub, im *nimhttp.IM) {
			ours(t, s, im)
			s.restart()
		}, "read"},
		{"the gateway is gone", func(t *testing.T, s *imStub, im *nimhttp.IM) {
			ours(t, s, im)
			s.refuse(true)
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIMStub()
				im := s.client(t)
				test.given(t, s, im)
				s.sent()
				for _, again := range []string{"", " again"} {
					if err := im.Close(); err != nil {
						t.Errorf("Close%s: got %v", again, err)
					}
				}
				if got := s.sent(); got != test.want {
					t.Errorf("got requests %q, want %q", got, test.want)
				}
			})
		})
	}
}

// If the gateway does not release the slot, Close returns an error and does not
// hang.
func TestIMCloseFails(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"internal":  stubProblem(500, "internal", ""),
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		for _, at := range []string{"read", "release"} {
			t.Run(name+" at "+at, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, im, n := watchedIM(t)
					s.answer(answer, at)
					began := time.Now()
					if err := im.Close(); err == nil {
						t.Error("got no error")
					}
					if got := time.Since(began); got > 5*time.Second {
						t.Errorf("it took %v, want 5 s at most", got)
					}
					if err := im.Close(); err != nil {
						t.Errorf("again: got %v, want nil", err)
					}
					pass(time.Minute)
					n.wantNothing(t)
				})
			})
		}
	}
}

func TestIMClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im, n := watchedIM(t)
		wantWell(t, im.Close())
		s.sent()
		for range 20 { // which of two things that are ready comes first is luck
			for op, call := range imCalls {
				if err := call(t, im); !errors.Is(err, engine.ErrClosed) {
					t.Errorf("%s: got %v, want ErrClosed", op, err)
				}
			}
		}
		if got := s.sent(); got != "" {
			t.Errorf("got requests %s, want none", got)
		}
		s.change(theirs)
		pass(time.Minute)
		n.wantNothing(t)
	})
}

// After Close nobody is logged in, so a logout succeeds without a request.
func TestIMLogoutWhenClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im, _ := watchedIM(t)
		wantWell(t, im.Close())
		s.change(theirs)
		s.sent()
		for range 20 {
			if err := im.LogoutIM(t.Context()); err != nil {
				t.Fatalf("got %v, want nil", err)
			}
		}
		if got := s.sent(); got != "" {
			t.Errorf("got requests %s, want none", got)
		}
	})
}

// LogoutIM logs out even if its ctx has ended.
func TestIMLogoutWithEndedContext(t *testing.T) {
	for range 20 { // which of two things that are ready comes first is luck
		synctest.Test(t, func(t *testing.T) {
			s, im, n := watchedIM(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := im.LogoutIM(ctx); err != nil || s.shows().Session != 0 {
				t.Errorf("got %v and session %d, want none", err, s.shows().Session)
			}
			pass(time.Minute)
			n.wantNothing(t)
		})
	}
}

// Close ends a login in progress, and the gateway logs it out.
func TestIMCloseDuringLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		s.answer(func(_ http.ResponseWriter, r *http.Request) {
			owner := s.asker(t)
			s.change(func(n *stubSnapshot) { n.hold(7, "alice", owner) })
			<-r.Context().Done()
		}, "login")
		returned := make(chan error, 1)
		go func() { returned <- im.LoginIM(t.Context(), stubAlice, engine.Notify{}) }()
		synctest.Wait()
		wantWell(t, im.Close())
		if err := <-returned; !errors.Is(err, engine.ErrClosed) {
			t.Errorf("LoginIM: got %v, want ErrClosed", err)
		}
		if got, want := s.sent(), "init login logout read release"; got != want {
			t.Errorf("got requests %s, want %s", got, want)
		}
	})
}

// Calls that wait for their turn end when IM is closed or their ctx ends.
func TestIMQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		s.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "login")
		first, given, closed := make(chan error, 1), make(chan error, 1), make(chan error, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { first <- im.LoginIM(t.Context(), stubAlice, engine.Notify{}) }()
		synctest.Wait()
		go func() { given <- im.InitIM(ctx, "app1") }()
		go func() { closed <- im.InitIM(t.Context(), "app1") }()
		synctest.Wait()
		cancel(errWindowClosed)
		if err := <-given; !errors.Is(err, errWindowClosed) {
			t.Errorf("got %v, want the caller's reason", err)
		}
		synctest.Wait()
		if len(first)+len(closed) != 0 {
			t.Error("the others ended too")
		}
		wantWell(t, im.Close())
		for _, c := range []chan error{first, closed} {
			if err := <-c; !errors.Is(err, engine.ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
	})
}

// Backend.Close closes both clients, even if the first fails.
func TestCloseOfNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		b, err := nimhttp.New(nimhttp.Options{
			AppKey: "app1", GatewayURL: "http://127.0.0.1:7788", GatewaySecret: stubSecret, HTTPClient: &http.Client{Transport: s.transport()},
		})
		if err != nil {
			t.Fatal(err)
		}
		logInAlice(t, b.IM, engine.Notify{})
		s.answer(stubProblem(500, "internal", ""), "release")
		if err := b.Close(); engine.CodeOf(err) != engine.ErrUnavailable {
			t.Errorf("got %v, want what the gateway said", err)
		}
		if _, err := b.Authenticate(t.Context(), account); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("Authenticate: got %v, want ErrClosed", err)
		}
		if err := b.InitIM(t.Context(), "app1"); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("InitIM: got %v, want ErrClosed", err)
		}
	})
}

// With real sockets and many goroutines: calls take turns, and all of them end.
func TestIMConcurrently(t *testing.T) {
	s := newIMStub()
	var underWay, reads atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count := &underWay
		switch requestName(r) {
		case "proof": // sent as a connection opens; a request on another connection may overlap it
			s.ServeHTTP(w, r)
			return
		case "watch":
			count = &reads
		}
		if count.Add(1) > 1 && !(count == &reads && drops(r.Context(), count)) {
			t.Errorf("%s %s: another is under way", r.Method, r.URL)
		}
		defer count.Add(-1)
		s.ServeHTTP(w, r)
	}))
	defer server.Close()
	im := s.client(t, func(o *nimhttp.Options) { o.GatewayURL, o.HTTPClient = server.URL, nil })
	wantWell(t, im.InitIM(t.Context(), "app1"))
	allowed := []error{nil, engine.ErrIMInUse, engine.ErrClosed}
	calls := []func() error{
		func() error { return im.LoginIM(t.Context(), stubAlice, engine.Notify{}) },
		func() error { return im.LogoutIM(t.Context()) },
		func() error { _, err := im.AdoptIM(t.Context(), engine.Notify{}); return err },
		func() error { return im.InitIM(t.Context(), "app1") },
	}
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for range 25 {
				err := calls[i%len(calls)]()
				if !slices.ContainsFunc(allowed, func(want error) bool { return errors.Is(err, want) }) {
					t.Errorf("call %d: got %v", i%len(calls), err)
				}
			}
		})
	}
	work.Wait()
	for range 3 {
		work.Go(func() { wantWell(t, im.Close()) })
	}
	work.Wait()
	if got := s.shows(); got.AppKey != "" {
		t.Errorf("got %s, want no slot left", got.json())
	}
	requests := s.seen()
	for slices.Contains([]string{"watch", "proof"}, requests[len(requests)-1].name) { // from a cancelled read that the server handled late
		requests = requests[:len(requests)-1]
	}
	if last := requests[len(requests)-1]; last.name != "release" {
		t.Errorf("got %s after the slot was released", last.line)
	}
}

// drops reports whether the number of reads in progress falls to one, or this
// read itself is cancelled. The server may still be in a read that its client
// has cancelled, until it notices that the connection closed.
func drops(ctx context.Context, reads *atomic.Int32) bool {
	for bound := time.Now().Add(5 * time.Second); reads.Load() > 1 && ctx.Err() == nil; runtime.Gosched() {
		if time.Now().After(bound) {
			return false
		}
	}
	return true
}

// Close in the middle of many calls: every call ends, and no goroutine is left.
func TestIMClosedConcurrently(t *testing.T) {
	for range 10 {
		s := newIMStub()
		server := httptest.NewServer(s)
		im := s.client(t, func(o *nimhttp.Options) { o.GatewayURL, o.HTTPClient = server.URL, nil })
		loggedIn := make(chan struct{})
		once := sync.OnceFunc(func() { close(loggedIn) })
		var work sync.WaitGroup
		for op, call := range imCalls {
			for range 3 {
				work.Go(func() {
					for {
						err := call(t, im)
						switch {
						case err == nil && op == "LoginIM":
							once()
						case errors.Is(err, engine.ErrClosed):
							return
						case err != nil && !errors.Is(err, engine.ErrIMInUse) && !errors.Is(err, engine.ErrState):
							t.Errorf("%s: got %v", op, err)
							return
						}
					}
				})
			}
		}
		within(t, loggedIn) // now calls are in progress
		wantWell(t, im.Close())
		work.Wait()
		server.Close()
	}
}

// A logout that waits for its turn when IM is closed succeeds.
func TestIMCloseDuringLogout(t *testing.T) {
	for range 200 { // which of two things that are ready comes first is luck
		synctest.Test(t, func(t *testing.T) {
			s := newIMStub()
			s.change(func(n *stubSnapshot) { n.AppKey, n.Login, n.Link = "app1", "logging_in", "connecting" })
			im := s.client(t)
			adopted, loggedOut := make(chan error, 1), make(chan error, 1)
			go func() {
				_, err := im.AdoptIM(t.Context(), engine.Notify{})
				adopted <- err
			}()
			synctest.Wait()
			go func() { loggedOut <- im.LogoutIM(t.Context()) }()
			synctest.Wait()
			wantWell(t, im.Close())
			if err := <-loggedOut; err != nil {
				t.Errorf("LogoutIM: got %v, want nil", err)
			}
			<-adopted
		})
	}
}
