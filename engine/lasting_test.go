package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// A service is a backend for the tests of tokens. It writes down each call with
// its token, and the questions that it answers as a source of tokens among
// them: "KitToken user1 <refused>".
type service struct {
	bound engine.IMAccount // what Authenticate answers

	ring    chan struct{} // rings at each call
	mu      sync.Mutex
	calls   []string
	acts    map[string][]act    // what the next such calls do, by "Authenticate" or "Authenticate t1"
	tokens  map[string][]any    // what a source says next: a token, an error, or an act
	im, kit engine.Notify       // of the latest logins
	kits    []engine.KitAccount // what LoginKit and RenewKit got
	ims     []engine.IMAccount  // what LoginIM got
}

type act func(ctx context.Context) error

func newService() *service {
	return &service{bound: imAccount, ring: make(chan struct{}, 1), acts: map[string][]act{}, tokens: map[string][]any{}}
}

// fails makes the next such calls fail, each with one of the errors.
func (s *service) fails(call string, errs ...error) {
	for _, err := range errs {
		s.does(call, func(context.Context) error { return err })
	}
}

func (s *service) does(call string, acts ...act) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts[call] = append(s.acts[call], acts...)
}

// gives makes a source answer with each of the values in turn.
func (s *service) gives(source string, values ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[source] = append(s.tokens[source], values...)
}

// called returns the calls since it was asked last.
func (s *service) called() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func (s *service) wantCalls(t *testing.T, want ...string) {
	t.Helper()
	if got := s.called(); !slices.Equal(got, want) {
		t.Errorf("calls:\ngot  %q\nwant %q", got, want)
	}
}

// note is called with mu held.
func (s *service) note(call string) {
	s.calls = append(s.calls, call)
	select {
	case s.ring <- struct{}{}:
	default:
	}
}

// waitForCall waits until something is called, which must be soon, and returns
// how long that took.
func (s *service) waitForCall(t *testing.T, atMost time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		s.mu.Lock()
		n := len(s.calls)
		s.mu.Unlock()
		if n > 0 {
			synctest.Wait()
			return time.Since(began)
		}
		select {
		case <-s.ring:
		case <-time.After(atMost + time.Millisecond):
			t.Fatalf("nothing was called for %v, want a pause of at most %v", time.Since(began), atMost)
		}
	}
}

func (s *service) call(ctx context.Context, name, token string) error {
	s.mu.Lock()
	line := name
	if token != "" {
		line += " " + token
	}
	s.note(line)
	var next act
	for _, key := range []string{line, name} {
		if next == nil && len(s.acts[key]) > 0 {
			next, s.acts[key] = s.acts[key][0], s.acts[key][1:]
		}
	}
	s.mu.Unlock()
	if next == nil {
		return nil
	}
	return next(ctx)
}

func (s *service) source(name string) func(context.Context, string, string) (string, error) {
	return func(ctx context.Context, id, refused string) (string, error) {
		s.mu.Lock()
		s.note(fmt.Sprintf("%s %s %s", name, id, refused))
		var next any = errors.New("the source has no more")
		if list := s.tokens[name]; len(list) > 0 {
			next, s.tokens[name] = list[0], list[1:]
		}
		s.mu.Unlock()
		switch next := next.(type) {
		case string:
			return next, nil
		case act:
			return "late", next(ctx)
		default:
			return "", next.(error)
		}
	}
}

func (s *service) InitIM(ctx context.Context, _ string) error { return s.call(ctx, "InitIM", "") }

func (s *service) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	s.mu.Lock()
	s.im, s.ims = n, append(s.ims, a)
	s.mu.Unlock()
	return s.call(ctx, "LoginIM", a.Token)
}

func (s *service) LogoutIM(ctx context.Context) error { return s.call(ctx, "LogoutIM", "") }

func (s *service) Authenticate(ctx context.Context, a engine.KitAccount) (engine.IMAccount, error) {
	return s.bound, s.call(ctx, "Authenticate", a.Token)
}

func (s *service) Anonymous(ctx context.Context) (engine.KitAccount, error) {
	return engine.KitAccount{UserUUID: "guest"}, s.call(ctx, "Anonymous", "")
}

func (s *service) LoginKit(ctx context.Context, a engine.KitAccount, n engine.Notify) error {
	s.mu.Lock()
	s.kit, s.kits = n, append(s.kits, a)
	s.mu.Unlock()
	return s.call(ctx, "LoginKit", a.Token)
}

func (s *service) LogoutKit(ctx context.Context) error { return s.call(ctx, "LogoutKit", "") }

func (s *service) RenewKit(ctx context.Context, a engine.KitAccount) error {
	s.mu.Lock()
	s.kits = append(s.kits, a)
	s.mu.Unlock()
	return s.call(ctx, "RenewKit", a.Token)
}

func (s *service) Close() error { return s.call(context.Background(), "Close", "") }

func (s *service) notifies() (im, kit engine.Notify) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.im, s.kit
}

func (s *service) imNotify() engine.Notify  { im, _ := s.notifies(); return im }
func (s *service) kitNotify() engine.Notify { _, kit := s.notifies(); return kit }

// sources says which functions the options of a test have.
func (s *service) options(o engine.Options, sources ...string) *engine.Options {
	for _, name := range sources {
		switch name {
		case "KitToken":
			o.KitToken = s.source(name)
		case "IMToken":
			o.IMToken = s.source(name)
		}
	}
	return &o
}

// The accounts as a host with a source gives them.
var (
	tokenlessKit = engine.KitAccount{UserUUID: kitAccount.UserUUID}
	tokenlessIM  = engine.IMAccount{Accid: imAccount.Accid}
)

// noCtx is what a host passes that has no ctx.
var noCtx context.Context

// untilEnd is an act that goes on until its ctx ends.
func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// blocked returns an act that ignores its ctx, and goes on until release.
func blocked() (a act, release func()) {
	gate := make(chan struct{})
	return func(context.Context) error { <-gate; return nil }, sync.OnceFunc(func() { close(gate) })
}

// inBubble runs a test over a fresh service in a bubble.
func inBubble(t *testing.T, run func(t *testing.T, s *service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, newService()) })
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	var e *engine.Error
	switch {
	case !errors.Is(err, want):
		t.Errorf("got %v, want %v", err, want)
	case err != nil && !errors.As(err, &e):
		t.Errorf("%v is a %T, want an *engine.Error", err, err)
	}
}

// wantFailure asserts that err is want, in that call.
func wantFailure(t *testing.T, err, want error, call string) {
	t.Helper()
	wantErr(t, err, want)
	var e *engine.Error
	if errors.As(err, &e) && e.Call != call {
		t.Errorf("%v: Call is %q, want %q", err, e.Call, call)
	}
}

// settled waits until everything waits for time or for the test, and returns
// the Status.
func settled(e *engine.Engine) engine.Status {
	synctest.Wait()
	return e.Status()
}

// after waits for that long, and until everything waits again.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
