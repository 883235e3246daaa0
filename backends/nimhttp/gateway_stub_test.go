package nimhttp_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/engine"
)

// No error and no log may show these.
const (
	stubSecret = "secret-of-the-gateway-0d2c"
	stubToken  = "token-of-alice-81fe"
)

var stubAlice = engine.IMAccount{Accid: "Alice", Token: stubToken}

// A stubSnapshot is a snapshot as in the contract.
type stubSnapshot struct {
	Boot    string   `json:"boot"`
	Seq     int      `json:"seq"`
	AppKey  string   `json:"appKey"`
	Accid   string   `json:"accid"`
	Owner   string   `json:"owner"`
	Session int      `json:"session"`
	Login   string   `json:"login"`
	Link    string   `json:"link"`
	Asks    int      `json:"asks,omitempty"`
	Ended   *stubEnd `json:"ended"`
}

type stubEnd struct {
	Session int        `json:"session"`
	Kick    *stubKick  `json:"kick,omitempty"`
	Error   *stubError `json:"error,omitempty"`
}

type stubKick struct {
	Reason           int    `json:"reason"`
	ReasonDesc       string `json:"reasonDesc"`
	ClientType       int    `json:"clientType"`
	CustomClientType int    `json:"customClientType"`
}

type stubError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// end ends the session, so that nobody is logged in.
func (n *stubSnapshot) end(e *stubEnd) {
	n.Accid, n.Owner, n.Session, n.Login, n.Link, n.Asks, n.Ended = "", "", 0, "logged_out", "down", 0, e
}

// hold begins a session.
func (n *stubSnapshot) hold(session int, accid, owner string) {
	n.Accid, n.Owner, n.Session, n.Login, n.Link = accid, owner, session, "logged_in", "up"
}

// ask is how the SDK asks for a fresh token.
func (n *stubSnapshot) ask(question int) { n.Login, n.Link, n.Asks = "logging_in", "up", question }

// An imStub is a gateway with one slot. It follows the contract, unless a test
// sets another answer or changes the slot.
type imStub struct {
	mu       sync.Mutex
	now      stubSnapshot  // AppKey "": the slot is not initialised
	changed  chan struct{} // closed by the next change
	instead  map[string]http.HandlerFunc
	requests []imRequest
	refuses  bool // refuses connections, as if nothing listened
	conns    []net.Conn
}

// An imRequest is a request that the gateway received.
type imRequest struct {
	name          string // proof, health, init, read, watch, login, logout, token or release
	authorization string
	contentType   string
	line          string // method and URI
	body          string
}

func newIMStub() *imStub {
	return &imStub{now: stubSnapshot{Boot: "boot-1"}, changed: make(chan struct{}), instead: map[string]http.HandlerFunc{}}
}

func requestName(r *http.Request) string {
	switch {
	case strings.HasSuffix(r.URL.Path, "/healthz") && r.URL.Query().Has("nonce"):
		return "proof"
	case strings.HasSuffix(r.URL.Path, "/healthz"):
		return "health"
	case r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/token"):
		return "token"
	case r.Method == http.MethodPut:
		return "init"
	case r.Method == http.MethodDelete:
		return "release"
	case r.Method == http.MethodPost:
		return r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	case r.URL.Query().Has("after"):
		return "watch"
	}
	return "read"
}

// change changes the slot, and wakes the reads that wait for a change.
func (s *imStub) change(to func(*stubSnapshot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changeLocked(to)
}

func (s *imStub) changeLocked(to func(*stubSnapshot)) {
	s.now.Seq++
	to(&s.now)
	close(s.changed)
	s.changed = make(chan struct{})
}

// next returns a channel that the next change closes.
func (s *imStub) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// restart begins a new run of the gateway, without the state of the old one.
func (s *imStub) restart() {
	s.change(func(n *stubSnapshot) { *n = stubSnapshot{Boot: n.Boot + "1"} })
	s.cut()
}

// answer lets f answer the requests with these names. If f is nil, the contract
// decides again.
func (s *imStub) answer(f http.HandlerFunc, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.instead[name] = f
	}
}

// refuse also cuts the open connections.
func (s *imStub) refuse(refuses bool) {
	s.mu.Lock()
	s.refuses = refuses
	s.mu.Unlock()
	s.cut()
}

func (s *imStub) shows() stubSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *imStub) seen(names ...string) []imRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.requests), func(r imRequest) bool {
		return len(names) > 0 && !slices.Contains(names, r.name)
	})
}

// sent returns the names of the requests since its last call, without the reads
// that watch a login and the proofs of new connections.
func (s *imStub) sent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, r := range s.requests {
		if r.name != "watch" && r.name != "proof" {
			names = append(names, r.name)
		}
	}
	s.requests = nil
	return strings.Join(names, " ")
}

func (s *imStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	request := imRequest{requestName(r), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Method + " " + r.URL.RequestURI(), string(body)}
	s.mu.Lock()
	s.requests = append(s.requests, request)
	instead := s.instead[request.name]
	s.mu.Unlock()
	switch {
	case instead != nil:
		instead(w, r)
	case request.name == "health", request.name == "proof":
		stubHealth(s.shows().Boot, gateway.Version, stubSecret)(w, r)
	case request.authorization != "Bearer "+stubSecret:
		stubProblem(401, "unauthorized", "")(w, r)
	case request.name == "watch":
		s.watch(w, r)
	default:
		s.call(request)(w, r)
	}
}

// stubHealth returns the health of a gateway with that secret, with a proof if
// the request has a nonce.
func stubHealth(boot, version, secret string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		proof := ""
		if nonce := r.URL.Query().Get("nonce"); nonce != "" {
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write([]byte("imreuse gateway proof 1\n" + nonce))
			proof = fmt.Sprintf(`,"proof":"%x"`, mac.Sum(nil))
		}
		stubReply(200, fmt.Sprintf(`{"boot":%q,"sdk":"10.0.0","version":%q,"slots":1%s}`, boot, version, proof))(w, r)
	}
}

// stubReply returns a handler that sends this reply.
func stubReply(status int, body string) http.HandlerFunc {
	if status == 200 {
		return reply(status, "application/json", body)
	}
	return reply(status, "application/problem+json", body)
}

// stubProblem returns a handler that sends a problem of the contract. more is
// added to its JSON, for example ,"code":302.
func stubProblem(status int, kind, more string) http.HandlerFunc {
	return stubReply(status, fmt.Sprintf(`{"type":"urn:imreuse:gateway:%s","title":"no","status":%d,"detail":"no"%s}`, kind, status, more))
}

func (n stubSnapshot) json() string {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// call answers read and the calls that change the slot.
func (s *imStub) call(r imRequest) http.HandlerFunc {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sent struct {
		AppKey, Accid, Owner, Token string
		Asks                        int
	}
	_ = json.Unmarshal([]byte(r.body), &sent)
	if _, owner, given := strings.Cut(r.line, "?owner="); given {
		sent.Owner = owner
	}
	switch there := s.now.AppKey != ""; {
	case r.name == "init" && s.now.AppKey != sent.AppKey:
		s.changeLocked(func(n *stubSnapshot) { n.AppKey, n.Login, n.Link = sent.AppKey, "logged_out", "down" })
	case r.name == "init":
	case !there && r.name == "login":
		return stubProblem(409, "not-initialised", "")
	case !there:
		return stubProblem(404, "no-such-slot", "")
	case r.name == "login" && s.now.Session != 0:
		return stubProblem(409, "other-account", `,"snapshot":`+s.now.json())
	case r.name == "token" && (sent.Asks == 0 || s.now.Asks != sent.Asks):
		return stubProblem(409, "no-such-question", `,"snapshot":`+s.now.json())
	case r.name == "token" && sent.Token == "":
		s.changeLocked(func(n *stubSnapshot) { n.Asks, n.Login, n.Link = 0, "backing_off", "waiting" })
	case r.name == "token":
		s.changeLocked(func(n *stubSnapshot) { n.Asks, n.Login = 0, "logged_in" })
	case r.name == "login":
		s.changeLocked(func(n *stubSnapshot) { n.hold(n.Seq, sent.Accid, sent.Owner) })
	case s.now.Session != 0 && sent.Owner != "" && sent.Owner != s.now.Owner: // the login of another owner stays
	case r.name == "logout" && s.now.Session != 0:
		s.changeLocked(func(n *stubSnapshot) { n.end(&stubEnd{Session: n.Session}) })
	case r.name == "release":
		last := s.now
		s.changeLocked(func(n *stubSnapshot) { *n = stubSnapshot{Boot: n.Boot, Seq: n.Seq} })
		return stubReply(200, last.json())
	}
	return stubReply(200, s.now.json())
}

// watch answers when the slot has changed, the wait is over, or the client is
// gone.
func (s *imStub) watch(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	wait, _ := strconv.Atoi(r.URL.Query().Get("waitMs"))
	timer := time.NewTimer(time.Duration(wait) * time.Millisecond)
	defer timer.Stop()
	for over := false; ; {
		s.mu.Lock()
		now, changed := s.now, s.changed
		s.mu.Unlock()
		switch {
		case now.AppKey == "":
			stubProblem(404, "no-such-slot", "")(w, r)
			return
		case over || now.Seq != after:
			stubReply(200, now.json())(w, r)
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-r.Context().Done():
			return
		}
	}
}

// dial connects to the stub without a socket, so that synctest can wait for
// both ends. The server of a connection ends with the connection.
func (s *imStub) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	s.conns = append(s.conns, server)
	go (&http.Server{Handler: s}).Serve(&oneConn{conn: server})
	return client, nil
}

// cut closes all open connections.
func (s *imStub) cut() {
	s.mu.Lock()
	conns := s.conns
	s.conns = nil
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// transport returns a transport whose connections go to the stub.
func (s *imStub) transport() *http.Transport {
	return &http.Transport{DialContext: s.dial}
}

// A oneConn is a listener that accepts one connection.
type oneConn struct{ conn net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	conn := l.conn
	l.conn = nil
	if conn == nil {
		return nil, io.EOF
	}
	return conn, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7788} }

// client returns a client of the slot that uses no socket. It is closed with t.
func (s *imStub) client(t *testing.T, change ...func(*nimhttp.Options)) *nimhttp.IM {
	t.Helper()
	o := nimhttp.Options{
		AppKey: "app1", GatewayURL: "http://127.0.0.1:7788", GatewaySecret: stubSecret, Slot: "slot-1",
		HTTPClient: &http.Client{Transport: s.transport()},
	}
	for _, c := range change {
		c(&o)
	}
	im, err := nimhttp.NewIM(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im
}
