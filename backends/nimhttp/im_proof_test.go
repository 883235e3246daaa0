package nimhttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

func httpAnswer(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// strangers has the ways to answer without knowing the secret.
func strangers() map[string]func([]byte) string {
	const health = `{"boot":"b","sdk":"10.0.0","version":"0.3.0","slots":0,"proof":"%s"}`
	return map[string]func([]byte) string{
		"a page":           func([]byte) string { return "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno" },
		"no HTTP":          func([]byte) string { return "220 mail.example.com ESMTP\r\n" },
		"no proof":         func([]byte) string { return httpAnswer(`{"boot":"b","sdk":"10.0.0","version":"0.3.0","slots":0}`) },
		"the nonce":        func(nonce []byte) string { return httpAnswer(fmt.Sprintf(health, nonce)) },
		"a proof of zeros": func([]byte) string { return httpAnswer(fmt.Sprintf(health, strings.Repeat("0", 64))) },
		"a short proof":    func([]byte) string { return httpAnswer(fmt.Sprintf(health, "00")) },
		"a huge answer":    func([]byte) string { return httpAnswer(strings.Repeat(" ", 1<<20)) },
		"a redirect": func([]byte) string {
			return "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
		},
		"a recorded answer": nil, // the genuine gateway's, under this client's secret
	}
}

// A stranger that listens at the address from the start learns nothing. If it
// sends no proof, the error differs from the one for a wrong secret.
func TestStrangerAtFirstContact(t *testing.T) {
	for name, answer := range strangers() {
		t.Run(name, func(t *testing.T) {
			p, earlier := tappedIM(t)
			must(t, "InitIM of an earlier client", earlier.InitIM(t.Context(), nimhttptest.AppKey))
			wantWell(t, earlier.Close())
			before := len(p.sent())
			p.turn(p.orRecorded(answer))
			im := p.client(p.secret)
			err := im.InitIM(t.Context(), nimhttptest.AppKey)
			want := engine.ErrUnavailable
			if slices.Contains([]string{"the nonce", "a proof of zeros", "a short proof", "a recorded answer"}, name) {
				want = engine.ErrArgument // as if the secret were wrong
			}
			if engine.CodeOf(err) != want || want == engine.ErrUnavailable && !strings.Contains(err.Error(), "not an IM gateway") {
				t.Errorf("got %v, want %v", err, want)
			}
			if a, err := im.AdoptIM(t.Context(), engine.Notify{}); err == nil {
				t.Errorf("AdoptIM: got %v, want an error", a)
			}
			p.wantProofs(before)
			noSecrets(t, "the error", fmt.Sprint(err))
		})
	}
}

// The gateway dies while somebody is logged in, and a stranger takes its port.
// The login is lost, and the stranger gets no request.
func TestStrangerTakesThePort(t *testing.T) {
	for name, answer := range strangers() {
		t.Run(name, func(t *testing.T) {
			p, im := tappedIM(t)
			lost := make(chan error, 10)
			must(t, "InitIM", im.InitIM(t.Context(), nimhttptest.AppKey))
			must(t, "LoginIM", im.LoginIM(t.Context(), tappedAccount, engine.Notify{Lost: func(cause error) { lost <- cause }}))
			before := len(p.sent())
			p.turn(p.orRecorded(answer))
			if cause := within(t, lost); engine.CodeOf(cause) != engine.ErrUnavailable || errors.Is(cause, engine.ErrArgument) {
				t.Errorf("got lost %v, want ErrUnavailable", cause)
			}
			if err := im.LoginIM(t.Context(), tappedAccount, engine.Notify{}); err == nil {
				t.Error("LoginIM: got no error")
			}
			_ = im.LogoutIM(t.Context())
			p.wantProofs(before)
			p.turn(nil)
			if err := im.LogoutIM(t.Context()); err != nil {
				t.Errorf("when the gateway is there again: LogoutIM: %v", err)
			}
			must(t, "LoginIM", im.LoginIM(t.Context(), tappedAccount, engine.Notify{}))
		})
	}
}

// A connection that is cut during a session is not a loss, and each new one is
// proved.
func TestConnectionsAreProved(t *testing.T) {
	p, im := tappedIM(t)
	lost := make(chan error, 10)
	must(t, "InitIM", im.InitIM(t.Context(), nimhttptest.AppKey))
	must(t, "LoginIM", im.LoginIM(t.Context(), tappedAccount, engine.Notify{Lost: func(cause error) { lost <- cause }}))
	for range 5 {
		before := len(p.sent())
		p.cut()
		if !gatewaytest.Poll(func() bool { return len(p.sent()) > before && p.open() > 0 }) {
			t.Fatal("it did not come back")
		}
		if err := im.InitIM(t.Context(), nimhttptest.AppKey); err != nil {
			t.Errorf("InitIM: %v", err)
		}
	}
	p.wantProofs(1 << 30)
	if len(lost) != 0 {
		t.Errorf("got lost %v", <-lost)
	}
	must(t, "LogoutIM", im.LogoutIM(t.Context()))
}

// A client with a wrong secret cannot use a connection that another client
// proved.
func TestFleetSharesConnections(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{})
	p := newTap(t, s.GatewayURL())
	shared := &http.Client{Transport: &http.Transport{}}
	share := func(o *nimhttp.Options) { o.HTTPClient = shared }
	var fleet []*nimhttp.IM
	for range 20 {
		im := p.client(s.GatewaySecret(), share)
		must(t, "InitIM", im.InitIM(t.Context(), nimhttptest.AppKey))
		fleet = append(fleet, im)
	}
	if n := len(p.sent()); n != 1 {
		t.Errorf("20 clients in turn opened %d connections, want 1", n)
	}
	if err := p.client("another-secret-of-somebody", share).InitIM(t.Context(), nimhttptest.AppKey); !errors.Is(err, engine.ErrArgument) {
		t.Errorf("a client with another secret: got %v, want ErrArgument", err)
	}
	for i, im := range fleet {
		if i == len(fleet)-1 && p.open() == 0 {
			t.Error("the connection was closed under the last one")
		}
		wantWell(t, im.Close())
	}
	if !gatewaytest.Poll(func() bool { return p.open() == 0 }) {
		t.Error("after the last Close a connection is open")
	}
}

func TestForeignTransport(t *testing.T) {
	foreign := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s was sent", r.URL)
		return nil, errors.ErrUnsupported
	})}
	o := nimhttp.Options{AppKey: "app1", GatewayURL: "http://127.0.0.1:7788", GatewaySecret: stubSecret, HTTPClient: foreign}
	_, errIM := nimhttp.NewIM(o)
	_, errBoth := nimhttp.New(o)
	for _, err := range []error{errIM, errBoth} {
		if !errors.Is(err, engine.ErrArgument) || !strings.Contains(err.Error(), "HTTPClient") || !strings.Contains(err.Error(), "engine.Join") {
			t.Errorf("got %v, want ErrArgument that names HTTPClient and what to do", err)
		}
	}
}

// With TLS the proof goes through the encrypted connection, and no proxy is
// used.
func TestGatewayBehindTLS(t *testing.T) {
	s := newIMStub()
	server := httptest.NewUnstartedServer(s)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close) // after the clients
	client := server.Client()
	client.Transport.(*http.Transport).Proxy = func(r *http.Request) (*url.URL, error) {
		t.Errorf("a proxy was looked for, for %s", r.URL)
		return nil, errors.ErrUnsupported
	}
	of := func(secret string) *nimhttp.IM {
		return s.client(t, func(o *nimhttp.Options) { o.GatewayURL, o.HTTPClient, o.GatewaySecret = server.URL, client, secret })
	}
	logInAlice(t, of(stubSecret), engine.Notify{})
	if n := len(s.seen("proof")); n == 0 {
		t.Error("it proved nothing")
	}
	s.sent()
	if err := of("another-secret").InitIM(t.Context(), "app1"); !errors.Is(err, engine.ErrArgument) {
		t.Errorf("another secret: got %v, want ErrArgument", err)
	}
	if got := s.sent(); got != "" {
		t.Errorf("another secret: got requests %s, want none", got)
	}
}

// Every kind of dialer that a host can set is used, and its connections are
// proved.
func TestHostDials(t *testing.T) {
	s := newIMStub()
	plain, secure := httptest.NewServer(s), httptest.NewTLSServer(s)
	t.Cleanup(plain.Close) // after the clients
	t.Cleanup(secure.Close)
	config := secure.Client().Transport.(*http.Transport).TLSClientConfig
	toPlain := func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("tcp", plain.Listener.Addr().String())
	}
	toSecure := func(context.Context, string, string) (net.Conn, error) {
		return tls.Dial("tcp", secure.Listener.Addr().String(), config)
	}
	for name, transport := range map[string]*http.Transport{
		"DialContext":    {DialContext: toPlain},
		"Dial":           {Dial: func(network, addr string) (net.Conn, error) { return toPlain(t.Context(), network, addr) }},
		"DialTLSContext": {DialTLSContext: toSecure},
		"DialTLS":        {DialTLS: func(network, addr string) (net.Conn, error) { return toSecure(t.Context(), network, addr) }},
	} {
		address := "http://127.0.0.1:1"
		if strings.Contains(name, "TLS") {
			address = "https://127.0.0.1:1"
		}
		im := s.client(t, func(o *nimhttp.Options) { o.GatewayURL, o.HTTPClient = address, &http.Client{Transport: transport} })
		before := len(s.seen("proof"))
		if err := im.InitIM(t.Context(), "app1"); err != nil || len(s.seen("proof")) == before {
			t.Errorf("%s: got %v and %d proofs", name, err, len(s.seen("proof"))-before)
		}
	}
}

// Closing the IM ends a proof that gets no answer.
func TestCloseEndsProof(t *testing.T) {
	p := newTap(t, "")
	p.turn(func([]byte) string { return "" })
	im := p.client(stubSecret)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- im.InitIM(ctx, nimhttptest.AppKey) }()
	if !gatewaytest.Poll(func() bool { return p.open() == 1 && p.sent()[0] != "" }) {
		t.Fatal("it does not ask for a proof")
	}
	cancel()
	if err := within(t, failed); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	wantWell(t, im.Close())
	if !gatewaytest.Poll(func() bool { return p.open() == 0 }) {
		t.Error("the connection is open")
	}
}
