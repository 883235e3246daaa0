package inspect_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The page in a real Chromium. The tests are in browser/, in JavaScript. They
// put pictures of the page into the folder that IMREUSE_PICTURES names, or else
// into a temporary one.
func TestBrowser(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20.12, Chromium, and npm ci in internal/browsertest")
	}
	tests, err := filepath.Glob("browser/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatalf("got %v and %v, want tests", tests, err)
	}
	pictures := os.Getenv("IMREUSE_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	server := httptest.NewServer(control(t))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	args := append([]string{"--test", "--test-reporter=spec", "--test-concurrency=1", "--test-timeout=240000"}, tests...)
	if only := os.Getenv("IMREUSE_BROWSER_TESTS"); only != "" {
		args = append([]string{"--test-name-pattern=" + only}, args...)
	}
	command := exec.CommandContext(ctx, "node", args...)
	command.Env = append(os.Environ(), "IMREUSE_PROGRAMS="+server.URL, "IMREUSE_PICTURES="+pictures)
	command.WaitDelay = 10 * time.Second // its child processes may keep its output open
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, output)
	}
	t.Logf("%s", output)
}
