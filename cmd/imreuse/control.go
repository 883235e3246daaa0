package main

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/accounts"
	"github.com/imreuse/imreuse/internal/loopback"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// A control is the sandbox's control endpoint: a test in any language can call
// it to end logins, drop links and make calls fail. docs/sandbox.md describes
// the calls.
type control struct {
	server   *nimhttptest.Server
	cloud    *nimcloud.Cloud
	secret   [sha256.Size]byte
	listener *loopback.Server
}

const (
	maxControlBody = 64 << 10
	controlTimeout = 15 * time.Second // to read a request, and to write its reply
	maxFaultMS     = 10 * 60 * 1000
	maxFaultTimes  = 1_000_000
)

// An action is one call: its fields are the body, and do carries it out.
type action interface {
	do(*control) error
}

var actions = map[string]func() action{
	"/v1/kick":    func() action { return new(kick) },
	"/v1/end-im":  func() action { return new(endIM) },
	"/v1/end-kit": func() action { return new(endKit) },
	"/v1/expire":  func() action { return new(expire) },
	"/v1/link":    func() action { return new(setLink) },
	"/v1/fault":   func() action { return new(fault) },
}

// startControl serves the control endpoint on addr, to clients that send the
// secret.
func startControl(addr, secret string, server *nimhttptest.Server, cloud *nimcloud.Cloud, log *slog.Logger) (*control, error) {
	listener, err := loopback.Listen(addr)
	if err != nil {
		return nil, fmt.Errorf("control endpoint: %w", err)
	}
	c := &control{server, cloud, sha256.Sum256([]byte(secret)), listener}
	listener.Serve(&http.Server{
		Handler:           loopback.LogRequests(http.HandlerFunc(c.serve), log),
		ReadHeaderTimeout: controlTimeout,
		ReadTimeout:       controlTimeout,
		WriteTimeout:      controlTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	})
	return c, nil
}

func (c *control) url() string { return "http://" + c.listener.Addr() }

// A refusal is an error with the HTTP status of its reply.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

func (c *control) serve(w http.ResponseWriter, r *http.Request) {
	err := c.answer(w, r)
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status := http.StatusBadRequest
	var refused *refusal
	if errors.As(err, &refused) {
		status = refused.status
	}
	http.Error(w, err.Error(), status)
}

func (c *control) answer(w http.ResponseWriter, r *http.Request) error {
	if !isLoopbackHost(r.Host) {
		return refuse(http.StatusForbidden, "the Host header must be a loopback name, such as 127.0.0.1 or localhost")
	}
	if !c.isAuthorized(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return refuse(http.StatusUnauthorized, "send the header Authorization: Bearer SECRET, with the controlSecret of the sandbox")
	}
	newAction, known := actions[r.URL.Path]
	if !known {
		return refuse(http.StatusNotFound, "there is no such path; the paths are %s", strings.Join(slices.Sorted(maps.Keys(actions)), ", "))
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, "use POST")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", maxControlBody)
	} else if err != nil {
		return fmt.Errorf("the body cannot be read: %w", err)
	}
	a := newAction()
	if err := accounts.Decode(body, a); err != nil {
		return err
	}
	return a.do(c)
}

func isLoopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return loopback.Is(host)
}

// isAuthorized compares digests, so the time it takes does not depend on the
// length of what was sent.
func (c *control) isAuthorized(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(given)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], c.secret[:]) == 1
}

// requireIM refuses an accid that the sandbox has no account for: a test that
// misspells it would otherwise wait for something that never happens.
func (c *control) requireIM(accid string) error {
	if err := accounts.CheckID("accid", accid); err != nil {
		return err
	}
	if _, found := c.server.World().FindIM(accid); !found {
		return refuse(http.StatusNotFound, "there is no IM account %q", accid)
	}
	return nil
}

func (c *control) requireKit(userUUID string) error {
	if err := accounts.CheckID("userUuid", userUUID); err != nil {
		return err
	}
	if _, _, found := c.server.World().FindKit(userUUID); !found {
		return refuse(http.StatusNotFound, "there is no kit account %q", userUUID)
	}
	return nil
}

type kick struct {
	Accid      string            `json:"accid"`
	Reason     engine.KickReason `json:"reason"`
	ClientType int               `json:"clientType"`
	Text       string            `json:"text"`
}

func (k *kick) do(c *control) error {
	if k.Reason < engine.KickedByClient || k.Reason > engine.KickedQuietly {
		return fmt.Errorf("reason must be 1 (%v), 2 (%v), 3 (%v) or 4 (%v)",
			engine.KickedByClient, engine.KickedByServer, engine.KickedByOther, engine.KickedQuietly)
	}
	if err := c.requireIM(k.Accid); err != nil {
		return err
	}
	c.server.World().EndIM(k.Accid, &engine.KickError{Reason: k.Reason, ClientType: k.ClientType, Text: k.Text})
	return nil
}

// causes are the Codes that can end a login, by their names in package engine.
var causes = map[string]engine.Code{
	"ErrTokenRejected":  engine.ErrTokenRejected,
	"ErrTokenExpired":   engine.ErrTokenExpired,
	"ErrAccountBanned":  engine.ErrAccountBanned,
	"ErrNotEnabled":     engine.ErrNotEnabled,
	"ErrAppKeyMismatch": engine.ErrAppKeyMismatch,
	"ErrUnavailable":    engine.ErrUnavailable,
}

// parseCause parses the name or the number of one of the causes.
func parseCause(raw json.RawMessage) (engine.Code, error) {
	var name string
	var code engine.Code
	switch {
	case json.Unmarshal(raw, &name) == nil:
		code = causes[name]
	case json.Unmarshal(raw, &code) != nil || !slices.Contains(slices.Collect(maps.Values(causes)), code):
		code = 0
	}
	if code == 0 {
		return 0, fmt.Errorf("cause must be one of %s, or the number of one", strings.Join(slices.Sorted(maps.Keys(causes)), ", "))
	}
	return code, nil
}

type endIM struct {
	Accid string          `json:"accid"`
	Cause json.RawMessage `json:"cause"`
}

func (e *endIM) do(c *control) error {
	cause, err := parseCause(e.Cause)
	if err := cmp.Or(err, c.requireIM(e.Accid)); err != nil {
		return err
	}
	c.server.World().EndIM(e.Accid, cause)
	return nil
}

type endKit struct {
	UserUUID string          `json:"userUuid"`
	Cause    json.RawMessage `json:"cause"`
}

func (e *endKit) do(c *control) error {
	cause, err := parseCause(e.Cause)
	if err := cmp.Or(err, c.requireKit(e.UserUUID)); err != nil {
		return err
	}
	c.server.World().EndKit(e.UserUUID, cause)
	return nil
}

type expire struct {
	UserUUID string `json:"userUuid"`
}

func (e *expire) do(c *control) error {
	if err := c.requireKit(e.UserUUID); err != nil {
		return err
	}
	c.server.World().ExpireKit(e.UserUUID)
	return nil
}

type setLink struct {
	Accid  string `json:"accid"`
	Online *bool  `json:"online"`
}

func (l *setLink) do(c *control) error {
	if l.Online == nil {
		return errors.New("online is missing: it must be true or false")
	}
	if err := c.requireIM(l.Accid); err != nil {
		return err
	}
	c.server.Link(l.Accid, *l.Online)
	c.cloud.Link(l.Accid, *l.Online)
	return nil
}

// A fault is a nimhttptest.Fault in JSON.
type fault struct {
	Path      string            `json:"path"`
	Times     int               `json:"times"`
	DelayMS   int               `json:"delayMs"`
	Cut       string            `json:"cut"`
	Status    int               `json:"status"`
	Header    map[string]string `json:"header"`
	Body      string            `json:"body"`
	TrickleMS int               `json:"trickleMs"`
}

func (f *fault) do(c *control) error {
	cuts := map[string]nimhttptest.Cut{"": nimhttptest.NoCut, "before": nimhttptest.CutBefore, "after": nimhttptest.CutAfter}
	cut, known := cuts[f.Cut]
	switch {
	case !known:
		return fmt.Errorf("cut must be before or after, not %q", f.Cut)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status must be 200 to 599, not %d", f.Status)
	case f.Times < 0 || f.Times > maxFaultTimes:
		return fmt.Errorf("times must be 0 to %d, not %d", maxFaultTimes, f.Times)
	case f.DelayMS < 0 || f.DelayMS > maxFaultMS || f.TrickleMS < 0 || f.TrickleMS > maxFaultMS:
		return fmt.Errorf("delayMs and trickleMs must be 0 to %d", maxFaultMS)
	}
	header, err := checkedHeader(f.Header)
	if err != nil {
		return err
	}
	c.server.Fault(nimhttptest.Fault{
		Path: f.Path, Times: f.Times, Cut: cut, Status: f.Status, Header: header, Body: f.Body,
		Delay:   time.Duration(f.DelayMS) * time.Millisecond,
		Trickle: time.Duration(f.TrickleMS) * time.Millisecond,
	})
	return nil
}

// checkedHeader refuses names and values that net/http would drop or change.
func checkedHeader(fields map[string]string) (http.Header, error) {
	header := http.Header{}
	for name, value := range fields {
		if name == "" || strings.Trim(name, accounts.IDRunes) != "" || strings.Contains(name, "@") {
			return nil, fmt.Errorf("%q is not a valid header name", name)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, fmt.Errorf("header %s has a character that is not printable ASCII", name)
		}
		header.Set(name, value)
	}
	return header, nil
}
