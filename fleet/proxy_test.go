package fleet_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A proxy is the wire between a client and its server. It can lose what the
// server says.
type proxy struct {
	listener net.Listener
	server   string
	work     sync.WaitGroup

	mu    sync.Mutex
	deaf  bool
	conns []net.Conn
}

func newProxy(t testing.TB, s *natsServer) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: s.Addr().String()}
	p.work.Go(p.accept)
	t.Cleanup(func() { p.close(); p.work.Wait() })
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.work.Go(func() { defer server.Close(); _, _ = io.Copy(server, client) })
		p.work.Go(func() { defer client.Close(); _, _ = io.Copy(deafWriter{p, client}, server) })
	}
}

type deafWriter struct {
	proxy *proxy
	net.Conn
}

func (w deafWriter) Write(b []byte) (int, error) {
	w.proxy.mu.Lock()
	deaf := w.proxy.deaf
	w.proxy.mu.Unlock()
	if deaf {
		return len(b), nil
	}
	return w.Conn.Write(b)
}

// setDeaf makes the proxy lose what the server says, or stop that.
func (p *proxy) setDeaf(deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = deaf
}

// cut ends the connections that are there.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) close() {
	p.listener.Close()
	p.cut()
}

func (p *proxy) connect(t testing.TB) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect("nats://"+p.listener.Addr().String(), nats.MaxReconnects(-1), nats.ErrorHandler(ignore),
		nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(20*time.Millisecond, 0), nats.IgnoreDiscoveredServers())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}
