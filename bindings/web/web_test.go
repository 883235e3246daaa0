//go:build !js

// The tests of the npm package are in JavaScript, in the folder test. Some
// run in Node, and some in a page in Chromium, with the vendor's SDKs and a
// sandbox. They run only if IMREUSE_VENDOR=1.
package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/internal/browsertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPackage(t *testing.T) {
	browsertest.Skip(t)
	command := filepath.Join(t.TempDir(), "imreuse")
	run(t, "go", "build", "-o", command, "../../cmd/imreuse")
	run(t, "make", "--silent")
	browsertest.Run(t, "test", 10*time.Minute, "IMREUSE_COMMAND="+command, "--test-concurrency=1", "--test-timeout=300000")
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
