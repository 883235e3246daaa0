// Package loopback serves HTTP to this machine only. The fakes of the vendor's
// servers use it, because the tokens of their accounts are no secret.
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

const grace = time.Second // for replies in progress when a Server is closed

// Is reports whether host is a loopback address or localhost, in any spelling.
// It returns false for the unspecified address, because a server that listens
// there is open to every machine.
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
	conns    sync.WaitGroup // without those that a handler hijacked
}

// Listen listens on addr, or on a free port of 127.0.0.1 if addr is empty. It
// fails with engine.ErrArgument if addr is not on loopback, and with the error
// of net.Listen, for example if the port is taken.
func Listen(addr string) (*Server, error) {
	listener, err := listen(addr)
	if err != nil {
		return nil, err
	}
	return &Server{listener: listener, served: make(chan error, 1)}, nil
}

// Serve lets h serve the connections until Close. It sets h.ConnState. Call it
// once.
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
	if at, ok := listener.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() { // localhost can resolve to anything
		listener.Close()
		return nil, notLoopback(addr)
	}
	return listener, nil
}

func notLoopback(addr string) error {
	return fmt.Errorf("%w: Addr %q is not on loopback: use 127.0.0.1:PORT, [::1]:PORT or localhost:PORT", engine.ErrArgument, addr)
}

// Addr returns the address that the server listens on, as HOST:PORT.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close gives replies in progress one second to finish. It returns when all of
// the server's goroutines have ended, except those of handlers that hijacked
// their connection. Call it once, after Serve.
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

// count counts the connections. Only Serve's goroutine adds new ones, so none
// is added after that goroutine has ended.
func (s *Server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Done()
	}
}
