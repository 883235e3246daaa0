package backendtest

import (
	"context"
	"errors"

	"github.com/imreuse/imreuse/engine"
)

// The cases of tokens that run out, and of sessions that get new ones.

// loginKitToRenew logs Kit in over IM. The listener's Expired returns renews.
func (s *subject) loginKitToRenew(ctx context.Context, renews bool) *listener {
	s.Helper()
	s.loginIM(ctx, s.IM)
	s.authenticate(ctx, s.Kit)
	l := newListener()
	l.renews = renews
	s.ok("LoginKit", s.Backend.LoginKit(ctx, s.Kit, l.notify()))
	return l
}

func (s *subject) renewKit(ctx context.Context, token string) error {
	return s.Backend.(engine.KitRenewer).RenewKit(ctx, engine.KitAccount{UserUUID: s.Kit.UserUUID, Token: token})
}

// expire lets the token of Kit run out, and returns it. It skips the case if
// there is no new one.
func (s *subject) expire() (old string) {
	s.Helper()
	old = s.Kit.Token
	s.Expire()
	if s.Kit.Token == old {
		s.Skip("Harness.Expire has put no new token into Kit")
	}
	return old
}

// waitExpired waits until l has heard at least times times that the token expired.
func (s *subject) waitExpired(ctx context.Context, l *listener, times int) {
	s.Helper()
	if !l.wait(ctx, func(r reports) bool { return r.expired >= times || len(r.lost) > 0 }) {
		s.failf("Expired was not called within %v", patience)
	}
	if n := l.heard(); n.expired < times {
		s.failf("Lost was called with %v, and not Expired first", n.lost[0])
	}
}

func (s *subject) notLost(after string, l *listener) {
	s.Helper()
	if lost := l.heard().lost; len(lost) > 0 {
		s.failf("after %s: Lost was called with %v", after, lost)
	}
}

func kitExpired(ctx context.Context, s *subject) {
	l := s.loginKitToRenew(ctx, false)
	s.Expire()
	s.waitExpired(ctx, l, 1)
}

func kitExpiredLost(ctx context.Context, s *subject) {
	l := s.loginKitToRenew(ctx, false)
	s.Expire()
	if cause := s.waitLost(ctx, l); !errors.Is(cause, engine.ErrTokenExpired) {
		s.failf("Lost was called with %v, want %v", cause, engine.ErrTokenExpired)
	}
}

func kitExpiredHolds(ctx context.Context, s *subject) {
	l := s.loginKitToRenew(ctx, true)
	s.expire()
	if !l.wait(ctx, func(r reports) bool { return r.expired+len(r.lost) > 0 }) {
		return // kit-expired is about that
	}
	s.ok("RenewKit with a new token", s.renewKit(ctx, s.Kit.Token))
	s.notLost("RenewKit", l)
	s.ok("LogoutKit", s.Backend.LogoutKit(ctx))
	s.notLost("LogoutKit", l)
}

func kitExpiredLogin(ctx context.Context, s *subject) {
	s.authenticate(ctx, s.Kit)
	old := s.expire()
	_, err := s.Backend.Authenticate(ctx, engine.KitAccount{UserUUID: s.Kit.UserUUID, Token: old})
	s.wantError("Authenticate with a token that has run out", err, engine.ErrTokenExpired, engine.ErrTokenRejected)
	s.authenticate(ctx, s.Kit)
}

func kitRenew(ctx context.Context, s *subject) {
	l := s.loginKitToRenew(ctx, true)
	for range 2 {
		s.ok("RenewKit", s.renewKit(ctx, s.Kit.Token))
	}
	s.notLost("RenewKit", l)
	s.ok("LogoutKit", s.Backend.LogoutKit(ctx))
}

func kitRenewWrongToken(ctx context.Context, s *subject) {
	l := s.loginKitToRenew(ctx, true)
	s.wantError("RenewKit with a wrong token", s.renewKit(ctx, unknownToken), engine.ErrTokenRejected, engine.ErrTokenExpired)
	s.notLost("RenewKit with a wrong token", l)
	s.ok("RenewKit with the right token", s.renewKit(ctx, s.Kit.Token))
}

func kitRenewEndedCtx(ctx context.Context, s *subject) {
	s.loginKitToRenew(ctx, true)
	s.callWithEndedCtx("RenewKit", func(ended context.Context) error { return s.renewKit(ended, s.Kit.Token) })
	s.ok("RenewKit", s.renewKit(ctx, s.Kit.Token))
}

func kitRenewedExpires(ctx context.Context, s *subject) {
	l := s.loginKitToRenew(ctx, true)
	for i := range 2 {
		s.expire()
		s.waitExpired(ctx, l, i+1)
		s.ok("RenewKit with a new token", s.renewKit(ctx, s.Kit.Token))
	}
	s.notLost("RenewKit", l)
}

func engineRenewed(ctx context.Context, s *subject) {
	given := s.Kit
	tokens := make(chan string, 1)
	e, err := engine.New(s.Backend, s.AppKey, &engine.Options{Mode: engine.AutoLogin,
		KitToken: func(ctx context.Context, _, _ string) (string, error) {
			select {
			case token := <-tokens:
				return token, nil
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		}})
	s.ok("engine.New", err)
	s.engine = e
	s.ok("Engine.LoginKit", e.LoginKit(ctx, given))
	s.expire()
	tokens <- s.Kit.Token
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	expired := false
	for now := range e.Watch(ctx) {
		if now.State != engine.KitLoggedIn {
			s.failf("the engine is in %v because of %v", now.State, now.Cause)
		}
		if expired && !now.Expired {
			return
		}
		expired = now.Expired
		if !expired && len(tokens) == 0 {
			return // renewed before Watch began
		}
	}
	s.failf("the engine has not renewed the token within %v", patience)
}
