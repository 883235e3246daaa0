package gatewaydouble

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewayversion"
	"github.com/imreuse/imreuse/internal/loopback"
)

// A gatewayCall is a request to the gateway while it is being answered.
type gatewayCall struct {
	*http.Request
	run    *gatewayRun
	header http.Header // of the reply
	name   string      // of the slot
	query  fields
	body   fields
	undo   func() // undoes the call if its reply is lost
}

type methods map[string]func(*gatewayCall) (any, error)

var (
	// The keys are the part of the path after the slot.
	slotPaths = map[string]methods{
		"":        {http.MethodGet: (*gatewayCall).read, http.MethodPut: (*gatewayCall).init, http.MethodDelete: (*gatewayCall).release},
		"/login":  {http.MethodPost: (*gatewayCall).logIn},
		"/logout": {http.MethodPost: (*gatewayCall).logOut},
		"/token":  {http.MethodPut: (*gatewayCall).answerQuestion},
	}
	healthPath = methods{http.MethodGet: (*gatewayCall).health}

	slotPath = regexp.MustCompile(`^/v1/im/([^/]+)(/login|/logout|/token)?$`)
	slotName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	bearer   = regexp.MustCompile(`(?i)^Bearer +(.+)$`)
	nonce    = regexp.MustCompile(`^[A-Za-z0-9_-]{22,128}$`)
	hostName = regexp.MustCompile(`^(?:\[([^\]]+)\]|([^:\[\]]+))(?::\d+)?$`)
)

// serve answers a request in the current run. If the reply to a login does not
// reach the client, serve undoes the login.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	run := g.current()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(run.ctx, cancel)()
	undo, sent := func() {}, false
	defer func() {
		if !sent {
			undo()
		}
	}()
	g.answer(w, r.WithContext(ctx), func(w http.ResponseWriter, r *http.Request) (out Reply) {
		out, undo = run.respond(w, r)
		return out
	})
	sent = ctx.Err() == nil // the last bytes of the reply leave after serve returns
}

// respond carries r out. It returns the reply, and a func that undoes the call.
func (g *gatewayRun) respond(w http.ResponseWriter, r *http.Request) (Reply, func()) {
	c := &gatewayCall{Request: r, run: g, undo: func() {}, header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}}
	out := Reply{Status: http.StatusOK, Header: c.header}
	sent := receive(w, r)
	answer, err := c.answer(sent)
	var p *problem
	switch {
	case g.ctx.Err() != nil:
		panic(http.ErrAbortHandler) // a killed process sends no reply
	case errors.As(err, &p):
		if p.now == nil {
			p.now = g.find(c.name).snapshot()
		}
		body := p.body()
		answer, out.Status = body, body.Status
		c.header.Set("Content-Type", "application/problem+json")
	}
	out.Body, err = json.Marshal(answer)
	if err != nil {
		panic(err) // cannot happen: our own types can be marshalled
	}
	return out, c.undo
}

// answer checks the request in the order that the contract sets, and carries it
// out. Its error is a *problem, or errKilled.
func (c *gatewayCall) answer(sent payload) (any, error) {
	path, search, _ := strings.Cut(c.RequestURI, "?") // unnormalized: a slot may be named ".."
	if !isLocal(c.Host) {
		return nil, newProblem(foreignHost, "use the host 127.0.0.1, [::1] or localhost")
	}
	if path == "/healthz" {
		c.query = parseQuery(search)
		return c.pick(healthPath)
	}
	if !c.isAuthorized() {
		c.header.Set("WWW-Authenticate", "Bearer")
		return nil, newProblem(unauthorized, "send the header Authorization: Bearer with the secret")
	}
	parts := slotPath.FindStringSubmatch(path)
	if parts == nil {
		return nil, newProblem(noSuchPath, "openapi.yaml lists the paths")
	}
	if !slotName.MatchString(parts[1]) {
		return nil, newProblem(badRequest, "the name of a slot must be 1 to 64 of A-Z a-z 0-9 _ . -")
	}
	c.name = parts[1]
	c.query, c.body = parseQuery(search), parseBody(sent, c.Header.Get("Content-Type"))
	return c.pick(slotPaths[parts[2]])
}

func (c *gatewayCall) pick(from methods) (any, error) {
	do, known := from[c.Method]
	if !known {
		allow := strings.Join(slices.Sorted(maps.Keys(from)), ", ")
		c.header.Set("Allow", allow)
		return nil, newProblem(methodNotAllowed, "use %s", allow)
	}
	return do(c)
}

// isLocal reports whether a Host header names this machine. Another site may
// point its own name at 127.0.0.1 (DNS rebinding). Like the gateway, it does not
// know localhost with a final dot. net/http refuses a second Host, with 400.
func isLocal(host string) bool {
	parts := hostName.FindStringSubmatch(host)
	return parts != nil && loopback.Is(parts[1]+parts[2]) && !strings.HasSuffix(parts[2], ".")
}

// isAuthorized compares digests, because ConstantTimeCompare returns early if
// the lengths differ.
func (c *gatewayCall) isAuthorized() bool {
	given := bearer.FindStringSubmatch(c.Header.Get("Authorization"))
	if given == nil {
		return false
	}
	got, want := sha256.Sum256([]byte(given[1])), sha256.Sum256([]byte(c.run.gateway.secret))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// The calls. Each reads its fields and then asks the slot.

func (c *gatewayCall) health() (any, error) {
	nonce := c.query.matching("nonce", nonce)
	if err := c.query.err(); err != nil {
		return nil, err
	}
	return struct {
		Boot    string `json:"boot"`
		SDK     string `json:"sdk"`
		Version string `json:"version"`
		Slots   int    `json:"slots"`
		Proof   string `json:"proof,omitempty"`
	}{c.run.boot, "nimhttptest", gatewayversion.Version, c.run.countSlots(), c.run.gateway.prove(nonce)}, nil
}

// prove returns a proof that the gateway knows the secret, or "" if the request
// had no nonce.
func (g *Gateway) prove(nonce string) string {
	if nonce == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(g.secret))
	io.WriteString(mac, "imreuse gateway proof 1\n"+nonce)
	return hex.EncodeToString(mac.Sum(nil))
}

func (c *gatewayCall) read() (any, error) {
	after := c.query.number("after", 0, maxInteger, -1)
	wait := time.Duration(c.query.number("waitMs", 0, 30_000, 10_000)) * time.Millisecond
	return c.ask(noSuchSlot, func(s *slot) (snapshot, error) { return s.read(c.Context(), after, wait) })
}

func (c *gatewayCall) init() (any, error) {
	to := setup{appKey: c.body.text("appKey", 128)}
	to.lbsURL, to.linkAddr = c.body.optionalText("lbsUrl", 2048), c.body.optionalText("linkAddr", 300)
	to.linkPlain = c.body.flag("linkPlain")
	if wrong := checkServers(to); wrong != "" {
		c.body.fail("%s", wrong)
	}
	lease := c.body.milliseconds("leaseMs", 0, 24*time.Hour, time.Minute)
	return c.queue("", func(s *slot) (snapshot, error) { return s.init(to, lease) })
}

func (c *gatewayCall) logIn() (any, error) {
	who := loginRequest{
		accid: strings.ToLower(c.body.text("accid", 128)), token: c.body.text("token", 4096),
		owner: c.body.text("owner", 128), dynamic: c.body.flag("dynamic"),
	}
	limit := c.body.milliseconds("timeoutMs", time.Millisecond, 2*time.Minute, time.Minute)
	ctx, cancel := context.WithTimeoutCause(c.Context(), limit, errDeadline)
	defer cancel()
	return c.queue(notInitialised, func(s *slot) (snapshot, error) {
		now, made, err := s.logIn(ctx, who)
		if made {
			c.undo = func() { s.undo(now.Session) }
		}
		return now, err
	})
}

// answerQuestion does not queue.
func (c *gatewayCall) answerQuestion() (any, error) {
	asks, token := c.body.required("asks", 1), c.body.optionalText("token", 4096)
	return c.ask(noSuchSlot, func(s *slot) (snapshot, error) { return s.answer(asks, token) })
}

func (c *gatewayCall) logOut() (any, error) {
	owner := c.body.optionalText("owner", 128)
	return c.queue(noSuchSlot, func(s *slot) (snapshot, error) { return s.unlessOtherOwner(owner, s.logOut) })
}

func (c *gatewayCall) release() (any, error) {
	owner := c.query.optionalText("owner", 128)
	return c.queue(noSuchSlot, func(s *slot) (snapshot, error) { return s.unlessOtherOwner(owner, s.release) })
}

// queue is like ask, but waits for the slot's earlier calls first.
func (c *gatewayCall) queue(missing kind, f func(*slot) (snapshot, error)) (any, error) {
	return c.ask(missing, func(s *slot) (snapshot, error) {
		if err := s.takeTurn(); err != nil {
			return snapshot{}, err
		}
		defer s.endTurn()
		now, err := f(s)
		var p *problem
		if errors.As(err, &p) {
			p.now = s.snapshot() // before the next call changes it
		}
		return now, err
	})
}

// ask checks the fields of the request and calls f with the slot. If there is
// no such slot, ask fails with the problem missing, or makes the slot if
// missing is "".
func (c *gatewayCall) ask(missing kind, f func(*slot) (snapshot, error)) (any, error) {
	if err := errors.Join(c.query.err(), c.body.err()); err != nil {
		return nil, err
	}
	s, err := c.run.enter(c.name, missing)
	if err != nil {
		return nil, err
	}
	defer c.run.leave(s)
	return f(s)
}
