package call

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
func (c *Caller) decode(res *http.Response, body []byte, r Request, data any) error {
	if !isJSON(res.Header.Get("Content-Type")) {
		return c.notJSON(res)
	}
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return c.Malformed("a reply that is not the JSON that it should be")
	}
	if e.Code == nil {
		return c.Malformed("a reply without a code")
	}
	code, err := strconv.Atoi(e.Code.String())
	if err != nil {
		return c.Malformed("a reply whose code is not a number")
	}
	if code != success[c.Domain] {
		return c.refusal(res, body, r).err()
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

func (c *Caller) notJSON(res *http.Response) error {
	return c.Malformed("a reply that is not JSON, but %q", shorten(res.Header.Get("Content-Type")))
}

// refusal is what the server said, without the secrets that we sent.
func (c *Caller) refusal(res *http.Response, body []byte, r Request) *ServerError {
	s := &ServerError{Domain: c.Domain, Status: res.StatusCode}
	var e envelope
	if !isJSON(res.Header.Get("Content-Type")) || json.Unmarshal(body, &e) != nil {
		return s
	}
	if e.Code != nil {
		s.Code, _ = strconv.Atoi(e.Code.String())
	}
	s.Msg, s.RequestID = r.clean(e.Msg), r.clean(e.RequestID+e.RequestID2)
	return s
}

func (r Request) clean(text string) string { return Clean(text, r.Secrets...) }

// Clean is what a server said, without the secrets, and not too much of it.
func Clean(text string, secrets ...string) string { return shorten(Hide(text, secrets...)) }

// Hide is a text without the secrets. One that is so short that it could be
// a part of a word would be told by the gaps, so it takes the whole text with it.
func Hide(text string, secrets ...string) string {
	const shortest = 8
	for _, secret := range secrets {
		switch {
		case secret == "" || !strings.Contains(text, secret):
		case len(secret) < shortest:
			return ""
		default:
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}

// shorten keeps a server from filling our logs.
func shorten(text string) string { return Shorten(text, 200) }

// Shorten keeps so many bytes of a text, or a few less.
func Shorten(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// Malformed is the error of a reply that is not what it should be.
func (c *Caller) Malformed(format string, args ...any) error {
	return fmt.Errorf("%w: the %s server sent "+format, append([]any{engine.ErrUnavailable, c.Domain}, args...)...)
}

// unreachable leaves the URL out, which the *url.Error around err repeats.
func (c *Caller) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
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

func isJSON(contentType string) bool {
	if contentType == "application/json" || contentType == "application/json;charset=UTF-8" {
		return true // what the vendor's servers send
	}
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == "application/json" || strings.HasSuffix(t, "+json"))
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
