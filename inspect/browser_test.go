package inspect_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/imreuse/imreuse/internal/browsertest"
)

// The page in a real Chromium. The tests are in browser/, in JavaScript.
func TestBrowser(t *testing.T) {
	browsertest.Skip(t)
	server := httptest.NewServer(control(t))
	defer server.Close()
	browsertest.Run(t, "browser", 5*time.Minute, "IMREUSE_PROGRAMS="+server.URL, "--test-concurrency=1", "--test-timeout=240000")
}
