package provision

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
)

// CheckSum returns the value of the header CheckSum, which signs a request to
// the server API. nonce is the value of the header Nonce. The header CurTime
// must have the time at, as Unix time in whole seconds. The servers accept a
// signature if their clock is within five minutes of CurTime, some perhaps only
// within one (docs/vendor/http.md#signing).
func CheckSum(secret, nonce string, at time.Time) string {
	return checkSum(secret, nonce, curTime(at))
}

func checkSum(secret, nonce, curTime string) string {
	sum := sha1.Sum([]byte(secret + nonce + curTime))
	return hex.EncodeToString(sum[:])
}

func curTime(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// stamp sets the headers that sign one attempt.
func (c *Client) stamp(r *http.Request) error {
	r.Header.Set("Nonce", newID())
	r.Header.Set("CurTime", curTime(c.now()))
	return c.sign(r)
}

// signer returns a func that signs with the AppSecret.
func signer(secret string) func(*http.Request) error {
	return func(r *http.Request) error {
		r.Header.Set("CheckSum", checkSum(secret, r.Header.Get("Nonce"), r.Header.Get("CurTime")))
		return nil
	}
}

// explain adds a hint to a refusal. date is the time on the server's clock, or
// zero.
func (c *Client) explain(err error, date time.Time) error {
	s, number := refusal(err)
	if s == nil {
		return err
	}
	if badSignature(s, number) {
		return fmt.Errorf("the signature was refused: %s: %w", c.skew(date), err)
	}
	if hint := hints[s.Domain][number]; hint != "" {
		return fmt.Errorf("%s: %w", hint, err)
	}
	return err
}

// badSignature reports whether the server refused the signature
// (docs/vendor/http.md#signing).
func badSignature(s *call.ServerError, number int) bool {
	if s.Domain != call.DomainIM {
		return number == http.StatusUnauthorized
	}
	msg := strings.ToLower(s.Msg)
	return number == http.StatusUnauthorized || number == http.StatusForbidden ||
		number == 414 && (strings.Contains(msg, "checksum") || strings.Contains(msg, "curtime"))
}

// tolerance is the difference between clocks that every server accepts
// (docs/vendor/http.md#signing).
const tolerance = time.Minute

// skew tells whether the clock explains a refused signature.
func (c *Client) skew(date time.Time) string {
	if date.IsZero() {
		return "check the AppKey, the AppSecret and the clock"
	}
	switch ahead := date.Sub(c.now()).Round(time.Second); {
	case ahead > tolerance:
		return fmt.Sprintf("the server's clock is %v ahead of this one", ahead)
	case ahead < -tolerance:
		return fmt.Sprintf("the server's clock is %v behind this one", -ahead)
	}
	return "the clocks agree, so check the AppKey and the AppSecret"
}

// hints explain refusals that say too little by themselves.
var hints = map[string]map[int]string{
	call.DomainIM: {
		404:    "check IMURL: in a private deployment it usually ends in /nimserver",
		101303: "check the AppKey and IMURL: the app may be in another data centre",
	},
	call.DomainRoom:    accountHints,
	call.DomainMeeting: accountHints,
}

var accountHints = map[int]string{
	701: "the IM account does not exist: make it first",
	703: "the IM account already exists: set its Accid and IMToken to bind it",
	704: "IMToken is not the current token of the IM account",
}
