package engine_test

import (
	"context"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// Notify.Token asks the source, with the token that the login has as refused.
func TestNotifyToken(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		var list []*traced
		var e *engine.Engine
		o := s.options(autoLogin, "IMToken")
		o.Trace = tracing(&list, &e)
		s.gives("IMToken", "i1", errSource, "", "i2")
		e = open(t, s, o)
		climb(t, e, imLoggedIn)
		s.called()
		list = nil
		ask := s.imNotify().Token
		release := e.Hold() // it does not take the slot
		token, err := ask(t.Context())
		if token != "i1" || err != nil {
			t.Errorf("got %q, %v, want i1", token, err)
		}
		token, err = ask(t.Context())
		wantFailure(t, err, errSource, "IMToken")
		token2, err := ask(t.Context())
		wantFailure(t, err, engine.ErrArgument, "IMToken")
		if token != "" || token2 != "" {
			t.Errorf("an error came with a token")
		}
		if token, err = ask(t.Context()); token != "i2" || err != nil {
			t.Errorf("got %q, %v, want i2", token, err)
		}
		release()
		s.wantCalls(t, "IMToken myaccid im-s3cr3t", "IMToken myaccid i1", "IMToken myaccid i1", "IMToken myaccid i1")
		if len(list) != 4 || list[0].call != "IMToken" {
			t.Errorf("traced %d calls, want 4 of IMToken", len(list))
		}
	})
}

// Notify.Token fails once the login has ended, and asks nobody.
func TestNotifyTokenOfLoginThatEnded(t *testing.T) {
	for name, end := range map[string]func(*engine.Engine, *service, context.Context){
		"logged out": func(e *engine.Engine, _ *service, ctx context.Context) { _ = e.LogoutIM(ctx) },
		"lost":       func(_ *engine.Engine, s *service, _ context.Context) { s.imNotify().Lost(nil) },
		"closed":     func(e *engine.Engine, _ *service, _ context.Context) { _ = e.Close() },
		"replaced by a new one": func(e *engine.Engine, s *service, ctx context.Context) {
			_ = e.LogoutIM(ctx)
			_ = e.LoginIM(ctx, imAccount)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := open(t, s, s.options(autoLogin, "IMToken"))
				climb(t, e, imLoggedIn)
				ask := s.imNotify().Token
				end(e, s, t.Context())
				s.called()
				if token, err := ask(t.Context()); token != "" || err == nil {
					t.Errorf("got %q, %v, want an error", token, err)
				}
				s.wantCalls(t)
			})
		})
	}
}

// A token that comes when the login has ended is not handed out.
func TestNotifyTokenTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		act, release := blocked()
		s.gives("IMToken", act)
		e := open(t, s, s.options(autoLogin, "IMToken"))
		climb(t, e, imLoggedIn)
		ask := s.imNotify().Token
		var token string
		asked := begin(func() (err error) { token, err = ask(t.Context()); return err })
		wantErr(t, e.LogoutIM(t.Context()), nil)
		release()
		if err := asked.wait(); err == nil || token != "" {
			t.Errorf("got %q, %v, want an error", token, err)
		}
	})
}

// Notify.Token ends with its ctx, and a source that panics costs an error.
func TestNotifyTokenFails(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.gives("IMToken", act(untilEnd), act(func(context.Context) error { panic("on purpose") }))
		e := open(t, s, s.options(autoLogin, "IMToken"))
		climb(t, e, imLoggedIn)
		ctx, cancel := context.WithCancelCause(t.Context())
		asked := begin(func() error { _, err := s.imNotify().Token(ctx); return err })
		cancel(errSource)
		wantFailure(t, asked.wait(), errSource, "IMToken")
		if _, err := s.imNotify().Token(t.Context()); err == nil || !strings.Contains(err.Error(), "panicked in IMToken") {
			t.Errorf("got %v, want the panic", err)
		}
	})
}

// What a Notify has, and when.
func TestNotifyFunctions(t *testing.T) {
	for name, test := range map[string]struct {
		sources []string
		token   bool
		expired bool
	}{
		"no source": {nil, false, false},
		"KitToken":  {[]string{"KitToken"}, false, true},
		"IMToken":   {[]string{"IMToken"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				s.gives("KitToken", "k1")
				e := open(t, s, s.options(autoDetect, test.sources...))
				climb(t, e, kitLoggedIn)
				im, kit := s.notifies()
				if got := im.Token != nil; got != test.token {
					t.Errorf("an IM login has Token: %v, want %v", got, test.token)
				}
				if kit.Token != nil || im.Expired(expired) {
					t.Error("a kit login has Token, or somebody renews an IM login")
				}
				if got := kit.Expired(expired); got != test.expired {
					t.Errorf("Expired of a kit login is %v, want %v", got, test.expired)
				}
			})
		})
	}
}
