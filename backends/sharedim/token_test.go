package sharedim_test

import (
	"context"
	"errors"
	"testing"

	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

// The SDK's question for a token goes to any seat that holds the login, also
// after the seat that opened it has left.
func TestTokenIsAskedOfAnyHolder(t *testing.T) {
	var n engine.Notify
	im := &script{login: func(_ context.Context, given engine.Notify) error { n = given; return nil }}
	s := sharedim.New(im)
	first, second := s.Seat(), s.Seat()
	source := func(token string) engine.Notify {
		return engine.Notify{Token: func(context.Context) (string, error) { return token, nil }}
	}
	wantError(t, "LoginIM", first.LoginIM(t.Context(), alice, source("of the first")), nil)
	ask := n.Token
	wantToken(t, ask, "of the first")
	wantError(t, "LoginIM", second.LoginIM(t.Context(), alice, source("of the second")), nil)
	wantError(t, "LogoutIM", first.LogoutIM(t.Context()), nil)
	wantToken(t, ask, "of the second")
	wantError(t, "LogoutIM", second.LogoutIM(t.Context()), nil)
	if _, err := ask(t.Context()); !errors.Is(err, engine.ErrTokenExpired) {
		t.Errorf("with no holder left: got %v, want %v", err, engine.ErrTokenExpired)
	}
}

// The seat that opened the login need not have a source. While no holder has one,
// the answer is the token that IM has already.
func TestTokenIsAskedOfALaterHolder(t *testing.T) {
	var n engine.Notify
	im := &script{login: func(_ context.Context, given engine.Notify) error { n = given; return nil }}
	s := sharedim.New(im)
	opener, later := s.Seat(), s.Seat()
	mustLogIn(t, opener)
	wantToken(t, n.Token, alice.Token)
	source := engine.Notify{Token: func(context.Context) (string, error) { return "fresh", nil }}
	wantError(t, "LoginIM", later.LoginIM(t.Context(), alice, source), nil)
	wantToken(t, n.Token, "fresh")
}

// The token of an adopted login is the host's secret, so without a source there
// is no answer.
func TestTokenOfAdoptedLogin(t *testing.T) {
	var n engine.Notify
	im := &script{adopt: func(_ context.Context, given engine.Notify) (engine.IMAccount, error) { n = given; return alice, nil }}
	seat := sharedim.New(im).Seat()
	if _, err := seat.AdoptIM(t.Context(), engine.Notify{}); err != nil {
		t.Fatal(err)
	}
	if token, err := n.Token(t.Context()); token != "" || !errors.Is(err, engine.ErrTokenExpired) {
		t.Errorf("got %q and %v, want ErrTokenExpired", token, err)
	}
}

func wantToken(t *testing.T, ask func(context.Context) (string, error), want string) {
	t.Helper()
	if got, err := ask(t.Context()); got != want || err != nil {
		t.Errorf("got the token %q and %v, want %q", got, err, want)
	}
}
