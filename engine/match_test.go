package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// adopted is a backend in which the host has logged IM in.
type adopted struct {
	*fake
	account engine.IMAccount
}

func (a adopted) AdoptIM(context.Context, engine.Notify) (engine.IMAccount, error) {
	return a.account, nil
}

// The bound account has to be of the engine's AppKey, whatever the host's IM is of.
func TestAppKeyOfAdoptedLogin(t *testing.T) {
	other := engine.IMAccount{AppKey: "other-app", Accid: imAccount.Accid}
	tests := []struct {
		name         string
		bound, there engine.IMAccount
	}{
		{"both of another", other, other},
		{"bound of another", other, imAccount},
		{"logged in of another", imAccount, other},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := adopted{newFake(), test.there}
			b.bound = test.bound
			err := open(t, b, nil).LoginKit(t.Context(), kitAccount)
			var m *engine.MismatchError
			if !errors.Is(err, engine.ErrAppKeyMismatch) || !errors.As(err, &m) || m.Bound.Token+m.LoggedIn.Token != "" {
				t.Errorf("got %v, want ErrAppKeyMismatch with both sides and no token", err)
			}
		})
	}
}

// A climb that is over does not begin another call.
func TestNoCallAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newFake()
	e := open(t, b, &engine.Options{Logger: slog.New(onLine(func(r slog.Record) {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "trigger" && a.Value.String() == string(engine.TriggerLoginIM) {
				cancel()
			}
			return true
		})
	}))})
	if err := e.LoginKit(ctx, kitAccount); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got, want := b.called(), []string{"Authenticate", "InitIM", "LoginIM", "LogoutIM"}; !slices.Equal(got, want) {
		t.Errorf("got calls %v, want %v", got, want)
	}
}

// onLine is a slog.Handler.
type onLine func(slog.Record)

func (f onLine) Enabled(context.Context, slog.Level) bool { return true }
func (f onLine) Handle(_ context.Context, r slog.Record) error {
	f(r)
	return nil
}
func (f onLine) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f onLine) WithGroup(string) slog.Handler      { return f }

// A ctx of the host's own type, whose methods look at the engine.
type curious struct {
	context.Context
	look func()
}

func (c curious) Value(key any) any {
	c.look()
	return c.Context.Value(key)
}

// Ending a login calls methods of its ctx: never under the engine's lock, which
// those that watch need.
func TestForeignContext(t *testing.T) {
	b := newFake()
	var e *engine.Engine
	look := func() {
		if e != nil {
			for range e.Watch(context.Background()) { // takes the lock
				break
			}
		}
	}
	began := make(chan struct{})
	interrupted := make(chan struct{})
	b.on = func(call string) error {
		if call == "Authenticate" {
			close(began)
			<-interrupted
		}
		return nil
	}
	made := open(t, b, nil)
	parent, cancel := context.WithCancel(t.Context())
	defer cancel()
	e = made
	done := make(chan error)
	go func() { done <- made.LoginKit(curious{parent, look}, kitAccount) }()
	<-began
	ended, end := context.WithCancel(t.Context())
	end()
	if err := made.LogoutKit(ended); !errors.Is(err, context.Canceled) { // ends the login, and does not wait
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(interrupted)
	if err := <-done; !errors.Is(err, engine.ErrInterrupted) {
		t.Errorf("got %v, want ErrInterrupted", err)
	}
}

func TestFoldingOfAccids(t *testing.T) {
	kelvin := "\u212Aarl" // folds to "karl", and is no letter of an accid
	err := open(t, newFake(), nil).LoginIM(t.Context(), engine.IMAccount{Accid: kelvin, Token: "x"})
	if !errors.Is(err, engine.ErrArgument) {
		t.Errorf("%s: got %v, want ErrArgument", fmt.Sprintf("%+q", kelvin), err)
	}
}
