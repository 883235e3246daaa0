package nimhttp_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// A tiring server answers a few requests on each connection, reads one more,
// and closes the connection without an answer. To a client that looks like a
// server that closed an idle connection just as the request went out.
type tiring struct {
	url string

	mu    sync.Mutex
	heard []string // paths, also of requests without an answer
}

func newTiring(t *testing.T, answers int, body string) *tiring {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &tiring{url: "http://" + l.Addr().String()}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() { s.serve(c, answers, body) })
		}
	})
	t.Cleanup(func() { l.Close(); served.Wait() })
	return s
}

func (s *tiring) serve(c net.Conn, answers int, body string) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.heard = append(s.heard, r.URL.Path)
		s.mu.Unlock()
		if answers--; answers < 0 {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

func (s *tiring) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heard)
}

const guestReply = `{"code":0,"data":{"userUuid":"user1","userToken":"guest-token","imKey":"app1","imToken":"im-token-1"}}`

func TestClosedWhileIdle(t *testing.T) {
	for name, client := range map[string]*http.Client{"own client": nil, "the host's client": {Transport: new(http.Transport)}} {
		t.Run(name, func(t *testing.T) {
			s := newTiring(t, 1, guestReply)
			if client != nil {
				t.Cleanup(client.CloseIdleConnections)
			}
			k := newKit(t, nimhttp.Options{KitURL: s.url, HTTPClient: client})
			for range 5 {
				logIn(t, k, nil)
			}
			if err := k.CheckToken(t.Context()); err != nil {
				t.Errorf("CheckToken: got %v", err)
			}
			if got, want := s.seen(), 11; got != want { // all but the first reused a connection
				t.Errorf("got %d requests, want %d", got, want)
			}
		})
	}
}

// An anonymous login is not repeated, because the server may have made the
// guest before it closed the connection.
func TestClosedWhileIdleMakesNoSecondGuest(t *testing.T) {
	s := newTiring(t, 1, guestReply)
	k := newKit(t, nimhttp.Options{KitURL: s.url})
	logIn(t, k, nil)
	before := s.seen()
	if _, err := k.Anonymous(t.Context()); engine.CodeOf(err) != engine.ErrUnavailable {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if got := s.seen() - before; got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
}

// A request on a new connection is not repeated if the server closes it without
// an answer.
func TestNeverAnswered(t *testing.T) {
	s := newTiring(t, 0, "")
	k := newKit(t, nimhttp.Options{KitURL: s.url})
	if _, err := k.Authenticate(t.Context(), account); engine.CodeOf(err) != engine.ErrUnavailable {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if got := s.seen(); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
}

// The header that lets net/http send a request again is not sent itself.
func TestNoIdempotencyKey(t *testing.T) {
	s := newStub(t, ok(loginReply))
	logIn(t, newKit(t, nimhttp.Options{KitURL: s.URL}), nil)
	if values, there := s.seen()[0].Header["Idempotency-Key"]; there {
		t.Errorf("got %q, want no such header", values)
	}
}

// net/http reads the environment only once, so this needs a process of its own.
func TestLoopbackNeedsNoProxy(t *testing.T) {
	if os.Getenv("TEST_KIT_URLS") != "" {
		for kitURL := range strings.FieldsSeq(os.Getenv("TEST_KIT_URLS")) {
			for name, client := range map[string]*http.Client{"own": nil, "the host's": {Transport: http.DefaultTransport}} {
				k := newKit(t, nimhttp.Options{KitURL: kitURL, PlainHTTP: true, HTTPClient: client})
				if _, err := k.Authenticate(t.Context(), account); err != nil {
					t.Errorf("%s with %s client: %v", kitURL, name, err)
				}
			}
		}
		http.DefaultClient.CloseIdleConnections()
		for _, host := range []string{"a.localhost", "A.b.LocalHost."} { // not every resolver knows them: the call may fail
			k := newKit(t, nimhttp.Options{KitURL: "http://" + host + ":1", PlainHTTP: true})
			k.Authenticate(t.Context(), account)
		}
		return
	}
	kit := newStub(t, ok(loginReply))
	proxy := newStub(t, reply(502, "text/plain", "this is a proxy"))
	_, port, err := net.SplitHostPort(kit.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, host := range []string{"localhost", "LOCALHOST", "localhost.", "LocalHost.", "127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]"} {
		urls = append(urls, "http://"+host+":"+port)
	}
	p := exec.Command(os.Args[0], "-test.run=^TestLoopbackNeedsNoProxy$", "-test.v")
	p.Env = append(os.Environ(), "TEST_KIT_URLS="+strings.Join(urls, " "), "HTTP_PROXY="+proxy.URL, "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := p.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if got := len(proxy.seen()); got != 0 {
		t.Errorf("the proxy saw %d requests with a token", got)
	}
	if got, want := len(kit.seen()), 2*len(urls); got != want {
		t.Errorf("the kit server saw %d requests, want %d", got, want)
	}
}

// Plain http is not allowed for 0.0.0.0 and ::, which are not loopback
// addresses.
func TestUnspecifiedAddressIsNoLoopback(t *testing.T) {
	for _, u := range []string{"http://0.0.0.0:1", "http://[::]:1"} {
		if _, err := nimhttp.NewKit(nimhttp.Options{AppKey: "app1", KitURL: u}); !errors.Is(err, engine.ErrArgument) {
			t.Errorf("%s: got %v, want ErrArgument", u, err)
		}
	}
}

// A resolver reads these as 127.0.0.1, but http.ProxyFromEnvironment does not.
func TestOddSpellingsOfAnAddressAreRefused(t *testing.T) {
	for _, host := range []string{"127.1", "127.0.1", "2130706433", "0x7f.1", "0X7F000001", "0177.0.0.1", "127.0.0.0x1", "127.0.0.1.", "127.1..", "0x"} {
		_, err := nimhttp.NewKit(nimhttp.Options{AppKey: "app1", KitURL: "http://" + host + ":1", PlainHTTP: true})
		if !errors.Is(err, engine.ErrArgument) || !strings.Contains(err.Error(), "KitURL has an IPv4 address in an unusual spelling") {
			t.Errorf("%s: got %v, want ErrArgument", host, err)
		}
	}
	for _, host := range []string{"127.0.0.1", "[::1]", "1.example.com", "a1", "0x7f.com", "x.0a"} {
		if _, err := nimhttp.NewKit(nimhttp.Options{AppKey: "app1", KitURL: "http://" + host + ":1", PlainHTTP: true}); err != nil {
			t.Errorf("%s: got %v", host, err)
		}
	}
}

// A proxy that the host has set is used for a kit server, even on loopback, but
// never for the gateway.
func TestOwnProxy(t *testing.T) {
	proxy := newStub(t, ok(loginReply))
	through := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }}}
	t.Cleanup(through.CloseIdleConnections)
	k := newKit(t, nimhttp.Options{KitURL: "http://127.0.0.1:1", HTTPClient: through})
	if _, err := k.Authenticate(t.Context(), account); err != nil {
		t.Errorf("the kit: got %v, want the proxy's answer", err)
	}
	asked := len(proxy.seen())
	if asked != 1 {
		t.Errorf("the kit: the proxy saw %d requests, want 1", asked)
	}
	server := nimhttptest.New(t, nimhttptest.Options{})
	im, err := nimhttp.NewIM(nimhttp.Options{AppKey: nimhttptest.AppKey, GatewayURL: server.GatewayURL(), GatewaySecret: server.GatewaySecret(), HTTPClient: through})
	if err != nil {
		t.Fatal(err)
	}
	if err := im.InitIM(t.Context(), nimhttptest.AppKey); err != nil {
		t.Errorf("the gateway: got %v", err)
	}
	if err := im.Close(); err != nil {
		t.Error(err)
	}
	if got := len(proxy.seen()); got != asked {
		t.Errorf("the gateway: the proxy saw %d requests", got-asked)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(ok(loginReply))
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	defer s.Close()
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	if _, err := k.Authenticate(t.Context(), account); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(ok(loginReply))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	for range 10 {
		logIn(t, k, nil)
	}
	if got := conns.Load(); got != 1 {
		t.Errorf("got %d connections for 10 logins, want 1", got)
	}
}
