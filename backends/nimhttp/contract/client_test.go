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

// A client of the gateway that knows nothing of nimhttp's own.

const (
	gatewayAppKey   = "app1"
	gatewayPatience = 10 * time.Second // for a slot to change
)

// What must never be printed.
const (
	tokenOne   = "token-of-one-5d1f"
	tokenTwo   = "token-of-two-9c3e"
	tokenNew   = "token-anew-77b2"
	tokenWrong = "token-astray-e04a"
)

// twoAccounts is what a gateway's clients log in to.
func twoAccounts(multiDevice bool) *mockim.Service {
	world := mockim.NewService(mockim.ServiceOptions{AppKey: gatewayAppKey, MultiDevice: multiDevice})
	world.AddIM(engine.IMAccount{Accid: "user-one", Token: tokenOne})
	world.AddIM(engine.IMAccount{Accid: "user-two", Token: tokenTwo})
	return world
}

// A gatewaySnapshot is a slot as the contract has it.
type gatewaySnapshot struct {
	Boot    string
	Seq     int
	AppKey  string
	Accid   string
	Owner   string
	Session int
	Login   string
	Link    string
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

func (s gatewaySnapshot) holds(accid string) bool {
	return s.Session != 0 && s.Accid == accid && s.Login == "logged_in" && s.Link == "up"
}

func (s gatewaySnapshot) isOut() bool {
	return s.Session == 0 && s.Accid == "" && s.Owner == "" && s.Login == "logged_out"
}

func (s gatewaySnapshot) String() string {
	b, _ := json.Marshal(s)
	return string(b)
}

// A gatewayReply is a snapshot, or a problem with one.
type gatewayReply struct {
	status   int
	header   http.Header
	kind     string // of the problem, without its prefix
	code     int    // of the SDK
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

// A gatewayClient asks a gateway, and holds what it answers to the contract.
type gatewayClient struct {
	http        *http.Client
	url, secret string
	host        string // of the requests; "": that of url
	judge       *judge
}

func newGatewayClient(t *testing.T, url, secret string, j *judge) *gatewayClient {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 40 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	return &gatewayClient{http: client, url: url, secret: secret, judge: j}
}

// send sends a body as it is, with that content type; "": none.
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

// A gatewaySlot is one slot of a gateway.
type gatewaySlot struct {
	*gatewayClient
	t     *testing.T
	name  string
	setup map[string]any // what it is initialised with
}

// newGatewaySlot is a slot that nobody has initialised. It is released with t.
func newGatewaySlot(t *testing.T, c *gatewayClient, name string, setup map[string]any) *gatewaySlot {
	s := &gatewaySlot{c, t, name, setup}
	t.Cleanup(func() {
		_, _ = c.send(context.Background(), "DELETE", "/v1/im/"+name, "", nil) // it may be gone, and so may the gateway
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

// must is a call that gets an answer, whatever it is.
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

// init initialises the slot, with more or other fields than its own.
func (s *gatewaySlot) init(more ...map[string]any) gatewayReply {
	s.t.Helper()
	return s.must("PUT", "", with(s.setup, more...))
}

// with is a body with other fields.
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

// loginOK logs in, which has to work.
func (s *gatewaySlot) loginOK(accid, token string) gatewaySnapshot {
	s.t.Helper()
	r := s.login(accid, token)
	if r.status != 200 || !r.snapshot.holds(accid) || r.snapshot.Owner != "owner-one" {
		s.t.Fatalf("login of %s: got %v", accid, r)
	}
	return r.snapshot
}

// wants judges a reply: 200, or the type of a problem.
func (s *gatewaySlot) wants(what string, r gatewayReply, want string) {
	s.t.Helper()
	if r.status == 200 && want != "200" || r.status != 200 && r.kind != want {
		s.t.Errorf("%s: got %v, want %s", what, r, want)
	}
}

// loginFails wants a refusal with that code, and nobody logged in after it.
func (s *gatewaySlot) loginFails(accid, token string, code int) {
	s.t.Helper()
	r := s.login(accid, token)
	if r.kind != "login-failed" || r.code != code || !r.snapshot.isOut() {
		s.t.Errorf("login: got %v, want login-failed %d and nobody", r, code)
	}
}

// begin makes a call whose answer comes later.
func (s *gatewaySlot) begin(ctx context.Context, method, rest string, body any) <-chan gatewayResult {
	result := make(chan gatewayResult, 1)
	go func() {
		r, err := s.call(ctx, method, rest, body)
		result <- gatewayResult{r, err}
	}()
	return result
}

// startLogin begins a login that is not answered, and returns when the slot is
// at it.
func (s *gatewaySlot) startLogin(ctx context.Context, timeout time.Duration) <-chan gatewayResult {
	s.t.Helper()
	now := s.get().snapshot
	result := s.begin(ctx, "POST", "/login", loginRequest("user-one", tokenOne, timeout))
	s.await(now, gatewayPatience, "the login to begin", func(now gatewaySnapshot) bool { return now.Login != "logged_out" })
	return result
}

// await reads on from a snapshot until one is as wanted, and returns all that
// it saw, that one at the end.
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

// awaitEnd waits for the end of the session of that snapshot.
func (s *gatewaySlot) awaitEnd(of gatewaySnapshot) gatewayEnd {
	s.t.Helper()
	seen := s.await(of, gatewayPatience, "the end", func(now gatewaySnapshot) bool { return now.Session != of.Session })
	last := seen[len(seen)-1]
	if !last.isOut() || last.Link != "down" || last.Ended == nil || last.Ended.Session != of.Session {
		s.t.Fatalf("got %v, want session %d as the one that ended", last, of.Session)
	}
	return *last.Ended
}

// wantHeld wants the session of that snapshot to hold still.
func (s *gatewaySlot) wantHeld(of gatewaySnapshot) {
	s.t.Helper()
	if r := s.get(); r.status != 200 || r.snapshot.Session != of.Session || !r.snapshot.holds(of.Accid) {
		s.t.Errorf("slot %s: got %v, want session %d of %s", s.name, r, of.Session, of.Accid)
	}
}

// wantReturn wants the link to go down and come up again in one session.
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

// beginRead begins a read, and returns when its request has been sent and a later
// call has been answered. It may still be on its way then.
func (s *gatewaySlot) beginRead(ctx context.Context, query string) <-chan gatewayResult {
	s.t.Helper()
	sent := make(chan struct{})
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
	result := s.begin(ctx, "GET", query, nil)
	<-sent
	s.get()
	return result
}

// wantToldEnd wants a reader to have been told of the logout of that session, or,
// where its request came too late, that there is no slot.
func wantToldEnd(t *testing.T, r gatewayResult, held gatewaySnapshot) {
	t.Helper()
	told := r.status == 200 && r.snapshot.isOut() && r.snapshot.Ended != nil && *r.snapshot.Ended == gatewayEnd{Session: held.Session}
	if r.err != nil || !told && r.kind != "no-such-slot" {
		t.Errorf("the reader got %v and %v, want the logout of session %d", r, r.err, held.Session)
	}
}
