// Package gatewaytest is what tests share that start an IM gateway in Node, or
// a program that stands for Node. Only tests import it.
package gatewaytest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// FakeNode writes a program that stands for Node: it has a version, and does
// what the script says in place of the gateway.
func FakeNode(t testing.TB, version, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node")
	text := "#!/bin/sh\nif [ \"$1\" = --version ]; then echo " + version + "; exit; fi\n" + script + "\n"
	// A process that is forked meanwhile would hold the file open for writing,
	// and a file that is cannot be run.
	syscall.ForkLock.RLock()
	err := os.WriteFile(file, []byte(text), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// FakeInstall is an installation in which an empty file stands for the SDK.
func FakeInstall(t testing.TB) string {
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
func fakePath(t testing.TB, scripts map[string]string) {
	t.Helper()
	bin := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Scripts for FakeNode.
const (
	// Listens prints an address, as the gateway does once it listens.
	Listens = `echo '{"url":"http://127.0.0.1:7788"}'`
	// UntilEnd runs until stdin is closed.
	UntilEnd = `cat >/dev/null`
)

// A Buffer is written by one goroutine and read by another.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p.
func (s *Buffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String returns what was written.
func (s *Buffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// SkipWithoutVendor skips a test, unless what it needs is promised.
func SkipWithoutVendor(t testing.TB) {
	t.Helper()
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20 and the vendor's SDK, from: imreuse gateway install")
	}
}

// For a cloud to see it. The SDK by itself leaves a link on which a login is not
// answered after 8 s, which is not to pass for the gateway's work.
const cloudPatience = 4 * time.Second

// WantOnline waits until those are logged in, and no other link is open.
func WantOnline(t testing.TB, cloud *nimcloud.Cloud, want ...string) {
	t.Helper()
	WantClients(t, cloud, fmt.Sprintf("%q online and nobody else", want), func(clients []nimcloud.Client) bool {
		var got []string
		for _, c := range clients {
			got = append(got, c.Accid)
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

// WantClients waits for what a cloud sees, which comes a moment after the
// gateway's word.
func WantClients(t testing.TB, cloud *nimcloud.Cloud, what string, done func([]nimcloud.Client) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cloudPatience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done(cloud.Clients()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the cloud has %+v, want %s", cloud.Clients(), what)
		}
	}
}

// patience is for what must come: the SDK's second try to come back is after
// 5 s.
const patience = 20 * time.Second

// Poll waits until done, and reports whether it came to that.
func Poll(done func() bool) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		}
	}
	return true
}
