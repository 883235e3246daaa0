package nimhttp_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/engine"
)

// The gateway repeats the secrets that it was sent; no error shows them.
func TestGatewayRepeatsSecrets(t *testing.T) {
	for _, kind := range []string{"bad-request", "too-large", "internal"} {
		for _, secret := range []string{stubToken, stubSecret} {
			t.Run(kind+" with "+secret, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, im := readyIM(t)
					s.answer(stubReply(400, fmt.Sprintf(`{"type":"urn:imreuse:gateway:%s","title":"no","status":400,"detail":"not %s"}`, kind, secret)), "login")
					err := im.LoginIM(t.Context(), stubAlice, engine.Notify{})
					if err == nil {
						t.Error("got no error")
					}
					noSecrets(t, "the error", fmt.Sprint(err))
				})
			})
		}
	}
}

// A long text from the gateway is shortened in the error.
func TestGatewayIsVerbose(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	tests := []struct {
		name, op string
		change   func(*stubSnapshot)
	}{
		{"AppKey", "InitIM", func(n *stubSnapshot) { n.AppKey = long }},
		{"accid", "LoginIM", func(n *stubSnapshot) { n.hold(7, long, "another") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, im := readyIM(t)
				s.change(test.change)
				err := imCalls[test.op](t, im)
				if err == nil || len(err.Error()) > 2000 {
					t.Errorf("got %.200v, want an error of 2000 bytes at most", err)
				}
			})
		})
	}
}

// forEachEnd runs f in a bubble for each way to lose a login that comes with a
// text, with the given text.
func forEachEnd(t *testing.T, text string, f func(*testing.T, error)) {
	for name, e := range map[string]stubEnd{
		"kick":  {Kick: &stubKick{Reason: 1, ReasonDesc: text}},
		"error": {Error: &stubError{302, text}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, n := watchedIM(t)
				s.change(func(now *stubSnapshot) {
					e.Session = now.Session
					now.end(&e)
				})
				f(t, wantLost(t, n))
			})
		})
	}
}

func TestGatewayIsVerboseAboutLosses(t *testing.T) {
	forEachEnd(t, strings.Repeat("x", 100_000), func(t *testing.T, cause error) {
		if got := len(cause.Error()); got > 2000 {
			t.Errorf("got an error of %d bytes, want 2000 at most", got)
		}
	})
}

func TestIMLossHasNoSecret(t *testing.T) {
	forEachEnd(t, "token "+stubToken+" of "+stubSecret, func(t *testing.T, cause error) {
		noSecrets(t, "the cause", cause.Error())
	})
}
