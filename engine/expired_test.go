package engine_test

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// expire reports that the token has run out, and waits until the engine waits.
func (s *service) expire(e *engine.Engine) (bool, engine.Status) {
	renews := s.kitNotify().Expired(expired)
	return renews, settled(e)
}

// Where nobody renews, Expired says so, and the session is lost as before.
func TestExpiredWithoutRenewal(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *service) *engine.Engine{
		"no source": func(t *testing.T, s *service) *engine.Engine { return openKit(t, s, "IMToken") },
		"no renewer": func(t *testing.T, s *service) *engine.Engine {
			e := open(t, struct{ engine.Backend }{s}, s.options(autoLogin, bothKinds...))
			wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
			return e
		},
		"an anonymous login": func(t *testing.T, s *service) *engine.Engine {
			e := open(t, s, s.options(autoLogin, bothKinds...))
			wantErr(t, e.LoginAnonymous(t.Context()), nil)
			return e
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := open(t, s)
				before := e.Status()
				s.called()
				if renews, after := s.expire(e); renews || after != before {
					t.Errorf("got %v and %+v, want no and no change", renews, after)
				}
				s.wantCalls(t)
				s.kitNotify().Lost(expired)
				if got := settled(e); got.State != imInitialized || got.Cause != error(expired) {
					t.Errorf("got %+v, want the loss", got)
				}
			})
		})
	}
}

// The engine renews by itself: Expired is published, and its end.
func TestExpired(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		fetch, release := blocked()
		s.gives("KitToken", fetch)
		before := e.Status()
		renews, now := s.expire(e)
		want := before
		want.Seq, want.Expired = before.Seq+1, true
		if !renews || now != want {
			t.Errorf("got %v and %+v, want yes and %+v", renews, now, want)
		}
		if renews, now := s.expire(e); !renews || now != want {
			t.Errorf("again: got %v and %+v, want yes and nothing more", renews, now)
		}
		// Nothing waits for the source.
		wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t")
		release()
		want.Seq, want.Expired = before.Seq+2, false
		if now := settled(e); now != want {
			t.Errorf("renewed: got %+v, want %+v", now, want)
		}
		s.wantCalls(t, "RenewKit late")
		// The next one is told of the new token.
		s.gives("KitToken", "k3")
		s.expire(e)
		s.wantCalls(t, "KitToken user1 late", "RenewKit k3")
	})
}

// A report during Close changes nothing: Close ends the session anyway.
func TestExpiredDuringClose(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		a, release := blocked()
		s.does("LogoutKit", a)
		before := e.Status()
		closing := begin(e.Close)
		if renews, now := s.expire(e); !renews || now != before {
			t.Errorf("got %v and %+v, want yes and no change", renews, now)
		}
		release()
		wantErr(t, closing.wait(), nil)
		s.wantCalls(t, "LogoutKit", "LogoutIM", "Close")
	})
}

// A RenewKit that succeeds after the session was lost publishes nothing.
func TestRenewedAfterLoss(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		seen := watching(t, e)
		s.gives("KitToken", errSource)
		s.expire(e)
		a, release := blocked()
		s.does("RenewKit", a)
		renew := begin(func() error { return e.RenewKit(t.Context(), renewWith("k1")) })
		s.kitNotify().Lost(engine.ErrAccountBanned)
		release()
		wantErr(t, renew.wait(), engine.ErrAccountBanned)
		want := []bool{false, true, false, false}
		for i, status := range seen() {
			if i >= len(want) || status.Expired != want[i] || (status.State == kitLoggedIn) != (i < 2) {
				t.Errorf("change %d: %+v", i, status)
			}
		}
	})
}

// A renewal takes its turn like an operation.
func TestExpiredTakesItsTurn(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		s.gives("KitToken", "k1")
		release := e.Hold()
		s.expire(e)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t")
		release()
		settled(e)
		s.wantCalls(t, "RenewKit k1")
	})
}

// A report that comes before LoginKit returns is not lost, and one about a login
// that fails does nothing.
func TestExpiredInLoginKit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(autoLogin, "KitToken"))
		s.gives("KitToken", "k1")
		report := func(err error) act {
			return func(context.Context) error {
				if !s.kitNotify().Expired(expired) {
					t.Error("Expired says no")
				}
				return err
			}
		}
		s.does("LoginKit", report(errSource), report(nil))
		wantErr(t, e.LoginKit(t.Context(), kitAccount), errSource)
		if settled(e).Expired {
			t.Error("a login that failed has expired")
		}
		s.called()
		seen := watching(t, e)
		wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
		settled(e)
		s.wantCalls(t, "Authenticate kit-s3cr3t", "LoginIM im-s3cr3t", "LoginKit kit-s3cr3t", "KitToken user1 kit-s3cr3t", "RenewKit k1")
		var published []bool
		for _, now := range seen() {
			if now.State == kitLoggedIn {
				published = append(published, now.Expired)
			}
		}
		if want := []bool{true, false}; !slices.Equal(published, want) {
			t.Errorf("Expired is published as %v, want %v", published, want)
		}
	})
}

// While LoginKit is still under way, a report changes nothing that can be seen,
// and no token is fetched. Both follow when the login is there.
func TestExpiredWhileLoginKitRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(autoLogin, "KitToken"))
		s.gives("KitToken", "k1")
		a, release := blocked()
		s.does("LoginKit", a)
		login := begin(func() error { return e.LoginKit(t.Context(), kitAccount) })
		before := e.Status()
		s.called()
		if renews, now := s.expire(e); !renews || now != before {
			t.Errorf("got %v and %+v, want yes and no change", renews, now)
		}
		s.wantCalls(t)
		release()
		wantErr(t, login.wait(), nil)
		if now := settled(e); now.State != kitLoggedIn || now.Expired {
			t.Errorf("got %+v, want the login, renewed", now)
		}
		s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k1")
	})
}

// A report about a login that has ended is nobody's.
func TestExpiredTooLate(t *testing.T) {
	for name, end := range map[string]func(*engine.Engine, *service){
		"logged out": func(e *engine.Engine, _ *service) { _ = e.LogoutKit(context.Background()) },
		"lost":       func(_ *engine.Engine, s *service) { s.kitNotify().Lost(nil) },
		"closed":     func(e *engine.Engine, _ *service) { _ = e.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, "KitToken")
				kit := s.kitNotify()
				end(e, s)
				before := settled(e)
				s.called()
				if kit.Expired(expired) || settled(e) != before {
					t.Error("it was taken")
				}
				s.wantCalls(t)
			})
		})
	}
}

// watching returns a function that says what Watch has yielded.
func watching(t *testing.T, e *engine.Engine) func() []engine.Status {
	t.Helper()
	list := make(chan []engine.Status, 1)
	list <- nil
	ctx, cancel := context.WithCancel(t.Context())
	done := begin(func() error {
		for s := range e.Watch(ctx) {
			list <- append(<-list, s)
		}
		return nil
	})
	return func() []engine.Status {
		settled(e)
		cancel()
		_ = done.wait()
		return <-list
	}
}

// A token that runs out again while the source of an earlier renewal has not
// returned is renewed when it has: one renewal at a time.
func TestExpiredAgainWhileSourceHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		a, release := blocked()
		s.gives("KitToken", a, "k2")
		s.expire(e)
		wantErr(t, e.RenewKit(t.Context(), renewWith("own")), nil)
		s.called()
		if renews, now := s.expire(e); !renews || !now.Expired {
			t.Errorf("got %v, %+v", renews, now)
		}
		s.wantCalls(t)
		release()
		settled(e)
		s.wantCalls(t, "KitToken user1 own", "RenewKit k2")
		if e.Status().Expired {
			t.Error("it is still published as expired")
		}
	})
}

// runtime.Goexit in the source ends the goroutine of the renewal. The next
// report starts another.
func TestExpiredGoexit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		s.gives("KitToken", act(func(context.Context) error { runtime.Goexit(); return nil }), "k1")
		s.expire(e)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t")
		s.expire(e)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k1")
		if now := settled(e); now.Expired || now.State != kitLoggedIn {
			t.Errorf("got %+v", now)
		}
	})
}

// A Trace or Logger that panics in a renewal is logged, and costs nothing else.
func TestExpiredTracePanics(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		r := &recorder{}
		o := s.options(autoLogin, "KitToken")
		o.Logger = slog.New(r)
		o.Trace = func(ctx context.Context, call string) (context.Context, func(error)) {
			if call == "KitToken" {
				panic("on purpose")
			}
			return ctx, nil
		}
		e := open(t, s, o)
		wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
		r.taken()
		s.gives("KitToken", "k1")
		s.expire(e)
		if now := settled(e); now.Expired {
			t.Errorf("got %+v", now)
		}
		if lines := r.taken(); len(lines) != 1 || lines[0].level != slog.LevelError {
			t.Errorf("logged %+v, want one Error", lines)
		}
	})
}
