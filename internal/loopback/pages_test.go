package loopback_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/loopback"
)

func TestPages(t *testing.T) {
	listed := loopback.Pages{"https://dev.example.com", "http://10.0.0.1:8080"}
	for origin, want := range map[string]struct{ listed, files bool }{
		"":                              {true, true},
		"http://localhost:3000":         {true, true},
		"http://127.0.0.1":              {true, true},
		"https://[::1]:8443":            {true, true},
		"http://app.localhost:3000":     {true, true},
		"https://dev.example.com":       {true, false},
		"http://10.0.0.1:8080":          {true, false},
		"http://dev.example.com":        {false, false},
		"https://dev.example.com:8443":  {false, false},
		"https://localhost.example.com": {false, false},
		"http://evillocalhost":          {false, false},
		"ftp://localhost":               {false, false},
		"null":                          {false, true},
		"http://localhost:x":            {false, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		for name, test := range map[string]struct {
			pages loopback.Pages
			want  bool
		}{
			"every page": {nil, true}, "listed": {listed, want.listed}, "files": {loopback.Pages{"null"}, want.files},
		} {
			w := httptest.NewRecorder()
			status, readers := 200, "*"
			if !test.want {
				status, readers = 403, ""
			}
			got := test.pages.Allow(w, r)
			if h := w.Header(); got != test.want || w.Code != status || h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Origin") != readers {
				t.Errorf("%s, %q: got %t, HTTP %d and %v, want %t", name, origin, got, w.Code, h, test.want)
			}
		}
	}
}

func TestPagesCheck(t *testing.T) {
	if err := (loopback.Pages{"https://dev.example.com", "http://10.0.0.1:8080", "http://[fe80::1]", "null"}).Check(); err != nil {
		t.Error(err)
	}
	for _, origin := range []string{"", "*", "example.com", "example.com:80", "https://example.com/", "https://example.com/a", "https://", "HTTPS://example.com", "https://*.example.com", "https://me@example.com"} {
		if err := (loopback.Pages{origin}).Check(); !errors.Is(err, engine.ErrArgument) {
			t.Errorf("%q: got %v, want ErrArgument", origin, err)
		}
	}
}
