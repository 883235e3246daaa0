// Package provision makes accounts through the vendor's server API: IM
// accounts, and kit accounts that are bound to them. It needs the AppSecret, or
// a func that signs requests, so it belongs on an app server. An app that only
// logs in never links it.
//
//	c, err := provision.New(provision.Options{AppKey: "app1", AppSecret: secret})
//	r := provision.AccountRequest{Accid: "user01", IMToken: imToken}
//	im, err := c.CreateIMAccount(ctx, r)    // the IM account
//	kit, err := c.CreateRoomAccount(ctx, r) // a kit account that is bound to it
//
// Sometimes a call fails and it is unknown whether the server carried it out:
// the reply is late, cut off or unreadable, or has an HTTP status of 5xx. The
// Client then asks the server for the account. It never repeats a create that
// the server may have received, so no account is made twice.
//
// After engine.ErrUnavailable, or if you gave up waiting, make the same call
// again. If the account now exists as you want it, the call succeeds. If it
// differs, or the server does not show enough to tell, the error is an
// [ExistsError].
//
// A refusal by a server is in the error's chain as a nimhttp.ServerError. No
// error contains a token.
package provision

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
)

// The vendor's public hosts for mainland China (docs/vendor/http.md#hosts).
const (
	defaultIMURL      = "https://open.yunxinapi.com"
	defaultKitURL     = "https://roomkit.netease.im"
	defaultMeetingURL = "https://meeting.yunxinroom.com"
)

// Options configure a Client. AppKey is required, and exactly one of AppSecret
// and Sign. Options print without the secret.
type Options struct {
	AppKey    string
	AppSecret string // signs the requests

	// Sign signs a request in place of AppSecret: it sets the header CheckSum.
	// The headers Nonce and CurTime are already set; Sign may replace them.
	// Sign is called for each attempt, and an error from it ends the call.
	Sign func(r *http.Request) error

	// The base URLs of the servers. If all are empty, the Client uses the
	// vendor's public hosts. If one is set, there are no defaults for the
	// others, so that no token leaves a private deployment for the public
	// cloud: a call to a server without a URL fails with engine.ErrArgument.
	IMURL      string // IM; in a private deployment it includes the path prefix, usually /nimserver
	KitURL     string // NERoom
	MeetingURL string // the meeting server; default: KitURL, if that is set

	// HTTPClient sends the requests. The default has timeouts, keeps
	// connections alive and requires TLS 1.2 or later. The Client never follows
	// redirects, with any HTTPClient.
	HTTPClient *http.Client

	Now func() time.Time // the clock for signatures; default: time.Now
}

func (o Options) text() string { return fmt.Sprintf("provision.Options{AppKey:%q}", o.AppKey) }

// Format implements fmt.Formatter. It prints the AppKey.
func (o Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.text()) }

// MarshalText returns the same text as Format, so that JSON and text logs do
// not contain the secret either.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.text()), nil }

// A Client makes and changes accounts. It is safe for concurrent use if
// Options.Sign and Options.Now are.
type Client struct {
	appKey            string
	now               func() time.Time
	sign              func(*http.Request) error
	secret            func() string // returns the AppSecret or ""; a func, so that fmt cannot print it
	im, room, meeting *server
}

// Format implements fmt.Formatter. It prints the AppKey.
func (c *Client) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "provision.Client{AppKey:%q}", c.appKey)
}

// New makes a Client. It sends nothing. If an option is missing or invalid, it
// fails with an engine.ErrArgument that names the option.
func New(o Options) (*Client, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, fmt.Errorf("provision: New: %w", err)
	}
	return c, nil
}

func newClient(o Options) (*Client, error) {
	if err := call.CheckHeader("AppKey", o.AppKey, call.MaxField); err != nil {
		return nil, err
	}
	c := &Client{appKey: o.AppKey, now: o.Now, sign: o.Sign, secret: func() string { return o.AppSecret }}
	if c.now == nil {
		c.now = time.Now
	}
	switch {
	case o.AppSecret == "" && o.Sign == nil:
		return nil, call.Argument("AppSecret is empty and Sign is nil: set one of them")
	case o.AppSecret != "" && o.Sign != nil:
		return nil, call.Argument("AppSecret and Sign are both set: set only one of them")
	case o.Sign == nil:
		if err := call.CheckHeader("AppSecret", o.AppSecret, call.MaxField); err != nil {
			return nil, err
		}
		c.sign = signer(o.AppSecret)
	}
	return c, c.setServers(o)
}

// setServers sets the servers that o names, or the public ones.
func (c *Client) setServers(o Options) error {
	client, _ := call.HTTPClient(o.HTTPClient)
	private := cmp.Or(o.IMURL, o.KitURL, o.MeetingURL) != ""
	for _, s := range []struct {
		to                    **server
		domain                string
		option, url, fallback string
	}{
		{&c.im, call.DomainIM, "IMURL", o.IMURL, defaultIMURL},
		{&c.room, call.DomainRoom, "KitURL", o.KitURL, defaultKitURL},
		{&c.meeting, call.DomainMeeting, "MeetingURL", cmp.Or(o.MeetingURL, o.KitURL), defaultMeetingURL},
	} {
		if private && s.url == "" {
			*s.to = &server{missing: s.option}
			continue
		}
		base, err := call.CheckURL(s.option, cmp.Or(s.url, s.fallback), false)
		if err != nil {
			return err
		}
		// Without a path in the base, JoinPath would return a relative path.
		base.Path, base.RawPath = base.Path+"/", base.EscapedPath()+"/"
		*s.to = &server{base: base, caller: &call.Caller{Domain: s.domain, Client: client, Log: slog.New(slog.DiscardHandler)}}
	}
	return nil
}

// A server is one of the vendor's servers.
type server struct {
	missing string // the option that should have its URL, if that is empty; else ""
	base    *url.URL
	caller  *call.Caller
}

// A request is one logical call to a server.
type request struct {
	method     string
	path       []string
	query      url.Values
	body       any      // nil for no body
	secrets    []string // must not appear in errors
	repeatable bool     // may safely reach the server more than once
}

// send signs r, sends it and decodes the reply into data. All attempts have the
// same trace id, by which the servers recognise a repeated request.
func (c *Client) send(ctx context.Context, s *server, r request, data any) (call.Outcome, error) {
	if s.missing != "" {
		return call.Outcome{}, call.Argument("%s is empty, but another server's URL is set: set this one too", s.missing)
	}
	header := http.Header{}
	header.Set("Accept", "application/json")
	header.Set("AppKey", c.appKey)
	header.Set("X-custom-traceid", newID())
	var body []byte
	if r.body != nil {
		header.Set("Content-Type", "application/json;charset=UTF-8")
		body, _ = json.Marshal(r.body) // cannot fail: the bodies have only strings
	}
	target := s.base.JoinPath(r.path...)
	target.RawQuery = r.query.Encode()
	outcome, err := s.caller.Do(ctx, call.Request{
		Method: r.method, URL: target, Header: header, Body: body,
		Sign: c.stamp, Secrets: append(slices.Clone(r.secrets), c.secret()), Repeatable: r.repeatable,
	}, data)
	return outcome, c.explain(err, outcome.Date)
}

// newID makes a UUID without its dashes, as the vendor's SDKs do.
func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

// refusal returns the server's refusal in err's chain, and its code. If the
// reply had no code, that is the HTTP status. Without a refusal it returns nil.
func refusal(err error) (*call.ServerError, int) {
	var s *call.ServerError
	if !errors.As(err, &s) {
		return nil, 0
	}
	return s, cmp.Or(s.Code, s.Status)
}
