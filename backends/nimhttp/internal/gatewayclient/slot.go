// Package gatewayclient is the client of one slot of an IM gateway, over the
// gateway's contract (gateway/openapi.yaml). Each of its connections first
// proves that the gateway is at its other end.
package gatewayclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/engine"
)

// A Slot is one slot of an IM gateway, over its contract (gateway/openapi.yaml).
type Slot struct {
	server   *call.Caller
	base     *url.URL      // of the gateway
	path     string        // of the slot
	patience time.Duration // for a reply, beyond what the gateway was asked to wait
	secret   func() string // fmt does not look into functions
}

// A Snapshot is a slot at one moment. Every reply is one.
type Snapshot struct {
	Boot    string `json:"boot"` // of this run of the gateway
	Seq     uint64 `json:"seq"`  // one counter for all slots of it
	AppKey  string `json:"appKey"`
	Accid   string `json:"accid"`
	Owner   string `json:"owner"`   // who made the login that holds
	Session uint64 `json:"session"` // its number; 0: nobody is logged in
	Login   string `json:"login"`
	Link    string `json:"link"`
	Ended   *ended `json:"ended"`
}

// ended is the session that ended last, and why. Without a reason it was
// logged out.
type ended struct {
	Session uint64 `json:"session"`
	Kick    *struct {
		Reason     int    `json:"reason"`
		ReasonDesc string `json:"reasonDesc"`
		ClientType int    `json:"clientType"`
	} `json:"kick"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// isSnapshot tells a snapshot from any other JSON.
func (s Snapshot) isSnapshot() bool {
	held := s.Session != 0
	return s.Boot != "" && s.Seq != 0 && s.AppKey != "" && s.Login != "" && s.Link != "" && held == (s.Accid != "") && held == (s.Owner != "")
}

// Online reports whether the link to IM is up.
func (s Snapshot) Online() bool { return s.Link == "up" }

// IsFree reports whether nobody is logged in or about to be.
func (s Snapshot) IsFree() bool { return s.Session == 0 && s.Login == "logged_out" }

const longestText = 500 // of a kick, in the contract

// Cause is why that session does not hold any more, without the secrets.
func (s Snapshot) Cause(session uint64, secrets []string) error {
	e := s.Ended
	switch {
	case e == nil || e.Session != session:
	case e.Kick != nil:
		return &engine.KickError{Reason: engine.KickReason(e.Kick.Reason), ClientType: e.Kick.ClientType, Text: call.Shorten(call.Hide(e.Kick.ReasonDesc, secrets...), longestText)}
	case e.Error != nil:
		return call.SDKError(e.Error.Code, e.Error.Message, secrets...)
	}
	return engine.ErrIMLoggedOut
}

// A problem is what the gateway says where it does not do what it was asked to.
type problem struct {
	kind     string
	snapshot *Snapshot
	cause    error
}

func (p *problem) Error() string { return fmt.Sprintf("the IM gateway: %v", p.cause) }
func (p *problem) Unwrap() error { return p.cause }

// The kinds of problems that are told apart here.
const (
	NoSuchSlot         = "no-such-slot"
	NotInitialised     = "not-initialised"
	OtherAccount       = "other-account"
	otherConfiguration = "other-configuration"
	LoginFailed        = "login-failed"
)

// IsProblem reports whether err is one of these kinds.
func IsProblem(err error, kinds ...string) bool {
	var p *problem
	return errors.As(err, &p) && slices.Contains(kinds, p.kind)
}

// Options name a slot of a gateway. The other fields are those of
// nimhttp.Options with the same names, and were checked there.
type Options struct {
	GatewayURL    string
	GatewaySecret string
	Slot          string
	PlainHTTP     bool
	HTTPClient    *http.Client
	Logger        *slog.Logger
	Patience      time.Duration // for a reply, beyond what the gateway was asked to wait
}

// New makes a client of a slot. The returned func closes its connections. It
// fails with engine.ErrArgument, naming the option.
func New(o Options) (*Slot, func(), error) {
	base, err := call.CheckURL("GatewayURL", o.GatewayURL, o.PlainHTTP)
	if err != nil {
		return nil, nil, err
	}
	s := &Slot{
		base:     base,
		path:     "/v1/im/" + o.Slot,
		secret:   func() string { return o.GatewaySecret },
		patience: o.Patience,
	}
	client, _ := call.HTTPClient(o.HTTPClient)
	own, err := transportOf(client, o.Patience)
	if err != nil {
		return nil, nil, err
	}
	transport, release := shareTransport(own, base, s.url("/healthz", nil), o.GatewaySecret)
	client.Transport = transport
	client.Timeout = 0 // calls have bounds of their own, and some wait for long
	s.server = &call.Caller{Domain: "gateway", Client: client, Log: o.Logger}
	return s, release, nil
}

// Address is where the slot is.
func (s *Slot) Address() *url.URL { return s.url(s.path, nil) }

// Secret is what the gateway was started with.
func (s *Slot) Secret() string { return s.secret() }

// Malformed is the error of a reply that breaks the contract.
func (s *Slot) Malformed(what string) error { return s.server.Malformed("%s", what) }

// Health tells which run of the gateway this is. It shows no secret.
func (s *Slot) Health(ctx context.Context) (h Health, err error) {
	status, body, err := s.send(ctx, call.Request{Method: http.MethodGet, URL: s.url("/healthz", nil)}, s.patience)
	if err == nil && (status != http.StatusOK || json.Unmarshal(body, &h) != nil || h.Boot == "") {
		err = s.server.Malformed("HTTP %d in place of its health", status)
	}
	return h, err
}

// Configuration is the body that initialises a slot.
type Configuration struct {
	AppKey    string `json:"appKey"`
	LBSURL    string `json:"lbsUrl,omitempty"`
	LinkAddr  string `json:"linkAddr,omitempty"`
	LinkPlain bool   `json:"linkPlain,omitempty"`
}

// Init initialises the slot. It does nothing if that is done with the same
// configuration.
func (s *Slot) Init(ctx context.Context, c Configuration) (Snapshot, error) {
	return s.call(ctx, http.MethodPut, "", nil, c, s.patience)
}

// Read returns the present snapshot.
func (s *Slot) Read(ctx context.Context) (Snapshot, error) {
	return s.call(ctx, http.MethodGet, "", nil, nil, s.patience)
}

// Next returns the first snapshot after one, or what there is after a while.
func (s *Slot) Next(ctx context.Context, after uint64, wait, patience time.Duration) (Snapshot, error) {
	query := url.Values{"after": {strconv.FormatUint(after, 10)}, "waitMs": {strconv.FormatInt(wait.Milliseconds(), 10)}}
	return s.call(ctx, http.MethodGet, "", query, nil, patience)
}

// LoginRequest is the body of a login.
type LoginRequest struct {
	Accid     string `json:"accid"`
	Token     string `json:"token"`
	Owner     string `json:"owner"`
	TimeoutMs int64  `json:"timeoutMs"`
}

// Login asks for a login, and waits until it is decided.
func (s *Slot) Login(ctx context.Context, r LoginRequest) (Snapshot, error) {
	return s.call(ctx, http.MethodPost, "/login", nil, r, time.Duration(r.TimeoutMs)*time.Millisecond+s.patience, r.Token)
}

// Logout logs out the login of that owner; "": whoever is logged in. Another's
// login stays, which is no error.
func (s *Slot) Logout(ctx context.Context, owner string) error {
	var body any
	if owner != "" {
		body = struct {
			Owner string `json:"owner"`
		}{owner}
	}
	_, err := s.call(ctx, http.MethodPost, "/logout", nil, body, s.patience)
	return err
}

// Release also gives the slot up, unless somebody else is logged in there.
func (s *Slot) Release(ctx context.Context, owner string) error {
	_, err := s.call(ctx, http.MethodDelete, "", url.Values{"owner": {owner}}, nil, s.patience)
	return err
}

func (s *Slot) url(path string, query url.Values) *url.URL {
	u := *s.base
	u.Path, u.RawQuery = u.Path+path, query.Encode()
	if u.RawPath != "" {
		u.RawPath += path
	}
	return &u
}

// call makes one call of the slot. What is not a snapshot is an error, and a
// *problem where the gateway says why.
func (s *Slot) call(ctx context.Context, method, rest string, query url.Values, body any, patience time.Duration, secrets ...string) (Snapshot, error) {
	r := call.Request{Method: method, URL: s.url(s.path+rest, query), Header: http.Header{"Authorization": {"Bearer " + s.secret()}}, Secrets: secrets}
	if body != nil {
		var err error
		if r.Body, err = json.Marshal(body); err != nil {
			return Snapshot{}, err
		}
		r.Header.Set("Content-Type", "application/json")
	}
	status, reply, err := s.send(ctx, r, patience)
	if err != nil {
		return Snapshot{}, err
	}
	if status != http.StatusOK {
		return Snapshot{}, s.problem(status, reply, secrets)
	}
	var now Snapshot
	if json.Unmarshal(reply, &now) != nil || !now.isSnapshot() {
		return Snapshot{}, s.server.Malformed("a reply that is no snapshot")
	}
	return now, nil
}

// send makes one HTTP request, and waits for its reply no longer than patience.
func (s *Slot) send(ctx context.Context, r call.Request, patience time.Duration) (int, []byte, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, reply, err := s.server.Once(bounded, r)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		err = fmt.Errorf("%w: the IM gateway did not reply within %v", engine.ErrUnavailable, patience)
	}
	var unproved *strangerError
	if errors.As(err, &unproved) {
		err = unproved // and not what the transport makes of it: the request was not sent
	}
	return status, reply, err
}

// problem is the error of a reply that is no success.
func (s *Slot) problem(status int, reply []byte, secrets []string) error {
	var body struct {
		Type, Detail string
		Code         *int
		Snapshot     *Snapshot
	}
	kind, is := "", false
	if json.Unmarshal(reply, &body) == nil {
		kind, is = strings.CutPrefix(body.Type, "urn:imreuse:gateway:")
	}
	if !is || kind == LoginFailed && body.Code == nil || body.Snapshot != nil && !body.Snapshot.isSnapshot() {
		return s.server.Malformed("HTTP %d, and not a problem as its contract has it", status)
	}
	secrets = append(secrets, s.secret())
	detail := call.Clean(body.Detail, secrets...)
	p := &problem{kind: kind, snapshot: body.Snapshot}
	switch kind {
	case LoginFailed:
		p.cause = call.SDKError(*body.Code, detail)
	case OtherAccount:
		p.cause = InUse(p.snapshot)
	case otherConfiguration:
		p.cause = fmt.Errorf("%w under another configuration (LBSURL, LinkAddr or LinkPlain)", InUse(p.snapshot))
	case NotInitialised, NoSuchSlot:
		p.cause = fmt.Errorf("%w: it was started again, or the slot was released: log in again", engine.ErrUnavailable)
	case "unauthorized":
		p.cause = errWrongSecret.cause
	case "bad-request", "too-large":
		p.cause = call.Argument("%s", detail)
	default:
		p.cause = fmt.Errorf("%w: %q, HTTP %d", engine.ErrUnavailable, call.Clean(kind, secrets...), status)
	}
	return p
}

// InUse is the error of a slot in which somebody else is logged in.
func InUse(s *Snapshot) error {
	if s == nil {
		return fmt.Errorf("%w: the slot is in use", engine.ErrIMInUse)
	}
	return fmt.Errorf("%w: as %s, by another client of this slot; log it out there, or give this client a Slot of its own", engine.ErrIMInUse, call.Clean(s.Accid))
}
