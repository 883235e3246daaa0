package backendtest

import (
	"context"

	"github.com/imreuse/imreuse/engine"
)

func adopter(_ context.Context, s *subject) {
	_, adopts := s.Backend.(engine.IMAdopter)
	switch hooks := s.HostLogin != nil && s.HostLogout != nil; {
	case adopts && !hooks:
		s.failf("the backend is an engine.IMAdopter, but Harness.HostLogin or HostLogout is nil: adoption would stay untested")
	case !adopts && (s.HostLogin != nil || s.HostLogout != nil):
		s.failf("Harness.HostLogin or HostLogout is there, but the backend is no engine.IMAdopter; does a wrapper that embeds engine.Backend hide AdoptIM?")
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

// hostLoginOther logs the host in as another account. An SDK may want the one
// that is there logged out first.
func (s *subject) hostLoginOther(ctx context.Context) engine.IMAccount {
	s.Helper()
	a := s.authenticate(ctx, s.Other)
	if s.HostLogin(ctx, a) != nil {
		s.hostLogout(ctx)
		s.hostLogin(ctx, a)
	}
	return a
}

// adopts takes over the login of a, which must be there.
func (s *subject) adopts(ctx context.Context, a engine.IMAccount) *listener {
	s.Helper()
	l := newListener()
	got, err := s.Backend.(engine.IMAdopter).AdoptIM(ctx, l.notify())
	s.ok("AdoptIM", err)
	s.is("AdoptIM", got, a.Accid)
	return l
}

// adoptsNobody fails the case where there is a login to take over.
func (s *subject) adoptsNobody(ctx context.Context, when string) *listener {
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
	dropped := s.adoptsNobody(ctx, "before InitIM")
	s.ok("InitIM", s.Backend.InitIM(ctx, s.AppKey))
	s.adoptsNobody(ctx, "after InitIM")
	s.hostLogin(ctx, s.IM)
	s.hostLogout(ctx)
	s.adoptsNobody(ctx, "after the host logged out")
	if n := dropped.heard(); len(n.lost)+len(n.links) > 0 {
		s.failf("a Notify for nobody heard Lost %v, Link %v of a later login", n.lost, n.links)
	}
}

func adopt(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	s.adopts(ctx, s.IM)
}

func adoptBeforeInit(ctx context.Context, s *subject) {
	if s.HostLogin(ctx, s.IM) != nil {
		s.adoptsNobody(ctx, "after the host's login without InitIM failed")
		return
	}
	l := s.adopts(ctx, s.IM)
	s.ok("InitIM after the host's", s.Backend.InitIM(ctx, s.AppKey))
	if n := l.heard(); len(n.lost)+len(n.links) > 0 {
		s.failf("InitIM disturbed the host's login: Lost %v, Link %v", n.lost, n.links)
	}
}

func adoptOwn(ctx context.Context, s *subject) {
	if s.Backend.LoginIM(ctx, s.wrongIM(), newListener().notify()) != nil {
		s.adoptsNobody(ctx, "after a LoginIM that failed")
	}
	s.logoutIM(ctx) // anybody who is there all the same is for another case
	s.loginIM(ctx, s.IM)
	s.adoptsNobody(ctx, "after LoginIM")
	s.logoutIM(ctx)
	s.adoptsNobody(ctx, "after LoginIM and LogoutIM")
}

func adoptInUse(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	err := s.Backend.LoginIM(ctx, s.IM, newListener().notify())
	s.refused("LoginIM over the host's login", err, engine.ErrIMInUse)
	s.adopts(ctx, s.IM)
}

func adoptLogout(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	s.adopts(ctx, s.IM)
	s.logoutIM(ctx)
	s.adoptsNobody(ctx, "after LogoutIM")
	s.loginIM(ctx, s.IM)
}

func adoptKicked(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	l := s.adopts(ctx, s.IM)
	s.Kick()
	s.refused("Lost after a kick", s.waitLost(ctx, l), engine.ErrKicked)
}

func adoptLink(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	s.linkIsReported(ctx, s.adopts(ctx, s.IM))
}

func adoptOffline(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	first := s.adopts(ctx, s.IM)
	s.Link(false)
	s.waitLinks(ctx, first, false) // Now the backend knows.
	if second := s.adopts(ctx, s.IM).heard(); second.online() {
		s.failf("AdoptIM of a login whose link is down returned without Link(false)")
	}
}

func hostLogout(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	l := s.adopts(ctx, s.IM)
	s.hostLogout(ctx)
	s.refused("Lost after the host logged out", s.waitLost(ctx, l), engine.ErrIMLoggedOut)
}

func hostLogoutOwn(ctx context.Context, s *subject) {
	l := s.loginIM(ctx, s.IM)
	s.hostLogout(ctx)
	s.refused("Lost after the host logged out", s.waitLost(ctx, l), engine.ErrIMLoggedOut)
}

func hostSwitch(ctx context.Context, s *subject) {
	s.hostLogin(ctx, s.IM)
	s.switches(ctx, s.adopts(ctx, s.IM))
}

func hostSwitchOwn(ctx context.Context, s *subject) {
	s.switches(ctx, s.loginIM(ctx, s.IM))
}

func (s *subject) switches(ctx context.Context, first *listener) {
	s.Helper()
	now := s.hostLoginOther(ctx)
	s.refused("Lost after the host's login as another account", s.waitLost(ctx, first), engine.ErrIMLoggedOut)
	s.adopts(ctx, now)
}
