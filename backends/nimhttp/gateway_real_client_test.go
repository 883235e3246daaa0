package nimhttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// A client of the gateway that knows nothing of nimhttp's own, and an IM cloud
// to log in to.

const (
	realAppKey   = "app1"
	realPatience = 10 * time.Second // for a slot to change

	// For a cloud to see it. The SDK by itself leaves a link on which a login is
	// not answered after 8 s, which is not to pass for the gateway's work.
	cloudPatience = 4 * time.Second
)

// What must never be printed.
const (
	tokenOne   = "token-of-one-5d1f"
	tokenTwo   = "token-of-two-9c3e"
	tokenNew   = "token-anew-77b2"
	tokenWrong = "token-astray-e04a"
)

// A realSnapshot is a slot as the contract has it.
type realSnapshot struct {
	Boot    string
	Seq     int
	AppKey  string
	Accid   string
	Owner   string
	Session int
	Login   string
	Link    string
	Ended   *realEnd
}

type realEnd struct {
	Session int
	Kick    *realKick
	Error   *struct {
		Code    int
		Message string
	}
}

type realKick struct {
	Reason           int
	ReasonDesc       string
	ClientType       int
	CustomClientType int
}

func (s realSnapshot) holds(accid string) bool {
	return s.Session != 0 && s.Accid == accid && s.Login == "logged_in" && s.Link == "up"
}

func (s realSnapshot) isOut() bool {
	return s.Session == 0 && s.Accid == "" && s.Owner == "" && s.Login == "logged_out"
}

func (s realSnapshot) String() string {
	b, _ := json.Marshal(s)
	return string(b)
}

// A realReply is a snapshot, or a problem with one.
type realReply struct {
	status   int
	kind     string // of the problem, without its prefix
	code     int    // of the SDK
	snapshot realSnapshot
}

type realLoginResult struct {
	realReply
	err error
}

// A realSlot is one slot of a gateway, and the IM cloud that it is to use.
type realSlot struct {
	t             *testing.T
	http          *http.Client
	url, secret   string
	name          string
	lbs, linkAddr string
}

// newRealWorld is an IM cloud with two accounts.
func newRealWorld(t *testing.T, multiDevice bool) (*mockim.Service, *nimcloud.Cloud) {
	t.Helper()
	world := mockim.NewService(mockim.ServiceOptions{AppKey: realAppKey, MultiDevice: multiDevice})
	world.AddIM(engine.IMAccount{Accid: "user-one", Token: tokenOne})
	world.AddIM(engine.IMAccount{Accid: "user-two", Token: tokenTwo})
	cloud, err := nimcloud.Start(nimcloud.Options{World: world})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("closing the cloud: %v", err)
		}
	})
	return world, cloud
}

// newRealSlot is a slot that nobody has initialised. It is released with t.
func newRealSlot(t *testing.T, g *nimhttp.Gateway, cloud *nimcloud.Cloud, name string) *realSlot {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 40 * time.Second}
	s := &realSlot{
		t: t, http: client, url: g.URL() + "/v1/im/" + name, secret: g.Secret(),
		name: name, lbs: cloud.LBSURL(), linkAddr: cloud.LinkAddr(),
	}
	t.Cleanup(func() {
		if request, err := s.request(context.Background(), "DELETE", "", nil); err == nil {
			if response, err := client.Do(request); err == nil { // or the gateway has ended
				response.Body.Close()
			}
		}
		client.CloseIdleConnections()
	})
	return s
}

// readySlot is one that is initialised.
func readySlot(t *testing.T, g *nimhttp.Gateway, cloud *nimcloud.Cloud, name string) *realSlot {
	t.Helper()
	s := newRealSlot(t, g, cloud, name)
	if r := s.init(); r.status != 200 || !r.snapshot.isOut() || r.snapshot.AppKey != realAppKey {
		t.Fatalf("PUT: got %d %v", r.status, r.snapshot)
	}
	return s
}

func (s *realSlot) request(ctx context.Context, method, rest string, body any) (*http.Request, error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.url+rest, reader)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if s.secret != "" {
		request.Header.Set("Authorization", "Bearer "+s.secret)
	}
	return request, nil
}

func (s *realSlot) call(ctx context.Context, method, rest string, body any) (realReply, error) {
	request, err := s.request(ctx, method, rest, body)
	if err != nil {
		return realReply{}, err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return realReply{}, err
	}
	defer response.Body.Close()
	r := realReply{status: response.StatusCode}
	if r.status == 200 {
		return r, json.NewDecoder(response.Body).Decode(&r.snapshot)
	}
	var problem struct {
		Type     string
		Code     int
		Snapshot realSnapshot
	}
	err = json.NewDecoder(response.Body).Decode(&problem)
	r.kind, r.code, r.snapshot = strings.TrimPrefix(problem.Type, "urn:imreuse:gateway:"), problem.Code, problem.Snapshot
	return r, err
}

// must is a call that gets an answer, whatever it is.
func (s *realSlot) must(method, rest string, body any) realReply {
	s.t.Helper()
	r, err := s.call(s.t.Context(), method, rest, body)
	if err != nil {
		s.t.Fatalf("%s %s%s: %v", method, s.name, rest, err)
	}
	return r
}

func (s *realSlot) init() realReply {
	s.t.Helper()
	return s.must("PUT", "", map[string]any{"appKey": realAppKey, "lbsUrl": s.lbs, "linkAddr": s.linkAddr, "linkPlain": true})
}

func loginRequest(accid, token string, timeout time.Duration) map[string]any {
	return map[string]any{"accid": accid, "token": token, "owner": "owner-one", "timeoutMs": timeout.Milliseconds()}
}

func (s *realSlot) login(accid, token string) realReply {
	s.t.Helper()
	return s.must("POST", "/login", loginRequest(accid, token, 20*time.Second))
}

// loginOK logs in, which has to work.
func (s *realSlot) loginOK(accid, token string) realSnapshot {
	s.t.Helper()
	r := s.login(accid, token)
	if r.status != 200 || !r.snapshot.holds(accid) || r.snapshot.Owner != "owner-one" {
		s.t.Fatalf("login of %s: got %d %s %d %v", accid, r.status, r.kind, r.code, r.snapshot)
	}
	return r.snapshot
}

// loginFails wants a refusal with that code, and nobody logged in after it.
func (s *realSlot) loginFails(accid, token string, code int) {
	s.t.Helper()
	r := s.login(accid, token)
	if r.status != 422 || r.kind != "login-failed" || r.code != code || !r.snapshot.isOut() {
		s.t.Errorf("login: got %d %s %d %v, want 422 login-failed %d and nobody", r.status, r.kind, r.code, r.snapshot, code)
	}
}

// await reads on from a snapshot until one is as wanted, and returns all that
// it saw, that one at the end.
func (s *realSlot) await(from realSnapshot, patience time.Duration, what string, done func(realSnapshot) bool) []realSnapshot {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	seen := []realSnapshot{from}
	for {
		last := seen[len(seen)-1]
		r, err := s.call(ctx, "GET", fmt.Sprintf("?after=%d&waitMs=5000", last.Seq), nil)
		if err != nil || r.status != 200 {
			s.t.Fatalf("waiting for %s: got %d %v, after %v", what, r.status, err, seen)
		}
		if r.snapshot.Seq == last.Seq {
			continue
		}
		seen = append(seen, r.snapshot)
		if done(r.snapshot) {
			return seen
		}
	}
}

// awaitEnd waits for the end of the session of that snapshot.
func (s *realSlot) awaitEnd(of realSnapshot) realEnd {
	s.t.Helper()
	seen := s.await(of, realPatience, "the end", func(now realSnapshot) bool { return now.Session != of.Session })
	last := seen[len(seen)-1]
	if !last.isOut() || last.Ended == nil || last.Ended.Session != of.Session {
		s.t.Fatalf("got %v, want session %d as the one that ended", last, of.Session)
	}
	return *last.Ended
}

// wantHeld wants the session of that snapshot to hold still.
func (s *realSlot) wantHeld(of realSnapshot) {
	s.t.Helper()
	if r := s.must("GET", "", nil); r.status != 200 || r.snapshot.Session != of.Session || !r.snapshot.holds(of.Accid) {
		s.t.Errorf("slot %s: got %d %v, want session %d of %s", s.name, r.status, r.snapshot, of.Session, of.Accid)
	}
}

// startLogin begins a login that a muted cloud does not answer, and returns
// when it has arrived there.
func (s *realSlot) startLogin(ctx context.Context, cloud *nimcloud.Cloud, timeout time.Duration) <-chan realLoginResult {
	s.t.Helper()
	result := make(chan realLoginResult, 1)
	go func() {
		r, err := s.call(ctx, "POST", "/login", loginRequest("user-one", tokenOne, timeout))
		result <- realLoginResult{r, err}
	}()
	wantClients(s.t, cloud, "a login of user-one", func(clients []nimcloud.Client) bool {
		return len(clients) == 1 && clients[0].Account == "user-one"
	})
	return result
}

// wantReturn wants the link to go down and come up again in one session.
func wantReturn(s *realSlot, held realSnapshot, patience time.Duration) {
	s.t.Helper()
	down := s.await(held, patience, "the link to go down", func(now realSnapshot) bool { return now.Link != "up" })
	up := s.await(down[len(down)-1], patience, "the link to come up", func(now realSnapshot) bool { return now.Link == "up" && now.Login == "logged_in" })
	for _, seen := range append(down, up...) {
		if seen.Session != held.Session || seen.Accid != held.Accid || seen.Owner != held.Owner || seen.Ended != nil {
			s.t.Errorf("meanwhile: %v, want session %d throughout", seen, held.Session)
		}
	}
}

// watchEnd sends nil when a reader has seen the logout of that session, or the
// release of the slot. It returns when the reader's request has been sent.
func (s *realSlot) watchEnd(of realSnapshot) <-chan error {
	s.t.Helper()
	sent, end := make(chan struct{}, 1), make(chan error, 1)
	wrote := func(httptrace.WroteRequestInfo) {
		select {
		case sent <- struct{}{}:
		default: // of a later read
		}
	}
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{WroteRequest: wrote})
	go func() {
		now := of
		for now.Session == of.Session {
			r, err := s.call(ctx, "GET", fmt.Sprintf("?after=%d&waitMs=20000", now.Seq), nil)
			switch {
			case err == nil && r.status == 404:
				end <- nil
				return
			case err != nil || r.status != 200:
				end <- fmt.Errorf("after %v: got %d %s, %v", now, r.status, r.kind, err)
				return
			}
			now = r.snapshot
		}
		if !now.isOut() || now.Ended == nil || *now.Ended != (realEnd{Session: of.Session}) {
			end <- fmt.Errorf("got %v, want a logout", now)
			return
		}
		end <- nil
	}()
	select {
	case <-sent:
	case err := <-end:
		s.t.Fatalf("slot %s ended early: %v", s.name, err)
	}
	return end
}

func terminate(g *nimhttp.Gateway) error {
	node, err := os.FindProcess(g.Pid())
	if err != nil {
		return err
	}
	return node.Signal(syscall.SIGTERM)
}

// wantOnline waits until those are logged in, and no other link is open.
func wantOnline(t *testing.T, cloud *nimcloud.Cloud, want ...string) {
	t.Helper()
	wantClients(t, cloud, fmt.Sprintf("%q online and nobody else", want), func(clients []nimcloud.Client) bool {
		var got []string
		for _, c := range clients {
			got = append(got, c.Accid)
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

// wantClients waits for what a cloud sees, which comes a moment after the
// gateway's word.
func wantClients(t *testing.T, cloud *nimcloud.Cloud, what string, done func([]nimcloud.Client) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cloudPatience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done(cloud.Clients()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the cloud has %+v, want %s", cloud.Clients(), what)
		}
	}
}
