package nimcloud

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// A link is one connection. One goroutine serves it and writes to it; another
// reads. What others have for it they leave in its channels.
type link struct {
	cloud *Cloud
	id    uint64
	host  string // of the client
	port  string
	ws    *websocket.Conn
	cut   context.CancelFunc // ends the link, as a network does
	done  chan struct{}      // closed when it has ended
	ended chan error         // the login's end, with its cause; room for one
	inbox chan []byte        // packets for the client; one that does not keep up misses some

	phase phase       // the serving goroutine's own
	timer *time.Timer // cuts the link

	// Guarded by cloud.mu.
	device     device
	accid      string // folded; of the login
	in         bool   // the login holds
	over       bool   // it has ended, and there is no second one
	heartbeats int
	settled    bool // the last of the SDK's questions after a login was answered
}

type phase uint8

const (
	fresh   phase = iota // nobody has logged in yet
	entered              // somebody has
	leaving              // the client is to close it
)

// device is what a client says about itself at a login.
type device struct {
	account, appKey, id string
	clientType          int
	automatic           bool
	customTag, os       string
	since               time.Time
}

// serveLink is the link server.
func (c *Cloud) serveLink(w http.ResponseWriter, r *http.Request) {
	if status := c.switches().link; status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	ctx, cut := context.WithCancel(c.ctx)
	defer cut()
	l := &link{cloud: c, cut: cut, done: make(chan struct{}), ended: make(chan error, 1), inbox: make(chan []byte, 16)}
	if !c.add(l) {
		http.Error(w, "too many links", http.StatusServiceUnavailable)
		return
	}
	defer c.remove(l)
	l.host, l.port, _ = net.SplitHostPort(r.RemoteAddr)
	// Pages of any origin may log in: the developer's own is one.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer ws.CloseNow()
	ws.SetReadLimit(c.limits.packet)
	l.ws = ws
	l.run(ctx)
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

// run serves the link until it ends, and then its login does.
func (l *link) run(ctx context.Context) {
	packets := make(chan []byte)
	defer func() {
		l.cut()
		for range packets { // until the reader has returned
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
			if !s.end(ctx, cause) {
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

// read ends with ctx, when the connection does, and at what is no packet.
func (l *link) read(ctx context.Context, packets chan<- []byte) {
	defer close(packets)
	for {
		kind, b, err := l.ws.Read(ctx)
		if err != nil || kind != websocket.MessageBinary {
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
	return l.ws.Write(ctx, websocket.MessageBinary, b) == nil
}

// push leaves a packet for the client. It never blocks.
func (l *link) push(c command, body []byte) {
	select {
	case l.inbox <- encode(c, 0, codeOK, body):
	default:
	}
}

// lost ends the login, and reports whether it had not ended before. It never
// blocks, as the world may hold its locks.
func (l *link) lost(cause error) bool {
	l.cloud.mu.Lock()
	defer l.cloud.mu.Unlock()
	return l.lostLocked(cause)
}

func (l *link) lostLocked(cause error) bool {
	if !l.endLocked() {
		return false
	}
	l.ended <- cause // there is room: this happens once
	return true
}

// endLocked ends the login, and tells the other clients of the account: not one
// that is about to come, for which it may have had to go.
func (l *link) endLocked() bool {
	if l.over {
		return false
	}
	l.over = true
	if l.in {
		l.in = false
		notify(l.peersLocked(), changeLogout, l.recordLocked())
	}
	return true
}
