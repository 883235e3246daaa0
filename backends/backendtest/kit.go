package backendtest

import (
	"context"
	"errors"
	"strings"

	"github.com/imreuse/imreuse/engine"
)

func authenticate(ctx context.Context, s *subject) {
	s.wantAccount("Authenticate", s.authenticate(ctx, s.Kit), s.IM.Accid)
}

func authenticateOther(ctx context.Context, s *subject) {
	bound := s.authenticate(ctx, s.Other)
	if bound.Accid == "" || strings.EqualFold(bound.Accid, s.IM.Accid) {
		s.failf("Authenticate of Other: got accid %q, want another than %q", bound.Accid, s.IM.Accid)
	}
	s.loginIM(ctx, bound)
}

func kitWrongToken(ctx context.Context, s *subject) {
	_, err := s.Backend.Authenticate(ctx, engine.KitAccount{UserUUID: s.Kit.UserUUID, Token: unknownToken})
	s.wantError("Authenticate with a wrong token", err, engine.ErrTokenRejected, engine.ErrTokenExpired)
	s.authenticate(ctx, s.Kit)
}

func kitUnknownAccount(ctx context.Context, s *subject) {
	_, err := s.Backend.Authenticate(ctx, engine.KitAccount{UserUUID: unknownID, Token: s.Kit.Token})
	s.wantError("Authenticate of an unknown account", err, engine.ErrTokenRejected, engine.ErrTokenExpired, engine.ErrNoIMAccount)
}

func kitLoginLogout(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	for range 2 { // the second is over the same IM login
		s.loginKit(ctx, s.Kit)
		s.ok("LogoutKit", s.Backend.LogoutKit(ctx))
	}
	if lost := l.heard().lost; len(lost) > 0 {
		s.failf("LogoutKit ended the IM login: Lost %v", lost)
	}
}

func kitLogoutNobody(ctx context.Context, s *subject) {
	s.ok("LogoutKit before a login", s.Backend.LogoutKit(ctx))
	s.loginIM(ctx, s.IM)
	s.loginKit(ctx, s.Kit)
	s.logoutKit(ctx)
	s.ok("LogoutKit again", s.Backend.LogoutKit(ctx))
}

func kitQuietLogout(ctx context.Context, s *subject) {
	s.loginIM(ctx, s.IM)
	l := s.loginKit(ctx, s.Kit)
	s.logoutKit(ctx)
	s.loginKit(ctx, s.Kit)
	s.logoutKit(ctx)
	if lost := l.heard().lost; len(lost) > 0 {
		s.failf("after LogoutKit: Lost was called with %v", lost)
	}
}

func kitEndedCtx(ctx context.Context, s *subject) {
	s.callWithEndedCtx("Authenticate", func(ended context.Context) error {
		_, err := s.Backend.Authenticate(ended, s.Kit)
		return err
	})
	s.callWithEndedCtx("Anonymous", func(ended context.Context) error {
		_, err := s.Backend.Anonymous(ended)
		return err
	})
	s.authenticate(ctx, s.Kit)
	s.loginIM(ctx, s.IM)
	s.mustFailWithEndedCtx("LoginKit", func(ended context.Context) error {
		return s.Backend.LoginKit(ended, s.Kit, newListener().notify())
	})
	s.loginKit(ctx, s.Kit)
}

func kitAfterKick(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	s.loginKit(ctx, s.Kit)
	s.Kick()
	s.waitLost(ctx, l)
	s.loginIM(ctx, s.IM)
	s.loginKit(ctx, s.Kit)
	s.logoutKit(ctx)
	s.logoutIM(ctx)
}

func anonymous(ctx context.Context, s *subject) {
	a, err := s.Backend.Anonymous(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	s.ok("Anonymous", err)
	if a.UserUUID == "" {
		s.failf("Anonymous: got an empty UserUUID")
	}
	bound := s.authenticate(ctx, a)
	if bound.Accid == "" {
		s.failf("Authenticate of an anonymous account: got an empty accid")
	}
	s.loginIM(ctx, bound)
	s.loginKit(ctx, a)
	s.logoutKit(ctx)
	s.logoutIM(ctx)
}

func closeAfterLogout(ctx context.Context, s *subject) {
	s.loginIM(ctx, s.IM)
	s.loginKit(ctx, s.Kit)
	s.logoutKit(ctx)
	s.logoutIM(ctx)
	closeUnused(ctx, s)
}

func closeUnused(_ context.Context, s *subject) {
	s.closed = true
	s.ok("Close", s.Backend.Close())
}
