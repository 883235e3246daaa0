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

// A Harness is a fresh backend, with nobody logged in, and what the suite needs
// to know of it and to do behind its back. Cases that need a field which is
// nil or zero are skipped.
type Harness struct {
	Backend engine.Backend
	AppKey  string
	IM      engine.IMAccount  // a valid account
	Kit     engine.KitAccount // a valid account, bound to IM
	Other   engine.KitAccount // a valid account, bound to another IM account; zero: there is none

	// Kick lets the service kick the account IM, and Link takes the IM link
	// down, or up again. They may return before the backend has noticed.
	Kick func()
	Link func(online bool)

	// HostLogin and HostLogout drive the IM SDK as the host does, behind the
	// engine's back, and return when that is done. HostLogout logs out whoever
	// is logged in. They are nil where the backend is no engine.IMAdopter, and
	// only there.
	HostLogin  func(ctx context.Context, a engine.IMAccount) error
	HostLogout func(ctx context.Context) error
}

// Run tests the backends that open makes: one for each case, which becomes
// a subtest. A case that fails says which rule the backend breaks. Run closes
// the backend; whatever else open made is for t.Cleanup.
//
// The suite waits for what it expects, up to 10 seconds, and never sleeps: it
// also serves backends that talk to other processes.
func Run(t *testing.T, open func(t *testing.T) *Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.try(t.Context(), t, open(t)) })
	}
}

const (
	patience  = 10 * time.Second // how long to wait for what must come
	caseLimit = time.Minute      // the ctx of a whole case
)

// A testCase tests one rule, and passes where others are broken as far as it
// can be helped: a backend with one fault then fails one case, which names it.
type testCase struct {
	name  string
	rule  string // what a backend that fails does not do
	needs need
	fresh bool // the case initialises IM itself
	run   func(ctx context.Context, s *subject)
}

func (c *testCase) try(ctx context.Context, t tester, h *Harness) {
	t.Helper()
	s := &subject{tester: t, Harness: h, rule: c.rule}
	if lack := h.lacks(); lack != "" {
		t.Fatalf("the Harness has no %s", lack)
	}
	defer s.close()
	if why := h.cannot(c.needs); why != "" {
		t.Skip(why)
	}
	ctx, cancel := context.WithTimeout(ctx, caseLimit)
	defer cancel()
	if !c.fresh {
		s.ok("InitIM", s.Backend.InitIM(ctx, s.AppKey))
	}
	c.run(ctx, s)
}

// need says which optional fields of the Harness a case uses.
type need uint8

const (
	kick need = 1 << iota
	link
	other
	host
)

// cannot returns why a case with these needs is skipped, or "".
func (h *Harness) cannot(n need) string {
	_, adopts := h.Backend.(engine.IMAdopter)
	switch {
	case n&kick != 0 && h.Kick == nil:
		return "Harness.Kick is nil"
	case n&link != 0 && h.Link == nil:
		return "Harness.Link is nil"
	case n&other != 0 && h.Other == engine.KitAccount{}:
		return "Harness.Other is zero"
	case n&host != 0 && !adopts:
		return "the backend is no engine.IMAdopter"
	case n&host != 0 && (h.HostLogin == nil || h.HostLogout == nil):
		return "Harness.HostLogin or HostLogout is nil"
	}
	return ""
}

// lacks names a field without which there is nothing to test, or "".
func (h *Harness) lacks() string {
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

// tester is what the cases need of a *testing.T. The tests of this package
// have another, on which a case may fail.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Skip(args ...any)
}

// A subject is a backend under test, with the steps that many cases take.
type subject struct {
	tester
	*Harness
	rule   string
	engine *engine.Engine // of the cases that have one: it owns the backend
	closed bool           // by the case
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

// refused fails the case unless the call failed with one of the errors.
func (s *subject) refused(call string, err error, want ...error) {
	s.Helper()
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	s.failf("%s: got error %v, want %v", call, err, want)
}

// close leaves nothing behind, and judges nothing: the case may have failed.
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

// loginIM logs a in, and returns who hears about that login.
func (s *subject) loginIM(ctx context.Context, a engine.IMAccount) *listener {
	s.Helper()
	l := newListener()
	s.ok("LoginIM", s.Backend.LoginIM(ctx, a, l.notify()))
	return l
}

// logoutIM logs IM out, whatever the backend says to it: what it should say is
// for the cases login-logout and logout-nobody.
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

// logoutKit is to the kit what logoutIM is to IM.
func (s *subject) logoutKit(ctx context.Context) { _ = s.Backend.LogoutKit(ctx) }

// waitLost waits until l has heard that its login was lost, and returns why.
func (s *subject) waitLost(ctx context.Context, l *listener) error {
	s.Helper()
	if !l.wait(ctx, func(n news) bool { return len(n.lost) > 0 }) {
		s.failf("Lost was not called within %v", patience)
	}
	return l.heard().lost[0]
}

// waitLinks waits until l has heard these changes of the link, and no others.
func (s *subject) waitLinks(ctx context.Context, l *listener, want ...bool) {
	s.Helper()
	l.wait(ctx, func(n news) bool { return len(n.links) >= len(want) })
	if got := l.heard().links; fmt.Sprint(got) != fmt.Sprint(want) {
		s.failf("changes reported to Link: got %v, want %v", got, want)
	}
}

// is fails the case unless got is that account, or one in another case.
func (s *subject) is(call string, got engine.IMAccount, accid string) {
	s.Helper()
	if !strings.EqualFold(got.Accid, accid) {
		s.failf("%s: got accid %q, want %q", call, got.Accid, accid)
	}
	if got.AppKey != "" && got.AppKey != s.AppKey {
		s.failf("%s: got AppKey %q, want %q or none", call, got.AppKey, s.AppKey)
	}
}

// returns runs f with a ctx that has ended, and fails the case where f goes on
// all the same.
func (s *subject) returns(call string, f func(ctx context.Context) error) error {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.returnsWith(ctx, call, f)
}

// returnsWith is returns with a ctx that will have ended soon.
func (s *subject) returnsWith(ctx context.Context, call string, f func(ctx context.Context) error) error {
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
