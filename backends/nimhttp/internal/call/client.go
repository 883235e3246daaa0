package call

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Doer sends an HTTP request. It follows no redirects.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// HTTPClient returns a client that follows no redirects, and a func that closes
// its idle connections. If own is not nil, the client uses own's connections,
// and the func leaves them alone.
func HTTPClient(own *http.Client) (*http.Client, func()) {
	var c http.Client
	closeIdle := func() {}
	if own != nil {
		c = *own
	} else {
		t := newTransport()
		c.Transport, closeIdle = t, t.CloseIdleConnections
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c, closeIdle
}

// proxyFromEnvironment is http.ProxyFromEnvironment, but uses no proxy for names
// that end in .localhost. They are loopback too, by RFC 6761.
func proxyFromEnvironment(r *http.Request) (*url.URL, error) {
	name := strings.TrimSuffix(strings.ToLower(r.URL.Hostname()), ".")
	if strings.HasSuffix(name, ".localhost") {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// newTransport makes a transport that bounds each wait except the one for the
// reply.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  proxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        30 * time.Second, // servers close idle connections, and a request on a closed one costs a retry
		MaxResponseHeaderBytes: 64 << 10,
	}
}
