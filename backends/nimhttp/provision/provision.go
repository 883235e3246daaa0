// Package provision makes accounts through the vendor's server API: IM accounts,
// and kit accounts that are bound to them. It needs the AppSecret, or somebody
// who signs, so it belongs on a server; a host that only logs in never links it.
//
//	c, err := provision.New(provision.Options{AppKey: "app1", AppSecret: secret})
//	r := provision.AccountRequest{Accid: "user01", IMToken: imToken}
//	im, err := c.CreateIMAccount(ctx, r)    // unless it is there already
//	kit, err := c.CreateRoomAccount(ctx, r) // bound to it
//
// A call may fail without anybody knowing whether the server did what it was
// asked to: a reply that is late, cut, or that cannot be read, HTTP 5xx. Then
// the server is asked for the account, and nothing is ever made twice. So after
// engine.ErrUnavailable, or where the caller gave up, make the same call again:
// an account that is there as it is wanted is a success, and one that is there
// otherwise is an [ExistsError].
//
// What a server answered is in the chain of the error as a nimhttp.ServerError.
// No error has a token in it.
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

// The vendor's public hosts, of mainland China (http-api.md 2.1).
const (
	defaultIMURL      = "https://open.yunxinapi.com"
	defaultKitURL     = "https://roomkit.netease.im"
	defaultMeetingURL = "https://meeting.yunxinroom.com"
)

// Options are what a Client needs to know. AppKey is required, and exactly one
// of AppSecret and Sign. They print without the secret.
type Options struct {
	AppKey    string
	AppSecret string

	// Sign sets the header CheckSum of a request to the server API, from those
	// that it finds there, Nonce and CurTime, or from others that it sets. Each
	// attempt is signed anew. Its error ends the call.
	Sign func(r *http.Request) error

	// Where the servers are; default: the vendor's public hosts. Once one of
	// them is set, none of the others is taken for granted: a call whose server
	// is not named fails with engine.ErrArgument, and no token leaves a private
	// deployment for the public cloud.
	IMURL      string // of a private deployment with the path prefix, mostly /nimserver
	KitURL     string // of NERoom
	MeetingURL string // default: KitURL, where that is set

	HTTPClient *http.Client     // default: one with timeouts and TLS 1.2 or better, kept alive. Redirects are never followed
	Now        func() time.Time // what to sign with; default time.Now
}

func (o Options) text() string { return fmt.Sprintf("provision.Options{AppKey:%q}", o.AppKey) }

// Format implements fmt.Formatter. It prints the AppKey.
func (o Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.text()) }

// MarshalText returns what Format prints, so that JSON and text logs have
// nothing else.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.text()), nil }

// A Client makes accounts. It is safe for concurrent use, if Options.Sign and
// Options.Now are.
type Client struct {
	appKey            string
	now               func() time.Time
	sign              func(*http.Request) error
	secret            func() string // the AppSecret, or ""; fmt does not look into functions
	im, room, meeting *server
}

// Format implements fmt.Formatter. It prints the AppKey.
func (c *Client) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "provision.Client{AppKey:%q}", c.appKey)
}

// New makes a Client. It sends nothing. It fails with engine.ErrArgument, naming
// the option.
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
		return nil, call.Argument("AppSecret is empty and Sign is nil: one of them has to sign")
	case o.AppSecret != "" && o.Sign != nil:
		return nil, call.Argument("AppSecret and Sign are both set: only one of them can sign")
	case o.Sign == nil:
		if err := call.CheckHeader("AppSecret", o.AppSecret, call.MaxField); err != nil {
			return nil, err
		}
		c.sign = signer(o.AppSecret)
	}
	return c, c.connect(o)
}

// connect finds out where the servers are.
func (c *Client) connect(o Options) error {
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
		base.Path, base.RawPath = base.Path+"/", base.EscapedPath()+"/" // JoinPath makes a relative path of an empty one
		*s.to = &server{base: base, caller: &call.Caller{Domain: s.domain, Client: client, Log: slog.New(slog.DiscardHandler)}}
	}
	return nil
}

// A server is one of the vendor's.
type server struct {
	missing string // the option that should have said where it is; "": base does
	base    *url.URL
	caller  *call.Caller
}

// A request is one logical call to a server.
type request struct {
	method     string
	path       []string
	query      url.Values
	body       any      // nil: none
	secrets    []string // that errors must not repeat
	repeatable bool     // the server may see it more than once
}

// send signs r, sends it and decodes the reply into data. The trace id, by
// which the servers know a request again, is the same in all of its attempts.
func (c *Client) send(ctx context.Context, s *server, r request, data any) (call.Outcome, error) {
	if s.missing != "" {
		return call.Outcome{}, call.Argument("%s is empty, and another server's URL is not: name this one too", s.missing)
	}
	header := http.Header{}
	header.Set("Accept", "application/json")
	header.Set("AppKey", c.appKey)
	header.Set("X-custom-traceid", newID())
	var body []byte
	if r.body != nil {
		header.Set("Content-Type", "application/json;charset=UTF-8")
		body, _ = json.Marshal(r.body) // of strings only
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

// refusal returns what a server answered, if err is that, and its number.
func refusal(err error) (*call.ServerError, int) {
	var s *call.ServerError
	if !errors.As(err, &s) {
		return nil, 0
	}
	return s, cmp.Or(s.Code, s.Status)
}
