package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// Which token a try uses.
func TestKeepKitTokens(t *testing.T) {
	lose := func(cause error) func(*engine.Engine, *service) {
		return func(_ *engine.Engine, s *service) { s.kitNotify().Lost(cause) }
	}
	for _, row := range []struct {
		name   string
		given  string
		tokens []any
		fails  []error // of the first Authenticates
		first  []string
		act    func(*engine.Engine, *service)
		second []string // calls with a token after the loss
	}{
		{name: "a given one is used again", given: "k", first: []string{"Authenticate k", "LoginKit k"},
			act: lose(engine.ErrUnavailable), second: []string{"Authenticate k", "LoginKit k"}},
		{name: "RenewKit has replaced a given one", given: "k", first: []string{"Authenticate k", "LoginKit k", "RenewKit own"},
			act: func(e *engine.Engine, s *service) {
				_ = e.RenewKit(context.Background(), renewWith("own"))
				s.kitNotify().Lost(engine.ErrUnavailable)
			}, second: []string{"Authenticate own", "LoginKit own"}},
		{name: "the engine has renewed a given one", given: "k", tokens: []any{"k1"},
			first: []string{"Authenticate k", "LoginKit k", "KitToken user1 k", "RenewKit k1"},
			act: func(e *engine.Engine, s *service) {
				s.expire(e)
				s.kitNotify().Lost(engine.ErrUnavailable)
			}, second: []string{"Authenticate k1", "LoginKit k1"}},
		{name: "a given one has run out", given: "k", tokens: []any{"k1"}, first: []string{"Authenticate k", "LoginKit k"},
			act: lose(expired), second: []string{"KitToken user1 k", "Authenticate k1", "LoginKit k1"}},
		{name: "a given one has run out at the first try", given: "k", tokens: []any{"k1"}, fails: []error{expired},
			first: []string{"Authenticate k"}, act: func(*engine.Engine, *service) {},
			second: []string{"KitToken user1 k", "Authenticate k1", "LoginKit k1"}},
		{name: "one that was being renewed", given: "k", tokens: []any{errSource, "k1"},
			first: []string{"Authenticate k", "LoginKit k", "KitToken user1 k"},
			act: func(e *engine.Engine, s *service) {
				s.expire(e)
				s.kitNotify().Lost(engine.ErrUnavailable)
			}, second: []string{"KitToken user1 k", "Authenticate k1", "LoginKit k1"}},
		{name: "none is given: the source is asked in each try", tokens: []any{"k1", "k2"},
			first: []string{"KitToken user1 ", "Authenticate k1", "LoginKit k1"},
			act:   lose(engine.ErrUnavailable), second: []string{"KitToken user1 ", "Authenticate k2", "LoginKit k2"}},
		{name: "a fetched one has run out", tokens: []any{"k1", "k2"},
			first: []string{"KitToken user1 ", "Authenticate k1", "LoginKit k1"},
			act:   lose(expired), second: []string{"KitToken user1 k1", "Authenticate k2", "LoginKit k2"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				withToken := func() []string {
					return slices.DeleteFunc(s.called(), func(call string) bool {
						return slices.Contains([]string{"InitIM", "LoginIM im-s3cr3t", "LogoutIM"}, call)
					})
				}
				s.gives("KitToken", row.tokens...)
				s.fails("Authenticate", row.fails...)
				e := open(t, s, s.options(autoLogin, "KitToken"))
				k := keep(t, e, renewWith(row.given))
				row.act(e, s)
				settled(e)
				if got := withToken(); !slices.Equal(got, row.first) {
					t.Errorf("first: %q, want %q", got, row.first)
				}
				after(time.Second)
				if got := withToken(); !slices.Equal(got, row.second) {
					t.Errorf("then: %q, want %q", got, row.second)
				}
				_ = e.Close()
				_ = k.wait()
			})
		})
	}
}

// After a login with a new token, the source is not told of the old one again.
func TestKeepKitForgetsRefusedToken(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.gives("KitToken", "k1", "k2", "k3")
		e := open(t, s, s.options(autoLogin, "KitToken"))
		keep(t, e, tokenlessKit)
		for _, cause := range []error{expired, engine.ErrUnavailable} {
			s.kitNotify().Lost(cause)
			after(time.Minute)
		}
		questions := slices.DeleteFunc(s.called(), func(call string) bool { return !strings.HasPrefix(call, "KitToken") })
		if want := []string{"KitToken user1 ", "KitToken user1 k1", "KitToken user1 "}; !slices.Equal(questions, want) {
			t.Errorf("the source was asked %q, want %q", questions, want)
		}
	})
}

// A token that a later try's server refuses ends it, and the source is not asked
// in its place.
func TestKeepKitTokenRefusedLater(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(autoLogin, "KitToken"))
		k := keep(t, e, kitAccount)
		s.fails("Authenticate", rejected)
		s.kitNotify().Lost(engine.ErrUnavailable)
		after(time.Second)
		wantFailure(t, k.wait(), rejected, "Authenticate")
	})
}
