package engine_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/engine"
)

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

// If the source has no other token, the refusal is the answer of LoginIM, even
// though the call itself succeeded.
func TestLostByRefusalIsTheAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		s.gives("IMToken", "i1", "i1")
		s.does("LoginIM", func(context.Context) error { s.imNotify().Lost(rejected); return nil })
		e := open(t, s, s.options(autoLogin, "IMToken"))
		climb(t, e, imInitialized)
		wantFailure(t, e.LoginIM(t.Context(), tokenlessIM), rejected, "LoginIM")
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
