// Package browsertest runs the tests that open a page in Chromium. Those tests
// are in JavaScript; chromium.mjs starts the browser for them.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Skip skips t unless IMREUSE_VENDOR is 1.
func Skip(t *testing.T) {
	t.Helper()
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20.12, Chromium, and npm ci in internal/browsertest")
	}
}

// Run runs the *.test.mjs of a folder in Node, and fails t if one of them fails or
// if they take longer than limit. env is added to their environment, and flags to
// Node's. The tests put pictures of the page into the folder that
// IMREUSE_PICTURES names, or else into a temporary one. IMREUSE_BROWSER_TESTS
// is a pattern of the names of the tests to run.
func Run(t *testing.T, folder string, limit time.Duration, env string, flags ...string) {
	t.Helper()
	tests, err := filepath.Glob(filepath.Join(folder, "*.test.mjs"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("got %v and %v, want tests", tests, err)
	}
	pictures := os.Getenv("IMREUSE_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	args := append([]string{"--test", "--test-reporter=spec"}, flags...)
	if only := os.Getenv("IMREUSE_BROWSER_TESTS"); only != "" {
		args = append(args, "--test-name-pattern="+only)
	}
	command := exec.CommandContext(ctx, "node", append(args, tests...)...)
	command.Env = append(os.Environ(), env, "IMREUSE_PICTURES="+pictures)
	command.WaitDelay = 10 * time.Second // its child processes may keep its output open
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, output)
	}
	t.Logf("%s", output)
}
