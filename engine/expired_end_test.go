package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// What wins against a renewal, at each moment of it.
func TestExpiredLosesTo(t *testing.T) {
	moments := map[string]func(*service) (release func()){
		"while the source is asked": func(s *service) func() {
			s.gives("KitToken", act(untilEnd))
			return func() {}
		},
		"while the source ignores its ctx": func(s *service) func() {
			a, release := blocked()
			s.gives("KitToken", a)
			return release
		},
		"in the turn": func(s *service) func() {
			s.gives("KitToken", "k1")
			s.does("RenewKit k1", untilEnd)
			return func() {}
		},
		"in a pause": func(s *service) func() {
			s.gives("KitToken", errSource)
			return func() {}
		},
	}
	winners := map[string]struct {
		end   func(*engine.Engine, *service) error
		state engine.State
		via   engine.Trigger
	}{
		"LogoutKit": {func(e *engine.Engine, _ *service) error { return e.LogoutKit(context.Background()) }, imInitialized, engine.TriggerLogoutIM},
		"LogoutIM":  {func(e *engine.Engine, _ *service) error { return e.LogoutIM(context.Background()) }, imInitialized, engine.TriggerLogoutIM},
		"a kick": {func(_ *engine.Engine, s *service) error { s.imNotify().Lost(engine.ErrKicked); return nil },
			imInitialized, engine.TriggerIMLost},
		"the session's end": {func(_ *engine.Engine, s *service) error { s.kitNotify().Lost(engine.ErrAccountBanned); return nil },
			imInitialized, engine.TriggerLogoutIM},
		"the session's end, with the token refused": {func(_ *engine.Engine, s *service) error { s.kitNotify().Lost(rejected); return nil },
			imInitialized, engine.TriggerLogoutIM},
		"RenewKit of the host": {func(e *engine.Engine, _ *service) error {
			return e.RenewKit(context.Background(), renewWith("own"))
		}, kitLoggedIn, engine.TriggerLoginKit},
	}
	for moment, script := range moments {
		for winner, test := range winners {
			if moment == "in the turn" && winner == "RenewKit of the host" {
				continue // it waits for its turn, as every operation does
			}
			t.Run(winner+" "+moment, func(t *testing.T) {
				inBubble(t, func(t *testing.T, s *service) {
					e := openKit(t, s, "KitToken")
					release := script(s)
					s.expire(e)
					s.called()
					wantErr(t, test.end(e, s), nil)
					release()
					now := settled(e)
					if now.State != test.state || now.Via != test.via || now.Expired {
						t.Errorf("got %+v, want %v via %v", now, test.state, test.via)
					}
					calls := s.called()
					after(time.Hour)
					if late := s.called(); len(late) > 0 {
						t.Errorf("the renewal went on: %q after %q", late, calls)
					}
					if slices.Contains(calls, "RenewKit late") {
						t.Errorf("a token that nobody needs any more was used: %q", calls)
					}
				})
			})
		}
	}
}

// Close ends a renewal, and waits for a source that ignores its ctx.
func TestCloseWaitsForSource(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		a, release := blocked()
		s.gives("KitToken", a)
		s.expire(e)
		closing := begin(e.Close)
		if !closing.waits() || e.Status().State != uninitialized {
			t.Errorf("Close did not wait, or not at its end: %+v", e.Status())
		}
		s.called()
		release()
		wantErr(t, closing.wait(), nil)
		s.wantCalls(t)
	})
}

func TestCloseEndsRenewal(t *testing.T) {
	for name, script := range map[string]func(*service){
		"the source":  func(s *service) { s.gives("KitToken", act(untilEnd)) },
		"the backend": func(s *service) { s.gives("KitToken", "k1"); s.does("RenewKit", untilEnd) },
		"the pause":   func(s *service) { s.gives("KitToken", errSource) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, "KitToken")
				script(s)
				s.expire(e)
				began := time.Now()
				wantErr(t, e.Close(), nil)
				if time.Since(began) > 0 {
					t.Errorf("Close took %v", time.Since(began))
				}
			})
		})
	}
}

// What leaves a renewal running.
func TestExpiredGoesOn(t *testing.T) {
	for name, disturb := range map[string]func(*testing.T, *engine.Engine, *service){
		"a RenewKit of the host that fails": func(t *testing.T, e *engine.Engine, s *service) {
			s.fails("RenewKit own", rejected)
			wantErr(t, e.RenewKit(t.Context(), renewWith("own")), rejected)
		},
		"a logout that gave up waiting": func(t *testing.T, e *engine.Engine, _ *service) {
			ctx, cancel := context.WithCancel(t.Context())
			logout := begin(func() error { return e.LogoutKit(ctx) })
			cancel()
			wantErr(t, logout.wait(), context.Canceled)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, "KitToken")
				s.gives("KitToken", errSource, "k1", "k2")
				s.expire(e)
				release := func() {}
				if strings.HasPrefix(name, "a logout") {
					release = e.Hold()
					after(2 * time.Second) // it has a token, and waits for its turn
				}
				disturb(t, e, s)
				release()
				after(10 * time.Second)
				if now := settled(e); now.State != kitLoggedIn || now.Expired {
					t.Errorf("got %+v, want the login, renewed", now)
				}
			})
		})
	}
	// The backend in whose call the logout came returns late: the logout does
	// not wait any more, and the renewal tries again.
	t.Run("a logout that gave up waiting for the turn of the renewal", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *service) {
			e := openKit(t, s, "KitToken")
			a, release := blocked()
			s.gives("KitToken", "k1", "k2")
			s.does("RenewKit k1", func(ctx context.Context) error { _ = a(ctx); return errSource })
			s.expire(e)
			ctx, cancel := context.WithCancel(t.Context())
			logout := begin(func() error { return e.LogoutKit(ctx) })
			cancel()
			wantErr(t, logout.wait(), context.Canceled)
			release()
			after(2 * time.Second)
			s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k1", "KitToken user1 kit-s3cr3t", "RenewKit k2")
			if now := settled(e); now.State != kitLoggedIn || now.Expired {
				t.Errorf("got %+v, want the login, renewed", now)
			}
		})
	})
}

// RenewKit of the host is told of a token that has run out, and a success that
// came when a logout interrupted it counts: the session has that token.
func TestRenewKitOfExpired(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := openKit(t, s, "KitToken")
		s.gives("KitToken", act(untilEnd), "k1")
		s.expire(e)
		wantErr(t, e.RenewKit(t.Context(), tokenlessKit), nil)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t", "KitToken user1 kit-s3cr3t", "RenewKit k1")
		if e.Status().Expired {
			t.Error("it is still published as expired")
		}
		s.gives("KitToken", "k2", "k3")
		s.expire(e)
		s.wantCalls(t, "KitToken user1 k1", "RenewKit k2")
	})
}
