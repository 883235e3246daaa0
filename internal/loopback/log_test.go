package loopback_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/internal/loopback"
)

func TestLogRequests(t *testing.T) {
	var log bytes.Buffer
	h := loopback.LogRequests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/teapot":
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
		case "/text":
			io.WriteString(w, "body-s3")
		case "/flush":
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		}
	}), slog.New(slog.NewTextHandler(&log, nil)))
	for _, path := range []string{"/cut", "/teapot", "/text?token=query-s3", "/flush", "/nothing", "/a%0Ab"} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("body-s3"))
		r.Header.Set("Token", "header-s3")
		r.RemoteAddr = "127.0.0.1:9"
		func() {
			defer func() {
				if got := recover(); (got == http.ErrAbortHandler) != (path == "/cut") {
					t.Errorf("%s: got panic %v", path, got)
				}
			}()
			h.ServeHTTP(httptest.NewRecorder(), r)
		}()
	}
	line := regexp.MustCompile(`msg=request method=POST path=(\S+) status=(\d+) duration=\S+ peer=127.0.0.1:9\n`)
	var got []string
	for _, m := range line.FindAllStringSubmatch(log.String(), -1) {
		got = append(got, m[1]+" "+m[2])
	}
	if want := "/cut 0, /teapot 418, /text 200, /flush 200, /nothing 200, /a%0Ab 200"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %q in\n%s", got, want, log.String())
	}
	if strings.Contains(log.String(), "s3") {
		t.Errorf("a token is in\n%s", log.String())
	}
}

func TestLogRequestsNowhere(t *testing.T) {
	h := http.NewServeMux()
	if got := loopback.LogRequests(h, nil); got != http.Handler(h) {
		t.Errorf("got %T, want the handler itself", got)
	}
}
