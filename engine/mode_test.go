package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

type modeRow struct {
	mode         engine.Mode
	hostLoggedIn bool
	reuse        bool  // the kit login rides on the host's
	kit          error // of LoginKit
	anonymous    error // of LoginAnonymous
}

// The mode table of states.md, written by hand.
var modeRows = []modeRow{
	{engine.AutoDetect, true, true, nil, engine.ErrReuseNoAnonymous},
	{engine.AutoDetect, false, false, nil, nil},
	{engine.ReuseIM, true, true, nil, engine.ErrReuseNoAnonymous},
	{engine.ReuseIM, false, false, engine.ErrIMNotLoggedIn, engine.ErrReuseNoAnonymous},
	{engine.AutoLogin, true, false, engine.ErrIMInUse, engine.ErrIMInUse},
	{engine.AutoLogin, false, false, nil, nil},
}

func hostRung(hostLoggedIn bool) engine.State {
	if hostLoggedIn {
		return imLoggedIn
	}
	return uninitialized
}

// The rows, run as logins. A refused login does not call the backend, and
// changes nothing.
func TestModeInLogins(t *testing.T) {
	kinds := []struct {
		name  string
		first []string // the calls of the backend that it begins with
		want  func(modeRow) error
		login func(t *testing.T, e *engine.Engine) error
	}{
		{"LoginKit", nil, func(row modeRow) error { return row.kit },
			func(t *testing.T, e *engine.Engine) error { return e.LoginKit(t.Context(), kitAccount) }},
		{"LoginAnonymous", []string{"Anonymous"}, func(row modeRow) error { return row.anonymous },
			func(t *testing.T, e *engine.Engine) error { return e.LoginAnonymous(t.Context()) }},
	}
	for _, row := range modeRows {
		for _, kind := range kinds {
			t.Run(fmt.Sprintf("%v host %v %s", row.mode, row.hostLoggedIn, kind.name), func(t *testing.T) {
				f := newFake()
				e := open(t, f, &engine.Options{Mode: row.mode})
				climb(t, e, hostRung(row.hostLoggedIn))
				before, asked := e.Status(), len(f.called())

				want := kind.want(row)
				if err := kind.login(t, e); !errors.Is(err, want) {
					t.Fatalf("got %v, want %v", err, want)
				}
				calls := f.called()[asked:]
				if want != nil {
					if len(calls) > 0 || e.Status() != before {
						t.Errorf("calls %v and status %+v, want none and %+v", calls, e.Status(), before)
					}
					return
				}
				then := []string{"Authenticate", "InitIM", "LoginIM", "LoginKit"}
				if row.reuse {
					then = []string{"Authenticate", "LoginKit"}
				}
				if wantCalls := slices.Concat(kind.first, then); !slices.Equal(calls, wantCalls) {
					t.Errorf("calls %v, want %v", calls, wantCalls)
				}
				if got := e.Status(); got.State != kitLoggedIn || got.Reused() != row.reuse {
					t.Errorf("state %v, reused %v; want %v, %v", got.State, got.Reused(), kitLoggedIn, row.reuse)
				}
			})
		}
	}
}

func TestStateText(t *testing.T) {
	for want, name := range []string{"uninitialized", "im_initialized", "im_logged_in", "kit_logged_in"} {
		roundTrip(t, engine.State(want), name)
	}
}

func TestModeText(t *testing.T) {
	for want, name := range []string{"auto_detect", "reuse_im", "auto_login"} {
		roundTrip(t, engine.Mode(want), name)
	}
}

// roundTrip takes v through its text form and back.
func roundTrip[T interface {
	comparable
	fmt.Stringer
}](t *testing.T, v T, name string) {
	t.Helper()
	if got := v.String(); got != name {
		t.Errorf("String is %q, want %q", got, name)
	}
	text, err := json.Marshal(v)
	if want := `"` + name + `"`; err != nil || string(text) != want {
		t.Errorf("%v marshals to %s, %v; want %s", v, text, err, want)
	}
	var back T
	if err := json.Unmarshal(text, &back); err != nil || back != v {
		t.Errorf("%s unmarshals to %v, %v; want %v", text, back, err, v)
	}
}

func TestUnknownText(t *testing.T) {
	for v, want := range map[fmt.Stringer]string{
		engine.State(4): "State(4)", engine.State(9): "State(9)", engine.State(255): "State(255)",
		engine.Mode(3): "Mode(3)", engine.Mode(9): "Mode(9)", engine.Mode(255): "Mode(255)",
	} {
		if got := v.String(); got != want {
			t.Errorf("String is %q, want %q", got, want)
		}
		if text, err := json.Marshal(v); !errors.Is(err, engine.ErrArgument) {
			t.Errorf("%v marshals to %q, %v; want ErrArgument", v, text, err)
		}
	}
	for _, text := range []string{"", "IM_LOGGED_IN", "im_logged_in ", "State(9)", "2", "reuseIM", "REUSE_IM"} {
		s, m := kitLoggedIn, engine.AutoLogin
		if err := s.UnmarshalText([]byte(text)); !errors.Is(err, engine.ErrArgument) || s != kitLoggedIn {
			t.Errorf("State from %q: %v, %v; want ErrArgument and no change", text, s, err)
		}
		if err := m.UnmarshalText([]byte(text)); !errors.Is(err, engine.ErrArgument) || m != engine.AutoLogin {
			t.Errorf("Mode from %q: %v, %v; want ErrArgument and no change", text, m, err)
		}
	}
}

// The numbers are part of the ladder and of the useful zero value.
func TestStateOrder(t *testing.T) {
	if !slices.IsSorted(states) || len(slices.Compact(slices.Clone(states))) != 4 {
		t.Errorf("%v are not four rungs in order", states)
	}
	if got := (engine.Options{}).Mode; got != engine.AutoDetect {
		t.Errorf("the zero Options mean %v, want %v", got, engine.AutoDetect)
	}
}
