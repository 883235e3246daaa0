//go:build !js

// Package page has tests of nimhttp.Kit compiled for a web page: GOOS=js. The
// tests in page_js_test.go run in Node, whose fetch is like a browser's, and
// call the servers that this file starts. They need Node, so they run only if
// IMREUSE_VENDOR=1.
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
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the build of the page's tests and their run.
const patience = 5 * time.Minute

func TestKitInPage(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20")
	}
	server := nimhttptest.New(t, nimhttptest.Options{MaxGuests: 1})
	world := server.World()
	world.AddIM(engine.IMAccount{Accid: "late", Token: "im-late"})
	world.Bind(engine.KitAccount{UserUUID: "late", Token: "kit-late"}, "late")
	world.ExpireKit("late")

	var strayed atomic.Bool
	arrived, left := make(chan struct{}), make(chan struct{})
	name := new(atomic.Value)
	const success = `{"code":0,"data":{"userUuid":"user1","imKey":"app1","imToken":"im-1"}}`
	stub := httptest.NewUnstartedServer(nil)
	mux := http.NewServeMux()
	mux.HandleFunc("/redirect/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere/", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere/", func(w http.ResponseWriter, r *http.Request) { strayed.Store(true); io.WriteString(w, success) })
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
		name.Store(r.Header.Get("user"))
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
	stub.Config.Handler = mux
	stub.Start()
	t.Cleanup(stub.Close)

	root := strings.TrimSpace(output(t, nil, "go", "env", "GOROOT"))
	closed := httptest.NewServer(nil)
	closed.Close()
	got := output(t, []string{
		"GOOS=js", "GOARCH=wasm", "KIT=" + server.KitURL(), "STUB=" + stub.URL, "CLOSED=" + closed.URL,
	}, "go", "test", "-count=1", "-v", "-exec", filepath.Join(root, "lib", "wasm", "go_js_wasm_exec"), ".")
	if n := strings.Count(got, "--- PASS: TestPage"); n < 8 || strings.Contains(got, "--- SKIP") {
		t.Errorf("%d tests passed in\n%s", n, got)
	}
	if strayed.Load() {
		t.Error("the redirect was followed")
	}
	if got := name.Load(); got != "用户1" {
		t.Errorf("header user %q, want 用户1", got)
	}
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
