// Package gatewayprocess runs the IM gateway as a child process: it starts
// Node, reads the address that the gateway prints, and ends the gateway with
// its group.
package gatewayprocess

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/child"
	"github.com/imreuse/imreuse/engine"
)

// Options configure one gateway. nimhttp.StartGateway has completed and checked
// them.
type Options struct {
	Dir    string // the gateway's folder with its node_modules
	Addr   string
	Secret string
	Node   string
	Stderr io.Writer // nil: discarded
}

// A Process is a gateway that runs as a child of this process. It is safe for
// concurrent use.
type Process struct {
	limits  limits
	url     string
	process *exec.Cmd
	stdin   io.Closer
	ended   chan struct{} // closed when the process has ended
	err     error         // why it ended; read only after ended is closed
	stop    func() bool   // stops watching ctx
}

// limits are the times that a gateway gets. Tests shorten them.
type limits struct {
	start  time.Duration // to print its address
	logout time.Duration // to log its slots out when its stdin is closed
	term   time.Duration // to end on SIGTERM
	kill   time.Duration // to end on SIGKILL
}

// usualLimits add up to less than 5 s for the end of a gateway, as Close
// promises.
var usualLimits = limits{start: 20 * time.Second, logout: 3 * time.Second, term: time.Second, kill: 900 * time.Millisecond}

// Start starts a gateway. When ctx ends, it stops the gateway as Close does.
func Start(ctx context.Context, o Options) (*Process, error) { return start(ctx, o, usualLimits) }

func start(ctx context.Context, o Options, l limits) (*Process, error) {
	g := &Process{limits: l, ended: make(chan struct{})}
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

// start starts Node. A goroutine waits until Node has ended, and kills
// processes that it left behind.
func (g *Process) start(o Options, stdout, stderr io.Writer) (err error) {
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
	g.process.Env = nil // it has the secret, which fmt would print
	go func() {
		err := g.process.Wait()
		if !errors.Is(err, exec.ErrWaitDelay) { // that means only that a child of Node held the output open
			g.err = err
		}
		_ = child.Kill(g.process)
		close(g.ended)
	}()
	return nil
}

// awaitAddress waits for the gateway's first line, which has its address.
func (g *Process) awaitAddress(ctx context.Context, line <-chan []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.limits.start, fmt.Errorf("%w: the gateway did not start within %v", engine.ErrUnavailable, g.limits.start))
	defer cancel()
	var first []byte
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case first = <-line:
	case <-g.ended:
		select {
		case first = <-line: // it printed its address before it ended
		default:
			return fmt.Errorf("%w: the gateway ended before it listened", engine.ErrUnavailable)
		}
	}
	var address struct{ URL string }
	if err := json.Unmarshal(first, &address); err != nil || address.URL == "" {
		return fmt.Errorf("%w: the gateway's first line of output is not its address", engine.ErrUnavailable)
	}
	g.url = address.URL
	return nil
}

// URL returns the gateway's address, for example http://127.0.0.1:7788.
func (g *Process) URL() string { return g.url }

// Pid returns the process id of Node.
func (g *Process) Pid() int { return g.process.Process.Pid }

// Wait waits until the gateway has ended. It returns nil if the gateway ended
// without an error, by itself or because of Close.
func (g *Process) Wait() error {
	<-g.ended
	if g.err != nil {
		return fmt.Errorf("nimhttp: the IM gateway: %w", g.err)
	}
	return nil
}

// Close ends the gateway and waits until it has ended; see
// nimhttp.Gateway.Close.
func (g *Process) Close() error {
	g.stop()
	return g.end()
}

func (g *Process) end() error {
	_ = g.stdin.Close()
	if g.endsWithin(g.limits.logout) {
		return nil
	}
	_ = child.Terminate(g.process)
	if g.endsWithin(g.limits.term) {
		return nil
	}
	g.kill()
	return errors.New("nimhttp: the IM gateway did not end and was killed")
}

func (g *Process) endsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-g.ended:
		return true
	case <-timer.C:
		return false
	}
}

// kill kills the gateway's group. It does not wait forever: a host's Stderr
// that blocks would keep the process from ending.
func (g *Process) kill() {
	_ = child.Kill(g.process)
	_ = g.stdin.Close()
	g.endsWithin(g.limits.kill)
}

// A firstLine sends the first line that is written to it, and drops the rest.
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

// A tail passes everything on to next, and keeps the last bytes for an error.
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

// last returns the last bytes that were written, on one line and without the
// secret.
func (t *tail) last(secret string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.Join(strings.FieldsFunc(string(t.end), unicode.IsControl), "; ")
	if text == "" {
		return ""
	}
	return ": " + strings.ReplaceAll(text, secret, "[hidden]")
}
