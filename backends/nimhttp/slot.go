package nimhttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/engine"
)

// A slot is one slot of an IM gateway, over its contract (gateway/openapi.yaml).
type slot struct {
	server   *call.Caller
	base     *url.URL      // of the gateway
	path     string        // of the slot
	patience time.Duration // for a reply, beyond what the gateway was asked to wait
	secret   func() string // fmt does not look into functions
}

// A snapshot is a slot at one moment. Every reply is one.
type snapshot struct {
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
func (s snapshot) isSnapshot() bool {
	held := s.Session != 0
	return s.Boot != "" && s.Seq != 0 && s.AppKey != "" && s.Login != "" && s.Link != "" && held == (s.Accid != "") && held == (s.Owner != "")
}

func (s snapshot) online() bool { return s.Link == "up" }

// isFree reports whether nobody is logged in or about to be.
func (s snapshot) isFree() bool { return s.Session == 0 && s.Login == "logged_out" }

const longestText = 500 // of a kick, in the contract

// cause is why that session does not hold any more, without the secrets.
func (s snapshot) cause(session uint64, secrets []string) error {
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
	snapshot *snapshot
	cause    error
}

func (p *problem) Error() string { return fmt.Sprintf("the IM gateway: %v", p.cause) }
func (p *problem) Unwrap() error { return p.cause }

// The kinds of problems that are told apart here.
const (
	noSuchSlot         = "no-such-slot"
	notInitialised     = "not-initialised"
	otherAccount       = "other-account"
	otherConfiguration = "other-configuration"
	loginFailed        = "login-failed"
)

// isProblem reports whether err is one of these kinds.
func isProblem(err error, kinds ...string) bool {
	var p *problem
	return errors.As(err, &p) && slices.Contains(kinds, p.kind)
}

func newSlot(o Options) (*slot, func(), error) {
	base, err := call.CheckURL("GatewayURL", o.GatewayURL, o.PlainHTTP)
	if err != nil {
		return nil, nil, err
	}
	s := &slot{
		base:     base,
		path:     "/v1/im/" + o.Slot,
		secret:   func() string { return o.GatewaySecret },
		patience: usualLimits.silence,
	}
	client, _ := call.HTTPClient(o.HTTPClient)
	own, err := transportOf(client)
	if err != nil {
		return nil, nil, err
	}
	transport, release := shareTransport(own, base, s.url("/healthz", nil), o.GatewaySecret)
	client.Transport = transport
	client.Timeout = 0 // calls have bounds of their own, and some wait for long
	s.server = &call.Caller{Domain: "gateway", Client: client, Log: o.Logger}
	return s, release, nil
}

// health tells which run of the gateway this is. It shows no secret.
func (s *slot) health(ctx context.Context) (h health, err error) {
	status, body, err := s.send(ctx, call.Request{Method: http.MethodGet, URL: s.url("/healthz", nil)}, s.patience)
	if err == nil && (status != http.StatusOK || json.Unmarshal(body, &h) != nil || h.Boot == "") {
		err = s.server.Malformed("HTTP %d in place of its health", status)
	}
	return h, err
}

// configuration is the body that initialises a slot.
type configuration struct {
	AppKey    string `json:"appKey"`
	LBSURL    string `json:"lbsUrl,omitempty"`
	LinkAddr  string `json:"linkAddr,omitempty"`
	LinkPlain bool   `json:"linkPlain,omitempty"`
}

func (s *slot) init(ctx context.Context, c configuration) (snapshot, error) {
	return s.call(ctx, http.MethodPut, "", nil, c, s.patience)
}

// read returns the present snapshot.
func (s *slot) read(ctx context.Context) (snapshot, error) {
	return s.call(ctx, http.MethodGet, "", nil, nil, s.patience)
}

// next returns the first snapshot after one, or what there is after a while.
func (s *slot) next(ctx context.Context, after uint64, wait, patience time.Duration) (snapshot, error) {
	query := url.Values{"after": {strconv.FormatUint(after, 10)}, "waitMs": {strconv.FormatInt(wait.Milliseconds(), 10)}}
	return s.call(ctx, http.MethodGet, "", query, nil, patience)
}

type loginRequest struct {
	Accid     string `json:"accid"`
	Token     string `json:"token"`
	Owner     string `json:"owner"`
	TimeoutMs int64  `json:"timeoutMs"`
}

func (s *slot) login(ctx context.Context, r loginRequest) (snapshot, error) {
	return s.call(ctx, http.MethodPost, "/login", nil, r, time.Duration(r.TimeoutMs)*time.Millisecond+s.patience, r.Token)
}

// logout logs out the login of that owner; "": whoever is logged in. Another's
// login stays, which is no error.
func (s *slot) logout(ctx context.Context, owner string) error {
	var body any
	if owner != "" {
		body = struct {
			Owner string `json:"owner"`
		}{owner}
	}
	_, err := s.call(ctx, http.MethodPost, "/logout", nil, body, s.patience)
	return err
}

// release also gives the slot up, unless somebody else is logged in there.
func (s *slot) release(ctx context.Context, owner string) error {
	_, err := s.call(ctx, http.MethodDelete, "", url.Values{"owner": {owner}}, nil, s.patience)
	return err
}

func (s *slot) url(path string, query url.Values) *url.URL {
	u := *s.base
	u.Path, u.RawQuery = u.Path+path, query.Encode()
	if u.RawPath != "" {
		u.RawPath += path
	}
	return &u
}

// call makes one call of the slot. What is not a snapshot is an error, and a
// *problem where the gateway says why.
func (s *slot) call(ctx context.Context, method, rest string, query url.Values, body any, patience time.Duration, secrets ...string) (snapshot, error) {
	r := call.Request{Method: method, URL: s.url(s.path+rest, query), Header: http.Header{"Authorization": {"Bearer " + s.secret()}}, Secrets: secrets}
	if body != nil {
		var err error
		if r.Body, err = json.Marshal(body); err != nil {
			return snapshot{}, err
		}
		r.Header.Set("Content-Type", "application/json")
	}
	status, reply, err := s.send(ctx, r, patience)
	if err != nil {
		return snapshot{}, err
	}
	if status != http.StatusOK {
		return snapshot{}, s.problem(status, reply, secrets)
	}
	var now snapshot
	if json.Unmarshal(reply, &now) != nil || !now.isSnapshot() {
		return snapshot{}, s.server.Malformed("a reply that is no snapshot")
	}
	return now, nil
}

// send makes one HTTP request, and waits for its reply no longer than patience.
func (s *slot) send(ctx context.Context, r call.Request, patience time.Duration) (int, []byte, error) {
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
func (s *slot) problem(status int, reply []byte, secrets []string) error {
	var body struct {
		Type, Detail string
		Code         *int
		Snapshot     *snapshot
	}
	kind, is := "", false
	if json.Unmarshal(reply, &body) == nil {
		kind, is = strings.CutPrefix(body.Type, "urn:imreuse:gateway:")
	}
	if !is || kind == loginFailed && body.Code == nil || body.Snapshot != nil && !body.Snapshot.isSnapshot() {
		return s.server.Malformed("HTTP %d, and not a problem as its contract has it", status)
	}
	secrets = append(secrets, s.secret())
	detail := call.Clean(body.Detail, secrets...)
	p := &problem{kind: kind, snapshot: body.Snapshot}
	switch kind {
	case loginFailed:
		p.cause = call.SDKError(*body.Code, detail)
	case otherAccount:
		p.cause = inUse(p.snapshot)
	case otherConfiguration:
		p.cause = fmt.Errorf("%w under another configuration (LBSURL, LinkAddr or LinkPlain)", inUse(p.snapshot))
	case notInitialised, noSuchSlot:
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

// inUse is the error of a slot in which somebody else is logged in.
func inUse(s *snapshot) error {
	if s == nil {
		return fmt.Errorf("%w: the slot is in use", engine.ErrIMInUse)
	}
	return fmt.Errorf("%w: as %s, by another client of this slot; log it out there, or give this client a Slot of its own", engine.ErrIMInUse, call.Clean(s.Accid))
}
