package nimhttp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/engine"
)

// fakeNode writes a program that stands for Node: it has a version, and does
// what the script says in place of the gateway.
func fakeNode(t *testing.T, version, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node")
	text := "#!/bin/sh\nif [ \"$1\" = --version ]; then echo " + version + "; exit; fi\n" + script + "\n"
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// fakeInstall is an installation in which an empty file stands for the SDK.
func fakeInstall(t *testing.T) string {
	t.Helper()
	fakePath(t, map[string]string{
		"node": "echo v20.0.0",
		"npm":  "mkdir -p node_modules/nim-web-sdk-ng/dist/nodejs && touch node_modules/nim-web-sdk-ng/dist/nodejs/nim.js",
	})
	dir := filepath.Join(t.TempDir(), "gateway")
	if err := gateway.InstallIn(t.Context(), dir, io.Discard); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fakePath puts these shell scripts before everything else in PATH.
func fakePath(t *testing.T, scripts map[string]string) {
	t.Helper()
	bin := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

const (
	listens  = `echo '{"url":"http://127.0.0.1:7788"}'`
	untilEnd = `cat >/dev/null`
)

func TestStartGateway(t *testing.T) {
	var said syncBuffer
	o := nimhttp.GatewayOptions{
		Dir:    fakeInstall(t),
		Node:   fakeNode(t, "v22.1.0", `echo "$IMREUSE_GATEWAY_ADDR $IMREUSE_GATEWAY_SECRET $1" >&2`+"\n"+listens+"\n"+untilEnd),
		Stderr: &said,
	}
	g, err := nimhttp.StartGateway(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if g.URL() != "http://127.0.0.1:7788" || len(g.Secret()) < 32 || g.Pid() == 0 {
		t.Errorf("got %q, a secret of %d characters and process %d", g.URL(), len(g.Secret()), g.Pid())
	}
	for range 2 {
		if err := errors.Join(g.Close(), g.Wait()); err != nil {
			t.Errorf("Close: got %v", err)
		}
	}
	if got, want := said.String(), "127.0.0.1:0 "+g.Secret()+" "+filepath.Join(o.Dir, "main.mjs")+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A syncBuffer is written by one goroutine and read by another.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestGatewayEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{Dir: fakeInstall(t), Node: fakeNode(t, "v20.0.0", listens+"\n"+untilEnd)})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestGatewayEndsByItself(t *testing.T) {
	g, err := nimhttp.StartGateway(t.Context(), nimhttp.GatewayOptions{Dir: fakeInstall(t), Node: fakeNode(t, "v20.0.0", listens+"\nexit 3")})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Wait(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v, want exit status 3", err)
	}
	if err := g.Close(); err != nil {
		t.Errorf("Close after that: got %v", err)
	}
}

func TestGatewayDoesNotStart(t *testing.T) {
	t.Setenv("NIM_SDK", "")
	good := fakeNode(t, "v20.0.0", listens+"\n"+untilEnd)
	install := fakeInstall(t)
	tests := []struct {
		name    string
		options nimhttp.GatewayOptions
		want    error
		says    string
	}{
		{"no Node", nimhttp.GatewayOptions{Dir: install, Node: filepath.Join(t.TempDir(), "none")}, engine.ErrState, "Node 20"},
		{"old Node", nimhttp.GatewayOptions{Dir: install, Node: fakeNode(t, "v18.19.0", listens)}, engine.ErrState, "18.19.0"},
		{"not installed", nimhttp.GatewayOptions{Dir: t.TempDir(), Node: good}, engine.ErrState, "imreuse gateway install"},
		{"any address", nimhttp.GatewayOptions{Dir: install, Node: good, Addr: "0.0.0.0:0"}, engine.ErrArgument, "loopback"},
		{"no port", nimhttp.GatewayOptions{Dir: install, Node: good, Addr: "127.0.0.1"}, engine.ErrArgument, "Addr"},
		{"short secret", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: "short"}, engine.ErrArgument, "Secret"},
		{"secret with control", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: strings.Repeat("x", 20) + "\n"}, engine.ErrArgument, "Secret"},
		{"secret with space", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: "sixteen letters or more"}, engine.ErrArgument, "Secret"},
		{"secret beyond ASCII", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: strings.Repeat("ü", 20)}, engine.ErrArgument, "Secret"},
		{"secret without end", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: strings.Repeat("x", 4097)}, engine.ErrArgument, "Secret"},
		{"ends at once", nimhttp.GatewayOptions{Dir: install, Node: fakeNode(t, "v20.0.0", "echo the port is taken >&2; exit 1")}, engine.ErrUnavailable, "the port is taken"},
		{"says something else", nimhttp.GatewayOptions{Dir: install, Node: fakeNode(t, "v20.0.0", "echo hello; "+untilEnd)}, engine.ErrUnavailable, "first line"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, err := nimhttp.StartGateway(t.Context(), test.options)
			if g != nil || !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v that says %q", err, test.want, test.says)
			}
		})
	}
}

func TestGatewayStartIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	silent := fakeNode(t, "v20.0.0", untilEnd)
	if g, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{Dir: fakeInstall(t), Node: silent}); g != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline", err)
	}
}
