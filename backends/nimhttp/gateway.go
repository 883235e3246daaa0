package nimhttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/child"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/loopback"
)

// GatewayOptions are the choices for one gateway. The zero value is useful.
type GatewayOptions struct {
	Dir    string    // the gateway's folder with its node_modules; default: where "imreuse gateway install" put it
	Addr   string    // where to listen, on loopback; default 127.0.0.1:0, which takes a free port
	Secret string    // what callers have to show, 16 characters at least; default: a new one
	Node   string    // default "node"; older than gateway.OldestNode is an error
	Stderr io.Writer // what the gateway and the SDK say, without tokens; nil: discarded
}

// A Gateway is an IM gateway that runs as a child of this process. It is safe
// for concurrent use.
type Gateway struct {
	url     string
	secret  func() string // fmt does not look into functions
	process *exec.Cmd
	stdin   io.Closer
	ended   chan struct{} // closed when the process has ended
	err     error         // of its end; read after ended is closed
	stop    func() bool   // lets go of ctx
}

// What a gateway gets: less than 5 s to end, all in all.
const (
	gatewayStart  = 20 * time.Second       // to print its address
	gatewayLogout = 3 * time.Second        // to log its slots out when its stdin is closed
	gatewayTerm   = 1 * time.Second        // to end on SIGTERM
	gatewayKill   = 900 * time.Millisecond // for the system to end it
)

// StartGateway starts the IM gateway with Node, and stops it as Close does when
// ctx ends. It installs nothing, and does not restart a gateway that has ended.
// It fails with engine.ErrArgument for an address that is not on loopback or an
// unusable secret, and with engine.ErrState if Node is missing or too old, or if
// the gateway is not installed or others could have changed it (gateway.Check).
//
// Node gets little of this process's environment: package gateway lists what,
// and has the gateway's own settings IMREUSE_GATEWAY_LOG and NIM_SDK. Node may be
// a wrapper script, which must not put Node into the background.
//
// The gateway counts as a Web client of the IM service, and as a new device at
// each start. Under a policy of one device, or of desktop clients that kick
// each other, it and a desktop app evict each other.
func StartGateway(ctx context.Context, o GatewayOptions) (*Gateway, error) {
	g, err := startGateway(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("nimhttp: StartGateway: %w", err)
	}
	return g, nil
}

func startGateway(ctx context.Context, o GatewayOptions) (*Gateway, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if err := gateway.CheckNode(ctx, o.Node); err != nil {
		return nil, err
	}
	if err := gateway.Check(o.Dir); err != nil {
		return nil, err
	}
	g := &Gateway{secret: func() string { return o.Secret }, ended: make(chan struct{})}
	first, said := &firstLine{line: make(chan []byte, 1)}, &tail{next: o.Stderr}
	if err := g.start(o, first, said); err != nil {
		return nil, err
	}
	if err := g.awaitAddress(ctx, first.line); err != nil {
		g.kill()
		return nil, fmt.Errorf("%w%s", err, said.last(o.Secret))
	}
	g.stop = context.AfterFunc(ctx, func() { _ = g.end() })
	return g, nil
}

// checkSecret refuses what callers could not send in a header as it is.
func checkSecret(secret string) error {
	switch {
	case len(secret) < 16:
		return call.Argument("Secret has less than 16 characters")
	case len(secret) > call.MaxToken:
		return call.Argument("Secret is longer than %d characters", call.MaxToken)
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return call.Argument("Secret has a space, a control character or one that is not ASCII")
	}
	return nil
}

// start starts Node. One goroutine waits until it has ended, and ends what it
// has left behind.
func (g *Gateway) start(o GatewayOptions, stdout, stderr io.Writer) (err error) {
	g.process = child.Node(context.Background(), o.Node, filepath.Join(o.Dir, "main.mjs"))
	g.process.Env = append(g.process.Env, "IMREUSE_GATEWAY_SECRET="+o.Secret, "IMREUSE_GATEWAY_ADDR="+o.Addr)
	g.process.Dir = o.Dir
	g.process.Stdout, g.process.Stderr = stdout, stderr
	if g.stdin, err = g.process.StdinPipe(); err != nil {
		return err
	}
	if err := g.process.Start(); err != nil {
		return err
	}
	g.process.Env = nil // it has the secret, which fmt would show
	go func() {
		err := g.process.Wait()
		if !errors.Is(err, exec.ErrWaitDelay) { // a child of its own held the output open
			g.err = err
		}
		_ = child.Kill(g.process)
		close(g.ended)
	}()
	return nil
}

func (o GatewayOptions) complete() (GatewayOptions, error) {
	o.Node = cmp.Or(o.Node, "node")
	o.Addr = cmp.Or(o.Addr, "127.0.0.1:0")
	o.Secret = cmp.Or(o.Secret, uuid.NewString()+uuid.NewString())
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil || !loopback.Is(host) {
		return o, call.Argument("Addr %q is not a loopback address and a port", o.Addr)
	}
	if err := checkSecret(o.Secret); err != nil {
		return o, err
	}
	if o.Dir == "" {
		if o.Dir, err = gateway.Dir(); err != nil {
			return o, err
		}
	}
	return o, nil
}

// awaitAddress waits for the first line, which has the address.
func (g *Gateway) awaitAddress(ctx context.Context, line <-chan []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, gatewayStart, fmt.Errorf("%w: the gateway did not start within %v", engine.ErrUnavailable, gatewayStart))
	defer cancel()
	var first []byte
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case first = <-line:
	case <-g.ended:
		select {
		case first = <-line: // it printed its address, and ended
		default:
			return fmt.Errorf("%w: the gateway ended before it listened", engine.ErrUnavailable)
		}
	}
	var address struct{ URL string }
	if err := json.Unmarshal(first, &address); err != nil || address.URL == "" {
		return fmt.Errorf("%w: the gateway's first line is not its address", engine.ErrUnavailable)
	}
	g.url = address.URL
	return nil
}

// URL is where the gateway listens, such as http://127.0.0.1:7788.
func (g *Gateway) URL() string { return g.url }

// Secret is what its callers have to show.
func (g *Gateway) Secret() string { return g.secret() }

// Pid is the process of Node.
func (g *Gateway) Pid() int { return g.process.Process.Pid }

// Wait waits until the gateway has ended, whoever ended it, and returns nil if
// it did so by itself without an error.
func (g *Gateway) Wait() error {
	<-g.ended
	if g.err != nil {
		return fmt.Errorf("nimhttp: the IM gateway: %w", g.err)
	}
	return nil
}

// Close ends the gateway and waits for that, 5 s at most. It closes the
// gateway's stdin, upon which the gateway logs its slots out and ends. If it has
// not done so after 3 s, Close sends SIGTERM to its process group, and after one
// more second SIGKILL; then Close returns an error. The group includes a Node
// that a wrapper script started. On Windows, where there are no such groups,
// only the process that was started is killed. Once the gateway has ended, Close
// does nothing.
func (g *Gateway) Close() error {
	g.stop()
	return g.end()
}

func (g *Gateway) end() error {
	_ = g.stdin.Close()
	if g.endsWithin(gatewayLogout) {
		return nil
	}
	_ = child.Terminate(g.process)
	if g.endsWithin(gatewayTerm) {
		return nil
	}
	g.kill()
	return errors.New("nimhttp: the IM gateway did not end, and was killed")
}

func (g *Gateway) endsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-g.ended:
		return true
	case <-timer.C:
		return false
	}
}

// kill leaves a gateway alone that is still there after all: then the host's
// Stderr is what blocks.
func (g *Gateway) kill() {
	_ = child.Kill(g.process)
	_ = g.stdin.Close()
	g.endsWithin(gatewayKill)
}

// A firstLine sends the first line that is written, once, and drops the rest.
type firstLine struct {
	line chan []byte
	got  []byte
	sent bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	const most = 4096
	if f.sent {
		return len(p), nil
	}
	f.got = append(f.got, p...)
	if end := bytes.IndexByte(f.got, '\n'); end >= 0 || len(f.got) > most {
		f.line <- f.got[:max(end, 0)]
		f.sent, f.got = true, nil
	}
	return len(p), nil
}

// A tail passes on what is written, and keeps the end of it for an error.
type tail struct {
	next io.Writer
	mu   sync.Mutex
	end  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 512
	t.mu.Lock()
	t.end = append(t.end, p...)
	t.end = t.end[max(0, len(t.end)-most):]
	t.mu.Unlock()
	if t.next == nil {
		return len(p), nil
	}
	return t.next.Write(p)
}

// last is the end of what was written, on one line and without the secret.
func (t *tail) last(secret string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.Join(strings.FieldsFunc(string(t.end), unicode.IsControl), "; ")
	if text == "" {
		return ""
	}
	return ": " + strings.ReplaceAll(text, secret, "[hidden]")
}
