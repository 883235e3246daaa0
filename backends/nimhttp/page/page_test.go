//go:build !js

// Package page_test has tests of nimhttp.Kit compiled for a web page: GOOS=js.
// The tests in page_js_test.go run in Node and in Chromium, and call the servers
// that this file starts. They run only if IMREUSE_VENDOR=1. The package has only
// tests.
package page_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/browsertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the build of the page's tests and their run.
const patience = 5 * time.Minute

func TestKitInPage(t *testing.T) {
	browsertest.Skip(t)
	binary := filepath.Join(t.TempDir(), "page.wasm")
	output(t, []string{"GOOS=js", "GOARCH=wasm"}, "go", "test", "-c", "-o", binary, ".")
	wasm := filepath.Join(strings.TrimSpace(output(t, nil, "go", "env", "GOROOT")), "lib", "wasm")
	for name, command := range map[string][]string{
		"node":     {filepath.Join(wasm, "wasm_exec_node.js"), binary},
		"chromium": {"chromium.mjs", filepath.Join(wasm, "wasm_exec.js"), binary},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServers(t)
			got := output(t, s.env, "node", append(command, "-test.v", "-test.timeout=60s")...)
			if n := strings.Count(got, "--- PASS: TestPage"); n < 8 || strings.Contains(got, "--- SKIP") {
				t.Errorf("%d tests passed in\n%s", n, got)
			}
			if s.strayed.Load() {
				t.Error("the redirect was followed")
			}
			if got := s.user.Load(); got != "用户1" {
				t.Errorf("header user %q, want 用户1", got)
			}
		})
	}
}

const success = `{"code":0,"data":{"userUuid":"user1","imKey":"app1","imToken":"im-1"}}`

// servers are what the page's tests call: a kit server, and a stub whose paths
// fail in different ways.
type servers struct {
	env     []string     // their addresses
	strayed atomic.Bool  // the redirect was followed
	user    atomic.Value // the header user at /header/
}

func startServers(t *testing.T) *servers {
	t.Helper()
	kit := nimhttptest.New(t, nimhttptest.Options{MaxGuests: 1})
	kit.World().AddIM(engine.IMAccount{Accid: "late", Token: "im-late"})
	kit.World().Bind(engine.KitAccount{UserUUID: "late", Token: "kit-late"}, "late")
	kit.World().ExpireKit("late")
	closed := httptest.NewServer(nil)
	closed.Close()
	s := new(servers)
	stub := httptest.NewServer(allowPages(s.stub()))
	t.Cleanup(stub.Close)
	s.env = []string{"KIT=" + kit.KitURL(), "STUB=" + stub.URL, "CLOSED=" + closed.URL}
	return s
}

// allowPages answers preflights, and allows pages to read the replies of h.
// Nothing is allowed at /closed-to-pages/.
func allowPages(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/closed-to-pages/") {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		}
		if r.Method != http.MethodOptions {
			h.ServeHTTP(w, r)
		}
	})
}

// stub fails in a different way at each path.
func (s *servers) stub() http.Handler {
	arrived, left := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/redirect/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere/", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere/", func(w http.ResponseWriter, r *http.Request) { s.strayed.Store(true); io.WriteString(w, success) })
	mux.HandleFunc("/hang/", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	for path, happened := range map[string]chan struct{}{"/arrived/": arrived, "/left/": left} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-happened:
				io.WriteString(w, success)
			case <-r.Context().Done():
			}
		})
	}
	mux.HandleFunc("/huge/", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/cut/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, success[:10])
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/header/", func(w http.ResponseWriter, r *http.Request) {
		s.user.Store(r.Header.Get("user"))
		io.WriteString(w, success)
	})
	busy := new(atomic.Int32)
	mux.HandleFunc("/busy/", func(w http.ResponseWriter, r *http.Request) {
		if busy.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, success)
	})
	return mux
}

func output(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w\n%s", cmd, err, out))
	}
	return string(out)
}
