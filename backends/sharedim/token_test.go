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

// A login whose seat has no source of tokens has none.
func TestNoTokenWithoutSource(t *testing.T) {
	var n engine.Notify
	im := &script{login: func(_ context.Context, given engine.Notify) error { n = given; return nil }}
	seat := sharedim.New(im).Seat()
	mustLogIn(t, seat)
	if n.Token != nil {
		t.Error("the login has a source of tokens, and its seat has none")
	}
}

func wantToken(t *testing.T, ask func(context.Context) (string, error), want string) {
	t.Helper()
	if got, err := ask(t.Context()); got != want || err != nil {
		t.Errorf("got the token %q and %v, want %q", got, err, want)
	}
}
