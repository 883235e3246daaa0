package backendtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// A Harness is a new backend with nobody logged in, accounts that are valid for
// it, and hooks that act behind its back. Backend, AppKey, IM and Kit are
// required; Run fails without them. A case that needs another field is skipped
// if that field is nil or zero.
type Harness struct {
	Backend engine.Backend
	AppKey  string
	IM      engine.IMAccount  // a valid account
	Kit     engine.KitAccount // a valid account, bound to IM
	Other   engine.KitAccount // a valid account, bound to another IM account

	// Kick makes the service kick the account IM. Link takes the IM link
	// down, or up again. Both may return before the backend has noticed.
	Kick func()
	Link func(online bool)

	// Expire lets the token of the account Kit run out, and lets the backend
	// notice if it does not by itself. It puts a new, valid token into
	// Kit.Token; if it cannot, the cases that need one are skipped. Expire may
	// return before the backend has noticed.
	Expire func()

	// HostLogin and HostLogout drive the IM SDK as the host does, behind
	// the engine's back. They return when the login or logout is done.
	// HostLogout logs out whoever is logged in. If the backend is an
	// engine.IMAdopter, both must be set; otherwise both must be nil.
	HostLogin  func(ctx context.Context, a engine.IMAccount) error
	HostLogout func(ctx context.Context) error
}

// Run tests a backend. It runs each case as a subtest, on a new backend that
// open makes. A case that fails names the rule that the backend breaks. Run
// closes the backend. If open makes anything else that must be closed, it
// registers that with t.Cleanup.
//
// The cases wait up to 10 seconds for an expected report and never sleep, so
// they also suit backends that talk to other processes.
func Run(t *testing.T, open func(t *testing.T) *Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.runOn(t.Context(), t, open(t)) })
	}
}

const (
	patience  = 10 * time.Second // the longest wait for an expected report or return
	caseLimit = time.Minute      // the timeout of the ctx of a whole case
)

// A testCase tests one rule. As far as possible it passes even if the backend
// breaks other rules, so that a backend with one fault fails the one case that
// names this fault.
type testCase struct {
	name  string
	rule  string
	needs need
	fresh bool // IM is not initialised before run
	run   func(ctx context.Context, s *subject)
}

func (c *testCase) runOn(ctx context.Context, t tester, h *Harness) {
	t.Helper()
	s := &subject{tester: t, Harness: h, rule: c.rule}
	if field := h.missingField(); field != "" {
		t.Fatalf("the Harness has no %s", field)
	}
	defer s.close()
	if reason := h.skipReason(c.needs); reason != "" {
		t.Skip(reason)
	}
	ctx, cancel := context.WithTimeout(ctx, caseLimit)
	defer cancel()
	if !c.fresh {
		s.ok("InitIM", s.Backend.InitIM(ctx, s.AppKey))
	}
	c.run(ctx, s)
}

// need is a set of optional fields of the Harness.
type need uint8

const (
	kick need = 1 << iota
	link
	other
	host
	expire
	renew
)

// skipReason returns why a case with these needs must be skipped, or "".
func (h *Harness) skipReason(n need) string {
	_, adopts := h.Backend.(engine.IMAdopter)
	_, renews := h.Backend.(engine.KitRenewer)
	switch {
	case n&kick != 0 && h.Kick == nil:
		return "Harness.Kick is nil"
	case n&link != 0 && h.Link == nil:
		return "Harness.Link is nil"
	case n&other != 0 && h.Other == engine.KitAccount{}:
		return "Harness.Other is zero"
	case n&expire != 0 && h.Expire == nil:
		return "Harness.Expire is nil"
	case n&renew != 0 && !renews:
		return "the backend is not an engine.KitRenewer"
	case n&host != 0 && !adopts:
		return "the backend is not an engine.IMAdopter"
	case n&host != 0 && (h.HostLogin == nil || h.HostLogout == nil):
		return "Harness.HostLogin or HostLogout is nil"
	}
	return ""
}

// missingField returns the name of a required field that is not set, or "".
func (h *Harness) missingField() string {
	switch {
	case h == nil || h.Backend == nil:
		return "Backend"
	case h.AppKey == "":
		return "AppKey"
	case h.IM.Accid == "":
		return "IM"
	case h.Kit.UserUUID == "":
		return "Kit"
	}
	return ""
}

// tester has the methods of *testing.T that the cases use. The tests of this
// package have an implementation of their own, on which a case may fail.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Skip(args ...any)
}

// A subject is a backend under test, with steps that many cases share.
type subject struct {
	tester
	*Harness
	rule   string
	engine *engine.Engine // if set, it owns the backend
	closed bool           // the case has closed the backend
}

func (s *subject) failf(format string, args ...any) {
	s.Helper()
	s.Fatalf("%s\nThe rule: %s", fmt.Sprintf(format, args...), s.rule)
}

// ok fails the case unless the call succeeded.
func (s *subject) ok(call string, err error) {
	s.Helper()
	if err != nil {
		s.failf("%s: got error %v, want nil", call, err)
	}
}

// wantError fails the case unless err is one of the errors.
func (s *subject) wantError(call string, err error, want ...error) {
	s.Helper()
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	s.failf("%s: got error %v, want %v", call, err, want)
}

// close logs out and closes the backend. It ignores errors, because other cases
// check them.
func (s *subject) close() {
	if s.closed {
		return
	}
	s.closed = true
	if s.engine != nil {
		_ = s.engine.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.logoutKit(ctx)
	s.logoutIM(ctx)
	_ = s.Backend.Close()
}

// loginIM logs a in, and returns the listener of that login.
func (s *subject) loginIM(ctx context.Context, a engine.IMAccount) *listener {
	s.Helper()
	l := newListener()
	s.ok("LoginIM", s.Backend.LoginIM(ctx, a, l.notify()))
	return l
}

// logoutIM logs IM out and ignores the error, which the cases login-logout and
// logout-nobody check.
func (s *subject) logoutIM(ctx context.Context) { _ = s.Backend.LogoutIM(ctx) }

func (s *subject) authenticate(ctx context.Context, a engine.KitAccount) engine.IMAccount {
	s.Helper()
	bound, err := s.Backend.Authenticate(ctx, a)
	s.ok("Authenticate", err)
	return bound
}

// loginKit logs a in as the engine does.
func (s *subject) loginKit(ctx context.Context, a engine.KitAccount) *listener {
	s.Helper()
	s.authenticate(ctx, a)
	l := newListener()
	s.ok("LoginKit", s.Backend.LoginKit(ctx, a, l.notify()))
	return l
}

// logoutKit logs the kit out and ignores the error, as logoutIM does.
func (s *subject) logoutKit(ctx context.Context) { _ = s.Backend.LogoutKit(ctx) }

// waitLost waits until the login of l is lost, and returns the cause.
func (s *subject) waitLost(ctx context.Context, l *listener) error {
	s.Helper()
	if !l.wait(ctx, func(r reports) bool { return len(r.lost) > 0 }) {
		s.failf("Lost was not called within %v", patience)
	}
	return l.heard().lost[0]
}

// waitLinks waits until exactly these changes of the link are reported to l.
func (s *subject) waitLinks(ctx context.Context, l *listener, want ...bool) {
	s.Helper()
	l.wait(ctx, func(r reports) bool { return len(r.links) >= len(want) })
	if got := l.heard().links; fmt.Sprint(got) != fmt.Sprint(want) {
		s.failf("changes reported to Link: got %v, want %v", got, want)
	}
}

// wantAccount fails the case unless got has that accid, in any letter case, and
// no other AppKey.
func (s *subject) wantAccount(call string, got engine.IMAccount, accid string) {
	s.Helper()
	if !strings.EqualFold(got.Accid, accid) {
		s.failf("%s: got accid %q, want %q", call, got.Accid, accid)
	}
	if got.AppKey != "" && got.AppKey != s.AppKey {
		s.failf("%s: got AppKey %q, want %q or none", call, got.AppKey, s.AppKey)
	}
}

// callWithEndedCtx runs f with a ctx that has ended, and returns its error. It
// fails the case if f does not return.
func (s *subject) callWithEndedCtx(call string, f func(ctx context.Context) error) error {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.mustReturn(ctx, call, f)
}

// mustReturn runs f with ctx, which ends soon, and returns its error. It fails
// the case if f does not return.
func (s *subject) mustReturn(ctx context.Context, call string, f func(ctx context.Context) error) error {
	s.Helper()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		s.failf("%s has not returned %v after its ctx ended", call, patience)
		return nil
	}
}
