package engine_test

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

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

// An SDK may refuse a token by reporting a loss while LoginIM is in flight.
func TestLostByRefusalInLoginIM(t *testing.T) {
	for name, test := range map[string]struct {
		given  string
		causes []error // of the first attempts
		answer error   // what LoginIM itself returns: nil: its ctx's error
		calls  []string
		want   error
	}{
		"rejected": {"", []error{rejected}, nil,
			[]string{"IMToken myaccid ", "LoginIM i1", "IMToken myaccid i1", "LoginIM i2"}, nil},
		"expired": {"", []error{expired}, nil,
			[]string{"IMToken myaccid ", "LoginIM i1", "IMToken myaccid i1", "LoginIM i2"}, nil},
		"the call says something else": {"", []error{rejected}, engine.ErrUnavailable,
			[]string{"IMToken myaccid ", "LoginIM i1", "IMToken myaccid i1", "LoginIM i2"}, nil},
		"twice": {"", []error{expired, rejected}, nil,
			[]string{"IMToken myaccid ", "LoginIM i1", "IMToken myaccid i1", "LoginIM i2"}, rejected},
		"a given token": {"i", []error{rejected}, nil, []string{"LoginIM i"}, rejected},
		"a kick":        {"", []error{engine.ErrKicked}, nil, []string{"IMToken myaccid ", "LoginIM i1"}, engine.ErrKicked},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				s.gives("IMToken", "i1", "i2")
				e := open(t, s, s.options(autoLogin, "IMToken"))
				climb(t, e, imInitialized)
				s.called()
				for _, cause := range test.causes {
					s.does("LoginIM", func(ctx context.Context) error {
						s.imNotify().Lost(cause)
						err := untilEnd(ctx)
						if test.answer != nil {
							err = test.answer
						}
						return err
					})
				}
				wantErr(t, e.LoginIM(t.Context(), engine.IMAccount{Accid: "myaccid", Token: test.given}), test.want)
				s.wantCalls(t, test.calls...)
				if got, want := settled(e).State == imLoggedIn, test.want == nil; got != want {
					t.Errorf("logged in: %v, want %v", got, want)
				}
			})
		})
	}
}

// A success of LoginIM that a refusal came before is none, and is not undone:
// that login has ended.
func TestLostByRefusalBeforeSuccess(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.gives("IMToken", "i1", errSource)
		s.does("LoginIM", func(context.Context) error { s.imNotify().Lost(rejected); return nil })
		e := open(t, s, s.options(autoLogin, "IMToken"))
		climb(t, e, imInitialized)
		s.called()
		wantFailure(t, e.LoginIM(t.Context(), tokenlessIM), errSource, "IMToken")
		s.wantCalls(t, "IMToken myaccid ", "LoginIM i1", "IMToken myaccid i1")
	})
}

// A loss after LoginIM has answered is an ordinary one.
func TestLostByRefusalAfterLoginIM(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.gives("IMToken", "i1", "i2")
		e := open(t, s, s.options(autoLogin, "IMToken"))
		climb(t, e, imInitialized)
		wantErr(t, e.LoginIM(t.Context(), tokenlessIM), nil)
		s.called()
		s.imNotify().Lost(rejected)
		if got := settled(e); got.Via != engine.TriggerIMLost || got.Cause != error(rejected) {
			t.Errorf("got %+v, want im_lost by %v", got, rejected)
		}
		s.wantCalls(t)
	})
}

// A loss between the answer of LoginIM and the edge is an ordinary one too. The
// only thing to hook there is the random Session.
func TestLostByRefusalBeforeEdge(t *testing.T) {
	defer uuid.SetRand(nil)
	inBubble(t, func(t *testing.T, s *service) {
		s.gives("IMToken", "i1")
		e := open(t, s, s.options(autoLogin, "IMToken"))
		climb(t, e, imInitialized)
		uuid.SetRand(readerFunc(func(p []byte) (int, error) {
			s.imNotify().Lost(rejected)
			return rand.Read(p)
		}))
		_ = e.LoginIM(t.Context(), tokenlessIM)
		if got := settled(e); got.State != imInitialized || got.Cause != error(rejected) {
			t.Errorf("got %+v, want im_lost by %v", got, rejected)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A loss of the login underneath is no refusal of the kit token, whatever its
// cause.
func TestLostByRefusalInAuthenticate(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(reuseIM, "KitToken"))
		climb(t, e, imLoggedIn)
		s.called()
		s.gives("KitToken", "k1", "k2")
		s.does("Authenticate", func(context.Context) error { s.imNotify().Lost(rejected); return nil })
		wantFailure(t, e.LoginKit(t.Context(), tokenlessKit), rejected, "Authenticate")
		s.wantCalls(t, "KitToken user1 ", "Authenticate k1")
	})
}

// A logout in the middle of an attempt that may be followed by another ends it.
func TestLogoutInRefusableLoginIM(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.gives("IMToken", "i1", "i2")
		s.does("LoginIM", untilEnd)
		e := open(t, s, s.options(autoLogin, "IMToken"))
		climb(t, e, imInitialized)
		login := begin(func() error { return e.LoginIM(t.Context(), tokenlessIM) })
		wantErr(t, e.LogoutIM(t.Context()), nil)
		wantErr(t, login.wait(), engine.ErrInterrupted)
		s.wantCalls(t, "InitIM", "IMToken myaccid ", "LoginIM i1")
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
