package engine

import "fmt"

// A Mode says who logs IM in. It is looked at in each kit login, and nowhere
// else: the machine is the same in all modes.
type Mode uint8

const (
	// AutoDetect reuses the host's IM login where there is one, and logs IM
	// in where there is none, as the vendor's mobile kits do since 3.13.
	AutoDetect Mode = iota
	// ReuseIM never logs IM in: the host must have done so with the account
	// that the kit account is bound to. Nobody joins anonymously.
	ReuseIM
	// AutoLogin logs IM in itself, always, and fails where the host has.
	AutoLogin
)

var modeNames = [...]string{"auto_detect", "reuse_im", "auto_login"}

// String returns the name of the mode, such as "reuse_im". A value that is no
// mode prints as "Mode(9)".
func (m Mode) String() string { return nameOf("Mode", modeNames[:], uint8(m)) }

// MarshalText returns the name of the mode. It fails for a value that is no mode.
func (m Mode) MarshalText() ([]byte, error) { return marshalName("mode", modeNames[:], uint8(m)) }

// UnmarshalText accepts what MarshalText returns, and fails for anything else.
func (m *Mode) UnmarshalText(text []byte) error {
	return unmarshalName("mode", modeNames[:], text, (*uint8)(m))
}

// reuse decides whether a kit login rides on the host's IM login (true) or
// makes one of its own (false). It is the only thing in which modes differ.
func (m Mode) reuse(hostLoggedIn bool) (bool, error) {
	switch {
	case m == ReuseIM && !hostLoggedIn:
		return false, ErrIMNotLoggedIn
	case m == AutoLogin && hostLoggedIn:
		return false, fmt.Errorf("%w: IM is in use by the host and reuse is off; set ReuseIM or AutoDetect to reuse its login", ErrIMInUse)
	}
	return hostLoggedIn, nil
}

// anonymous decides whether an anonymous login is allowed: not where it would
// reuse the host's IM login, and so never in ReuseIM.
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
