package nimhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

const freshToken = "token-of-alice-fresh-5c"

var dynamicAlice = engine.IMAccount{Accid: "Alice", Token: stubToken, Dynamic: true}

type tokenSource = func(context.Context) (string, error)

func gives(token string) tokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// dynamicIM is an IM that is logged in with a dynamic token.
func dynamicIM(t *testing.T, source tokenSource, change ...func(*nimhttp.Options)) (*imStub, *nimhttp.IM, *notices) {
	t.Helper()
	s, im := readyIM(t, change...)
	n := new(notices)
	notify := n.notify()
	notify.Token = source
	must(t, "LoginIM", im.LoginIM(t.Context(), dynamicAlice, notify))
	synctest.Wait()
	return s, im, n
}

// ask lets the SDK ask, and waits until all that comes of it has happened.
func (s *imStub) ask(question int) {
	s.change(func(n *stubSnapshot) { n.ask(question) })
	synctest.Wait()
}

// answers are the bodies that the SDK's questions were answered with.
func (s *imStub) answers() []string {
	var bodies []string
	for _, r := range s.seen("token") {
		bodies = append(bodies, r.body)
	}
	return bodies
}

func (s *imStub) wantAnswers(t *testing.T, want ...string) {
	t.Helper()
	if got := s.answers(); !slices.Equal(got, want) {
		t.Errorf("got answers %q, want %q", got, want)
	}
}

func answerOf(question int, token string) string {
	if token == "" {
		return fmt.Sprintf(`{"asks":%d}`, question)
	}
	return fmt.Sprintf(`{"asks":%d,"token":%q}`, question, token)
}

func TestIMLoginSaysDynamic(t *testing.T) {
	for _, a := range []engine.IMAccount{dynamicAlice, stubAlice} {
		synctest.Test(t, func(t *testing.T) {
			s, im := readyIM(t)
			must(t, "LoginIM", im.LoginIM(t.Context(), a, engine.Notify{}))
			if got := strings.Contains(s.seen("login")[0].body, `"dynamic":true`); got != a.Dynamic {
				t.Errorf("the login says that its token is dynamic: %t, want %t", got, a.Dynamic)
			}
		})
	}
}

// The link is down until the SDK has its token. The question is answered once,
// however often the snapshot shows it.
func TestIMAnswersTheSDK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, release := 0, make(chan struct{})
		s, _, n := dynamicIM(t, func(context.Context) (string, error) {
			asked++
			<-release
			return freshToken, nil
		})
		s.ask(1)
		pass(10 * time.Second) // and a read that brings the same snapshot
		if _, links := n.told(); !slices.Equal(links, []bool{false}) {
			t.Errorf("while the SDK asks: got links %v, want down", links)
		}
		close(release)
		synctest.Wait()
		s.wantAnswers(t, answerOf(1, freshToken))
		if lost, links := n.told(); len(lost) > 0 || !slices.Equal(links, []bool{false, true}) {
			t.Errorf("got lost %v and links %v, want down and up", lost, links)
		}
		pass(time.Minute)
		if asked != 1 {
			t.Errorf("the source was asked %d times, want once", asked)
		}
		s.ask(2)
		s.wantAnswers(t, answerOf(1, freshToken), answerOf(2, freshToken))
	})
}

func TestIMSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []error{errors.New("no keyring"), nil}
		s, _, n := dynamicIM(t, func(context.Context) (string, error) {
			err := answers[0]
			answers = answers[1:]
			return freshToken, err
		})
		s.ask(1)
		s.wantAnswers(t, answerOf(1, ""))
		s.ask(2)
		s.wantAnswers(t, answerOf(1, ""), answerOf(2, freshToken))
		if lost, _ := n.told(); len(lost) > 0 {
			t.Errorf("got lost %v, want the login to hold", lost)
		}
	})
}

// Without a source, the login's token is all there is.
func TestIMWithoutSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := dynamicIM(t, nil)
		s.ask(1)
		s.wantAnswers(t, answerOf(1, stubToken))
	})
}

// The client that made a login answers, and no other.
func TestIMAdoptedIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im := readyIM(t)
		s.change(func(n *stubSnapshot) { n.hold(7, "alice", "another") })
		_, err := im.AdoptIM(t.Context(), engine.Notify{Token: gives(freshToken)})
		must(t, "AdoptIM", err)
		s.ask(1)
		pass(time.Minute)
		s.wantAnswers(t)
	})
}

// A source that is slow hides no kick. The end of the login ends its ctx, and
// what it returns then is sent to nobody.
func TestIMKickWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		s, _, n := dynamicIM(t, func(ctx context.Context) (string, error) {
			<-ctx.Done()
			ended = true
			return freshToken, nil
		})
		s.ask(1)
		s.change(func(now *stubSnapshot) { now.end(&stubEnd{Session: now.Session, Kick: &stubKick{Reason: 2}}) })
		synctest.Wait()
		if lost, _ := n.told(); len(lost) != 1 || !errors.Is(lost[0], engine.ErrKicked) {
			t.Errorf("got lost %v, want the kick", lost)
		}
		if !ended {
			t.Error("the source's ctx did not end with the login")
		}
		s.wantAnswers(t)
	})
}

// A logout does not wait for a source that does not listen to its ctx. Close does.
func TestIMLogoutWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s, im, _ := dynamicIM(t, func(context.Context) (string, error) {
			<-release
			return freshToken, nil
		})
		s.ask(1)
		must(t, "LogoutIM", im.LogoutIM(t.Context()))
		closed := make(chan error, 1)
		go func() { closed <- im.Close() }()
		pass(time.Minute)
		select {
		case <-closed:
			t.Error("Close did not wait for the source")
		default:
		}
		close(release)
		must(t, "Close", <-closed)
		s.wantAnswers(t)
	})
}

// The gateway gives a question up after 15 s, and so does the source's ctx. One
// call of the source is made at a time, and it answers the question that is open
// then.
func TestIMAnswerTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, calls, asking := time.Now(), 0, 0
		s, _, _ := dynamicIM(t, func(ctx context.Context) (string, error) {
			calls++
			asking++
			defer func() { asking-- }()
			if asking > 1 {
				t.Error("the source is called twice at once")
			}
			if calls > 1 {
				return freshToken, nil
			}
			<-ctx.Done()
			if took := time.Since(began); took != 15*time.Second {
				t.Errorf("the ctx ended after %v, want 15 s", took)
			}
			<-time.After(5 * time.Second)
			return freshToken, nil
		})
		s.ask(1)
		pass(16 * time.Second)
		s.ask(2)
		s.wantAnswers(t)
		pass(4 * time.Second)
		s.wantAnswers(t, answerOf(2, freshToken))
		if calls != 1 {
			t.Errorf("the source was called %d times, want once", calls)
		}
		s.ask(3)
		s.wantAnswers(t, answerOf(2, freshToken), answerOf(3, freshToken))
	})
}

// An answer that does not get there is no loss: the SDK asks again.
func TestIMAnswerGetsLost(t *testing.T) {
	for name, reply := range map[string]http.HandlerFunc{
		"not open": stubProblem(409, "no-such-question", ""),
		"internal": stubProblem(500, "internal", ""),
		"cut":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, n := dynamicIM(t, gives(freshToken))
				s.answer(reply, "token")
				s.ask(1)
				s.answer(nil, "token")
				s.ask(2)
				s.wantAnswers(t, answerOf(1, freshToken), answerOf(2, freshToken))
				if lost, _ := n.told(); len(lost) > 0 {
					t.Errorf("got lost %v, want the login to hold", lost)
				}
			})
		})
	}
}

// The token of an answer is hidden like the first one.
func TestIMAnswerIsHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		s, _, n := dynamicIM(t, gives(freshToken), logTo(&log))
		s.ask(1)
		s.change(func(now *stubSnapshot) {
			text := "refused " + freshToken + ", after " + stubToken
			now.end(&stubEnd{Session: now.Session, Error: &stubError{Code: 102302, Message: text}})
		})
		synctest.Wait()
		lost, _ := n.told()
		if len(lost) != 1 || !errors.Is(lost[0], engine.ErrTokenRejected) || !strings.Contains(lost[0].Error(), "refused ***, after ***") {
			t.Fatalf("got lost %v, want the refusal without a token", lost)
		}
		if text := log.String(); !strings.Contains(text, "/token") || strings.Contains(text, freshToken) {
			t.Errorf("got the log %s, want the answer without its token", text)
		}
	})
}
