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

// CheckSum is the signature of a request to the server API: the header CheckSum
// that belongs to that Nonce, and to at, in whole seconds, as CurTime. The
// servers take it for five minutes, some for one (http-api.md 1).
func CheckSum(secret, nonce string, at time.Time) string {
	return checkSum(secret, nonce, curTime(at))
}

func checkSum(secret, nonce, curTime string) string {
	sum := sha1.Sum([]byte(secret + nonce + curTime))
	return hex.EncodeToString(sum[:])
}

func curTime(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// stamp signs one attempt.
func (c *Client) stamp(r *http.Request) error {
	r.Header.Set("Nonce", newID())
	r.Header.Set("CurTime", curTime(c.now()))
	return c.sign(r)
}

// signer signs with the secret itself.
func signer(secret string) func(*http.Request) error {
	return func(r *http.Request) error {
		r.Header.Set("CheckSum", checkSum(secret, r.Header.Get("Nonce"), r.Header.Get("CurTime")))
		return nil
	}
}

// explain adds to a refusal what there is to do about it. date is the server's
// clock, or zero.
func (c *Client) explain(err error, date time.Time) error {
	s, number := refusal(err)
	if s == nil {
		return err
	}
	if badSignature(s, number) {
		return fmt.Errorf("credentials or clock: %s: %w", c.skew(date), err)
	}
	if hint := hints[s.Domain][number]; hint != "" {
		return fmt.Errorf("%s: %w", hint, err)
	}
	return err
}

// badSignature goes by http-api.md 1.3.
func badSignature(s *call.ServerError, number int) bool {
	if s.Domain != call.DomainIM {
		return number == http.StatusUnauthorized
	}
	msg := strings.ToLower(s.Msg)
	return number == http.StatusUnauthorized || number == http.StatusForbidden ||
		number == 414 && (strings.Contains(msg, "checksum") || strings.Contains(msg, "curtime"))
}

// tolerance is the difference of clocks that every server bears (http-api.md 1.2).
const tolerance = time.Minute

// skew says whether the clock is to blame.
func (c *Client) skew(date time.Time) string {
	if date.IsZero() {
		return "check the AppKey, the AppSecret and the clock"
	}
	switch ahead := date.Sub(c.now()).Round(time.Second); {
	case ahead > tolerance:
		return fmt.Sprintf("the server's clock is %v ahead of ours", ahead)
	case ahead < -tolerance:
		return fmt.Sprintf("the server's clock is %v behind ours", -ahead)
	}
	return "the server's clock agrees with ours, so check the AppKey and the AppSecret"
}

// hints are of refusals that say too little by themselves.
var hints = map[string]map[int]string{
	call.DomainIM: {
		404:    "check IMURL, that of a private deployment ends in /nimserver",
		101303: "check the AppKey and IMURL, the app may live in another data centre",
	},
	call.DomainRoom:    accountHints,
	call.DomainMeeting: accountHints,
}

var accountHints = map[int]string{
	701: "make the IM account first",
	703: "to bind the IM account that is there, give its Accid and IMToken",
	704: "the IMToken is not the current one of the IM account",
}
