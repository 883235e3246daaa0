package call

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// A ServerError is a server's own answer to a call that failed: its code and
// its message. The error chain also has the engine.Code that the answer stands
// for, if there is one.
type ServerError struct {
	Domain    string // the server: "kit", "im", "room", "meeting", or "sdk" for the IM SDK in the gateway
	Status    int    // the HTTP status; 0 if the Domain is "sdk"
	Code      int    // the code in the reply; 0 if the reply had none
	Msg       string // the message in the reply, without tokens that we sent
	RequestID string // the server's id of the request; tell it to the vendor's support
}

// Error returns the server's answer as one sentence.
func (e *ServerError) Error() string {
	s := fmt.Sprintf("the %s server answered HTTP %d", e.Domain, e.Status)
	if e.Domain == DomainSDK {
		s = "the IM SDK gave up"
	}
	if e.Code != 0 {
		s += fmt.Sprintf(", code %d", e.Code)
	}
	if e.Msg != "" {
		s += fmt.Sprintf(", %q", e.Msg)
	}
	if e.RequestID != "" {
		s += fmt.Sprintf(" (request %q)", e.RequestID)
	}
	return s
}

// The domains: each server has its own meanings for the numbers.
const (
	DomainKit     = "kit"     // the kit server, for clients
	DomainIM      = "im"      // the server API of IM, v2
	DomainRoom    = "room"    // the server API of NERoom
	DomainMeeting = "meeting" // the server API of NEMeeting
	DomainSDK     = "sdk"     // the IM SDK in the gateway
)

// success has the code of a successful reply, for domains where it is not 0.
var success = map[string]int{DomainIM: http.StatusOK}

// codes maps the servers' numbers to Codes. It goes by domain, because the same
// number means different things on different servers:
// docs/vendor/http.md#error-codes. The HTTP status counts if the reply has no
// code.
var codes = map[string]map[int]engine.Code{
	DomainKit: {
		401:    engine.ErrTokenRejected,
		402:    engine.ErrTokenRejected,
		1027:   engine.ErrTokenRejected,
		406:    engine.ErrTokenExpired,
		1026:   engine.ErrTokenExpired,
		701:    engine.ErrNoIMAccount,
		1021:   engine.ErrNoIMAccount,
		600420: engine.ErrNotEnabled,
		429:    engine.ErrUnavailable,
		700:    engine.ErrUnavailable,
		702:    engine.ErrUnavailable,
	},
	DomainIM: {
		408:    engine.ErrUnavailable,
		416:    engine.ErrUnavailable,
		422:    engine.ErrAccountBanned,
		429:    engine.ErrUnavailable,
		431:    engine.ErrUnavailable,
		449:    engine.ErrUnavailable,
		102422: engine.ErrAccountBanned,
		102449: engine.ErrUnavailable,
	},
	DomainRoom:    accountCodes,
	DomainMeeting: accountCodes,
}

// accountCodes has the numbers of the two servers that keep kit accounts.
var accountCodes = map[int]engine.Code{
	408:    engine.ErrUnavailable,
	416:    engine.ErrUnavailable,
	429:    engine.ErrUnavailable,
	431:    engine.ErrUnavailable,
	700:    engine.ErrUnavailable,
	701:    engine.ErrNoIMAccount,
	702:    engine.ErrUnavailable,
	704:    engine.ErrTokenRejected,
	600420: engine.ErrNotEnabled,
}

// rateWait is how long a server may refuse an app that has sent too many
// requests: docs/vendor/http.md#limits.
const rateWait = 10 * time.Second

// retries has the numbers that mean that the server did nothing and that the
// client may try again, with the time to wait; 0: the usual backoff.
var retries = map[string]map[int]time.Duration{
	DomainIM:      {416: rateWait, 429: rateWait, 449: 0, 102449: 0},
	DomainRoom:    {416: rateWait, 429: rateWait},
	DomainMeeting: {416: rateWait, 429: rateWait},
}

// again reports whether the client may try again, and how long it must wait.
func (e *ServerError) again() (time.Duration, bool) {
	wait, ok := retries[e.Domain][e.number()]
	return wait, ok
}

// unclear reports whether the server may have carried out the request although
// it answered with an error. 431 means that the server has seen the request
// before; 700 and 702 mean that its own call to IM failed.
func (e *ServerError) unclear() bool {
	switch n := e.number(); n {
	case 408, 431:
		return true
	case 700, 702:
		return e.Domain != DomainIM
	default:
		return n/100 == 5 || e.Status/100 == 5
	}
}

// number returns the code in the reply, or the HTTP status if there is none.
func (e *ServerError) number() int { return cmp.Or(e.Code, e.Status) }

func (e *ServerError) code() engine.Code {
	number := e.number()
	c := codes[e.Domain][number]
	if e.Domain == DomainSDK {
		c = nimcodes.Code(number)
	}
	if c != 0 {
		return c
	}
	if e.Code == 0 && e.Status/100 == 3 || number >= http.StatusInternalServerError && number < 600 || e.Status >= http.StatusInternalServerError {
		return engine.ErrUnavailable
	}
	return 0
}

// err returns e, wrapped with its Code if it has one.
func (e *ServerError) err() error {
	if c := e.code(); c != 0 {
		return fmt.Errorf("%w: %w", c, e)
	}
	return e
}

// SDKError returns the error for a login that the IM SDK ended with a code,
// which is 0 if the SDK gave none. The error shows the message without the
// secrets.
func SDKError(code int, msg string, secrets ...string) error {
	e := &ServerError{Domain: DomainSDK, Code: code, Msg: Clean(msg, secrets...)}
	return e.err()
}
