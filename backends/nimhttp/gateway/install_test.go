package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	goodNode = "echo v20.11.1"
	goodNPM  = "mkdir -p node_modules/nim-web-sdk-ng/dist/nodejs && touch node_modules/nim-web-sdk-ng/dist/nodejs/nim.js"
)

// onMachine sets up an empty cache directory and fake programs for Node and
// npm. An empty script means that the program is missing.
func onMachine(t *testing.T, node, npm string) (cache string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	bin := t.TempDir()
	for name, script := range map[string]string{"node": node, "npm": npm} {
		if script == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range []string{"mkdir", "touch", "cat"} {
		if err := os.Symlink(filepath.Join("/bin", tool), filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	cache = t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache) // if XDG_CACHE_HOME is not set
	return cache
}

// leftovers returns the names of everything in the cache beside the install.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != filepath.Base(dir) {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestInstall(t *testing.T) {
	onMachine(t, goodNode, goodNPM)
	var progress bytes.Buffer
	dir, err := gateway.Install(t.Context(), &progress)
	if err != nil || !gateway.Installed(dir) {
		t.Fatalf("got %v, installed %t", err, gateway.Installed(dir))
	}
	if want, err := gateway.Dir(); err != nil || dir != want {
		t.Errorf("got %s and %v, want %s", dir, err, want)
	}
	for _, name := range []string{"server.mjs", "slot.mjs", "sdk.mjs", "package.json", "package-lock.json", "openapi.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if got := leftovers(t, dir); got != nil {
		t.Errorf("got %v beside the install", got)
	}

	onlyNode := os.Getenv("PATH")
	if err := os.Remove(filepath.Join(onlyNode, "npm")); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Install(t.Context(), &progress); err != nil {
		t.Errorf("again, and without npm: got %v, want nothing to do", err)
	}
	if got := progress.String(); !strings.Contains(got, "Fetching") || !strings.HasSuffix(got, "already installed: "+dir+"\n") {
		t.Errorf("got progress %q", got)
	}
}

func TestInstallFails(t *testing.T) {
	tests := []struct {
		name, node, npm string
		want            error
		says            string
	}{
		{"no Node", "", goodNPM, engine.ErrState, "Node 20"},
		{"old Node", "echo v18.19.0", goodNPM, engine.ErrState, "18.19.0"},
		{"strange Node", "echo hello", goodNPM, engine.ErrState, "hello"},
		{"no npm", goodNode, "", engine.ErrState, "npm"},
		{"no registry", goodNode, "echo npm error network ENOTFOUND >&2; exit 1", engine.ErrUnavailable, "ENOTFOUND"},
		{"incomplete", goodNode, "mkdir node_modules", engine.ErrUnavailable, "incomplete"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onMachine(t, test.node, test.npm)
			dir, err := gateway.Install(t.Context(), new(bytes.Buffer))
			if dir != "" || !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %q and %v, want %v that says %q", dir, err, test.want, test.says)
			}
			if dir, err = gateway.Dir(); err != nil || gateway.Installed(dir) || leftovers(t, dir) != nil {
				t.Errorf("installed %t, and beside it %v", gateway.Installed(dir), leftovers(t, dir))
			}
		})
	}
}

func TestInstallMendsADamagedOne(t *testing.T) {
	onMachine(t, goodNode, goodNPM)
	dir, err := gateway.Install(t.Context(), new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Install(t.Context(), new(bytes.Buffer)); err != nil || !gateway.Installed(dir) {
		t.Errorf("got %v, installed %t", err, gateway.Installed(dir))
	}
}

func TestInstallsAtOnce(t *testing.T) {
	onMachine(t, goodNode, goodNPM)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if dir, err := gateway.Install(t.Context(), new(bytes.Buffer)); err != nil || !gateway.Installed(dir) {
				t.Errorf("got %v, installed %t", err, gateway.Installed(dir))
			}
		})
	}
	wg.Wait()
	if dir, err := gateway.Dir(); err != nil || leftovers(t, dir) != nil {
		t.Errorf("got %v beside the install", leftovers(t, dir))
	}
}

func TestInstallIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	onMachine(t, goodNode, "touch ../npm-runs; exec cat /dev/zero >/dev/null")
	dir, err := gateway.Dir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Install(ctx, cancelOn{"Fetching", cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if gateway.Installed(dir) {
		t.Error("got true from Installed after the cancel")
	}
}

// A cancelOn cancels at the first line of progress with a given text.
type cancelOn struct {
	word   string
	cancel context.CancelFunc
}

func (c cancelOn) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.word) {
		c.cancel()
	}
	return len(p), nil
}
