// Package call makes JSON calls to the vendor's servers, for all clients in
// backends/nimhttp.
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
	firstWait      = 100 * time.Millisecond // before the second try, on average
	longestWait    = 30 * time.Second       // if a server asks for more, we give up
	attemptTimeout = 15 * time.Second
)

// A Caller makes calls to one server. It is safe for concurrent use.
type Caller struct {
	Domain string // DomainKit, …: gives the server's numbers their meaning
	Client Doer
	Log    *slog.Logger
}

// A Request is one logical call, which may take several attempts.
type Request struct {
	Method     string
	URL        *url.URL
	Header     http.Header
	Body       []byte                    // nil: none
	Sign       func(*http.Request) error // signs each attempt; nil: none
	Secrets    []string                  // that the request has; no error repeats them
	Repeatable bool                      // it does no harm if the server gets the request twice
}

// An Outcome says what is known about a call that failed.
type Outcome struct {
	Unknown bool      // the server may have carried out the request
	Date    time.Time // the server's clock; zero if the reply had no date
}

// Do makes the call and decodes the reply's data into data, which may be nil.
//
// It repeats a request, at most twice and within ctx, in three cases: the
// request was never written; the server refused it with a code that asks for
// another try; or the request is repeatable and the server was overloaded. No
// other code of the server leads to another try. If a repeatable request goes
// to a connection that the server has just closed, it is sent again at once,
// which does not count.
func (c *Caller) Do(ctx context.Context, r Request, data any) (Outcome, error) {
	if r.Repeatable {
		r.Header = replayable(r.Header)
	}
	last := c.attempt(ctx, r, data)
	if last.verdict(ctx, r) == nil {
		return Outcome{}, nil
	}
	unknown := last.unknown() // true if the outcome of any attempt is unknown
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

// gaveUp returns the reason that ctx has ended.
func gaveUp(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// An attempt is one HTTP request and its result.
type attempt struct {
	err        error
	refused    *ServerError // the one in err; nil: there was no reply, or a malformed one
	status     int          // 0: there was no complete reply
	sent       bool         // handed to the transport
	written    bool         // the transport has written it, or may have
	date       string
	retryAfter time.Duration
}

// unknown reports whether the server may have carried out the request.
func (a *attempt) unknown() bool {
	if a.refused != nil {
		return a.refused.unclear()
	}
	return a.err != nil && (a.written || a.status != 0)
}

// verdict returns nil for success, a permanent error if there must be no other
// try, and otherwise an error after which backoff tries again.
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
		return backoff.Permanent(a.err) // the next try would come too late
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
	var traced, written atomic.Bool // atomic, because the transport may still write when the call returns
	bounded, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	trace := httptrace.WithClientTrace(bounded, &httptrace.ClientTrace{
		GetConn:      func(string) { traced.Store(true) },
		WroteHeaders: func() { written.Store(true) },
	})
	began := time.Now()
	a.err = c.exchange(trace, r, a, data)
	errors.As(a.err, &a.refused)
	// A host's own transport may not support traces. Then we know only after a
	// failed dial that nothing was written.
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

// replayable lets net/http send a request again by itself if a reused
// connection turns out to be closed: a server may close an idle connection just
// as the request goes out. net/http takes an Idempotency-Key without a value as
// permission, and does not send it.
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

// roundTrip sends req and reads the reply, up to one byte more than a reply may
// have. If only the body cannot be read, it returns the response with the
// error.
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

// Once makes the call without retries and without a time-out of its own. It
// returns the HTTP status and the JSON of the reply. It is for servers whose
// replies have no envelope.
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

// request makes the HTTP request. Calls without a body, such as the kit's, take
// a shorter way that costs less.
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
