package backendtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// Values that no service knows.
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
	// A backend may also accept the new AppKey: an engine has only one, so
	// it never asks for another.
	if err := s.Backend.InitIM(ctx, otherAppKey); err != nil {
		s.wantError("InitIM with another AppKey", err, engine.ErrAppKeyMismatch)
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
	s.wantError("LoginIM with a wrong token", err, engine.ErrTokenRejected)
}

func unknownAccount(ctx context.Context, s *subject) {
	unknown := engine.IMAccount{AppKey: s.IM.AppKey, Accid: unknownID, Token: s.IM.Token}
	err := s.Backend.LoginIM(ctx, unknown, newListener().notify())
	s.wantError("LoginIM of an unknown account", err, engine.ErrTokenRejected)
}

func failedLogin(ctx context.Context, s *subject) {
	if s.Backend.LoginIM(ctx, s.wrongIM(), newListener().notify()) == nil {
		return // the case wrong-token reports this
	}
	s.loginIM(ctx, s.IM)
}

func inUse(ctx context.Context, s *subject) {
	first := s.loginIM(ctx, s.IM)
	again := []engine.IMAccount{s.IM}
	if s.skipReason(other) == "" {
		again = append(again, s.authenticate(ctx, s.Other))
	}
	for _, a := range again {
		err := s.Backend.LoginIM(ctx, a, newListener().notify())
		s.wantError(fmt.Sprintf("LoginIM of %v over %v", a, s.IM), err, engine.ErrIMInUse)
	}
	if n := first.heard(); len(n.lost)+len(n.links) > 0 {
		s.failf("the first login got the reports Lost %v, Link %v, want none", n.lost, n.links)
	}
	if s.Kick != nil {
		s.Kick()
		s.waitLost(ctx, first)
	}
}

func endedCtx(ctx context.Context, s *subject) {
	s.callWithEndedCtx("InitIM", func(ended context.Context) error { return s.Backend.InitIM(ended, s.AppKey) })
	s.ok("InitIM after one with an ended ctx", s.Backend.InitIM(ctx, s.AppKey))
	s.mustFailWithEndedCtx("LoginIM", func(ended context.Context) error {
		return s.Backend.LoginIM(ended, s.IM, newListener().notify())
	})
	if a, ok := s.Backend.(engine.IMAdopter); ok {
		s.callWithEndedCtx("AdoptIM", func(ended context.Context) error {
			_, err := a.AdoptIM(ended, newListener().notify())
			return err
		})
	}
	s.loginIM(ctx, s.IM)
}

func (s *subject) mustFailWithEndedCtx(call string, f func(ctx context.Context) error) {
	s.Helper()
	if s.callWithEndedCtx(call, f) == nil {
		s.failf("%s with an ended ctx: got nil, want an error", call)
	}
}

func offlineLogin(ctx context.Context, s *subject) {
	s.Link(false)
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	err := s.mustReturn(short, "LoginIM", func(ctx context.Context) error {
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
	l.wait(ctx, func(r reports) bool { return !r.online() }) // the case link reports a failure
	err := s.Backend.LogoutIM(ctx)
	s.Link(true)
	if again := s.Backend.LoginIM(ctx, s.IM, newListener().notify()); again != nil {
		s.failf("LogoutIM returned %v; LoginIM after it: got error %v, want nil", err, again)
	}
}

func kicked(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	s.Kick()
	s.wantError("Lost after a kick", s.waitLost(ctx, l), engine.ErrKicked)
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
		s.failf("the kick of the second login was reported to the first: Lost %v", lost)
	}
}

func lateReports(ctx context.Context, s *subject) {
	first := s.loginIM(ctx, s.IM)
	s.Kick()
	s.waitLost(ctx, first)
	second := s.loginIM(ctx, s.IM)
	s.loginKit(ctx, s.Kit) // gives late reports time to arrive
	s.logoutKit(ctx)
	if n := second.heard(); len(n.lost)+len(n.links) > 0 {
		s.failf("after the kick of the first login the second got the reports Lost %v, Link %v, want none", n.lost, n.links)
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
	s.wantLinkReports(ctx, s.loginIM(ctx, s.IM))
}

func (s *subject) wantLinkReports(ctx context.Context, l *listener) {
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

// noTokenInErrors causes as many errors as it can, and looks for tokens in
// them. Other cases check which errors they are.
func noTokenInErrors(ctx context.Context, s *subject) {
	if s.Kick != nil {
		l := s.loginIM(ctx, s.IM)
		s.Kick()
		s.wantNoToken(s.waitLost(ctx, l))
	}
	s.wantNoToken(s.callWithEndedCtx("LoginIM", func(ended context.Context) error {
		return s.Backend.LoginIM(ended, s.IM, newListener().notify())
	}))
	s.wantNoToken(s.callWithEndedCtx("Authenticate", func(ended context.Context) error {
		_, err := s.Backend.Authenticate(ended, s.Kit)
		return err
	}))
	for _, a := range []engine.IMAccount{
		s.wrongIM(),
		{AppKey: s.IM.AppKey, Accid: unknownID, Token: s.IM.Token},
		s.IM,
		s.IM, // in use
	} {
		s.wantNoToken(s.Backend.LoginIM(ctx, a, newListener().notify()))
	}
	for _, a := range []engine.KitAccount{
		{UserUUID: s.Kit.UserUUID, Token: unknownToken},
		{UserUUID: unknownID, Token: s.Kit.Token},
	} {
		_, err := s.Backend.Authenticate(ctx, a)
		s.wantNoToken(err)
	}
}

// A shorter token may occur in an ordinary word.
const minTokenLength = 6

// wantNoToken fails the case if err contains a token. It cannot tell if the
// token also occurs in an id or in the text of the Code.
func (s *subject) wantNoToken(err error) {
	s.Helper()
	if err == nil {
		return
	}
	text := fmt.Sprintf("%v %+v", err, err)
	innocent := fmt.Sprint(engine.CodeOf(err), s.AppKey, s.IM, s.Kit, s.Other)
	for _, token := range []string{unknownToken, s.IM.Token, s.Kit.Token, s.Other.Token} {
		if len(token) >= minTokenLength && !strings.Contains(innocent, token) && strings.Contains(text, token) {
			s.failf("a token is in the error %q", text)
		}
	}
}
