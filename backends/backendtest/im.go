package backendtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// What no service knows.
const (
	otherAppKey  = "backendtest.other.app"
	unknownID    = "backendtest.nobody"
	unknownToken = "backendtest-wrong-token"
)

func (s *subject) wrongIM() engine.IMAccount {
	a := s.IM
	a.Token = unknownToken
	return a
}

func initAgain(ctx context.Context, s *subject) {
	s.ok("InitIM again", s.Backend.InitIM(ctx, s.AppKey))
	s.loginIM(ctx, s.IM)
}

func initOtherApp(ctx context.Context, s *subject) {
	// One that initialises IM afresh is within its rights: the engine, which
	// has one AppKey, does not ask.
	if err := s.Backend.InitIM(ctx, otherAppKey); err != nil {
		s.refused("InitIM with another AppKey", err, engine.ErrAppKeyMismatch)
		s.loginIM(ctx, s.IM)
	}
}

func appKey(ctx context.Context, s *subject) {
	for _, key := range []string{"", s.AppKey} {
		a := s.IM
		a.AppKey = key
		s.loginIM(ctx, a)
		s.logoutIM(ctx)
	}
}

func loginLogout(ctx context.Context, s *subject) {
	for range 2 {
		s.loginIM(ctx, s.IM)
		s.ok("LogoutIM", s.Backend.LogoutIM(ctx))
	}
}

func logoutNobody(ctx context.Context, s *subject) {
	s.ok("LogoutIM before a login", s.Backend.LogoutIM(ctx))
	s.loginIM(ctx, s.IM)
	s.logoutIM(ctx)
	s.ok("LogoutIM again", s.Backend.LogoutIM(ctx))
}

func wrongToken(ctx context.Context, s *subject) {
	err := s.Backend.LoginIM(ctx, s.wrongIM(), newListener().notify())
	s.refused("LoginIM with a wrong token", err, engine.ErrTokenRejected)
}

func unknownAccount(ctx context.Context, s *subject) {
	unknown := engine.IMAccount{AppKey: s.IM.AppKey, Accid: unknownID, Token: s.IM.Token}
	err := s.Backend.LoginIM(ctx, unknown, newListener().notify())
	s.refused("LoginIM of an unknown account", err, engine.ErrTokenRejected)
}

func failedLogin(ctx context.Context, s *subject) {
	if s.Backend.LoginIM(ctx, s.wrongIM(), newListener().notify()) == nil {
		return // that is for the case wrong-token
	}
	s.loginIM(ctx, s.IM)
}

func inUse(ctx context.Context, s *subject) {
	first := s.loginIM(ctx, s.IM)
	again := []engine.IMAccount{s.IM}
	if s.cannot(other) == "" {
		again = append(again, s.authenticate(ctx, s.Other))
	}
	for _, a := range again {
		err := s.Backend.LoginIM(ctx, a, newListener().notify())
		s.refused(fmt.Sprintf("LoginIM of %v over %v", a, s.IM), err, engine.ErrIMInUse)
	}
	if n := first.heard(); len(n.lost)+len(n.links) > 0 {
		s.failf("the first login heard Lost %v, Link %v, want nothing", n.lost, n.links)
	}
	if s.Kick != nil {
		s.Kick()
		s.waitLost(ctx, first)
	}
}

func endedCtx(ctx context.Context, s *subject) {
	s.returns("InitIM", func(ended context.Context) error { return s.Backend.InitIM(ended, s.AppKey) })
	s.ok("InitIM after one with an ended ctx", s.Backend.InitIM(ctx, s.AppKey))
	s.mustNotLogIn("LoginIM", func(ended context.Context) error {
		return s.Backend.LoginIM(ended, s.IM, newListener().notify())
	})
	if a, ok := s.Backend.(engine.IMAdopter); ok {
		s.returns("AdoptIM", func(ended context.Context) error {
			_, err := a.AdoptIM(ended, newListener().notify())
			return err
		})
	}
	s.loginIM(ctx, s.IM)
}

func (s *subject) mustNotLogIn(call string, f func(ctx context.Context) error) {
	s.Helper()
	if s.returns(call, f) == nil {
		s.failf("%s with an ended ctx: got nil, want an error", call)
	}
}

func offlineLogin(ctx context.Context, s *subject) {
	s.Link(false)
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	err := s.returnsWith(short, "LoginIM", func(ctx context.Context) error {
		return s.Backend.LoginIM(ctx, s.IM, newListener().notify())
	})
	s.Link(true)
	if err != nil {
		s.loginIM(ctx, s.IM)
	}
}

func offlineLogout(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	s.Link(false)
	// What the others test: that Link reports it.
	l.wait(ctx, func(n news) bool { return !n.online() })
	err := s.Backend.LogoutIM(ctx)
	s.Link(true)
	if again := s.Backend.LoginIM(ctx, s.IM, newListener().notify()); again != nil {
		s.failf("LogoutIM returned %v; LoginIM after it: got error %v, want nil", err, again)
	}
}

func kicked(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	s.Kick()
	s.refused("Lost after a kick", s.waitLost(ctx, l), engine.ErrKicked)
}

func lostOnce(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	s.Kick()
	s.waitLost(ctx, l)
	s.loginIM(ctx, s.IM)
	s.logoutIM(ctx)
	if lost := l.heard().lost; len(lost) != 1 {
		s.failf("Lost was called %d times, want 1: %v", len(lost), lost)
	}
}

func newLoginLost(ctx context.Context, s *subject) {
	first := s.loginIM(ctx, s.IM)
	s.logoutIM(ctx)
	second := s.loginIM(ctx, s.IM)
	before := len(first.heard().lost)
	s.Kick()
	s.waitLost(ctx, second)
	if lost := first.heard().lost[before:]; len(lost) > 0 {
		s.failf("the kick of the second login was told to the first: Lost %v", lost)
	}
}

func oldNews(ctx context.Context, s *subject) {
	first := s.loginIM(ctx, s.IM)
	s.Kick()
	s.waitLost(ctx, first)
	second := s.loginIM(ctx, s.IM)
	s.loginKit(ctx, s.Kit) // some work, in which late news may come
	s.logoutKit(ctx)
	if n := second.heard(); len(n.lost)+len(n.links) > 0 {
		s.failf("after the kick of the first login the second heard Lost %v, Link %v, want nothing", n.lost, n.links)
	}
}

func quietLogout(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	s.logoutIM(ctx)
	s.loginIM(ctx, s.IM)
	s.logoutIM(ctx)
	if lost := l.heard().lost; len(lost) > 0 {
		s.failf("after LogoutIM: Lost was called with %v", lost)
	}
}

func linkChanges(ctx context.Context, s *subject) {
	s.linkIsReported(ctx, s.loginIM(ctx, s.IM))
}

func (s *subject) linkIsReported(ctx context.Context, l *listener) {
	s.Helper()
	s.Link(false)
	s.waitLinks(ctx, l, false)
	s.Link(true)
	s.waitLinks(ctx, l, false, true)
}

func linkAfterLogout(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	s.logoutIM(ctx)
	before := len(l.heard().links)
	s.Link(false)
	s.Link(true)
	s.loginIM(ctx, s.IM)
	s.logoutIM(ctx)
	if links := l.heard().links[before:]; len(links) > 0 {
		s.failf("after LogoutIM: Link was called with %v", links)
	}
}

// noTokenInErrors makes what errors it can, and looks into them. Which errors
// they are is for other cases.
func noTokenInErrors(ctx context.Context, s *subject) {
	if s.Kick != nil {
		l := s.loginIM(ctx, s.IM)
		s.Kick()
		s.noToken(s.waitLost(ctx, l))
	}
	s.noToken(s.returns("LoginIM", func(ended context.Context) error {
		return s.Backend.LoginIM(ended, s.IM, newListener().notify())
	}))
	s.noToken(s.returns("Authenticate", func(ended context.Context) error {
		_, err := s.Backend.Authenticate(ended, s.Kit)
		return err
	}))
	for _, a := range []engine.IMAccount{
		s.wrongIM(),
		{AppKey: s.IM.AppKey, Accid: unknownID, Token: s.IM.Token},
		s.IM,
		s.IM, // in use
	} {
		s.noToken(s.Backend.LoginIM(ctx, a, newListener().notify()))
	}
	for _, a := range []engine.KitAccount{
		{UserUUID: s.Kit.UserUUID, Token: unknownToken},
		{UserUUID: unknownID, Token: s.Kit.Token},
	} {
		_, err := s.Backend.Authenticate(ctx, a)
		s.noToken(err)
	}
}

// A shorter token may be a part of a word.
const minToken = 6

// noToken fails the case where a token is in err. One that is also in an id, or
// in the words of the Code, cannot be told.
func (s *subject) noToken(err error) {
	s.Helper()
	if err == nil {
		return
	}
	text := fmt.Sprintf("%v %+v", err, err)
	innocent := fmt.Sprint(engine.CodeOf(err), s.AppKey, s.IM, s.Kit, s.Other)
	for _, token := range []string{unknownToken, s.IM.Token, s.Kit.Token, s.Other.Token} {
		if len(token) >= minToken && !strings.Contains(innocent, token) && strings.Contains(text, token) {
			s.failf("a token is in the error %q", text)
		}
	}
}
