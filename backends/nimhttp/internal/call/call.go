// Package call makes JSON calls to the vendor's servers: it is what the clients
// of backends/nimhttp share.
package call

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/imreuse/imreuse/engine"
)

const (
	maxReply       = 1 << 20
	maxTries       = 3
	firstWait      = 100 * time.Millisecond // on average, before the second try
	longestWait    = 30 * time.Second       // that a server may ask for
	attemptTimeout = 15 * time.Second
)

// A Caller makes calls to one server, whose replies have the vendor's envelope.
// It is safe for concurrent use.
type Caller struct {
	Domain string // DomainKit, …: whose numbers the replies have
	Client *http.Client
	Log    *slog.Logger
}

// A Request is one logical call, which may take several attempts.
type Request struct {
	Method     string
	URL        *url.URL
	Header     http.Header
	Body       []byte                    // nil: none
	Sign       func(*http.Request) error // of each attempt anew; nil: none
	Secrets    []string                  // sent, and not to be repeated in errors
	Repeatable bool                      // the server may see it more than once
}

// An Outcome is what a call is known to have done.
type Outcome struct {
	Unknown bool      // the request went out, and nobody knows what the server made of it
	Date    time.Time // the server's clock, of a call that failed; zero where it did not tell
}

// Do makes the call and decodes the reply's data into data, which may be nil.
// A request is repeated where that is safe: one that was never written, one
// that the server refused with a code that asks for another try, and
// a repeatable one that met an overloaded server; within ctx, at most twice,
// and never after any other business code. A repeatable one that met
// a connection which the server had closed goes out again at once, and that is
// not counted.
func (c *Caller) Do(ctx context.Context, r Request, data any) (Outcome, error) {
	if r.Repeatable {
		r.Header = replayable(r.Header)
	}
	last := c.attempt(ctx, r, data)
	if last.verdict(ctx, r) == nil {
		return Outcome{}, nil
	}
	unknown := last.unknown() // after any of the attempts
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.RandomizationFactor = firstWait, 1 // full jitter: from 0 to twice the interval
	first := true
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if !first {
			last = c.attempt(ctx, r, data)
			unknown = unknown || last.unknown()
		}
		first = false
		return struct{}{}, last.verdict(ctx, r)
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(maxTries))
	if err == nil {
		return Outcome{}, nil
	}
	err = last.err
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) && last.retryable(r) {
		err = fmt.Errorf("%w; before that: %w", gaveUp(ctx), err)
	}
	date, _ := http.ParseTime(last.date)
	return Outcome{Unknown: unknown, Date: date}, err
}

// gaveUp is why the caller does not wait any more.
func gaveUp(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// An attempt is one HTTP request and what came of it.
type attempt struct {
	err        error
	refused    *ServerError // in err; nil: the server did not answer, or not as it should
	status     int          // 0: there was no whole reply
	sent       bool         // to the transport
	written    bool         // by the transport, for all that is known
	date       string
	retryAfter time.Duration
}

// unknown is true of what went out, unless the server said that it did nothing.
func (a *attempt) unknown() bool {
	if a.refused != nil {
		return a.refused.unclear()
	}
	return a.err != nil && (a.written || a.status != 0)
}

// verdict is nil, an error to retry after, or a permanent one.
func (a *attempt) verdict(ctx context.Context, r Request) error {
	switch {
	case a.err == nil:
		return nil
	case ctx.Err() != nil, !a.retryable(r):
		return backoff.Permanent(a.err)
	}
	wait := a.retryAfter
	if wait == 0 && a.refused != nil {
		wait, _ = a.refused.again()
	}
	if wait == 0 {
		return a.err
	}
	deadline, bounded := ctx.Deadline()
	if wait > longestWait || bounded && time.Until(deadline) < wait {
		return backoff.Permanent(a.err) // it would be in vain
	}
	return &backoff.RetryAfterError{Duration: wait}
}

func (a *attempt) retryable(r Request) bool {
	if a.refused != nil {
		if _, again := a.refused.again(); again {
			return true
		}
	}
	switch a.status {
	case 0:
		return a.sent && !a.written
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return r.Repeatable
	}
	return false
}

// attempt makes one HTTP request.
func (c *Caller) attempt(ctx context.Context, r Request, data any) *attempt {
	a := new(attempt)
	var traced, written atomic.Bool // the transport may still be at it when the call returns
	bounded, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	trace := httptrace.WithClientTrace(bounded, &httptrace.ClientTrace{
		GetConn:      func(string) { traced.Store(true) },
		WroteHeaders: func() { written.Store(true) },
	})
	began := time.Now()
	a.err = c.exchange(trace, r, a, data)
	errors.As(a.err, &a.refused)
	// A transport of the host's may not trace. Then only a failed dial is known
	// to have written nothing.
	a.written = a.sent && (written.Load() || !traced.Load() && !dialFailed(a.err))
	switch {
	case a.err == nil || a.status != 0:
	case ctx.Err() != nil:
		a.err = gaveUp(ctx)
	case bounded.Err() != nil:
		a.err = fmt.Errorf("%w: the %s server did not reply within %v", engine.ErrUnavailable, c.Domain, attemptTimeout)
	}
	c.log(ctx, r, a.status, began, a.err)
	return a
}

// replayable lets net/http send a request again by itself, on another
// connection, where one that it had used before was closed without an answer:
// servers close idle ones, and a request may cross that on its way. The key with
// no value is its own sign for that, and is not sent.
func replayable(header http.Header) http.Header {
	header = maps.Clone(header)
	header["Idempotency-Key"] = nil
	return header
}

func (c *Caller) exchange(ctx context.Context, r Request, a *attempt, data any) error {
	req, err := r.request(ctx)
	if err != nil {
		return err
	}
	if r.Sign != nil {
		target := *r.URL
		req.URL, req.Header = &target, r.Header.Clone()
		if err := r.Sign(req); err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		if req.Body, err = req.GetBody(); err != nil { // it may have been read
			return err
		}
	}
	a.sent = true
	secrets := r.secrets(req.Header)
	res, body, err := c.roundTrip(req, secrets)
	if res == nil {
		return err
	}
	a.status = res.StatusCode
	a.date = res.Header.Get("Date")
	if res.StatusCode/100 != 2 {
		a.retryAfter = retryAfter(res.Header.Get("Retry-After"))
		return c.refusal(res, body, secrets).err()
	}
	if err != nil {
		a.status = 0
		return err
	}
	if len(body) > maxReply {
		return c.tooLong()
	}
	return c.decode(res, body, secrets, data)
}

// roundTrip sends req and reads what is answered: at most one byte more than
// a reply may have. There may be an answer whose body cannot be read.
func (c *Caller) roundTrip(req *http.Request, secrets []string) (*http.Response, []byte, error) {
	res, err := c.Client.Do(req)
	if err != nil {
		return nil, nil, c.unreachable(err, secrets)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	if err != nil {
		err = c.unreachable(err, secrets)
	}
	return res, body, err
}

func (c *Caller) tooLong() error { return c.Malformed("a reply of more than %d bytes", maxReply) }

// Once makes the call once, with no bound but ctx, and returns the JSON that
// the server answers, and the HTTP status. It is for replies that have no
// envelope.
func (c *Caller) Once(ctx context.Context, r Request) (status int, body []byte, err error) {
	req, err := r.request(ctx)
	if err != nil {
		return 0, nil, err
	}
	began := time.Now()
	secrets := r.secrets(req.Header)
	res, body, err := c.roundTrip(req, secrets)
	switch {
	case err != nil && ctx.Err() != nil:
		err = gaveUp(ctx)
	case err != nil:
	case len(body) > maxReply:
		err = c.tooLong()
	case !json.Valid(body):
		err = c.notJSON(res, secrets)
	}
	if res != nil {
		status = res.StatusCode
	}
	c.log(ctx, r, status, began, err)
	return status, body, err
}

func (c *Caller) log(ctx context.Context, r Request, status int, began time.Time, err error) {
	if c.Log.Enabled(ctx, slog.LevelDebug) {
		c.Log.LogAttrs(ctx, slog.LevelDebug, "request", slog.String("server", c.Domain), slog.String("method", r.Method),
			slog.String("path", r.URL.Path), slog.Int("status", status), slog.Duration("took", time.Since(began)), slog.Bool("ok", err == nil))
	}
}

// request makes one. A call without a body, as those of the kit are, is spared
// the work that a body needs.
func (r Request) request(ctx context.Context) (*http.Request, error) {
	if r.Body == nil && r.Sign == nil {
		return (&http.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: http.NoBody}).WithContext(ctx), nil
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, "", bytes.NewReader(r.Body))
	if err == nil {
		req.URL, req.Header = r.URL, r.Header
	}
	return req, err
}
