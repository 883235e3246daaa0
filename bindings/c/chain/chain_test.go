package chain_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute // only a bug takes that long

// The examples in C++ and C log in with the vendor's SDK, and out again. The
// sandbox kicks one of them.
func TestExamples(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs a C++ compiler, Node 20, and the vendor's SDK, from: imreuse gateway install")
	}
	make := exec.CommandContext(t.Context(), "make", "-C", "..", "examples")
	if output, err := make.CombinedOutput(); err != nil {
		t.Fatalf("make: %v\n%s", err, output)
	}
	want, err := os.ReadFile("../examples/out.txt")
	if err != nil {
		t.Fatal(err)
	}
	w := startWorld(t)
	for _, name := range []string{"desktop", "room"} {
		t.Run(name, func(t *testing.T) {
			app := w.start(t, filepath.Join("../build/examples", name), w.env...)
			first := app.line()
			app.stdin.Close() // the user leaves
			if got := first + "\n" + app.rest(); got != string(want) {
				t.Errorf("got %q, want %q", got, want)
			}
			app.ends(0)
		})
		t.Run(name+" is kicked", func(t *testing.T) {
			app := w.start(t, filepath.Join("../build/examples", name), w.env...)
			if got := app.line(); got != "in as myaccid over myaccid, reused" {
				t.Errorf("got %q, want a login", got)
			}
			w.kick(t)
			if got := app.line(); !strings.HasPrefix(got, "lost: ") || !strings.Contains(got, "by the server") {
				t.Errorf("got %q, want a kick by the server", got)
			}
			app.stdin.Close()
			if got := app.rest(); got != "out\n" {
				t.Errorf("got %q, want the end, without IM", got)
			}
			app.ends(0)
		})
		t.Run(name+" without IM", func(t *testing.T) {
			app := w.start(t, filepath.Join("../build/examples", name), append(w.env, "IMREUSE_GATEWAY_SECRET=another-secret-of-nobody")...)
			if got := app.rest(); !strings.HasPrefix(got, "failed: 100004: ") || !strings.Contains(got, "What to do: ") {
				t.Errorf("got %q, want 100004 and its remedy", got)
			}
			app.ends(1)
		})
	}
}

// A world is a sandbox and a gateway, as commands.
type world struct {
	t                      *testing.T
	env                    []string // for an example
	control, controlSecret string
}

func startWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	command := filepath.Join(t.TempDir(), "imreuse")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", command, "github.com/imreuse/imreuse/cmd/imreuse")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	var sandbox struct{ Kit, LBS, Link, Control, ControlSecret string }
	w.startCommand(&sandbox, command, "sandbox")
	var gateway struct{ URL, Secret string }
	w.startCommand(&gateway, command, "gateway")
	w.control, w.controlSecret = sandbox.Control, sandbox.ControlSecret
	w.env = []string{
		"IMREUSE_KIT_URL=" + sandbox.Kit, "IMREUSE_LBS_URL=" + sandbox.LBS, "IMREUSE_LINK_ADDR=" + sandbox.Link,
		"IMREUSE_GATEWAY_URL=" + gateway.URL, "IMREUSE_GATEWAY_SECRET=" + gateway.Secret,
	}
	return w
}

// startCommand starts a command, which prints a line of JSON first.
func (w *world) startCommand(first any, command ...string) {
	w.t.Helper()
	line := w.start(w.t, command[0], command[1:]...).line()
	if err := json.Unmarshal([]byte(line), first); err != nil {
		w.t.Fatalf("%s: got %q: %v", command[1], line, err)
	}
}

func (w *world) kick(t *testing.T) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.control+"/v1/kick", strings.NewReader(`{"accid": "myaccid", "reason": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.controlSecret)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Fatalf("kick: got HTTP %d", res.StatusCode)
	}
}

// A process is a command or an example.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
}

// start starts a command. Arguments with a = are for its environment. At the end
// of the test the command is interrupted, if it still runs.
func (w *world) start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p := &process{t: t, cmd: exec.CommandContext(ctx, name)}
	p.cmd.Env = os.Environ()
	for _, a := range args {
		if strings.Contains(a, "=") {
			p.cmd.Env = append(p.cmd.Env, a)
		} else {
			p.cmd.Args = append(p.cmd.Args, a)
		}
	}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	p.cmd.WaitDelay = 10 * time.Second
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Wait() // it was interrupted
		}
	})
	return p
}

// line waits for a line of output.
func (p *process) line() string {
	p.t.Helper()
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%s: got %q and %v, want a line", p.cmd.Path, line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// rest waits for the rest of the output.
func (p *process) rest() string {
	p.t.Helper()
	text, err := io.ReadAll(p.stdout)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *process) ends(status int) {
	p.t.Helper()
	_ = p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		p.t.Errorf("%s: got exit status %d, want %d", p.cmd.Path, got, status)
	}
}
