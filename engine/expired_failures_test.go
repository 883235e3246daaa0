package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// warnings returns the calls that the Warn lines name.
func warnings(r *recorder) (calls []string) {
	for _, line := range r.taken() {
		if line.level == slog.LevelWarn {
			calls = append(calls, line.attrs["op"].(string)+" "+line.attrs["call"].(string))
		}
	}
	return calls
}

// A source that fails, whatever it says, and a server that is away are asked
// again after a pause, with a Warn line each.
func TestExpiredPauses(t *testing.T) {
	for _, row := range []struct {
		name   string
		script func(s *service, n int)
		calls  []string // of each try
		warn   string
	}{
		{"the source fails", func(s *service, n int) { s.gives("KitToken", slices.Repeat([]any{errSource}, n)...) },
			[]string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the source says that the account is banned", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{engine.ErrAccountBanned}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the source says that its own token is refused", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{rejected}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the source has an empty token", func(s *service, n int) { s.gives("KitToken", slices.Repeat([]any{""}, n)...) },
			[]string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the source panics", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{act(func(context.Context) error { panic(1) })}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t"}, "RenewKit KitToken"},
		{"the server is away", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{"k1"}, n)...)
			s.fails("RenewKit k1", slices.Repeat([]error{engine.ErrUnavailable}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t", "RenewKit k1"}, "RenewKit RenewKit"},
		{"the server says something unknown", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{"k1"}, n)...)
			s.fails("RenewKit k1", slices.Repeat([]error{errSource}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t", "RenewKit k1"}, "RenewKit RenewKit"},
		{"the backend panics", func(s *service, n int) {
			s.gives("KitToken", slices.Repeat([]any{"k1"}, n)...)
			s.does("RenewKit k1", slices.Repeat([]act{func(context.Context) error { panic(1) }}, n)...)
		}, []string{"KitToken user1 kit-s3cr3t", "RenewKit k1"}, "RenewKit RenewKit"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				const tries = 12
				r := &recorder{}
				o := s.options(autoLogin, "KitToken")
				o.Logger = slog.New(r)
				e := open(t, s, o)
				wantErr(t, e.LoginKit(t.Context(), kitAccount), nil)
				s.called()
				row.script(s, tries)
				s.gives("KitToken", "k2")
				began := time.Now()
				if renews, now := s.expire(e); !renews || !now.Expired {
					t.Fatalf("got %v, %+v", renews, now)
				}
				var longest time.Duration
				for i := range tries {
					if got := s.called(); !slices.Equal(got, row.calls) {
						t.Fatalf("try %d: %q, want %q", i, got, row.calls)
					}
					if w := warnings(r); !slices.Equal(w, []string{row.warn}) {
						t.Errorf("try %d: Warn lines %q, want %q", i, w, row.warn)
					}
					pause := s.waitForCall(t, pauseLimit(i))
					longest = max(longest, pause)
				}
				if total := time.Since(began); longest == 0 || total == 0 {
					t.Error("there were no pauses")
				}
				if now := settled(e); now.Expired || now.State != kitLoggedIn {
					t.Errorf("got %+v, want the login, renewed", now)
				}
				s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k2")
			})
		})
	}
}

// pauseLimit is how long the pause number i may be.
func pauseLimit(i int) time.Duration {
	for _, limit := range []time.Duration{1, 2, 4, 8, 16, 32} {
		if i == 0 {
			return limit * time.Second
		}
		i--
	}
	return 60 * time.Second
}

// Any other Code is the server's refusal: the session ends, and then the login.
func TestExpiredRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		tokens []any
		errs   []error
		calls  []string
		cause  error
	}{
		{"banned", []any{"k1", "k2"}, []error{engine.ErrAccountBanned},
			[]string{"KitToken user1 kit-s3cr3t", "RenewKit k1", "LogoutKit", "LogoutIM"}, engine.ErrAccountBanned},
		{"the first token is refused", []any{"k1", "k2"}, []error{rejected},
			[]string{"KitToken user1 kit-s3cr3t", "RenewKit k1", "KitToken user1 k1", "RenewKit k2"}, nil},
		{"two tokens are refused", []any{"k1", "k2", "k3"}, []error{rejected, expired},
			[]string{"KitToken user1 kit-s3cr3t", "RenewKit k1", "KitToken user1 k1", "RenewKit k2", "LogoutKit", "LogoutIM"}, expired},
		{"the token that has run out is refused", []any{"kit-s3cr3t", "k2"}, []error{expired},
			[]string{"KitToken user1 kit-s3cr3t", "RenewKit kit-s3cr3t", "KitToken user1 kit-s3cr3t", "RenewKit k2"}, nil},
		{"the same token again", []any{"k1", "k1"}, []error{rejected},
			[]string{"KitToken user1 kit-s3cr3t", "RenewKit k1", "KitToken user1 k1", "LogoutKit", "LogoutIM"}, rejected},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *service) {
				e := openKit(t, s, "KitToken")
				s.gives("KitToken", row.tokens...)
				s.fails("RenewKit", row.errs...)
				seen := watching(t, e)
				s.expire(e)
				s.wantCalls(t, row.calls...)
				now := settled(e)
				if row.cause == nil {
					if now.State != kitLoggedIn || now.Expired {
						t.Errorf("got %+v, want the login, renewed", now)
					}
					return
				}
				if now.State != imInitialized || now.Expired {
					t.Errorf("got %+v, want the loss", now)
				}
				via := []engine.Trigger{engine.TriggerLoginKit, engine.TriggerLoginKit, engine.TriggerKitLost, engine.TriggerLogoutIM}
				for i, status := range seen() {
					if i >= len(via) || status.Via != via[i] || i > 1 && !errors.Is(status.Cause, row.cause) {
						t.Errorf("change %d: %+v", i, status)
					}
				}
			})
		})
	}
}

// In reuse only the kit is lost: IM is the host's.
func TestExpiredRefusedInReuse(t *testing.T) {
	inBubble(t, func(t *testing.T, s *service) {
		e := open(t, s, s.options(reuseIM, "KitToken"))
		climb(t, e, kitLoggedIn)
		s.called()
		s.gives("KitToken", "k1")
		s.fails("RenewKit", engine.ErrNoIMAccount)
		s.fails("LogoutKit", errSource) // holds nothing up
		s.expire(e)
		s.wantCalls(t, "KitToken user1 kit-s3cr3t", "RenewKit k1", "LogoutKit")
		if now := settled(e); now.State != imLoggedIn || now.Via != engine.TriggerKitLost || !errors.Is(now.Cause, engine.ErrNoIMAccount) || errors.Is(now.Cause, errSource) {
			t.Errorf("got %+v, want kit_lost", now)
		}
	})
}
