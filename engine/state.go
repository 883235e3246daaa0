package engine

import (
	"fmt"
	"slices"
)

// A State is a rung of the ladder. States are ordered, and each includes the
// ones below it: s >= IMLoggedIn means that IM is logged in.
type State uint8

const (
	Uninitialized State = iota // nothing is set up
	IMInitialized              // the IM SDK is initialised, nobody is logged in
	IMLoggedIn                 // one IM account is logged in
	KitLoggedIn                // the kit account bound to it is logged in, too
)

var stateNames = [...]string{"uninitialized", "im_initialized", "im_logged_in", "kit_logged_in"}

// String returns the name of the state, such as "im_logged_in". An invalid
// value prints as "State(9)".
func (s State) String() string { return nameOf("State", stateNames[:], uint8(s)) }

// MarshalText returns the name of the state. It fails with ErrArgument for an
// invalid value.
func (s State) MarshalText() ([]byte, error) { return marshalName("state", stateNames[:], uint8(s)) }

// UnmarshalText accepts the names that MarshalText returns, and fails with
// ErrArgument for anything else.
func (s *State) UnmarshalText(text []byte) error {
	return unmarshalName("state", stateNames[:], text, (*uint8)(s))
}

// A Trigger takes the engine from one state to another: an operation of the
// host, a step that the engine takes by itself, or a report from the backend.
type Trigger string

const (
	TriggerInitIM    Trigger = "init_im"
	TriggerLoginIM   Trigger = "login_im"
	TriggerLoginKit  Trigger = "login_kit"
	TriggerLogoutKit Trigger = "logout_kit"
	TriggerLogoutIM  Trigger = "logout_im"
	TriggerKitLost   Trigger = "kit_lost" // the kit login ended without a logout
	TriggerIMLost    Trigger = "im_lost"  // the IM login, and any kit login on it, ended without a logout, or the host logged its own SDK out
	TriggerClose     Trigger = "close"
)

// nameOf, marshalName and unmarshalName serve the two types that are written as
// names, State and Mode.
func nameOf(kind string, names []string, v uint8) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", kind, v)
}

func marshalName(kind string, names []string, v uint8) ([]byte, error) {
	if int(v) < len(names) {
		return []byte(names[v]), nil
	}
	return nil, fmt.Errorf("%w: there is no %s %d", ErrArgument, kind, v)
}

func unmarshalName(kind string, names []string, text []byte, v *uint8) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return fmt.Errorf("%w: there is no %s %q", ErrArgument, kind, text)
	}
	*v = uint8(i)
	return nil
}
