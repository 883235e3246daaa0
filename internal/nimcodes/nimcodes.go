// Package nimcodes has the numbers with which the vendor's IM SDK refuses or
// ends a login. The test cloud and the gateway's double send them, and the
// gateway's client reads them. Their source:
// docs/vendor/im-sdk.md#codes-of-a-login.
package nimcodes

import (
	"errors"

	"github.com/imreuse/imreuse/engine"
)

// Numbers that the packages use by name.
const (
	None          = 0 // the SDK gave no number
	NotEnabled    = 101301
	AppKeyUnknown = 101303
	TokenInvalid  = 102302
	Banned        = 102422
	Cancelled     = 191002 // by a logout during the login
	Timeout       = 191005
)

// Of returns the number for the error of a login. It returns None if err does
// not wrap one of the Codes that have a number here.
func Of(err error) int {
	switch {
	case errors.Is(err, engine.ErrTokenRejected), errors.Is(err, engine.ErrTokenExpired):
		return TokenInvalid
	case errors.Is(err, engine.ErrAccountBanned):
		return Banned
	case errors.Is(err, engine.ErrNotEnabled):
		return NotEnabled
	case errors.Is(err, engine.ErrAppKeyMismatch):
		return AppKeyUnknown
	}
	return None
}

// V1 returns the number that the 9.x SDKs know for a number of 10.x. Those SDKs
// have no services in their numbers, so for most it is the reason, the last
// three digits.
func V1(number int) int {
	switch {
	case number == NotEnabled:
		return 403
	case number == AppKeyUnknown:
		return 302 // its text asks the user to check the AppKey, too
	case number >= 100000:
		return number % 1000
	}
	return number
}

// Code returns the engine.Code for a number. It returns 0 if the number has
// none, for example 417, which means that the policy refuses another device.
func Code(number int) engine.Code { return codes[number] }

var codes = map[int]engine.Code{
	None:         engine.ErrUnavailable,
	302:          engine.ErrTokenRejected,
	404:          engine.ErrTokenRejected,
	TokenInvalid: engine.ErrTokenRejected,
	102404:       engine.ErrTokenRejected,
	422:          engine.ErrAccountBanned,
	Banned:       engine.ErrAccountBanned,
	Cancelled:    engine.ErrIMLoggedOut,
	398:          engine.ErrUnavailable,
	399:          engine.ErrUnavailable,
	408:          engine.ErrUnavailable,
	415:          engine.ErrUnavailable,
	416:          engine.ErrUnavailable,
	Timeout:      engine.ErrUnavailable,
	192001:       engine.ErrUnavailable,
	192002:       engine.ErrUnavailable,
	192003:       engine.ErrUnavailable,
	192004:       engine.ErrUnavailable,
	192005:       engine.ErrUnavailable,
	192006:       engine.ErrUnavailable,
}
