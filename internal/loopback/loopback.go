// Package loopback serves HTTP to this machine only. It is what the fakes of
// the vendor's servers stand on: their accounts are no secret.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/imreuse/imreuse/engine"
)

const grace = time.Second // for replies under way when a Server is closed

// Is reports whether a host is this machine, by its number or as localhost, in
// any spelling. The unspecified address is not: who listens there listens to
// everybody.
func Is(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
	}
	return ip.Unmap().IsLoopback()
}

// A Server is an http.Server that listens on loopback.
type Server struct {
	http     *http.Server
	listener net.Listener
	served   chan error     // what http.Serve returned
	conns    sync.WaitGroup // but those that a handler took over
}

// Listen takes an address; "": 127.0.0.1:0, which is a free port. It fails with
// engine.ErrArgument where addr is not on loopback, and as net.Listen does, such
// as for a port that is taken.
func Listen(addr string) (*Server, error) {
	listener, err := listen(addr)
	if err != nil {
		return nil, err
	}
	return &Server{listener: listener, served: make(chan error, 1)}, nil
}

// Serve lets h serve there, until Close. It is called once, and sets h.ConnState.
func (s *Server) Serve(h *http.Server) {
	s.http = h
	h.ConnState = s.count
	go func() { s.served <- h.Serve(s.listener) }()
}

func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%w: Addr %q is not HOST:PORT: %w", engine.ErrArgument, addr, err)
	}
	if !Is(host) {
		return nil, notLoopback(addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	if at, ok := listener.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() { // what localhost came to
		listener.Close()
		return nil, notLoopback(addr)
	}
	return listener, nil
}

func notLoopback(addr string) error {
	return fmt.Errorf("%w: Addr %q is not on loopback: use 127.0.0.1:PORT, [::1]:PORT or localhost:PORT", engine.ErrArgument, addr)
}

// Addr is HOST:PORT.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close lets replies under way finish, for a second, and waits until none of
// the server's goroutines is left, but those of handlers that took their
// connection over. It is called once, after Serve.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	err := <-s.served
	s.conns.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// count keeps count of the connections. New ones come from Serve's goroutine
// only, so none is added after it has returned.
func (s *Server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Done()
	}
}
