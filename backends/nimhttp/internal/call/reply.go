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
)

// An envelope is what every reply is in. Two spellings of the request's id are
// in use (http-api.md 7.3).
type envelope struct {
	Code       *json.Number    `json:"code"`
	Msg        string          `json:"msg"`
	RequestID  string          `json:"requestId"`
	RequestID2 string          `json:"request_id"`
	Data       json.RawMessage `json:"data"`
}

// decode reads a reply of HTTP 2xx: the domain's code of success and data are
// a success, nothing else.
func (c *Caller) decode(res *http.Response, body []byte, secrets []string, data any) error {
	var e envelope
	switch err := json.Unmarshal(body, &e); {
	case err != nil && !json.Valid(body):
		return c.notJSON(res, secrets)
	case err != nil:
		return c.Malformed("JSON that is not the envelope that it should be")
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
		return c.Malformed("a reply whose data is not what it should be")
	}
	return nil
}

// notJSON is the error of a reply whose body is no JSON. The content type of one
// that is JSON has no say: private deployments send text/plain, and the vendor's
// own kit does not look.
func (c *Caller) notJSON(res *http.Response, secrets []string) error {
	const most = 80
	said := Hide(res.Header.Get("Content-Type"), secrets...)
	return c.Malformed("a reply that is not JSON (HTTP %d, content type %q)", res.StatusCode, Shorten(said, most))
}

// refusal is what the server said, without the secrets that we sent.
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

// Malformed is the error of a reply that is not what it should be.
func (c *Caller) Malformed(format string, args ...any) error {
	return fmt.Errorf("%w: the %s server sent "+format, append([]any{engine.ErrUnavailable, c.Domain}, args...)...)
}

// unreachable leaves the URL out, which the *url.Error around err repeats, and
// the secrets. The words of a failed dial are this machine's own.
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

// Refused reports whether err is that nobody listens at the address.
func Refused(err error) bool {
	const wsaeconnrefused = syscall.Errno(10061) // Windows has a number of its own, which is none elsewhere
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, wsaeconnrefused)
}

// retryAfter reads both forms that the header has; 0: none.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, int(2*longestWait/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
