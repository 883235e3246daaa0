package engine_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

var (
	errSource = errors.New("the app server is down")
	rejected  = engine.ErrTokenRejected
	expired   = engine.ErrTokenExpired
	bothKinds = []string{"KitToken", "IMToken"}
	boundless = engine.IMAccount{Accid: imAccount.Accid} // its token did not come with it
)

func loginKitWith(token string) func(*engine.Engine, context.Context) error {
	return func(e *engine.Engine, ctx context.Context) error {
		return e.LoginKit(ctx, engine.KitAccount{UserUUID: "user1", Token: token})
	}
}

func loginIMWith(token string) func(*engine.Engine, context.Context) error {
	return func(e *engine.Engine, ctx context.Context) error {
		if err := e.InitIM(ctx); err != nil {
			return err
		}
		return e.LoginIM(ctx, engine.IMAccount{Accid: "myaccid", Token: token})
	}
}

// tokenRows is the table of tokens in the design: who is asked for one, when,
// and what becomes of it.
var tokenRows = []struct {
	name    string
	sources []string
	bound   *engine.IMAccount // nil: imAccount
	script  func(*service)
	login   func(*engine.Engine, context.Context) error
	calls   []string
	err     error
	call    string // that failed
}{
	{name: "a given kit token is used as it is", sources: bothKinds, login: loginKitWith("k"),
		calls: []string{"Authenticate k", "InitIM", "LoginIM im-s3cr3t", "LoginKit k"}},
	{name: "a given IM token is used as it is", sources: bothKinds, login: loginIMWith("i"),
		calls: []string{"InitIM", "LoginIM i"}},
	{name: "a given kit token that is rejected is not replaced", sources: bothKinds, login: loginKitWith("k"),
		script: func(s *service) { s.fails("Authenticate", rejected) },
		calls:  []string{"Authenticate k"}, err: rejected, call: "Authenticate"},
	{name: "a given kit token that has expired is not replaced", sources: bothKinds, login: loginKitWith("k"),
		script: func(s *service) { s.fails("Authenticate", expired) },
		calls:  []string{"Authenticate k"}, err: expired, call: "Authenticate"},
	{name: "a given IM token that is rejected is not replaced", sources: bothKinds, login: loginIMWith("i"),
		script: func(s *service) { s.fails("LoginIM", rejected) },
		calls:  []string{"InitIM", "LoginIM i"}, err: rejected, call: "LoginIM"},

	{name: "no kit token and no source", sources: []string{"IMToken"}, login: loginKitWith(""), err: engine.ErrArgument},
	{name: "no IM token and no source", sources: []string{"KitToken"}, login: loginIMWith(""),
		calls: []string{"InitIM"}, err: engine.ErrArgument},

	{name: "a kit token is fetched right before the call", sources: []string{"KitToken"}, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "k1") },
		calls:  []string{"KitToken user1 ", "Authenticate k1", "InitIM", "LoginIM im-s3cr3t", "LoginKit k1"}},
	{name: "an IM token is fetched right before the call", sources: []string{"IMToken"}, login: loginIMWith(""),
		script: func(s *service) { s.gives("IMToken", "i1") },
		calls:  []string{"InitIM", "IMToken myaccid ", "LoginIM i1"}},

	{name: "a fetched kit token is rejected", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "k1", "k2"); s.fails("Authenticate", rejected) },
		calls: []string{"KitToken user1 ", "Authenticate k1", "KitToken user1 k1", "Authenticate k2",
			"InitIM", "LoginIM im-s3cr3t", "LoginKit k2"}},
	{name: "a fetched kit token has expired", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "k1", "k2"); s.fails("Authenticate", expired) },
		calls: []string{"KitToken user1 ", "Authenticate k1", "KitToken user1 k1", "Authenticate k2",
			"InitIM", "LoginIM im-s3cr3t", "LoginKit k2"}},
	{name: "a fetched IM token is rejected", sources: bothKinds, login: loginIMWith(""),
		script: func(s *service) { s.gives("IMToken", "i1", "i2"); s.fails("LoginIM", rejected) },
		calls:  []string{"InitIM", "IMToken myaccid ", "LoginIM i1", "IMToken myaccid i1", "LoginIM i2"}},
	{name: "a fetched kit token is rejected, and then IM is away", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) {
			s.gives("KitToken", "k1", "k2")
			s.fails("Authenticate", rejected)
			s.fails("LoginIM", engine.ErrUnavailable)
		},
		calls: []string{"KitToken user1 ", "Authenticate k1", "KitToken user1 k1", "Authenticate k2", "InitIM", "LoginIM im-s3cr3t"},
		err:   engine.ErrUnavailable, call: "LoginIM"},
	{name: "a fetched kit token, and the server is away", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "k1", "k2"); s.fails("Authenticate", engine.ErrUnavailable) },
		calls:  []string{"KitToken user1 ", "Authenticate k1"}, err: engine.ErrUnavailable, call: "Authenticate"},
	{name: "a fetched kit token, and the account is banned", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "k1", "k2"); s.fails("Authenticate", engine.ErrAccountBanned) },
		calls:  []string{"KitToken user1 ", "Authenticate k1"}, err: engine.ErrAccountBanned, call: "Authenticate"},
	{name: "a fetched IM token, and IM is away", sources: bothKinds, login: loginIMWith(""),
		script: func(s *service) { s.gives("IMToken", "i1", "i2"); s.fails("LoginIM", engine.ErrUnavailable) },
		calls:  []string{"InitIM", "IMToken myaccid ", "LoginIM i1"}, err: engine.ErrUnavailable, call: "LoginIM"},
	{name: "two kit tokens are refused", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "k1", "k2", "k3"); s.fails("Authenticate", expired, rejected) },
		calls:  []string{"KitToken user1 ", "Authenticate k1", "KitToken user1 k1", "Authenticate k2"}, err: rejected, call: "Authenticate"},
	{name: "two IM tokens are refused", sources: bothKinds, login: loginIMWith(""),
		script: func(s *service) { s.gives("IMToken", "i1", "i2", "i3"); s.fails("LoginIM", expired, rejected) },
		calls:  []string{"InitIM", "IMToken myaccid ", "LoginIM i1", "IMToken myaccid i1", "LoginIM i2"}, err: rejected, call: "LoginIM"},
	{name: "the same kit token again", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "k1", "k1"); s.fails("Authenticate", expired, rejected) },
		calls:  []string{"KitToken user1 ", "Authenticate k1", "KitToken user1 k1"}, err: expired, call: "Authenticate"},
	{name: "the same IM token again", sources: bothKinds, login: loginIMWith(""),
		script: func(s *service) { s.gives("IMToken", "i1", "i1"); s.fails("LoginIM", expired, rejected) },
		calls:  []string{"InitIM", "IMToken myaccid ", "LoginIM i1", "IMToken myaccid i1"}, err: expired, call: "LoginIM"},

	{name: "the bound account has no token", sources: bothKinds, bound: &boundless, login: loginKitWith("k"),
		script: func(s *service) { s.gives("IMToken", "i1", "i2"); s.fails("LoginIM", rejected) },
		calls: []string{"Authenticate k", "InitIM", "IMToken myaccid ", "LoginIM i1", "IMToken myaccid i1", "LoginIM i2",
			"LoginKit k"}},
	{name: "the bound account has no token, and there is no source", bound: &boundless, login: loginKitWith("k"),
		script: func(s *service) { s.fails("LoginIM", rejected) },
		calls:  []string{"Authenticate k", "InitIM", "LoginIM"}, err: rejected, call: "LoginIM"},
	{name: "the token of the bound account is refused", sources: bothKinds, login: loginKitWith("k"),
		script: func(s *service) { s.gives("IMToken", "i1"); s.fails("LoginIM", expired) },
		calls: []string{"Authenticate k", "InitIM", "LoginIM im-s3cr3t", "IMToken myaccid im-s3cr3t", "LoginIM i1",
			"LoginKit k"}},
	{name: "the token of the bound account and the fetched one are refused", sources: bothKinds, login: loginKitWith("k"),
		script: func(s *service) { s.gives("IMToken", "i1", "i2"); s.fails("LoginIM", expired, rejected) },
		calls:  []string{"Authenticate k", "InitIM", "LoginIM im-s3cr3t", "IMToken myaccid im-s3cr3t", "LoginIM i1"}, err: rejected, call: "LoginIM"},
	{name: "the token of the bound account is refused, and there is no source", sources: []string{"KitToken"}, login: loginKitWith("k"),
		script: func(s *service) { s.fails("LoginIM", rejected) },
		calls:  []string{"Authenticate k", "InitIM", "LoginIM im-s3cr3t"}, err: rejected, call: "LoginIM"},

	{name: "the source has an empty kit token", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "") },
		calls:  []string{"KitToken user1 "}, err: engine.ErrArgument, call: "KitToken"},
	{name: "the source has a kit token with a line break", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "k\n") },
		calls:  []string{"KitToken user1 "}, err: engine.ErrArgument, call: "KitToken"},
	{name: "the source has an empty IM token", sources: bothKinds, bound: &boundless, login: loginKitWith("k"),
		script: func(s *service) { s.gives("IMToken", "") },
		calls:  []string{"Authenticate k", "InitIM", "IMToken myaccid "}, err: engine.ErrArgument, call: "IMToken"},

	{name: "the source fails", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", errSource) },
		calls:  []string{"KitToken user1 "}, err: errSource, call: "KitToken"},
	{name: "the source fails at the second question", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", "k1", errSource); s.fails("Authenticate", rejected) },
		calls:  []string{"KitToken user1 ", "Authenticate k1", "KitToken user1 k1"}, err: errSource, call: "KitToken"},
	{name: "the source of IM tokens fails", sources: bothKinds, bound: &boundless, login: loginKitWith("k"),
		script: func(s *service) { s.gives("IMToken", errSource) },
		calls:  []string{"Authenticate k", "InitIM", "IMToken myaccid "}, err: errSource, call: "IMToken"},
	{name: "the source panics", sources: bothKinds, login: loginKitWith(""),
		script: func(s *service) { s.gives("KitToken", act(func(context.Context) error { panic("on purpose") })) },
		calls:  []string{"KitToken user1 "}, err: errSourcePanicked, call: "KitToken"},
	{name: "the source outlives its ctx", sources: bothKinds, login: func(e *engine.Engine, ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errSource)
		defer cancel()
		return e.LoginKit(ctx, tokenlessKit)
	},
		script: func(s *service) {
			s.gives("KitToken", act(func(context.Context) error { <-time.After(time.Hour); return nil }))
		},
		calls: []string{"KitToken user1 "}, err: errSource, call: "KitToken"},

	{name: "a temporary account needs no token of a source", sources: bothKinds,
		login: func(e *engine.Engine, ctx context.Context) error { return e.LoginAnonymous(ctx) },
		calls: []string{"Anonymous", "Authenticate", "InitIM", "LoginIM im-s3cr3t", "LoginKit"}},
}

// errSourcePanicked stands for an error that says so, without a Code.
var errSourcePanicked = errors.New("the host panicked in KitToken: on purpose")

func TestTokens(t *testing.T) {
	for _, row := range tokenRows {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				if row.bound != nil {
					s.bound = *row.bound
				}
				if row.script != nil {
					row.script(s)
				}
				e := open(t, s, s.options(autoLogin, row.sources...))
				err := row.login(e, t.Context())
				s.wantCalls(t, row.calls...)
				if row.err == errSourcePanicked {
					if err == nil || !strings.Contains(err.Error(), row.err.Error()) || engine.CodeOf(err) != 0 {
						t.Errorf("got %v, want %v, and no Code", err, row.err)
					}
				} else {
					wantFailure(t, err, row.err, row.call)
				}
				if row.err == engine.ErrArgument && row.call != "" && !strings.Contains(err.Error(), "Options."+row.call) {
					t.Errorf("%v does not name the source", err)
				}
				if s := settled(e); row.err != nil && s.State > imInitialized {
					t.Errorf("the login failed, and left %v", s.State)
				}
			})
		})
	}
}

// A source that fails for a deadline of the operation says what was waited for.
func TestTokenDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.gives("KitToken", act(untilEnd))
		e := open(t, s, s.options(autoLogin, "KitToken"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := e.LoginKit(ctx, tokenlessKit)
		wantFailure(t, err, engine.ErrUnavailable, "KitToken")
		wantErr(t, err, context.DeadlineExceeded)
		if !strings.Contains(err.Error(), "waiting for a kit token") {
			t.Errorf("%v does not say what was waited for", err)
		}
	})
}

// The mode's own checks cost no token.
func TestTokenAfterMode(t *testing.T) {
	for name, test := range map[string]struct {
		o    engine.Options
		host bool // logs IM in
		link bool
		want error
	}{
		"100004":               {reuseIM, false, true, engine.ErrIMNotLoggedIn},
		"reuse is off":         {autoLogin, true, true, engine.ErrIMInUse},
		"the link is down":     {engine.Options{Mode: engine.ReuseIM, RequireOnline: true}, true, false, engine.ErrIMNotLoggedIn},
		"a secondary process":  {engine.Options{SecondaryProcess: true}, false, true, engine.ErrSecondaryProcess},
		"the account is wrong": {engine.Options{}, false, true, engine.ErrArgument},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := open(t, s, s.options(test.o, bothKinds...))
				a := tokenlessKit
				if test.want == engine.ErrArgument {
					a.UserUUID = ""
				}
				if test.host {
					climb(t, e, imLoggedIn)
					s.imNotify().Link(test.link)
				}
				s.called()
				wantErr(t, e.LoginKit(t.Context(), a), test.want)
				s.wantCalls(t)
			})
		})
	}
}

// A login that is there already costs no token either.
func TestTokenOfLoginThatIsThere(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(reuseIM, bothKinds...))
		climb(t, e, kitLoggedIn)
		s.called()
		wantErr(t, e.LoginKit(t.Context(), tokenlessKit), nil)
		wantErr(t, e.LoginIM(t.Context(), tokenlessIM), nil)
		s.wantCalls(t)
	})
}

// A source is traced as a call of the backend is.
func TestTokenTraced(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.bound = boundless
		s.gives("KitToken", "k1")
		s.gives("IMToken", errSource, "i1")
		var list []*traced
		var e *engine.Engine
		o := s.options(autoLogin, bothKinds...)
		o.Trace = tracing(&list, &e)
		e = open(t, s, o)
		wantErr(t, e.LoginKit(t.Context(), tokenlessKit), errSource)
		var got []string
		for _, one := range list {
			got = append(got, one.call)
		}
		if want := []string{"KitToken", "Authenticate", "InitIM", "IMToken"}; !slices.Equal(got, want) {
			t.Errorf("traced %q, want %q", got, want)
		}
		if last := list[len(list)-1]; !errors.Is(last.err, errSource) {
			t.Errorf("Trace was told %v, want %v", last.err, errSource)
		}
	})
}

// The IM token that is fetched has the kind of the account.
func TestTokenKind(t *testing.T) {
	for _, dynamic := range []bool{true, false} {
		inBubble(t, func(t *testing.T, s *service) {
			s.bound = engine.IMAccount{Accid: "myaccid", Dynamic: dynamic}
			s.gives("IMToken", "i1")
			e := open(t, s, s.options(autoLogin, "IMToken"))
			wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
			if want := (engine.IMAccount{Accid: "myaccid", Token: "i1", Dynamic: dynamic}); s.ims[0] != want {
				t.Errorf("LoginIM got the kind %v of %v, want %v", s.ims[0].Dynamic, s.ims[0], dynamic)
			}
		})
	}
}

// No text has a token that a source returned, even if the backend shows it.
func TestTokenOfSourceIsSecret(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.bound = engine.IMAccount{Accid: "myaccid", Token: "bound-" + secret}
		s.gives("KitToken", "k1-"+secret, "k2-"+secret)
		s.gives("IMToken", "i1-"+secret)
		s.fails("Authenticate", rejected)
		s.fails("LoginIM", rejected)
		e := open(t, s, s.options(autoLogin, bothKinds...))
		for _, token := range []string{"k1-", "k2-", "bound-", "i1-"} {
			s.does("LoginKit", func(context.Context) error { panic("token " + token + secret) })
			err := e.LoginKit(t.Context(), tokenlessKit)
			noToken(t, "a panic with "+token, err.Error())
			s.gives("KitToken", "k1-"+secret, "k2-"+secret)
			s.gives("IMToken", "i1-"+secret)
			s.fails("Authenticate", rejected)
			s.fails("LoginIM", rejected)
		}
	})
}

// After runtime.Goexit in a source the login is undone, and the engine works.
func TestTokenGoexit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.bound = boundless
		s.gives("IMToken", act(func(context.Context) error { runtime.Goexit(); return nil }), "i1")
		e := open(t, s, s.options(autoLogin, "IMToken"))
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = e.LoginKit(t.Context(), kitAccount)
		}()
		<-done
		wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
	})
}
