package call

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/hide"
)

// An envelope is the outer object of every reply. The servers spell the
// request's id in two ways: docs/vendor/http.md#kit-accounts-of-neroom and the
// section after it.
type envelope struct {
	Code       *json.Number    `json:"code"`
	Msg        string          `json:"msg"`
	RequestID  string          `json:"requestId"`
	RequestID2 string          `json:"request_id"`
	Data       json.RawMessage `json:"data"`
}

// decode decodes a reply with HTTP 2xx into data. The call succeeded only if
// the reply has the domain's code of success, and data if data is not nil.
func (c *Caller) decode(res *http.Response, body []byte, secrets []string, data any) error {
	var e envelope
	switch err := json.Unmarshal(body, &e); {
	case err != nil && !json.Valid(body):
		return c.notJSON(res, secrets)
	case err != nil:
		return c.Malformed("JSON without the expected envelope")
	}
	if e.Code == nil {
		return c.Malformed("a reply without a code")
	}
	code, err := strconv.Atoi(e.Code.String())
	if err != nil {
		return c.Malformed("a reply whose code is not a number")
	}
	if code != success[c.Domain] {
		return c.refusal(res, body, secrets).err()
	}
	if data == nil {
		return nil
	}
	if len(e.Data) == 0 || string(e.Data) == "null" {
		return c.Malformed("a reply without data")
	}
	if err := json.Unmarshal(e.Data, data); err != nil {
		return c.Malformed("a reply with unexpected data")
	}
	return nil
}

// notJSON returns the error for a reply that is not JSON. Only the body
// decides: like the vendor's own kit, we ignore the content type
// (docs/vendor/kits.md#what-the-web-kit-does).
func (c *Caller) notJSON(res *http.Response, secrets []string) error {
	const most = 80
	said := hide.In(res.Header.Get("Content-Type"), secrets...)
	return c.Malformed("a reply that is not JSON (HTTP %d, content type %q)", res.StatusCode, Shorten(said, most))
}

// refusal returns the server's answer, without the secrets that we sent.
func (c *Caller) refusal(res *http.Response, body []byte, secrets []string) *ServerError {
	s := &ServerError{Domain: c.Domain, Status: res.StatusCode}
	var e envelope
	if json.Unmarshal(body, &e) != nil {
		return s
	}
	if e.Code != nil {
		s.Code, _ = strconv.Atoi(e.Code.String())
	}
	s.Msg, s.RequestID = Clean(e.Msg, secrets...), Clean(e.RequestID+e.RequestID2, secrets...)
	return s
}

// Malformed returns the error for a reply that breaks the contract. The format
// says what the server sent.
func (c *Caller) Malformed(format string, args ...any) error {
	return fmt.Errorf("%w: the %s server sent "+format, append([]any{engine.ErrUnavailable, c.Domain}, args...)...)
}

// unreachable returns the error for a server that could not be reached. It
// leaves out the URL, which the *url.Error around err repeats, and the secrets.
// The text of a failed dial comes from this machine, so it has none.
func (c *Caller) unreachable(err error, secrets []string) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if !dialFailed(err) {
		err = hideIn(err, secrets)
	}
	return fmt.Errorf("%w: the %s server: %w", engine.ErrUnavailable, c.Domain, err)
}

func dialFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// Refused reports whether err says that no program listens at the address.
func Refused(err error) bool {
	const wsaeconnrefused = syscall.Errno(10061) // the number on Windows; other systems do not use it
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, wsaeconnrefused)
}

// retryAfter reads both forms of the Retry-After header; 0 means none.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, int(2*longestWait/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
