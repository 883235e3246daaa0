//go:build unix

package gatewayprocess_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewayprocess"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	forever  = "while :; do sleep 1; done"
	listens  = gatewaytest.Listens
	untilEnd = gatewaytest.UntilEnd
)

// Limits for the end of a gateway: enough if the step must succeed, and little
// if it cannot.
const (
	enough = 20 * time.Second
	little = 100 * time.Millisecond
)

// Wrapper scripts that start Node as their own child, with the ways in which
// that may go wrong. Each script listens once its traps are set.
var families = []struct {
	name, script string
	logout, term time.Duration
	killed       bool // Close says so
}{
	{"Node as a child", listens + "; (" + untilEnd + ")", enough, enough, false},
	{"Node as a child, which ignores its stdin", listens + "; (" + forever + ")", little, enough, false},
	{"deaf to SIGTERM", "trap '' TERM; " + listens + "; " + forever, little, little, true},
	{"a wrapper that is deaf to SIGTERM", "(" + forever + ") & child=$!; trap '' TERM; " + listens + "; wait $child; " + forever, little, little, true},
	{"a wrapper that ends before its child", "(trap '' TERM; " + forever + ") & " + listens + "; " + untilEnd, enough, enough, false},
	{"a deaf wrapper, and a deaf child that holds its output open", "trap '' TERM; (" + forever + ") & " + listens + "; " + untilEnd + "; " + forever, little, little, true},
}

func TestGatewayEndsWithItsFamily(t *testing.T) {
	dir := t.TempDir()
	for _, family := range families {
		t.Run(family.name, func(t *testing.T) {
			node, gone := fakeFamily(t, family.script)
			g, err := gatewayprocess.StartWithin(t.Context(), gatewayprocess.Options{Dir: dir, Node: node}, family.logout, family.term)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Close(); (err != nil) != family.killed {
				t.Errorf("Close: got %v, want an error: %t", err, family.killed)
			}
			wantGone(t, gone)
		})
	}
}

func TestGatewayEndsWithItsFamilyAndContext(t *testing.T) {
	node, gone := fakeFamily(t, "trap '' TERM; ("+forever+") & "+listens+"; "+forever)
	ctx, cancel := context.WithCancel(t.Context())
	g, err := gatewayprocess.StartWithin(ctx, gatewayprocess.Options{Dir: t.TempDir(), Node: node}, little, little)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := g.Wait(); err == nil {
		t.Error("got nil, want that it was killed")
	}
	wantGone(t, gone)
}

// nimhttp.Gateway.Close promises to take at most 5 s.
func TestCloseIsBounded(t *testing.T) {
	if got := gatewayprocess.UsualClose(); got >= 5*time.Second {
		t.Errorf("got %v, want less than 5 s", got)
	}
}

// A child that has left the group is not found, but Close does not wait for it.
func TestGatewayEndsWithoutAnEmigrant(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("there is no setsid")
	}
	node := gatewaytest.FakeNode(t, "v20.0.0", "setsid sleep 20 & "+listens+"; "+untilEnd)
	g, err := gatewayprocess.Start(t.Context(), gatewayprocess.Options{Dir: t.TempDir(), Node: node})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Close(), g.Wait()); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestGatewayThatDoesNotListenLeavesNobody(t *testing.T) {
	fifo, gone := lifeline(t)
	node := gatewaytest.FakeNode(t, "v20.0.0", fmt.Sprintf("exec 9>%s; trap '' TERM; (%s) & %s", fifo, forever, forever))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := gatewayprocess.Start(ctx, gatewayprocess.Options{Dir: t.TempDir(), Node: node}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline", err)
	}
	wantGone(t, gone)
}

// fakeFamily returns a fake Node that runs the script. gone is closed when the
// last of its processes has ended.
func fakeFamily(t *testing.T, script string) (node string, gone <-chan struct{}) {
	t.Helper()
	fifo, gone := lifeline(t)
	return gatewaytest.FakeNode(t, "v20.0.0", fmt.Sprintf("exec 9>%s; %s", fifo, script)), gone
}

// lifeline makes a pipe that processes hold open. gone is closed when the last
// of them has ended. A zombie counts as ended.
func lifeline(t *testing.T) (fifo string, gone <-chan struct{}) {
	t.Helper()
	fifo = filepath.Join(t.TempDir(), "lifeline")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		f, err := os.Open(fifo) // waits for a writer
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, f)
		_ = f.Close()
	}()
	return fifo, end
}

func wantGone(t *testing.T, gone <-chan struct{}) {
	t.Helper()
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Fatal("a process of the gateway's is still there")
	}
}

// The gateway does not get the host's environment.
func TestGatewayEnvironment(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"NODE_OPTIONS", "HOST_SECRET", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "IMREUSE_APP_SECRET"} {
		t.Setenv(name, "for the host alone")
	}
	t.Setenv("TZ", "Asia/Shanghai")
	t.Setenv("IMREUSE_GATEWAY_LOG", "warn")
	var said gatewaytest.Buffer
	options := gatewayprocess.Options{Dir: dir, Addr: "127.0.0.1:0", Secret: "a-secret-of-the-gateway", Node: gatewaytest.FakeNode(t, "v20.0.0", "env >&2; "+listens+"; "+untilEnd), Stderr: &said}
	g, err := gatewayprocess.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	env := said.String()
	for _, want := range []string{"TZ=Asia/Shanghai", "IMREUSE_GATEWAY_LOG=warn", "IMREUSE_GATEWAY_ADDR=127.0.0.1:0", "IMREUSE_GATEWAY_SECRET=" + options.Secret, "PATH="} {
		if !strings.Contains(env, want) {
			t.Errorf("the environment has no %s: %s", want, env)
		}
	}
	if strings.Contains(env, "for the host alone") {
		t.Errorf("the gateway gets the host's environment: %s", env)
	}
}
