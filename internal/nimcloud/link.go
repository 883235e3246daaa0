package nimcloud

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// A link is one connection. One goroutine serves it and writes to it; another
// one reads. Everybody else sends to its channels.
type link struct {
	cloud   *Cloud
	id      uint64
	host    string // of the client
	port    string
	ws      *websocket.Conn
	framing *framing
	cut     context.CancelFunc // ends the link, as a broken network does
	done    chan struct{}      // closed when the link has ended
	ended   chan error         // gets the cause when the login ends; has room for it
	inbox   chan []byte        // packets for the client; dropped if it is full

	// Used only by the serving goroutine.
	phase phase
	timer *time.Timer // cuts the link when it fires

	// Guarded by cloud.mu. Only the serving goroutine changes family, so that
	// goroutine may read it without the lock.
	family     *family
	device     device
	accid      string // of the login request, in lower case
	loggedIn   bool
	ending     bool // the login has ended; a link has only one
	heartbeats int
	settled    bool // the SDK's last question after the login was answered
}

type phase uint8

const (
	fresh   phase = iota // before the login
	entered              // logged in
	leaving              // the login has ended, and the client should close the link
)

// device is what a client sends about itself with a login.
type device struct {
	account, appKey, id string
	clientType          int
	automatic           bool
	customTag, os       string
	since               time.Time
}

// serveLink returns the link server for one framing.
func (c *Cloud) serveLink(f *framing) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !c.pages.Allow(w, r) {
			return
		}
		if status := c.currentControls().link; status != 0 {
			http.Error(w, http.StatusText(status), status)
			return
		}
		ctx, cut := context.WithCancel(c.ctx)
		defer cut()
		l := &link{
			cloud: c, framing: f, cut: cut, family: familyV2,
			done: make(chan struct{}), ended: make(chan error, 1), inbox: make(chan []byte, 16),
		}
		if !c.add(l) {
			http.Error(w, "too many links", http.StatusServiceUnavailable)
			return
		}
		defer c.remove(l)
		l.host, l.port, _ = net.SplitHostPort(r.RemoteAddr)
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // its origin has been checked
		if err != nil {
			return // Accept has answered
		}
		defer ws.CloseNow()
		ws.SetReadLimit(c.limits.packet)
		l.ws = ws
		if f.hello != nil && !l.write(ctx, f.hello) {
			return
		}
		l.run(ctx)
	}
}

func (c *Cloud) add(l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.links) >= c.limits.links {
		return false
	}
	c.opened++
	l.id = c.opened
	c.links[l] = struct{}{}
	c.linked.Add(1)
	return true
}

func (c *Cloud) remove(l *link) {
	c.mu.Lock()
	delete(c.links, l)
	c.mu.Unlock()
	close(l.done)
	c.linked.Done()
}

// run serves the link until it ends, and then ends its login.
func (l *link) run(ctx context.Context) {
	packets := make(chan []byte)
	defer func() {
		l.cut()
		for range packets { // wait for the reader
		}
	}()
	go l.read(ctx, packets)
	l.timer = time.NewTimer(l.cloud.limits.login)
	defer l.timer.Stop()
	s := &session{link: l}
	defer s.logout()
	for {
		select {
		case b, ok := <-packets:
			if !ok || !s.serve(ctx, b) {
				return
			}
		case cause := <-l.ended:
			if !s.reportEnd(ctx, cause) {
				return
			}
		case b := <-l.inbox:
			if !l.write(ctx, b) {
				return
			}
		case <-l.timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// read passes messages on until ctx or the connection ends, or a message is of
// the wrong kind.
func (l *link) read(ctx context.Context, packets chan<- []byte) {
	defer close(packets)
	for {
		kind, b, err := l.ws.Read(ctx)
		if err != nil || kind != l.framing.kind {
			return
		}
		select {
		case packets <- b:
		case <-ctx.Done():
			return
		}
	}
}

func (l *link) write(ctx context.Context, b []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, l.cloud.limits.write)
	defer cancel()
	return l.ws.Write(ctx, l.framing.kind, b) == nil
}

// push queues a packet for the client. It never blocks.
func (l *link) push(c command, fields ...any) {
	select {
	case l.inbox <- l.framing.encode(reply{command: c, code: codeOK, fields: fields}):
	default:
	}
}

// loseLogin marks the login as ended; the serving goroutine notices that and
// acts on it. It never blocks, because the world may hold its lock.
func (l *link) loseLogin(cause error) {
	l.cloud.mu.Lock()
	defer l.cloud.mu.Unlock()
	l.loseLoginLocked(cause)
}

// loseLoginLocked reports whether the login had not ended before.
func (l *link) loseLoginLocked(cause error) bool {
	if !l.endLoginLocked() {
		return false
	}
	l.ended <- cause // never blocks: there is room for one, and a login ends once
	return true
}

// endLoginLocked marks the login as ended and tells the account's other clients
// that are logged in. It reports whether the login had not ended before.
func (l *link) endLoginLocked() bool {
	if l.ending {
		return false
	}
	l.ending = true
	if l.loggedIn {
		l.loggedIn = false
		l.notifyLocked(l.peersLocked(), changeLogout)
	}
	return true
}
