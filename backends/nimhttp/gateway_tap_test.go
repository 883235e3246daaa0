package nimhttp_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// A tap listens at the address that clients have for their gateway. It forwards
// each connection to the genuine gateway or answers itself, and records the
// bytes that each connection sends.
type tap struct {
	t        *testing.T
	listener net.Listener
	target   string
	secret   string // the genuine gateway's
	work     sync.WaitGroup

	mu     sync.Mutex
	answer func(request []byte) string // answers as a stranger; nil: it forwards
	conns  []*tapped
	first  []byte // the genuine gateway's first answer
}

type tapped struct {
	net.Conn
	other net.Conn // to the genuine gateway
	mu    sync.Mutex
	sent  bytes.Buffer
	ended bool
}

func newTap(t *testing.T, target string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{t: t, listener: l, target: strings.TrimPrefix(target, "http://")}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.work.Wait()
	})
	return p
}

func (p *tap) url() string { return "http://" + p.listener.Addr().String() }

func (p *tap) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		c := &tapped{Conn: conn}
		p.mu.Lock()
		p.conns = append(p.conns, c)
		answer := p.answer
		if answer == nil {
			c.other, err = net.Dial("tcp", p.target)
		}
		p.mu.Unlock()
		if err != nil {
			conn.Close()
			continue
		}
		if answer != nil {
			p.work.Go(func() { c.pretend(answer) })
			continue
		}
		p.work.Go(func() { c.end(io.Copy(io.MultiWriter(c, c.other), conn)) })
		p.work.Go(func() { c.end(io.Copy(io.MultiWriter(conn, p), c.other)) })
	}
}

// Write records the genuine gateway's first answer.
func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == nil {
		p.first = bytes.Clone(b)
	}
	return len(b), nil
}

func (c *tapped) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent.Write(b)
}

func (c *tapped) end(int64, error) {
	c.Close()
	if c.other != nil {
		c.other.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
}

// pretend answers each request itself.
func (c *tapped) pretend(answer func([]byte) string) {
	in := bufio.NewReader(io.TeeReader(c.Conn, c))
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			c.end(0, err)
			return
		}
		_, _ = io.Copy(io.Discard, request.Body)
		_, _ = io.WriteString(c.Conn, answer([]byte(request.URL.Query().Get("nonce"))))
	}
}

// turn sets the answer for new connections; nil: they are forwarded.
func (p *tap) turn(answer func([]byte) string) {
	p.mu.Lock()
	p.answer = answer
	p.mu.Unlock()
	p.cut()
}

func (p *tap) cut() {
	p.mu.Lock()
	conns := p.conns
	p.mu.Unlock()
	for _, c := range conns {
		c.end(0, nil)
	}
}

// sent returns the bytes that each connection sent.
func (p *tap) sent() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, c := range p.conns {
		c.mu.Lock()
		all = append(all, c.sent.String())
		c.mu.Unlock()
	}
	return all
}

func (p *tap) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.conns {
		c.mu.Lock()
		if !c.ended {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

var proofRequest = regexp.MustCompile(`^GET /healthz\?nonce=([A-Za-z0-9_-]{22,128}) HTTP/1\.1\r\n`)

// wantProofs checks that every connection began with a new nonce, and that the
// ones from the given number on sent nothing else.
func (p *tap) wantProofs(stranger int) {
	p.t.Helper()
	seen := map[string]bool{}
	for i, sent := range p.sent() {
		if sent == "" {
			continue // it was cut before
		}
		nonce := proofRequest.FindStringSubmatch(sent)
		if nonce == nil || seen[nonce[1]] {
			p.t.Errorf("connection %d began with %.60q, want a proof with a new nonce", i, sent)
			continue
		}
		seen[nonce[1]] = true
		if i < stranger {
			continue
		}
		if end := strings.Index(sent, "\r\n\r\n"); end != len(sent)-4 || strings.Contains(sent, "Authorization") {
			p.t.Errorf("a stranger was sent more than the nonce: %q", sent)
		}
		for _, secret := range []string{p.secret, stubToken, stubAlice.Accid, "alice", nimhttptest.IMToken, nimhttptest.Accid} {
			if secret != "" && strings.Contains(sent, secret) {
				p.t.Errorf("a stranger was sent %q: %q", secret, sent)
			}
		}
	}
}

// tappedIM returns a client of the genuine gateway, through a tap.
func tappedIM(t *testing.T, change ...func(*nimhttp.Options)) (*tap, *nimhttp.IM) {
	t.Helper()
	s := nimhttptest.New(t, nimhttptest.Options{})
	p := newTap(t, s.GatewayURL())
	p.secret = s.GatewaySecret()
	return p, p.client(p.secret, change...)
}

func (p *tap) client(secret string, change ...func(*nimhttp.Options)) *nimhttp.IM {
	p.t.Helper()
	o := nimhttp.Options{AppKey: nimhttptest.AppKey, GatewayURL: p.url(), GatewaySecret: secret}
	for _, c := range change {
		c(&o)
	}
	im, err := nimhttp.NewIM(o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { im.Close() })
	return im
}

var tappedAccount = engine.IMAccount{Accid: nimhttptest.Accid, Token: nimhttptest.IMToken}

// orRecorded returns the answer. If that is nil, it returns the genuine
// gateway's first answer.
func (p *tap) orRecorded(answer func([]byte) string) func([]byte) string {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if answer != nil {
		return answer
	}
	recorded := string(p.first)
	if !strings.Contains(recorded, `"proof":"`) {
		p.t.Fatalf("the first answer is %q, want a proof", recorded)
	}
	return func([]byte) string { return recorded }
}
