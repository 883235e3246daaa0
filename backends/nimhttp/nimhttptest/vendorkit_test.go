package nimhttptest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The vendor's unmodified web kit logs in at imreuse sandbox, is refused by it,
// checks tokens and joins anonymously. The tests are in vendor/, in JavaScript.
// They connect only to the sandbox.
func TestVendorKit(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20.12, the vendor's package, and npm ci in backends/nimhttp/nimhttptest/vendor")
	}
	tests, err := filepath.Glob("vendor/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatalf("got %v and %v, want tests", tests, err)
	}
	for i, test := range tests {
		tests[i] = filepath.Base(test)
	}
	sandbox := filepath.Join(t.TempDir(), "imreuse")
	runCommand(t, "../../../cmd/imreuse", nil, "go", "build", "-o", sandbox, ".")
	runCommand(t, "vendor", nil, "node", "pack.mjs")
	args := append([]string{"--test", "--test-reporter=spec", "--test-timeout=60000"}, tests...)
	runCommand(t, "vendor", []string{"IMREUSE_SANDBOX=" + sandbox}, "node", args...)
}

// runCommand runs a command in a folder, with additional environment variables.
// If the command fails, t fails.
func runCommand(t *testing.T, folder string, more []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = folder
	command.Env = append(os.Environ(), more...)
	command.WaitDelay = 10 * time.Second // its child processes may keep its output open
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
	t.Logf("%s\n%s", name, output)
}
