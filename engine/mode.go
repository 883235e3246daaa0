package engine

import "fmt"

// A Mode says who logs IM in. Only kit logins look at it; the states and their
// edges are the same in all modes.
type Mode uint8

const (
	// AutoDetect reuses the host's IM login if there is one. Otherwise the
	// engine logs IM in for the kit. The vendor's mobile kits have done
	// this since 3.13.
	AutoDetect Mode = iota
	// ReuseIM never logs IM in. Before the kit login, the host must log IM
	// in with the account that the kit account is bound to. There are no
	// anonymous logins.
	ReuseIM
	// AutoLogin always logs IM in for the kit. A kit login fails if the
	// host has logged IM in.
	AutoLogin
)

var modeNames = [...]string{"auto_detect", "reuse_im", "auto_login"}

// String returns the name of the mode, such as "reuse_im". An invalid value
// prints as "Mode(9)".
func (m Mode) String() string { return nameOf("Mode", modeNames[:], uint8(m)) }

// MarshalText returns the name of the mode. It fails with ErrArgument for an
// invalid value.
func (m Mode) MarshalText() ([]byte, error) { return marshalName("mode", modeNames[:], uint8(m)) }

// UnmarshalText accepts the names that MarshalText returns, and fails with
// ErrArgument for anything else.
func (m *Mode) UnmarshalText(text []byte) error {
	return unmarshalName("mode", modeNames[:], text, (*uint8)(m))
}

// reuse decides whether a kit login reuses the host's IM login (true) or the
// engine logs IM in (false). This is the only difference between the modes.
func (m Mode) reuse(hostLoggedIn bool) (bool, error) {
	switch {
	case m == ReuseIM && !hostLoggedIn:
		return false, ErrIMNotLoggedIn
	case m == AutoLogin && hostLoggedIn:
		return false, fmt.Errorf("%w: the host logged it in, and reuse is off; set ReuseIM or AutoDetect to reuse its login", ErrIMInUse)
	}
	return hostLoggedIn, nil
}

// anonymous fails if an anonymous login is not allowed: it must not reuse the
// host's IM login, so ReuseIM never allows one.
func (m Mode) anonymous(hostLoggedIn bool) error {
	if m == ReuseIM {
		return ErrReuseNoAnonymous
	}
	reuse, err := m.reuse(hostLoggedIn)
	if err == nil && reuse {
		err = ErrReuseNoAnonymous
	}
	return err
}
