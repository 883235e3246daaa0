package backendtest

import (
	"context"

	"github.com/imreuse/imreuse/engine"
)

func adopter(_ context.Context, s *subject) {
	_, adopts := s.Backend.(engine.IMAdopter)
	switch hooks := s.HostLogin != nil && s.HostLogout != nil; {
	case adopts && !hooks:
		s.failf("the backend is an engine.IMAdopter, but Harness.HostLogin or HostLogout is nil, so adoption would not be tested")
	case !adopts && (s.HostLogin != nil || s.HostLogout != nil):
		s.failf("Harness.HostLogin or HostLogout is set, but the backend is not an engine.IMAdopter; does a wrapper that embeds engine.Backend hide AdoptIM?")
	}
}

func (s *subject) hostLogin(ctx context.Context, a engine.IMAccount) {
	s.Helper()
	s.ok("HostLogin", s.HostLogin(ctx, a))
}

func (s *subject) hostLogout(ctx context.Context) {
	s.Helper()
	s.ok("HostLogout", s.HostLogout(ctx))
}

// hostLoginOther makes the host log in another account. It logs the current one
// out first if the SDK insists.
func (s *subject) hostLoginOther(ctx context.Context) engine.IMAccount {
	s.Helper()
	a := s.authenticate(ctx, s.Other)
	if s.HostLogin(ctx, a) != nil {
		s.hostLogout(ctx)
		s.hostLogin(ctx, a)
	}
	return a
}

// mustAdopt fails the case unless AdoptIM returns the login of a.
func (s *subject) mustAdopt(ctx context.Context, a engine.IMAccount) *listener {
	s.Helper()
	l := newListener()
	got, err := s.Backend.(engine.IMAdopter).AdoptIM(ctx, l.notify())
	s.ok("AdoptIM", err)
	s.wantAccount("AdoptIM", got, a.Accid)
	return l
}

// mustAdoptNobody fails the case if AdoptIM returns a login.
func (s *subject) mustAdoptNobody(ctx context.Context, when string) *listener {
	s.Helper()
	l := newListener()
	got, err := s.Backend.(engine.IMAdopter).AdoptIM(ctx, l.notify())
	s.ok("AdoptIM "+when, err)
	if got.Accid != "" {
		s.failf("AdoptIM %s: got accid %q, want none", when, got.Accid)
	}
	return l
}

func adoptNobody(ctx context.Context, s *subject) {
	dropped := s.mustAdoptNobody(ctx, "before InitIM")
	s.ok("InitIM", s.Backend.InitIM(ctx, s.AppKey))
	s.mustAdoptNobody(ctx, "after InitIM")
	s.hostLogin(ctx, s.IM)
	s.hostLogout(ctx)
	s.mustAdoptNobody(ctx, "after the host logged out")
	if n := dropped.heard(); len(n.lost)+len(n.links) > 0 {
		s.failf("a Notify that AdoptIM had no login for got the reports Lost %v, Link %v of a later login", n.lost, n.links)
	}
}

func adopt(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	s.mustAdopt(ctx, s.IM)
}

func adoptBeforeInit(ctx context.Context, s *subject) {
	if s.HostLogin(ctx, s.IM) != nil {
		s.mustAdoptNobody(ctx, "after the host's login without InitIM failed")
		return
	}
	l := s.mustAdopt(ctx, s.IM)
	s.ok("InitIM after the host's", s.Backend.InitIM(ctx, s.AppKey))
	if n := l.heard(); len(n.lost)+len(n.links) > 0 {
		s.failf("InitIM disturbed the host's login: Lost %v, Link %v", n.lost, n.links)
	}
}

func adoptOwn(ctx context.Context, s *subject) {
	if s.Backend.LoginIM(ctx, s.wrongIM(), newListener().notify()) != nil {
		s.mustAdoptNobody(ctx, "after a LoginIM that failed")
	}
	s.logoutIM(ctx) // in case LoginIM succeeded, which another case reports
	s.loginIM(ctx, s.IM)
	s.mustAdoptNobody(ctx, "after LoginIM")
	s.logoutIM(ctx)
	s.mustAdoptNobody(ctx, "after LoginIM and LogoutIM")
}

func adoptInUse(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	err := s.Backend.LoginIM(ctx, s.IM, newListener().notify())
	s.wantError("LoginIM over the host's login", err, engine.ErrIMInUse)
	s.mustAdopt(ctx, s.IM)
}

func adoptLogout(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	s.mustAdopt(ctx, s.IM)
	s.logoutIM(ctx)
	s.mustAdoptNobody(ctx, "after LogoutIM")
	s.loginIM(ctx, s.IM)
}

func adoptKicked(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	l := s.mustAdopt(ctx, s.IM)
	s.Kick()
	s.wantError("Lost after a kick", s.waitLost(ctx, l), engine.ErrKicked)
}

func adoptLink(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	s.wantLinkReports(ctx, s.mustAdopt(ctx, s.IM))
}

func adoptOffline(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	first := s.mustAdopt(ctx, s.IM)
	s.Link(false)
	s.waitLinks(ctx, first, false) // the backend has noticed
	if second := s.mustAdopt(ctx, s.IM).heard(); second.online() {
		s.failf("AdoptIM of a login whose link is down returned without Link(false)")
	}
}

func hostLogout(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	l := s.mustAdopt(ctx, s.IM)
	s.hostLogout(ctx)
	s.wantError("Lost after the host logged out", s.waitLost(ctx, l), engine.ErrIMLoggedOut)
}

func hostLogoutOwn(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	s.hostLogout(ctx)
	s.wantError("Lost after the host logged out", s.waitLost(ctx, l), engine.ErrIMLoggedOut)
}

func hostSwitch(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	s.hostSwitchEndsLogin(ctx, s.mustAdopt(ctx, s.IM))
}

func hostSwitchOwn(ctx context.Context, s *subject) {
	s.hostSwitchEndsLogin(ctx, s.loginIM(ctx, s.IM))
}

func (s *subject) hostSwitchEndsLogin(ctx context.Context, first *listener) {
	s.Helper()
	now := s.hostLoginOther(ctx)
	s.wantError("Lost after the host's login as another account", s.waitLost(ctx, first), engine.ErrIMLoggedOut)
	s.mustAdopt(ctx, now)
}
