package sharedim_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

// A script is an IM that does nothing, unless a test sets what it does. It
// tests the seats without an engine.
type script struct {
	init   func(context.Context) error
	login  func(context.Context, engine.Notify) error
	logout func(context.Context) error
	adopt  func(context.Context, engine.Notify) (engine.IMAccount, error)

	mu    sync.Mutex
	calls []string
}

func (s *script) note(call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

func (s *script) count(call string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c == call {
			n++
		}
	}
	return n
}

func (s *script) InitIM(ctx context.Context, _ string) error {
	s.note("InitIM")
	if s.init != nil {
		return s.init(ctx)
	}
	return nil
}

func (s *script) LoginIM(ctx context.Context, _ engine.IMAccount, n engine.Notify) error {
	s.note("LoginIM")
	if s.login != nil {
		return s.login(ctx, n)
	}
	return nil
}

func (s *script) LogoutIM(ctx context.Context) error {
	s.note("LogoutIM")
	if s.logout != nil {
		return s.logout(ctx)
	}
	return nil
}

func (s *script) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	s.note("AdoptIM")
	if s.adopt != nil {
		return s.adopt(ctx, n)
	}
	return engine.IMAccount{}, nil
}

// hostIsAlice makes AdoptIM find a login of the host's.
func (s *script) hostIsAlice() {
	s.adopt = func(context.Context, engine.Notify) (engine.IMAccount, error) {
		return engine.IMAccount{AppKey: appKey, Accid: alice.Accid}, nil
	}
}

// A listener keeps what the Notify of one login reported.
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

// wantLost fails unless these losses were reported, in this order.
func (l *listener) wantLost(t *testing.T, want ...error) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lost) != len(want) {
		t.Errorf("Lost: got %v, want %v", l.lost, want)
		return
	}
	for i, cause := range l.lost {
		if !errors.Is(cause, want[i]) {
			t.Errorf("Lost: got %v, want %v", l.lost, want)
		}
	}
}

func mustLogIn(t *testing.T, seat *sharedim.Seat) *listener {
	t.Helper()
	l := new(listener)
	if err := seat.LoginIM(t.Context(), alice, l.notify()); err != nil {
		t.Fatalf("LoginIM: %v", err)
	}
	return l
}

// mustAdopt fails unless AdoptIM finds want; "" means nobody.
func mustAdopt(t *testing.T, seat *sharedim.Seat, want string) *listener {
	t.Helper()
	l := new(listener)
	a, err := seat.AdoptIM(t.Context(), l.notify())
	if err != nil || a.Accid != want || a.Token != "" {
		t.Errorf("AdoptIM: got %q and %v, want %q", a.Accid, err, want)
	}
	return l
}

func wantCalls(t *testing.T, im *script, call string, want int) {
	t.Helper()
	if got := im.count(call); got != want {
		t.Errorf("%s was called %d times, want %d", call, got, want)
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// wantPanic fails unless f panics.
func wantPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}
