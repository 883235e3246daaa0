package gatewaydouble

import (
	"errors"
	"time"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/dynamictoken"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// This file has what is different in a login with dynamic tokens: they are
// checked here, since the world knows only static ones, and the SDK asks for
// a fresh one at each reconnect.

const (
	answerTime = 15 * time.Second       // that a question is open
	retryPause = 200 * time.Millisecond // of the SDK, which got no token
)

// errNotAllowed is the SDK's 403.
var errNotAllowed = errors.New("dynamic tokens are not enabled for this app")

func codeOf(err error) int {
	if errors.Is(err, errNotAllowed) {
		return 403
	}
	return nimcodes.Of(err)
}

// inWorld returns a with the token that the world knows, if a's own is good.
func (g *Gateway) inWorld(a engine.IMAccount) (engine.IMAccount, error) {
	if !a.Dynamic {
		return a, nil
	}
	if g.secretOf() == "" {
		return a, errNotAllowed
	}
	if err := dynamictoken.Check(a.Token, a.AppKey, g.secretOf(), a.Accid, g.now()); err != nil {
		return a, err
	}
	known, found := g.world.FindIM(a.Accid)
	if !found {
		return a, engine.ErrTokenRejected
	}
	a.Token, a.Dynamic = known.Token, false
	return a, nil
}

// A question is the SDK's, for a fresh token of a login.
type question struct {
	number int64
	login  *imLogin
	timer  *time.Timer // gives it up
}

// askFor asks for a fresh token of l, if that still waits for its link.
func (s *slot) askFor(l *imLogin) {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.loginToReconnectLocked() != l || s.run.stopped {
		return
	}
	s.closeQuestionLocked()
	s.run.questions++
	q := &question{number: s.run.questions, login: l}
	s.run.work.Add(1)
	q.timer = time.AfterFunc(answerTime, func() {
		defer s.run.work.Done()
		s.giveUp(q)
	})
	s.question = q
	s.publishLocked("logging_in", "up")
}

func (s *slot) closeQuestionLocked() {
	if s.question != nil && s.question.timer.Stop() {
		s.run.work.Done()
	}
	s.question = nil
}

// giveUp ends a question that nobody has answered.
func (s *slot) giveUp(q *question) {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.question == q {
		s.question = nil
		s.retryLocked()
	}
}

// retryLocked is what the SDK does when it gets no token.
func (s *slot) retryLocked() {
	s.publishLocked("logging_in", "waiting")
	s.run.goLocked(func() {
		timer := time.NewTimer(retryPause)
		defer timer.Stop()
		select {
		case <-timer.C:
			s.reconnect()
		case <-s.run.closing:
		case <-s.run.ctx.Done():
		}
	})
}

// answer answers the question that is open; with "", the host has no token.
func (s *slot) answer(asks int64, token string) (snapshot, error) {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	q := s.question
	switch {
	case s.setup == nil:
		return snapshot{}, newProblem(noSuchSlot, "PUT the slot first")
	case q == nil || q.number != asks:
		return snapshot{}, newProblem(noSuchQuestion, "question %d is not open", asks)
	}
	s.closeQuestionLocked()
	if token == "" {
		s.retryLocked()
		return s.published, nil
	}
	s.publishLocked("logging_in", "up")
	s.run.goLocked(func() { s.resume(q.login, token) })
	return s.published, nil
}

// resume logs l in again with that token.
func (s *slot) resume(l *imLogin, token string) {
	if s.takeTurn() != nil {
		return
	}
	defer s.endTurn()
	if s.loginToReconnect() != l {
		return
	}
	s.run.gateway.mu.Lock()
	l.account.Token = token
	s.run.gateway.mu.Unlock()
	s.logInAgain(l, l.account)
}
