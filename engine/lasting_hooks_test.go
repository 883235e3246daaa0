package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// panics is an act that panics with a text that has a token.
func panics(token string) act {
	return func(context.Context) error { panic("token " + token) }
}

// A source can panic with the token that it was told was refused. Neither the
// error nor the log shows it.
func TestRefusedTokenIsSecret(t *testing.T) {
	for name, run := range map[string]func(*testing.T, *engine.Engine, *service) error{
		"Notify.Token": func(t *testing.T, e *engine.Engine, s *service) error {
			s.gives("IMToken", panics(imAccount.Token))
			_, err := s.imNotify().Token(t.Context())
			return err
		},
		"RenewKit": func(t *testing.T, e *engine.Engine, s *service) error {
			s.gives("KitToken", errSource, panics(kitAccount.Token))
			s.expire(e)
			return e.RenewKit(t.Context(), tokenlessKit)
		},
		"a renewal": func(t *testing.T, e *engine.Engine, s *service) error {
			s.gives("KitToken", panics(kitAccount.Token))
			s.expire(e)
			return nil
		},
		"KeepKit": func(t *testing.T, e *engine.Engine, s *service) error {
			k := keep(t, e, kitAccount)
			s.gives("KitToken", panics(kitAccount.Token))
			s.kitNotify().Lost(expired)
			after(time.Second)
			wantErr(t, e.Close(), nil)
			return k.wait()
		},
		"KeepKit, with a given token": func(t *testing.T, e *engine.Engine, s *service) error {
			wantErr(t, e.LogoutKit(t.Context()), nil)
			s.does("Authenticate", panics(kitAccount.Token))
			return keep(t, e, kitAccount).wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				r := &recorder{}
				o := s.options(autoLogin, bothKinds...)
				o.Logger = slog.New(r)
				e := open(t, s, o)
				wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
				if err := run(t, e, s); err != nil {
					noToken(t, "the error", err.Error())
				}
				panicked := false
				for _, line := range r.taken() {
					text := fmt.Sprint(line.attrs["error"])
					noToken(t, "the log", text)
					panicked = panicked || line.level == slog.LevelWarn
				}
				if !panicked {
					t.Error("the source did not panic")
				}
			})
		})
	}
}

// A panic of Trace in Notify.Token has no caller to panic in, so it is logged.
func TestNotifyTokenTracePanics(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		r := &recorder{}
		o := s.options(autoLogin, "IMToken")
		o.Logger = slog.New(r)
		o.Trace = func(ctx context.Context, call string) (context.Context, func(error)) {
			if call == "IMToken" {
				panic("on purpose")
			}
			return ctx, nil
		}
		e := open(t, s, o)
		climb(t, e, imLoggedIn)
		r.taken()
		s.gives("IMToken", "i1")
		if token, err := s.imNotify().Token(t.Context()); token != "i1" || err != nil {
			t.Errorf("got %q, %v, want i1", token, err)
		}
		if lines := r.taken(); len(lines) != 1 || lines[0].level != slog.LevelError {
			t.Errorf("logged %+v, want one Error", lines)
		}
	})
}

// A renewal that a logout makes needless is no failure: nothing is logged.
func TestNeedlessRenewalIsNotLogged(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		r := &recorder{}
		o := s.options(autoLogin, "KitToken")
		o.Logger = slog.New(r)
		e := open(t, s, o)
		wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
		s.gives("KitToken", act(untilEnd))
		s.expire(e)
		wantErr(t, e.LogoutKit(t.Context()), nil)
		settled(e)
		if got := warnings(r); len(got) > 0 {
			t.Errorf("Warn lines %q, want none", got)
		}
	})
}
