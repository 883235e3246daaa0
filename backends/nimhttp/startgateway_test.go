package nimhttp_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/engine"
)

func TestStartGateway(t *testing.T) {
	var said gatewaytest.Buffer
	o := nimhttp.GatewayOptions{
		Dir:    gatewaytest.FakeInstall(t),
		Node:   gatewaytest.FakeNode(t, "v22.1.0", `echo "$IMREUSE_GATEWAY_ADDR $IMREUSE_GATEWAY_SECRET $1" >&2`+"\n"+gatewaytest.Listens+"\n"+gatewaytest.UntilEnd),
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

func TestGatewayEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{Dir: gatewaytest.FakeInstall(t), Node: gatewaytest.FakeNode(t, "v20.0.0", gatewaytest.Listens+"\n"+gatewaytest.UntilEnd)})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestGatewayEndsByItself(t *testing.T) {
	g, err := nimhttp.StartGateway(t.Context(), nimhttp.GatewayOptions{Dir: gatewaytest.FakeInstall(t), Node: gatewaytest.FakeNode(t, "v20.0.0", gatewaytest.Listens+"\nexit 3")})
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
	good := gatewaytest.FakeNode(t, "v20.0.0", gatewaytest.Listens+"\n"+gatewaytest.UntilEnd)
	install := gatewaytest.FakeInstall(t)
	tests := []struct {
		name    string
		options nimhttp.GatewayOptions
		want    error
		says    string
	}{
		{"no Node", nimhttp.GatewayOptions{Dir: install, Node: filepath.Join(t.TempDir(), "none")}, engine.ErrState, "Node 20"},
		{"old Node", nimhttp.GatewayOptions{Dir: install, Node: gatewaytest.FakeNode(t, "v18.19.0", gatewaytest.Listens)}, engine.ErrState, "18.19.0"},
		{"not installed", nimhttp.GatewayOptions{Dir: t.TempDir(), Node: good}, engine.ErrState, "imreuse gateway install"},
		{"any address", nimhttp.GatewayOptions{Dir: install, Node: good, Addr: "0.0.0.0:0"}, engine.ErrArgument, "loopback"},
		{"no port", nimhttp.GatewayOptions{Dir: install, Node: good, Addr: "127.0.0.1"}, engine.ErrArgument, "Addr"},
		{"short secret", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: "short"}, engine.ErrArgument, "Secret"},
		{"secret with control", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: strings.Repeat("x", 20) + "\n"}, engine.ErrArgument, "Secret"},
		{"secret with space", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: "sixteen letters or more"}, engine.ErrArgument, "Secret"},
		{"secret beyond ASCII", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: strings.Repeat("ü", 20)}, engine.ErrArgument, "Secret"},
		{"secret without end", nimhttp.GatewayOptions{Dir: install, Node: good, Secret: strings.Repeat("x", 4097)}, engine.ErrArgument, "Secret"},
		{"ends at once", nimhttp.GatewayOptions{Dir: install, Node: gatewaytest.FakeNode(t, "v20.0.0", "echo the port is taken >&2; exit 1")}, engine.ErrUnavailable, "the port is taken"},
		{"says something else", nimhttp.GatewayOptions{Dir: install, Node: gatewaytest.FakeNode(t, "v20.0.0", "echo hello; "+gatewaytest.UntilEnd)}, engine.ErrUnavailable, "first line"},
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
	silent := gatewaytest.FakeNode(t, "v20.0.0", gatewaytest.UntilEnd)
	if g, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{Dir: gatewaytest.FakeInstall(t), Node: silent}); g != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline", err)
	}
}
