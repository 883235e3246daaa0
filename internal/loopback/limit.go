package loopback

import (
	"net"
	"sync"
)

// Limit has the server close every connection beyond n, as soon as it is
// accepted. It is called before Serve.
func (s *Server) Limit(n int) {
	s.listener = &limiter{Listener: s.listener, open: make(chan struct{}, n)}
}

// A limiter is a listener with so many connections at most. open holds one
// value for each that is open.
type limiter struct {
	net.Listener
	open chan struct{}
}

func (l *limiter) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.open <- struct{}{}:
			return &limited{Conn: conn, release: sync.OnceFunc(func() { <-l.open })}, nil
		default:
			conn.Close()
		}
	}
}

// A limited connection makes room for another when it is closed.
type limited struct {
	net.Conn
	release func()
}

func (c *limited) Close() error {
	defer c.release()
	return c.Conn.Close()
}
