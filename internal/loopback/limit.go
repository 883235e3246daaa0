package loopback

import (
	"net"
	"sync"
)

// Limit makes the server keep at most n connections open: it accepts and closes
// any further one. Call it before Serve.
func (s *Server) Limit(n int) {
	s.listener = &limiter{Listener: s.listener, open: make(chan struct{}, n)}
}

// A limiter is a listener with at most cap(open) open connections: open holds
// one value for each of them.
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

// A limited connection makes room for another one when it is closed.
type limited struct {
	net.Conn
	release func()
}

func (c *limited) Close() error {
	defer c.release()
	return c.Conn.Close()
}
