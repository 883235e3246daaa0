package hostim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/engine"
)

func TestLoginFails(t *testing.T) {
	s := newSDK(before)
	var l listener
	wrong := engine.IMAccount{Accid: "bob", Token: "no"}
	if err := s.im.LoginIM(t.Context(), wrong, l.notify()); !errors.Is(err, engine.ErrTokenRejected) {
		t.Fatalf("got %v, want ErrTokenRejected", err)
	}
	l.heard(t, nil)
	adopts(t, s.im, "")
	s.im.LoggedIn(bob) // the host, with the right token
	adopts(t, s.im, "bob")
	if got, want := s.called(), "[Login]"; got != want {
		t.Errorf("got calls %s, want %s", got, want)
	}
}

// The SDK says that the login succeeded, but its function fails.
func TestLoginFailsAfterReport(t *testing.T) {
	s := newSDK(before)
	broken := errors.New("broken")
	s.fail["Login"] = broken
	s.inside = func(call string) {
		if call == "Login" {
			s.set("alice")
			s.im.LoggedIn(alice)
		}
	}
	var l listener
	if err := s.im.LoginIM(t.Context(), alice, l.notify()); !errors.Is(err, broken) {
		t.Fatalf("got %v, want %v", err, broken)
	}
	l.heard(t, nil)
	if got, want := s.called(), "[Login Logout]"; got != want {
		t.Errorf("got calls %s, want %s", got, want)
	}
	adopts(t, s.im, "")
}

// If the SDK says that the host was faster, the reported login is the host's.
func TestHostIsFaster(t *testing.T) {
	s := newSDK(before)
	s.fail["Login"] = engine.ErrIMInUse
	s.inside = func(call string) {
		if call == "Login" {
			s.set("alice")
			s.im.LoggedIn(alice)
			s.im.Link(false)
		}
	}
	var first, second listener
	if err := s.im.LoginIM(t.Context(), alice, first.notify()); !errors.Is(err, engine.ErrIMInUse) {
		t.Fatalf("got %v, want ErrIMInUse", err)
	}
	got, err := s.im.AdoptIM(t.Context(), second.notify())
	if err != nil || got.Accid != "alice" {
		t.Errorf("AdoptIM: got %v, %v, want alice", got, err)
	}
	s.im.LoggedOut(engine.ErrKicked)
	first.heard(t, nil)
	second.heard(t, engine.ErrKicked)
	if got, want := s.called(), "[Login]"; got != want {
		t.Errorf("got calls %s, want %s", got, want)
	}
}

// The caller gives up, but the SDK logs in all the same.
func TestGivenUpLoginIsNeverTheHosts(t *testing.T) {
	tests := []struct {
		name   string
		report func(*sdk) // after LoginIM has failed
		want   string
		calls  string
	}{
		{"no report", func(*sdk) {}, "", "[Login Logout]"},
		{"host logs in", func(s *sdk) { s.im.LoggedIn(alice) }, "alice", "[Login Logout]"},
		{"host logs in, announced", func(s *sdk) { s.im.LoggingIn(); s.im.LoggedIn(alice) }, "alice", "[Login Logout]"},
		{"host logs in as another", func(s *sdk) { s.im.LoggedIn(bob) }, "bob", "[Login Logout]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSDK(never)
			ctx, cancel := context.WithCancel(t.Context())
			s.inside = func(call string) {
				if call == "Login" {
					cancel()
				}
			}
			var l listener
			if err := s.im.LoginIM(ctx, alice, l.notify()); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want context.Canceled", err)
			}
			adopts(t, s.im, "") // once that is settled
			test.report(s)
			adopts(t, s.im, test.want)
			l.heard(t, nil)
			if got := s.called(); got != test.calls {
				t.Errorf("got calls %s, want %s", got, test.calls)
			}
		})
	}
}

// An error of a ctx leaves open whether the login succeeded, whoever set the
// limit. Any other error means that it failed, even if the caller has given up.
func TestGivenUpLoginIsLoggedOut(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name  string
		gives bool // the caller gives up
		says  error
		calls string
	}{
		{"by the caller", true, context.Canceled, "[Login Logout]"},
		{"by the caller, and it failed", true, broken, "[Login]"},
		{"by the client", false, fmt.Errorf("login: %w", context.Canceled), "[Login Logout]"},
		{"by the client, in time", false, fmt.Errorf("login: %w", context.DeadlineExceeded), "[Login Logout]"},
		{"by nobody", false, broken, "[Login]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSDK(never)
			s.fail["Login"] = test.says
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.inside = func(call string) {
				if call == "Login" && test.gives {
					cancel()
				}
			}
			err := s.im.LoginIM(ctx, alice, engine.Notify{})
			if !errors.Is(err, test.says) && !(test.gives && errors.Is(err, context.Canceled)) {
				t.Errorf("got %v, want %v", err, test.says)
			}
			if err := s.im.Close(); err != nil { // waits until it is settled
				t.Error(err)
			}
			if got := s.called(); got != test.calls {
				t.Errorf("got calls %s, want %s", got, test.calls)
			}
		})
	}
}

// The logout of an abandoned login has its own ctx, which is live and ends.
// Without a limit the bubble would hang here.
func TestLogoutOfGivenUpLoginIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logouts := 0
		ctx, cancel := context.WithCancel(t.Context())
		im := hostim.Wrap(hostim.Client{
			Login: func(ctx context.Context, _ engine.IMAccount) error {
				cancel()
				return ctx.Err()
			},
			Logout: func(ctx context.Context) error {
				logouts++
				if ctx.Err() != nil {
					t.Errorf("logout %d has no time: %v", logouts, ctx.Err())
				}
				<-ctx.Done()
				return ctx.Err()
			},
		})
		if err := im.LoginIM(ctx, alice, engine.Notify{}); !errors.Is(err, context.Canceled) {
			t.Errorf("LoginIM: got %v, want context.Canceled", err)
		}
		<-time.After(6 * time.Second) // the first logout has had its 5 s
		if err := im.Close(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: got %v, want context.DeadlineExceeded", err)
		}
		synctest.Wait()
		if logouts != 2 { // Close has tried again
			t.Errorf("got %d logouts, want 2", logouts)
		}
	})
}

// Close is the last chance to log out a login that succeeded after the engine
// gave it up. It touches no other login.
func TestClose(t *testing.T) {
	tests := []struct {
		name  string
		run   func(*sdk)
		calls string
	}{
		{"nobody", func(*sdk) {}, "[]"},
		{"the host's", func(s *sdk) { s.im.LoggedIn(bob) }, "[]"},
		{"given up", func(s *sdk) {
			ctx, cancel := context.WithCancel(t.Context())
			s.inside = func(call string) {
				if call == "Login" {
					cancel()
				}
			}
			s.fail["Login"] = context.Canceled
			s.im.LoginIM(ctx, alice, engine.Notify{})
		}, "[Login Logout]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSDK(before)
			test.run(s)
			if err := s.im.Close(); err != nil {
				t.Errorf("got %v", err)
			}
			if got := s.called(); got != test.calls {
				t.Errorf("got calls %s, want %s", got, test.calls)
			}
		})
	}
}

func TestLogoutFails(t *testing.T) {
	s := newSDK(never)
	logsIn(t, s, alice)
	broken := errors.New("broken")
	s.fail["Logout"] = broken
	if err := s.im.LogoutIM(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	delete(s.fail, "Logout")
	logsIn(t, s, bob) // which logs out once more first
	if got, want := s.called(), "[Login Logout Logout Login]"; got != want {
		t.Errorf("got calls %s, want %s", got, want)
	}
}

func TestClientPanics(t *testing.T) {
	s := newSDK(never)
	s.inside = func(call string) {
		if call == "Login" {
			s.set("alice")
			panic("broken")
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = s.im.LoginIM(t.Context(), alice, engine.Notify{})
	}()
	adopts(t, s.im, "")
	if got, want := s.called(), "[Login Logout]"; got != want {
		t.Errorf("got calls %s, want %s", got, want)
	}
}

func TestInitIM(t *testing.T) {
	var got []string
	im := hostim.Wrap(hostim.Client{Init: func(_ context.Context, appKey string) error {
		got = append(got, appKey)
		return nil
	}})
	gaveUp := errors.New("gave up")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(gaveUp)
	if err := im.InitIM(ended, "app0"); !errors.Is(err, gaveUp) {
		t.Errorf("got %v, want %v", err, gaveUp)
	}
	if err := im.InitIM(t.Context(), "app1"); err != nil {
		t.Errorf("got %v", err)
	}
	if want := []string{"app1"}; !slices.Equal(got, want) {
		t.Errorf("got inits for %v, want %v", got, want)
	}
}

func TestNilFunctions(t *testing.T) {
	im := hostim.Wrap(hostim.Client{})
	ctx := t.Context()
	adopts(t, im, "")
	if err := im.InitIM(ctx, "app1"); err != nil {
		t.Errorf("InitIM: got %v, want nil: the host does it", err)
	}
	if err := im.LoginIM(ctx, alice, engine.Notify{}); !errors.Is(err, engine.ErrState) {
		t.Errorf("LoginIM: got %v, want ErrState", err)
	}
	if err := im.LogoutIM(ctx); err != nil {
		t.Errorf("LogoutIM of nobody: got %v", err)
	}
	im.LoggedIn(alice)
	l := adopts(t, im, "alice")
	if err := im.LogoutIM(ctx); !errors.Is(err, engine.ErrState) {
		t.Errorf("LogoutIM: got %v, want ErrState", err)
	}
	im.LoggedOut(nil)
	l.heard(t, engine.ErrIMLoggedOut)
}

// A login that cannot be undone blocks the next one, whose error says who has
// to help.
func TestNilLogoutAfterOwnLogin(t *testing.T) {
	s := newSDK(before)
	im := hostim.Wrap(hostim.Client{Login: s.login})
	s.im = im
	if err := im.LoginIM(t.Context(), alice, engine.Notify{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := im.LogoutIM(t.Context()); !errors.Is(err, engine.ErrState) {
			t.Errorf("LogoutIM: got %v, want ErrState", err)
		}
		if err := im.LoginIM(t.Context(), alice, engine.Notify{}); !errors.Is(err, engine.ErrState) {
			t.Errorf("LoginIM: got %v, want ErrState", err)
		}
	}
	im.LoggedOut(nil) // the host helps
	if err := im.LoginIM(t.Context(), alice, engine.Notify{}); err != nil {
		t.Errorf("after that: got %v", err)
	}
}

func TestLogoutPanics(t *testing.T) {
	s := newSDK(never)
	logsIn(t, s, alice)
	s.inside = func(call string) {
		if call == "Logout" {
			panic("broken")
		}
	}
	func() {
		defer func() { _ = recover() }()
		_ = s.im.LogoutIM(t.Context())
		t.Error("the panic was swallowed")
	}()
	s.inside = nil
	logsIn(t, s, bob) // which logs out once more first
	if got, want := s.called(), "[Login Logout Logout Login]"; got != want {
		t.Errorf("got calls %s, want %s", got, want)
	}
}
