package fleet_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// A script is an engine.IM that does nothing, unless a test sets what it does. It
// fails the test if two of its calls run at once.
type script struct {
	t      testing.TB
	init   func(context.Context) error
	login  func(context.Context, engine.Notify) error
	logout func(context.Context) error
	adopt  func(context.Context, engine.Notify) (engine.IMAccount, error)
	close  func() error

	running atomic.Int32
	mu      sync.Mutex
	calls   map[string]int
	notify  engine.Notify // of the last login
}

func (s *script) enter(call string) (leave func()) {
	if s.running.Add(1) > 1 {
		s.t.Errorf("%s was called while another call ran", call)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	s.calls[call]++
	return func() { s.running.Add(-1) }
}

func (s *script) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

func (s *script) InitIM(ctx context.Context, _ string) error {
	defer s.enter("InitIM")()
	if s.init != nil {
		return s.init(ctx)
	}
	return nil
}

func (s *script) LoginIM(ctx context.Context, _ engine.IMAccount, n engine.Notify) error {
	defer s.enter("LoginIM")()
	s.notify = n
	if s.login != nil {
		return s.login(ctx, n)
	}
	return nil
}

func (s *script) LogoutIM(ctx context.Context) error {
	defer s.enter("LogoutIM")()
	if s.logout != nil {
		return s.logout(ctx)
	}
	return nil
}

func (s *script) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	defer s.enter("AdoptIM")()
	s.notify = n
	if s.adopt != nil {
		return s.adopt(ctx, n)
	}
	return engine.IMAccount{}, nil
}

func (s *script) Close() error {
	defer s.enter("Close")()
	if s.close != nil {
		return s.close()
	}
	return nil
}

func (s *script) hostIs(a engine.IMAccount) {
	s.adopt = func(context.Context, engine.Notify) (engine.IMAccount, error) {
		return engine.IMAccount{AppKey: appKey, Accid: a.Accid}, nil
	}
}

// wantPanic fails unless f panics.
func wantPanic(t testing.TB, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

func wantCalls(t testing.TB, im *script, call string, want int) {
	t.Helper()
	if got := im.count(call); got != want {
		t.Errorf("%s was called %d times, want %d", call, got, want)
	}
}
