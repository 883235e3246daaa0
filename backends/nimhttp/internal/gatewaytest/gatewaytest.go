// Package gatewaytest helps tests that start an IM gateway in Node, or a fake
// Node. Only tests import it.
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

// FakeNode writes a fake Node: it prints the version, or runs the script
// instead of the gateway.
func FakeNode(t testing.TB, version, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node")
	text := "#!/bin/sh\nif [ \"$1\" = --version ]; then echo " + version + "; exit; fi\n" + script + "\n"
	// A process forked meanwhile would inherit the file open for writing, and
	// the system does not run a file that is open for writing.
	syscall.ForkLock.RLock()
	err := os.WriteFile(file, []byte(text), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// FakeInstall makes an installation whose SDK is an empty file.
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

// fakePath puts the shell scripts at the front of PATH.
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

// A Buffer may be written by one goroutine while another reads it.
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

// SkipWithoutVendor skips the test unless IMREUSE_VENDOR is 1, which promises
// that Node and the vendor's SDK are installed.
func SkipWithoutVendor(t testing.TB) {
	t.Helper()
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20 and the vendor's SDK, from: imreuse gateway install")
	}
}

// cloudPatience is the time for the cloud to see a change. It is well under 8
// s, after which the SDK itself drops a link whose login gets no answer; a test
// must not mistake that for the gateway's work.
const cloudPatience = 4 * time.Second

// WantOnline waits until exactly the accids in want are logged in, and no other
// link is open.
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

// WantClients waits until done accepts the cloud's clients. The cloud sees a
// change a moment after the gateway has answered.
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

// patience is the bound of Poll. The SDK tries to reconnect a second time only
// after 5 s.
const patience = 20 * time.Second

// Poll waits until done returns true, and reports whether it did in time.
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
