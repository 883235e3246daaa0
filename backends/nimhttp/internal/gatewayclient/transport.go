package gatewayclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
)

// A provedTransport is a copy of a host's transport for one gateway. Its
// connections are proved. IMs with the same transport, gateway and secret share
// it, so a fleet needs few connections besides the ones on which its reads
// wait.
type provedTransport struct {
	*http.Transport
	users int // protected by provedTransports
	end   context.CancelFunc
}

type provedKey struct {
	own             *http.Transport
	gateway, secret string
}

var provedTransports = struct {
	sync.Mutex
	all map[provedKey]*provedTransport
}{all: map[provedKey]*provedTransport{}}

// shareTransport returns the transport for a gateway. The last call of release
// closes its connections.
func shareTransport(own *http.Transport, gateway, health *url.URL, secret string) (t *http.Transport, release func()) {
	provedTransports.Lock()
	defer provedTransports.Unlock()
	key := provedKey{own, gateway.String(), secret}
	shared := provedTransports.all[key]
	if shared == nil {
		life, end := context.WithCancel(context.Background())
		p := &prover{health: health, secret: secret, life: life}
		shared = &provedTransport{Transport: p.transport(own), end: end}
		provedTransports.all[key] = shared
	}
	shared.users++
	return shared.Transport, sync.OnceFunc(func() {
		provedTransports.Lock()
		defer provedTransports.Unlock()
		if shared.users--; shared.users == 0 {
			delete(provedTransports.all, key)
			shared.end()
			shared.CloseIdleConnections()
		}
	})
}

// transportOf returns the client's transport. It fails with engine.ErrArgument
// if that is not an *http.Transport, because only there can we reach, and so
// prove, a connection.
func transportOf(c *http.Client, patience time.Duration) (*http.Transport, error) {
	used := c.Transport
	if used == nil {
		used = http.DefaultTransport
	}
	t, ok := used.(*http.Transport)
	switch {
	case !ok:
		return nil, call.Argument("HTTPClient has a %T, but connections to the IM gateway can be proved only with an *http.Transport; "+
			"make the IM without HTTPClient and the kit with it, and join them: engine.Join(im, kit)", used)
	case t.ResponseHeaderTimeout > 0 && t.ResponseHeaderTimeout < patience:
		return nil, call.Argument("HTTPClient waits %v for a reply, but a read from the gateway may take longer; set its ResponseHeaderTimeout to at least %v",
			t.ResponseHeaderTimeout, patience)
	}
	return t, nil
}

// transport returns a copy of t with proved connections. The copy uses no
// proxy, and speaks HTTP/1.1, so that a connection carries one request at a
// time.
func (p *prover) transport(t *http.Transport) *http.Transport {
	c := t.Clone()
	c.Proxy = nil
	c.ForceAttemptHTTP2 = false
	c.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	c.Protocols = new(http.Protocols)
	c.Protocols.SetHTTP1(true)
	dial := dialOf(t)
	c.DialContext = p.proved(dial)
	c.DialTLSContext = p.proved(dialTLSOf(t, dial))
	return c
}

func dialOf(t *http.Transport) dialFunc {
	//lint:ignore SA1019 a host may still use Dial
	old := t.Dial
	switch {
	case t.DialContext != nil:
		return t.DialContext
	case old != nil:
		return func(_ context.Context, network, addr string) (net.Conn, error) { return old(network, addr) }
	}
	return new(net.Dialer).DialContext
}

func dialTLSOf(t *http.Transport, dial dialFunc) dialFunc {
	//lint:ignore SA1019 a host may still use DialTLS
	old := t.DialTLS
	switch {
	case t.DialTLSContext != nil:
		return t.DialTLSContext
	case old != nil:
		return func(_ context.Context, network, addr string) (net.Conn, error) { return old(network, addr) }
	}
	config := new(tls.Config)
	if t.TLSClientConfig != nil {
		config = t.TLSClientConfig.Clone()
	}
	config.NextProtos = []string{"http/1.1"}
	patience := cmp.Or(t.TLSHandshakeTimeout, 10*time.Second)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		secure := tls.Client(conn, configFor(config, addr))
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
}

func configFor(config *tls.Config, addr string) *tls.Config {
	if config.ServerName != "" {
		return config
	}
	named := config.Clone()
	named.ServerName, _, _ = net.SplitHostPort(addr)
	return named
}
