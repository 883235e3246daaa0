package hostim_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// when an SDK reports a login or logout that it was asked for.
type when int

const (
	before when = iota // the call returns
	never
)

var (
	alice = engine.IMAccount{Accid: "Alice", Token: "alice-token"}
	bob   = engine.IMAccount{Accid: "bob", Token: "bob-token"}
)

// An sdk is a host's IM SDK: one account, and callbacks, in which the host
// reports to an IM.
type sdk struct {
	im     *hostim.IM
	report when
	verify func(context.Context, engine.IMAccount) error // of the service

	mu    sync.Mutex
	calls []string
	who   string
	hosts bool // the host asked for that login
	fail  map[string]error
	// inside is called in the middle of each call, as what happens
	// meanwhile.
	inside func(call string)
}

func newSDK(report when) *sdk {
	s := &sdk{report: report, fail: map[string]error{}, verify: func(_ context.Context, a engine.IMAccount) error {
		if a != alice && a != bob {
			return engine.ErrTokenRejected
		}
		return nil
	}}
	s.im = hostim.Wrap(hostim.Client{Init: s.init, Login: s.login, Logout: s.logout})
	return s
}

func (s *sdk) enter(call string) error {
	s.mu.Lock()
	s.calls = append(s.calls, call)
	inside, err := s.inside, s.fail[call]
	s.mu.Unlock()
	if inside != nil {
		inside(call)
	}
	return err
}

func (s *sdk) init(context.Context, string) error { return s.enter("Init") }

func (s *sdk) login(ctx context.Context, a engine.IMAccount) error {
	if err := s.enter("Login"); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := s.verify(ctx, a); err != nil {
		return err
	}
	s.say(s.im.LoggingIn)
	s.setBy(a.Accid, false)
	s.say(func() { s.im.LoggedIn(engine.IMAccount{Accid: a.Accid}) })
	return nil
}

func (s *sdk) logout(context.Context) error {
	err := s.enter("Logout")
	switch who, hosts := s.setBy("", false); {
	case who == "":
	case hosts && s.report == never: // of its own logins it reports everything
		s.im.LoggedOut(nil)
	default:
		s.say(func() { s.im.LoggedOut(nil) })
	}
	return err
}

func (s *sdk) set(who string) (old string) {
	old, _ = s.setBy(who, false)
	return old
}

func (s *sdk) setBy(who string, host bool) (old string, wasHosts bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, wasHosts = s.who, s.hosts
	s.who, s.hosts = who, host
	return old, wasHosts
}

func (s *sdk) say(report func()) {
	if s.report == before {
		report()
	}
}

func (s *sdk) called() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.calls)
}

// The host uses its SDK behind the engine's back.

func (s *sdk) hostLogin(a engine.IMAccount) {
	if s.set("") != "" {
		s.im.LoggedOut(nil)
	}
	s.im.LoggingIn()
	s.setBy(a.Accid, true)
	s.im.LoggedIn(a)
}

func (s *sdk) hostLogout() {
	s.set("")
	s.im.LoggedOut(nil)
}

// end ends the login, as the service does.
func (s *sdk) end(cause error) {
	s.set("")
	s.im.LoggedOut(cause)
}

// A listener records the reports about one login.
type listener struct {
	mu    sync.Mutex
	lost  []error
	links []bool
}

func (l *listener) notify() engine.Notify {
	return engine.Notify{
		Lost: func(cause error) { l.mu.Lock(); defer l.mu.Unlock(); l.lost = append(l.lost, cause) },
		Link: func(online bool) { l.mu.Lock(); defer l.mu.Unlock(); l.links = append(l.links, online) },
	}
}

// heard fails unless the login was lost once, with a cause that matches want.
// If want is nil, the login must not be lost.
func (l *listener) heard(t *testing.T, want error) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case want == nil && len(l.lost) > 0:
		t.Errorf("got lost %v, want nothing", l.lost)
	case want != nil && (len(l.lost) != 1 || !errors.Is(l.lost[0], want)):
		t.Errorf("got lost %v, want %v once", l.lost, want)
	}
}

// adopts fails unless AdoptIM finds want; "" means nobody.
func adopts(t *testing.T, im *hostim.IM, want string) *listener {
	t.Helper()
	var l listener
	a, err := im.AdoptIM(t.Context(), l.notify())
	if err != nil || a.Accid != want || a.Token != "" {
		t.Errorf("AdoptIM: got %q and %v, want %q", a.Accid, err, want)
	}
	return &l
}

// logsIn fails unless LoginIM succeeds.
func logsIn(t *testing.T, s *sdk, a engine.IMAccount) *listener {
	t.Helper()
	var l listener
	if err := s.im.LoginIM(t.Context(), a, l.notify()); err != nil {
		t.Fatalf("LoginIM: %v", err)
	}
	return &l
}
