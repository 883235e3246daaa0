package play_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/cmd/imreuse/internal/play"
)

// A request that does not come from the page is refused, and does nothing.
func TestForeignRequests(t *testing.T) {
	l := newLab(t)
	for name, test := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"foreign Host":            {func(r *http.Request) { r.Host = "example.com" }, 421},
		"rebound Host":            {func(r *http.Request) { r.Host = "example.com:8080"; r.Header.Set("Origin", "http://example.com:8080") }, 421},
		"no Host":                 {func(r *http.Request) { r.Host = "" }, 421},
		"cross-site":              {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"another port":            {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		"foreign Origin":          {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "http://example.com") }, 403},
		"Origin of another port":  {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "http://127.0.0.1:9") }, 403},
		"opaque Origin":           {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") }, 403},
		"no secret":               {func(r *http.Request) { r.Header.Del(play.SecretHeader) }, 403},
		"wrong secret":            {func(r *http.Request) { r.Header.Set(play.SecretHeader, strings.ToLower(l.Secret())) }, 403},
		"secret in the query":     {func(r *http.Request) { r.Header.Del(play.SecretHeader); r.URL.RawQuery = "secret=" + l.Secret() }, 403},
		"a form":                  {func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 415},
		"text that could be JSON": {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"GET":                     {func(r *http.Request) { r.Method = http.MethodGet }, 404},
	} {
		before := l.panel().Version
		r := l.request("init_im", "{}")
		test.change(r)
		w := l.serve(r)
		if w.Code != test.status {
			t.Errorf("%s: got status %d, want %d: %s", name, w.Code, test.status, w.Body)
		}
		if got := l.panel().Version; got != before {
			t.Errorf("%s: something has changed", name)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: another site may read the reply", name)
		}
	}
	for _, host := range []string{"127.0.0.1:8080", "localhost:8080", "[::1]:8080"} {
		r := l.request("init_im", "{}")
		r.Host = host
		r.Header.Set("Origin", "http://"+host)
		if w := l.serve(r); w.Code != http.StatusOK {
			t.Errorf("%s: got status %d, want 200: %s", host, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/play/panel.json", "/play/catalogue.json"} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080"+path, nil)
		r.Header.Set("Sec-Fetch-Site", "same-site")
		if w := l.serve(r); w.Code != http.StatusForbidden {
			t.Errorf("%s from another port's page: got status %d, want 403", path, w.Code)
		}
	}
	for _, path := range []string{"/", "/events", "/status.json", "/extension.mjs", "/play/panel.json", "/play/catalogue.json"} {
		r := httptest.NewRequest(http.MethodGet, "http://example.com:8080"+path, nil)
		if w := l.serve(r); w.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s for a foreign Host: got status %d, want 421", path, w.Code)
		}
	}
}

// A script without a browser has the secret only.
func TestScript(t *testing.T) {
	l := newLab(t)
	r := l.request("init_im", "{}")
	r.Header.Del("Origin")
	r.Header.Del("Sec-Fetch-Site")
	if w := l.serve(r); w.Code != http.StatusOK {
		t.Errorf("got status %d, want 200: %s", w.Code, w.Body)
	}
}

// Bad input gets an error that names it, before anything happens.
func TestBadActs(t *testing.T) {
	l := newLab(t)
	before := l.panel().Version
	for _, test := range []struct {
		act, body string
		status    int
		text      string
	}{
		{"log_in", `{}`, 404, `\"log_in\"`},
		{"init_im", ``, 400, "JSON"},
		{"init_im", `[]`, 400, "JSON"},
		{"init_im", `{"x":1}`, 400, `\"x\"`},
		{"init_im", `{} {}`, 400, "after"},
		{"init_im", `{` + strings.Repeat(" ", 5000) + `}`, 413, "4096"},
		{"login_im", `{}`, 400, "account must be one of alice, bob, wrong_token"},
		{"login_im", `null`, 400, "account must be"},
		{"login_im", `{"account":"carol"}`, 400, "account must be"},
		{"login_im", `{"account":7}`, 400, "account"},
		{"host_login", `{"account":""}`, 400, "account must be"},
		{"login_kit", `{"account":"alice"}`, 400, "account must be one of bound, other, wrong_token"},
		{"create_kit_account", `{"account":"wrong_token"}`, 400, "account must be one of alice, bob"},
		{"setup", `{"mode":"reuse"}`, 400, `there is no mode`},
		{"reset", `{"mode":"reuse"}`, 400, `there is no mode`},
		{"kick", `{}`, 400, "reason must be 1"},
		{"kick", `{"reason":5}`, 400, "reason must be 1"},
		{"link", `{}`, 400, "up is missing"},
		{"expire", `{"token":"both"}`, 400, "token must be one of kit, im"},
		{"fail", `{"call":"LoginIM","code":100004}`, 400, "code must be one of"},
		{"fail", `{"call":"Close","code":-20014}`, 400, "call must be one of InitIM"},
		{"hang", `{"call":"Close"}`, 400, "call must be one of InitIM"},
	} {
		w := l.serve(l.request(test.act, test.body))
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.text) {
			t.Errorf("%s %.30s: got status %d and %s, want %d and %q", test.act, test.body, w.Code, w.Body, test.status, test.text)
		}
	}
	if got := l.panel().Version; got != before {
		t.Error("something has changed")
	}
}
