package call

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// A ServerError is what a server answered, in its own words and numbers. It is
// in the chain of the error, beside the engine.Code that it comes to.
type ServerError struct {
	Domain    string // whose numbers these are: "kit", "im", "room", "meeting", or "sdk" for the IM SDK in the gateway
	Status    int    // of HTTP; 0 of the SDK
	Code      int    // of the reply's envelope; 0 where there was none
	Msg       string // without the tokens that were sent
	RequestID string // the server's, for the vendor's support
}

// Error says what the server answered.
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

// The servers whose numbers these are.
const (
	DomainKit     = "kit"     // roomkit, as the kits talk to it
	DomainIM      = "im"      // the server API of IM, v2
	DomainRoom    = "room"    // the server API of NERoom
	DomainMeeting = "meeting" // the server API of meetings
	DomainSDK     = "sdk"     // IM, as its SDK in the gateway tells it
)

// success is the code of a reply that is one, where that is not 0.
var success = map[string]int{DomainIM: http.StatusOK}

// codes is what the servers' numbers come to. The same number means different
// things in different products, so they go by domain (http-api.md 5). A number
// of HTTP counts where the reply has none of its own.
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

// accountCodes are of kit accounts, on either of their servers.
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

// rateWait is for how long a server that was asked too often shuts its door
// (http-api.md 4.3).
const rateWait = 10 * time.Second

// retries are the codes that say that nothing was done, and ask for another try
// after so long; 0: a moment.
var retries = map[string]map[int]time.Duration{
	DomainIM:      {416: rateWait, 429: rateWait, 449: 0, 102449: 0},
	DomainRoom:    {416: rateWait, 429: rateWait},
	DomainMeeting: {416: rateWait, 429: rateWait},
}

// again is how long to wait before another try, and whether the server wants one.
func (e *ServerError) again() (time.Duration, bool) {
	wait, ok := retries[e.Domain][e.number()]
	return wait, ok
}

// unclear is true of an answer after which the request may have been done all
// the same: 431 is that of a server that has seen the request before, 700 and
// 702 are of one whose own call to IM failed.
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

// number is the code of the envelope, or HTTP's where there was none.
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

// err is e with its Code, where it has one.
func (e *ServerError) err() error {
	if c := e.code(); c != 0 {
		return fmt.Errorf("%w: %w", c, e)
	}
	return e
}

// SDKError is the error of a login that the IM SDK ended with that code, or 0
// where it gave none. What it says is told without the secrets.
func SDKError(code int, msg string, secrets ...string) error {
	e := &ServerError{Domain: DomainSDK, Code: code, Msg: Clean(msg, secrets...)}
	return e.err()
}
