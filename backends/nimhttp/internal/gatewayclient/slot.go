// Package gatewayclient is the client of one slot of an IM gateway. It speaks
// the contract in gateway/openapi.yaml. On each new connection the gateway
// first proves that it knows the secret.
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
	"github.com/imreuse/imreuse/internal/hide"
)

// A Slot is the client of one slot. It is safe for concurrent use.
type Slot struct {
	server   *call.Caller
	base     *url.URL      // the gateway's
	path     string        // the slot's
	patience time.Duration // for a reply, on top of the time that the gateway was asked to wait
	secret   func() string // a func, because fmt does not print its result
}

// A Snapshot is the state of a slot at one moment. Every successful reply is
// one.
type Snapshot struct {
	Boot    string `json:"boot"` // names this run of the gateway
	Seq     uint64 `json:"seq"`  // counts the changes of all slots in this run
	AppKey  string `json:"appKey"`
	Accid   string `json:"accid"`   // who is logged in
	Owner   string `json:"owner"`   // the client that made the login
	Session uint64 `json:"session"` // the number of the login; 0: nobody is logged in
	Login   string `json:"login"`
	Link    string `json:"link"`
	Asks    uint64 `json:"asks"` // the SDK's open question for a fresh token; 0: there is none
	Ended   *ended `json:"ended"`
}

// ended is the session that ended last, with the reason. If it has no reason,
// the session was logged out.
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

// isSnapshot reports whether the JSON was a snapshot, and not something else.
func (s Snapshot) isSnapshot() bool {
	held := s.Session != 0
	return s.Boot != "" && s.Seq != 0 && s.AppKey != "" && s.Login != "" && s.Link != "" && held == (s.Accid != "") && held == (s.Owner != "")
}

// Online reports whether the link to IM is up and somebody is logged in over it.
// While the SDK waits for a fresh token, the link is up already.
func (s Snapshot) Online() bool { return s.Link == "up" && s.Login != "logging_in" }

// IsFree reports whether nobody is logged in or logging in.
func (s Snapshot) IsFree() bool { return s.Session == 0 && s.Login == "logged_out" }

const longestText = 500 // the contract's bound on a kick's text

// Cause returns the reason that the given session ended. The text shows none of
// the secrets.
func (s Snapshot) Cause(session uint64, secrets []string) error {
	e := s.Ended
	switch {
	case e == nil || e.Session != session:
	case e.Kick != nil:
		return &engine.KickError{Reason: engine.KickReason(e.Kick.Reason), ClientType: e.Kick.ClientType, Text: call.Shorten(hide.In(e.Kick.ReasonDesc, secrets...), longestText)}
	case e.Error != nil:
		return call.SDKError(e.Error.Code, e.Error.Message, secrets...)
	}
	return engine.ErrIMLoggedOut
}

// A problem is the gateway's refusal of a call.
type problem struct {
	kind     string
	snapshot *Snapshot
	cause    error
}

func (p *problem) Error() string { return fmt.Sprintf("the IM gateway: %v", p.cause) }
func (p *problem) Unwrap() error { return p.cause }

// The kinds of problems that need different treatment.
const (
	NoSuchSlot         = "no-such-slot"
	NotInitialised     = "not-initialised"
	OtherAccount       = "other-account"
	otherConfiguration = "other-configuration"
	LoginFailed        = "login-failed"
)

// IsProblem reports whether err is a problem of one of the kinds.
func IsProblem(err error, kinds ...string) bool {
	var p *problem
	return errors.As(err, &p) && slices.Contains(kinds, p.kind)
}

// Options name a slot of a gateway. Each field except Patience has the meaning
// of the same field in nimhttp.Options, which has checked it.
type Options struct {
	GatewayURL    string
	GatewaySecret string
	Slot          string
	PlainHTTP     bool
	HTTPClient    *http.Client
	Logger        *slog.Logger
	Patience      time.Duration // for a reply, on top of the time that the gateway was asked to wait
}

// New makes a client of a slot. The returned func closes its connections. If an
// option is invalid, New fails with an engine.ErrArgument that names the
// option.
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
	client.Timeout = 0 // each call has its own bound, and reads wait long
	s.server = &call.Caller{Domain: "gateway", Client: client, Log: o.Logger}
	return s, release, nil
}

// Address returns the URL of the slot.
func (s *Slot) Address() *url.URL { return s.url(s.path, nil) }

// Secret returns the gateway's secret.
func (s *Slot) Secret() string { return s.secret() }

// Malformed returns the error for a reply that breaks the contract.
func (s *Slot) Malformed(what string) error { return s.server.Malformed("%s", what) }

// Health asks which run of the gateway this is. The request does not have the
// secret.
func (s *Slot) Health(ctx context.Context) (h Health, err error) {
	status, body, err := s.send(ctx, call.Request{Method: http.MethodGet, URL: s.url("/healthz", nil)}, s.patience)
	if err == nil && (status != http.StatusOK || json.Unmarshal(body, &h) != nil || h.Boot == "") {
		err = s.server.Malformed("HTTP %d instead of its health", status)
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

// Init initialises the slot. It has no effect if the slot already has the same
// configuration.
func (s *Slot) Init(ctx context.Context, c Configuration) (Snapshot, error) {
	return s.call(ctx, http.MethodPut, "", nil, c, s.patience)
}

// Read returns the current snapshot.
func (s *Slot) Read(ctx context.Context) (Snapshot, error) {
	return s.call(ctx, http.MethodGet, "", nil, nil, s.patience)
}

// Next returns the first snapshot whose number is greater than after. If there
// is none within wait, it returns the current one. It fails if the gateway has
// not answered within patience.
func (s *Slot) Next(ctx context.Context, after uint64, wait, patience time.Duration) (Snapshot, error) {
	query := url.Values{"after": {strconv.FormatUint(after, 10)}, "waitMs": {strconv.FormatInt(wait.Milliseconds(), 10)}}
	return s.call(ctx, http.MethodGet, "", query, nil, patience)
}

// LoginRequest is the body of a login.
type LoginRequest struct {
	Accid     string `json:"accid"`
	Token     string `json:"token"`
	Dynamic   bool   `json:"dynamic,omitempty"`
	Owner     string `json:"owner"`
	TimeoutMs int64  `json:"timeoutMs"`
}

// Login asks for a login, and waits until it is decided.
func (s *Slot) Login(ctx context.Context, r LoginRequest) (Snapshot, error) {
	return s.call(ctx, http.MethodPost, "/login", nil, r, time.Duration(r.TimeoutMs)*time.Millisecond+s.patience, r.Token)
}

// Answer answers the SDK's question with a fresh token. An empty token says that
// the host has none.
func (s *Slot) Answer(ctx context.Context, asks uint64, token string) error {
	body := struct {
		Asks  uint64 `json:"asks"`
		Token string `json:"token,omitempty"`
	}{asks, token}
	_, err := s.call(ctx, http.MethodPut, "/token", nil, body, s.patience, token)
	return err
}

// Logout logs out the login of the owner, or with "" whoever is logged in. It
// succeeds if the login belongs to another owner, and leaves that login alone.
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

// Release logs out the login of the owner and releases the slot, unless another
// owner is logged in there.
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

// call makes one call of the slot. Any reply but a snapshot is an error; if the
// gateway refuses the call, the error is a *problem.
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
		return Snapshot{}, s.server.Malformed("a reply that is not a snapshot")
	}
	return now, nil
}

// send makes one HTTP request and waits for its reply, for at most patience.
func (s *Slot) send(ctx context.Context, r call.Request, patience time.Duration) (int, []byte, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, reply, err := s.server.Once(bounded, r)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		err = fmt.Errorf("%w: the IM gateway did not reply within %v", engine.ErrUnavailable, patience)
	}
	var unproved *strangerError
	if errors.As(err, &unproved) {
		err = unproved // without the transport's words around it, which suggest that the request was sent
	}
	return status, reply, err
}

// problem returns the error for a reply that is not a success.
func (s *Slot) problem(status int, reply []byte, secrets []string) error {
	var body struct {
		Type, Detail string
		Code         *int
		Snapshot     *Snapshot
	}
	kind, known := "", false
	if json.Unmarshal(reply, &body) == nil {
		kind, known = strings.CutPrefix(body.Type, "urn:imreuse:gateway:")
	}
	if !known || kind == LoginFailed && body.Code == nil || body.Snapshot != nil && !body.Snapshot.isSnapshot() {
		return s.server.Malformed("HTTP %d without a problem as in its contract", status)
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
		p.cause = fmt.Errorf("%w: the gateway was started again or the slot was released; log in again", engine.ErrUnavailable)
	case "no-such-question":
		p.cause = fmt.Errorf("%w: the SDK does not wait for a token any more", engine.ErrUnavailable)
	case "unauthorized":
		p.cause = errWrongSecret.cause
	case "bad-request", "too-large":
		p.cause = call.Argument("%s", detail)
	default:
		p.cause = fmt.Errorf("%w: %q, HTTP %d", engine.ErrUnavailable, call.Clean(kind, secrets...), status)
	}
	return p
}

// InUse returns the error for a slot in which another client is logged in. s
// may be nil.
func InUse(s *Snapshot) error {
	if s == nil {
		return fmt.Errorf("%w: the slot is in use", engine.ErrIMInUse)
	}
	return fmt.Errorf("%w: as %s, by another client of this slot; log out in that client, or give this client its own Slot", engine.ErrIMInUse, call.Clean(s.Accid))
}
