package backendtest

import (
	"context"
	"errors"
	"strings"

	"github.com/imreuse/imreuse/engine"
)

// startEngine makes an engine, which owns the backend from then on.
func (s *subject) startEngine(m engine.Mode) *engine.Engine {
	s.Helper()
	e, err := engine.New(s.Backend, s.AppKey, &engine.Options{Mode: m})
	s.ok("engine.New", err)
	s.engine = e
	return e
}

// wantState fails the case unless the engine is in that state, with the account
// IM if it is logged in.
func (s *subject) wantState(after string, want engine.State) {
	s.Helper()
	got := s.engine.Status()
	if got.State != want {
		s.failf("after %s: got state %v, want %v", after, got.State, want)
	}
	if want >= engine.IMLoggedIn && !strings.EqualFold(got.Accid, s.IM.Accid) {
		s.failf("after %s: got accid %q, want %q", after, got.Accid, s.IM.Accid)
	}
}

func (s *subject) engineLoginKit(ctx context.Context, reused bool) {
	s.Helper()
	s.ok("Engine.LoginKit", s.engine.LoginKit(ctx, s.Kit))
	s.wantState("Engine.LoginKit", engine.KitLoggedIn)
	if got := s.engine.Status().Reused(); got != reused {
		s.failf("after Engine.LoginKit: got Reused %v, want %v", got, reused)
	}
}

func (s *subject) engineLoginIM(ctx context.Context) {
	s.Helper()
	s.ok("Engine.InitIM", s.engine.InitIM(ctx))
	s.ok("Engine.LoginIM", s.engine.LoginIM(ctx, s.IM))
}

func engineAutoLogin(ctx context.Context, s *subject) {
	e := s.startEngine(engine.AutoLogin)
	s.engineLoginKit(ctx, false)
	s.ok("Engine.LogoutKit", e.LogoutKit(ctx))
	s.wantState("Engine.LogoutKit", engine.IMInitialized)
	s.ok("Engine.Close", e.Close())
}

func engineAutoDetect(ctx context.Context, s *subject) {
	e := s.startEngine(engine.AutoDetect)
	s.engineLoginKit(ctx, false)
	s.ok("Engine.LogoutKit", e.LogoutKit(ctx))
	s.engineLoginIM(ctx)
	s.engineLoginKit(ctx, true)
	s.ok("Engine.Close", e.Close())
}

func engineReuse(ctx context.Context, s *subject) {
	e := s.startEngine(engine.ReuseIM)
	s.engineLoginIM(ctx)
	for range 2 {
		s.engineLoginKit(ctx, true)
		s.ok("Engine.LogoutKit", e.LogoutKit(ctx))
		s.wantState("Engine.LogoutKit", engine.IMLoggedIn)
	}
	s.ok("Engine.LogoutIM", e.LogoutIM(ctx))
	s.wantState("Engine.LogoutIM", engine.IMInitialized)
	s.ok("Engine.Close", e.Close())
}

func engineMismatch(ctx context.Context, s *subject) {
	e := s.startEngine(engine.ReuseIM)
	s.engineLoginIM(ctx)
	s.wantError("Engine.LoginKit of Other", e.LoginKit(ctx, s.Other), engine.ErrIMAccountMismatch)
	s.wantState("a mismatch", engine.IMLoggedIn)
	s.engineLoginKit(ctx, true)
}

func engineKicked(ctx context.Context, s *subject) {
	s.startEngine(engine.AutoLogin)
	s.engineLoginKit(ctx, false)
	s.Kick()
	s.waitKicked(ctx)
	s.engineLoginKit(ctx, false)
}

// waitKicked waits until the engine's Status shows the kick.
func (s *subject) waitKicked(ctx context.Context) {
	s.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for now := range s.engine.Watch(ctx) {
		if now.State != engine.IMInitialized {
			continue
		}
		if !errors.Is(now.Cause, engine.ErrKicked) {
			s.failf("after a kick: got cause %v, want %v", now.Cause, engine.ErrKicked)
		}
		return
	}
	s.failf("the engine did not reach im_initialized within %v of a kick", patience)
}

func engineAdopt(ctx context.Context, s *subject) {
	e := s.startEngine(engine.ReuseIM)
	s.ok("Engine.InitIM", e.InitIM(ctx))
	s.hostLogin(ctx, s.IM)
	s.engineLoginKit(ctx, true)
	s.ok("Engine.LogoutKit", e.LogoutKit(ctx))
	s.wantState("Engine.LogoutKit", engine.IMLoggedIn)
	s.ok("Engine.Close", e.Close())
}

func engineAdoptKicked(ctx context.Context, s *subject) {
	e := s.startEngine(engine.ReuseIM)
	s.ok("Engine.InitIM", e.InitIM(ctx))
	s.hostLogin(ctx, s.IM)
	s.engineLoginKit(ctx, true)
	s.Kick()
	s.waitKicked(ctx)
	s.wantError("Engine.LoginKit after a kick", e.LoginKit(ctx, s.Kit), engine.ErrIMNotLoggedIn)
	s.hostLogin(ctx, s.IM)
	s.engineLoginKit(ctx, true)
}
