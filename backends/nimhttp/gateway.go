package nimhttp

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/loopback"
)

// GatewayOptions are the choices for one gateway. The zero value is useful.
type GatewayOptions struct {
	Dir    string    // the gateway's folder with its node_modules; default: where "imreuse gateway install" put it
	Addr   string    // where to listen, on loopback; default 127.0.0.1:0, which takes a free port
	Secret string    // what callers have to show, 16 characters at least; default: a new one
	Node   string    // default "node"; older than 20 is an error
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

const (
	gatewayStart = 20 * time.Second // to print its address
	gatewayGrace = 10 * time.Second // to log its slots out
)

// StartGateway starts the IM gateway with Node, and stops it when ctx ends. It
// installs nothing, and starts nothing again that ended. It fails with
// engine.ErrArgument for an address that is not on loopback or a short secret, and with
// engine.ErrState where Node is missing or old, or the gateway is not
// installed.
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
	if !gateway.Installed(o.Dir) && os.Getenv("NIM_SDK") == "" {
		return nil, fmt.Errorf("%w: there is no gateway with its SDK in %s; run: imreuse gateway install", engine.ErrState, o.Dir)
	}
	g := &Gateway{secret: func() string { return o.Secret }, ended: make(chan struct{})}
	g.process = exec.Command(o.Node, filepath.Join(o.Dir, "main.mjs"))
	g.process.Env = append(os.Environ(), "IMREUSE_GATEWAY_SECRET="+o.Secret, "IMREUSE_GATEWAY_ADDR="+o.Addr)
	g.process.Dir = o.Dir
	said := &tail{next: o.Stderr}
	g.process.Stderr = said
	if g.stdin, err = g.process.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := g.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.process.Start(); err != nil {
		return nil, err
	}
	g.process.Env = nil // it has the secret, which fmt would show
	if err := g.awaitAddress(ctx, stdout); err != nil {
		g.kill()
		return nil, fmt.Errorf("%w%s", err, said.last())
	}
	g.stop = context.AfterFunc(ctx, func() { _ = g.end() })
	return g, nil
}

func (o GatewayOptions) complete() (GatewayOptions, error) {
	o.Node = cmp.Or(o.Node, "node")
	o.Addr = cmp.Or(o.Addr, "127.0.0.1:0")
	o.Secret = cmp.Or(o.Secret, uuid.NewString()+uuid.NewString())
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil || !loopback.Is(host) {
		return o, call.Argument("Addr %q is not a loopback address and a port", o.Addr)
	}
	if len(o.Secret) < 16 {
		return o, call.Argument("Secret has less than 16 characters")
	}
	if err := call.CheckHeader("Secret", o.Secret, call.MaxToken); err != nil {
		return o, err
	}
	if o.Dir == "" {
		if o.Dir, err = gateway.Dir(); err != nil {
			return o, err
		}
	}
	return o, nil
}

// awaitAddress reads the first line, and lets the rest go. One goroutine does
// so; it ends with the process.
func (g *Gateway) awaitAddress(ctx context.Context, stdout io.Reader) error {
	ctx, cancel := context.WithTimeoutCause(ctx, gatewayStart, fmt.Errorf("%w: the gateway did not start within %v", engine.ErrUnavailable, gatewayStart))
	defer cancel()
	line := make(chan []byte, 1)
	go func() {
		r := bufio.NewReader(stdout)
		first, _ := r.ReadBytes('\n')
		line <- first
		_, _ = io.Copy(io.Discard, r)
		g.err = g.process.Wait()
		close(g.ended)
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case first := <-line:
		var address struct{ URL string }
		if err := json.Unmarshal(first, &address); err != nil || address.URL == "" {
			return fmt.Errorf("%w: the gateway ended before it listened", engine.ErrUnavailable)
		}
		g.url = address.URL
		return nil
	}
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

// Close lets the gateway log its slots out and end, and waits for that. After
// 10 s it is killed, which is the error then. Once it has ended, Close does nothing.
func (g *Gateway) Close() error {
	g.stop()
	return g.end()
}

func (g *Gateway) end() error {
	_ = g.stdin.Close() // the gateway ends when its stdin does
	timer := time.NewTimer(gatewayGrace)
	defer timer.Stop()
	select {
	case <-g.ended:
		return nil
	case <-timer.C:
		g.kill()
		return errors.New("nimhttp: the IM gateway did not end, and was killed")
	}
}

func (g *Gateway) kill() {
	_ = g.process.Process.Kill()
	_ = g.stdin.Close()
	<-g.ended
}

// A tail passes on what is written, and keeps the end of it for an error.
type tail struct {
	next io.Writer
	end  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 512
	t.end = append(t.end, p...)
	t.end = t.end[max(0, len(t.end)-most):]
	if t.next == nil {
		return len(p), nil
	}
	return t.next.Write(p)
}

// last is what was written last; the process must have ended.
func (t *tail) last() string {
	if len(t.end) == 0 {
		return ""
	}
	return fmt.Sprintf(": it said %q", t.end)
}
