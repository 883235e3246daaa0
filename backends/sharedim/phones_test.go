package sharedim_test

import (
	"context"
	"strings"
	"sync"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A mockPhone is a device of mockim.
type mockPhone struct {
	*mockim.Device
	cloud *mockim.Service
}

func newMockPhone(cloud *mockim.Service) phone { return &mockPhone{cloud.Device(), cloud} }

func (p *mockPhone) hostLogin(a engine.IMAccount) error {
	if err := p.HostInit(context.Background()); err != nil {
		return err
	}
	return p.HostLogin(context.Background(), a)
}

func (p *mockPhone) hostLogout()      { p.HostLogout(context.Background()) }
func (p *mockPhone) link(online bool) { p.Link(online) }
func (p *mockPhone) loggedIn() string { return p.LoggedIn() }

func (p *mockPhone) block(call string) (release func()) { return p.Block(call) }
func (p *mockPhone) fail(call string, err error)        { p.Fail(call, err) }

func (p *mockPhone) count(call string) (n int) {
	for _, c := range p.Calls() {
		if name, _, _ := strings.Cut(c, " "); name == call {
			n++
		}
	}
	return n
}

func (p *mockPhone) end(cause error) { p.cloud.EndIM(p.LoggedIn(), cause) }

// An sdk is a host's IM SDK that keeps hostim's contract: its callbacks come
// one at a time and in order, and those caused by a call come before it
// returns.
type sdk struct {
	*hostim.IM
	cloud *mockim.Service

	mu     sync.Mutex
	who    string
	counts map[string]int
	blocks map[string]chan struct{}
	faults map[string]error
}

func newSDK(cloud *mockim.Service) phone {
	s := &sdk{cloud: cloud, counts: map[string]int{}, blocks: map[string]chan struct{}{}, faults: map[string]error{}}
	s.IM = hostim.Wrap(hostim.Client{Init: s.init, Login: s.login, Logout: s.logout})
	return s
}

// enter counts a call, then waits or fails if the test asked for that.
func (s *sdk) enter(ctx context.Context, call string) error {
	s.mu.Lock()
	s.counts[call]++
	block, err := s.blocks[call], s.faults[call]
	delete(s.faults, call)
	s.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (s *sdk) init(ctx context.Context, key string) error {
	if err := s.enter(ctx, "InitIM"); err != nil {
		return err
	}
	if key != appKey {
		return engine.ErrAppKeyMismatch
	}
	return nil
}

func (s *sdk) login(ctx context.Context, a engine.IMAccount) error {
	if err := s.enter(ctx, "LoginIM"); err != nil {
		return err
	}
	if known, found := s.cloud.FindIM(a.Accid); !found || known.Token != a.Token {
		return engine.ErrTokenRejected
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.who != "" {
		return engine.ErrIMInUse
	}
	s.setLocked(a)
	return nil
}

func (s *sdk) setLocked(a engine.IMAccount) {
	s.who = strings.ToLower(a.Accid)
	s.IM.LoggedIn(engine.IMAccount{AppKey: appKey, Accid: a.Accid})
}

func (s *sdk) logout(ctx context.Context) error {
	err := s.enter(ctx, "LogoutIM")
	s.end(nil)
	return err
}

func (s *sdk) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.who != "" {
		s.who = ""
		s.IM.LoggedOut(cause)
	}
}

func (s *sdk) hostLogin(a engine.IMAccount) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.who == strings.ToLower(a.Accid) {
		return nil
	}
	if s.who != "" {
		s.who = ""
		s.IM.LoggedOut(nil)
	}
	s.IM.LoggingIn()
	s.setLocked(a)
	return nil
}

func (s *sdk) hostLogout()      { s.end(nil) }
func (s *sdk) link(online bool) { s.IM.Link(online) }

func (s *sdk) loggedIn() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.who
}

func (s *sdk) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[call]
}

func (s *sdk) block(call string) (release func()) {
	block := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks[call] = block
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(block)
		delete(s.blocks, call)
	})
}

func (s *sdk) fail(call string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[call] = err
}
