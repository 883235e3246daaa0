package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A client of the gateway that shares no code with the one in nimhttp.

const (
	gatewayAppKey   = "app1"
	gatewayPatience = 10 * time.Second // to wait for a change of a slot
)

// The secrets, which must never be printed.
const (
	tokenOne   = "token-of-one-5d1f"
	tokenTwo   = "token-of-two-9c3e"
	tokenNew   = "token-anew-77b2"
	tokenWrong = "token-astray-e04a"
)

// twoAccounts makes the world that the clients log in to.
func twoAccounts(multiDevice bool) *mockim.Service {
	world := mockim.NewService(mockim.ServiceOptions{AppKey: gatewayAppKey, MultiDevice: multiDevice})
	world.AddIM(engine.IMAccount{Accid: "user-one", Token: tokenOne})
	world.AddIM(engine.IMAccount{Accid: "user-two", Token: tokenTwo})
	return world
}

// A gatewaySnapshot is the contract's snapshot of a slot.
type gatewaySnapshot struct {
	Boot    string
	Seq     int
	AppKey  string
	Accid   string
	Owner   string
	Session int
	Login   string
	Link    string
	Asks    int
	Ended   *gatewayEnd
}

type gatewayEnd struct {
	Session int
	Kick    *gatewayKick
	Error   *struct {
		Code    int
		Message string
	}
}

type gatewayKick struct {
	Reason           int
	ReasonDesc       string
	ClientType       int
	CustomClientType int
}

func (s gatewaySnapshot) isLoggedIn(accid string) bool {
	return s.Session != 0 && s.Accid == accid && s.Login == "logged_in" && s.Link == "up"
}

func (s gatewaySnapshot) isLoggedOut() bool {
	return s.Session == 0 && s.Accid == "" && s.Owner == "" && s.Login == "logged_out"
}

func (s gatewaySnapshot) String() string {
	b, _ := json.Marshal(s)
	return string(b)
}

// A gatewayReply is a snapshot, or a problem that may have a snapshot.
type gatewayReply struct {
	status   int
	header   http.Header
	kind     string // the type of the problem, without the prefix
	code     int    // the SDK's code
	snapshot gatewaySnapshot
	health   gatewayHealth
}

func (r gatewayReply) String() string {
	return fmt.Sprintf("%d %s %d %v", r.status, r.kind, r.code, r.snapshot)
}

type gatewayResult struct {
	gatewayReply
	err error
}

// A gatewayClient calls a gateway, and checks every reply against the contract.
type gatewayClient struct {
	http        *http.Client
	url, secret string
	host        string // the Host header; "" for the host in url
	judge       *judge
}

func newGatewayClient(t *testing.T, url, secret string, j *judge) *gatewayClient {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 40 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	return &gatewayClient{http: client, url: url, secret: secret, judge: j}
}

// send sends the body unchanged, with that content type, or without one if it
// is "".
func (c *gatewayClient) send(ctx context.Context, method, target, contentType string, body io.Reader) (gatewayReply, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+target, body)
	if err != nil {
		return gatewayReply{}, err
	}
	request.Host = c.host
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if c.secret != "" {
		request.Header.Set("Authorization", "Bearer "+c.secret)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return gatewayReply{}, err
	}
	defer response.Body.Close()
	return c.read(method, target, response)
}

func (c *gatewayClient) read(method, target string, response *http.Response) (gatewayReply, error) {
	r := gatewayReply{status: response.StatusCode, header: response.Header}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return r, err
	}
	if err := c.judge.check(method, target, response, body); err != nil {
		return r, fmt.Errorf("%s %s: HTTP %d: %w", method, target, r.status, err)
	}
	switch {
	case strings.HasPrefix(target, "/healthz") && r.status == http.StatusOK:
		return r, json.Unmarshal(body, &r.health)
	case r.status == http.StatusOK:
		return r, json.Unmarshal(body, &r.snapshot)
	}
	var problem struct {
		Type     string
		Code     int
		Snapshot gatewaySnapshot
	}
	err = json.Unmarshal(body, &problem)
	r.kind, r.code, r.snapshot = strings.TrimPrefix(problem.Type, problemPrefix), problem.Code, problem.Snapshot
	return r, err
}

// A gatewaySlot is a slot of a gateway.
type gatewaySlot struct {
	*gatewayClient
	t     *testing.T
	name  string
	setup map[string]any // the fields of its PUT
}

// newGatewaySlot returns a slot without initialising it. It is released when t
// ends.
func newGatewaySlot(t *testing.T, c *gatewayClient, name string, setup map[string]any) *gatewaySlot {
	s := &gatewaySlot{c, t, name, setup}
	t.Cleanup(func() {
		_, _ = c.send(context.Background(), "DELETE", "/v1/im/"+name, "", nil) // the slot, or the gateway, may be gone
	})
	return s
}

func (s *gatewaySlot) call(ctx context.Context, method, rest string, body any) (gatewayReply, error) {
	if body == nil {
		return s.send(ctx, method, "/v1/im/"+s.name+rest, "", nil)
	}
	b, err := json.Marshal(body)
	if err != nil {
		return gatewayReply{}, err
	}
	return s.send(ctx, method, "/v1/im/"+s.name+rest, "application/json", bytes.NewReader(b))
}

// must makes a call that must get a reply, whatever the reply is.
func (s *gatewaySlot) must(method, rest string, body any) gatewayReply {
	s.t.Helper()
	r, err := s.call(s.t.Context(), method, rest, body)
	if err != nil {
		s.t.Fatalf("%s %s%s: %v", method, s.name, rest, err)
	}
	return r
}

func (s *gatewaySlot) get() gatewayReply {
	s.t.Helper()
	return s.must("GET", "", nil)
}

// init initialises the slot. Fields in more are added to its setup or replace
// it.
func (s *gatewaySlot) init(more ...map[string]any) gatewayReply {
	s.t.Helper()
	return s.must("PUT", "", with(s.setup, more...))
}

// with returns body with the fields in more added or replaced.
func with(body map[string]any, more ...map[string]any) map[string]any {
	all := map[string]any{}
	for _, fields := range append([]map[string]any{body}, more...) {
		for name, value := range fields {
			all[name] = value
		}
	}
	return all
}

func loginRequest(accid, token string, timeout time.Duration) map[string]any {
	return map[string]any{"accid": accid, "token": token, "owner": "owner-one", "timeoutMs": timeout.Milliseconds()}
}

func (s *gatewaySlot) login(accid, token string) gatewayReply {
	s.t.Helper()
	return s.must("POST", "/login", loginRequest(accid, token, 20*time.Second))
}

// loginOK logs in; the login must succeed.
func (s *gatewaySlot) loginOK(accid, token string) gatewaySnapshot {
	s.t.Helper()
	r := s.login(accid, token)
	if r.status != 200 || !r.snapshot.isLoggedIn(accid) || r.snapshot.Owner != "owner-one" {
		s.t.Fatalf("login of %s: got %v", accid, r)
	}
	return r.snapshot
}

// wants checks a reply. want is "200" or the type of a problem.
func (s *gatewaySlot) wants(what string, r gatewayReply, want string) {
	s.t.Helper()
	if r.status == 200 && want != "200" || r.status != 200 && r.kind != want {
		s.t.Errorf("%s: got %v, want %s", what, r, want)
	}
}

// loginFails checks that a login is refused with that code, and that afterwards
// nobody is logged in.
func (s *gatewaySlot) loginFails(accid, token string, code int) {
	s.t.Helper()
	r := s.login(accid, token)
	if r.kind != "login-failed" || r.code != code || !r.snapshot.isLoggedOut() {
		s.t.Errorf("login: got %v, want login-failed %d and nobody", r, code)
	}
}

// begin starts a call and returns a channel for its reply.
func (s *gatewaySlot) begin(ctx context.Context, method, rest string, body any) <-chan gatewayResult {
	result := make(chan gatewayResult, 1)
	go func() {
		r, err := s.call(ctx, method, rest, body)
		result <- gatewayResult{r, err}
	}()
	return result
}

// startLogin starts a login that gets no answer, and returns when the slot is
// logging in.
func (s *gatewaySlot) startLogin(ctx context.Context, timeout time.Duration) <-chan gatewayResult {
	s.t.Helper()
	now := s.get().snapshot
	result := s.begin(ctx, "POST", "/login", loginRequest("user-one", tokenOne, timeout))
	s.await(now, gatewayPatience, "the login to begin", func(now gatewaySnapshot) bool { return now.Login != "logged_out" })
	return result
}

// await reads snapshots after from until done reports true. It returns all of
// them.
func (s *gatewaySlot) await(from gatewaySnapshot, patience time.Duration, what string, done func(gatewaySnapshot) bool) []gatewaySnapshot {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	seen := []gatewaySnapshot{from}
	for {
		last := seen[len(seen)-1]
		r, err := s.call(ctx, "GET", fmt.Sprintf("?after=%d&waitMs=5000", last.Seq), nil)
		if err != nil || r.status != 200 {
			s.t.Fatalf("waiting for %s: got %d %v, after %v", what, r.status, err, seen)
		}
		if r.snapshot.Seq == last.Seq {
			continue
		}
		if r.snapshot.Seq < last.Seq || r.snapshot.Boot != last.Boot {
			s.t.Fatalf("got %v after %v", r.snapshot, last)
		}
		seen = append(seen, r.snapshot)
		if done(r.snapshot) {
			return seen
		}
	}
}

// awaitEnd waits until the session of that snapshot has ended.
func (s *gatewaySlot) awaitEnd(of gatewaySnapshot) gatewayEnd {
	s.t.Helper()
	seen := s.await(of, gatewayPatience, "the end", func(now gatewaySnapshot) bool { return now.Session != of.Session })
	last := seen[len(seen)-1]
	if !last.isLoggedOut() || last.Link != "down" || last.Ended == nil || last.Ended.Session != of.Session {
		s.t.Fatalf("got %v, want session %d as the ended one", last, of.Session)
	}
	return *last.Ended
}

// wantHeld checks that the session of that snapshot has not ended.
func (s *gatewaySlot) wantHeld(of gatewaySnapshot) {
	s.t.Helper()
	if r := s.get(); r.status != 200 || r.snapshot.Session != of.Session || !r.snapshot.isLoggedIn(of.Accid) {
		s.t.Errorf("slot %s: got %v, want session %d of %s", s.name, r, of.Session, of.Accid)
	}
}

// wantReturn checks that the link goes down and comes back in the same session.
func (s *gatewaySlot) wantReturn(held gatewaySnapshot, patience time.Duration, whileDown func()) {
	s.t.Helper()
	down := s.await(held, patience, "the link to go down", func(now gatewaySnapshot) bool { return now.Link != "up" })
	whileDown()
	up := s.await(down[len(down)-1], patience, "the link to come up", func(now gatewaySnapshot) bool { return now.Link == "up" && now.Login == "logged_in" })
	for _, seen := range append(down, up...) {
		if seen.Session != held.Session || seen.Accid != held.Accid || seen.Owner != held.Owner || seen.Ended != nil {
			s.t.Errorf("meanwhile: %v, want session %d throughout", seen, held.Session)
		}
	}
}

// beginRead starts a read. It returns when the request has been sent and a
// later call has been answered; even then, the gateway may not have received it
// yet.
func (s *gatewaySlot) beginRead(ctx context.Context, query string) <-chan gatewayResult {
	s.t.Helper()
	sent := make(chan struct{})
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
	result := s.begin(ctx, "GET", query, nil)
	<-sent
	s.get()
	return result
}

// wantLogoutRead checks that a read returned the logout of that session, or
// that there is no slot, if its request came too late.
func wantLogoutRead(t *testing.T, r gatewayResult, held gatewaySnapshot) {
	t.Helper()
	loggedOut := r.status == 200 && r.snapshot.isLoggedOut() && r.snapshot.Ended != nil && *r.snapshot.Ended == gatewayEnd{Session: held.Session}
	if r.err != nil || !loggedOut && r.kind != "no-such-slot" {
		t.Errorf("the read got %v and %v, want the logout of session %d", r, r.err, held.Session)
	}
}
