package nimhttp_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// A request gets no token if a server could read its path in another way.
func TestAuthorizeOnlyWhatIsPlainlyTheKits(t *testing.T) {
	s := newStub(t, ok(loginReply))
	host := strings.TrimPrefix(s.URL, "http://")
	to := func(change func(*http.Request)) *http.Request {
		r := &http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: host, Path: "/prefix/x"}}
		change(r)
		return r
	}
	path := func(escaped string) *http.Request {
		return to(func(r *http.Request) {
			u, err := url.Parse(s.URL + escaped)
			if err != nil {
				t.Fatal(err)
			}
			r.URL = u
		})
	}
	raw := func(p string) *http.Request { return to(func(r *http.Request) { r.URL.Path = p }) }
	bad := map[string]*http.Request{
		"opaque":                   to(func(r *http.Request) { r.URL.Opaque = "//example.com/prefix/x" }),
		"opaque alone":             {URL: &url.URL{Scheme: "http", Opaque: "//" + host + "/prefix/x"}},
		"another Host":             to(func(r *http.Request) { r.Host = "example.com" }),
		"Host with another port":   to(func(r *http.Request) { r.Host = "127.0.0.1:1" }),
		"no host":                  to(func(r *http.Request) { r.URL.Host = "" }),
		"dots":                     path("/prefix/../x"),
		"dots at the end":          path("/prefix/x/.."),
		"encoded dots":             path("/prefix/%2e%2e/x"),
		"half-encoded dots":        path("/prefix/.%2E/x"),
		"dots, encoded twice":      path("/prefix/%252e%252e/x"),
		"dots, three times":        path("/prefix/%25252e%25252e/x"),
		"encoded slash":            path("/prefix/..%2fx"),
		"encoded slash first":      path("/prefix%2fx"),
		"double slash":             path("/prefix//x"),
		"double slash first":       path("//prefix/x"),
		"encoded double slash":     path("/prefix/%2fexample.com/x"),
		"one dot":                  path("/prefix/./x"),
		"backslash":                raw(`/prefix/..\x`),
		"backslash alone":          raw(`/prefix/a\b`),
		"encoded backslash":        path("/prefix/..%5cx"),
		"backslash, encoded twice": path("/prefix/..%255cx"),
		"dots with a parameter":    path("/prefix/..;/x"),
		"parameter for a segment":  path("/prefix/;a/x"),
		"control":                  raw("/prefix/a\nb"),
		"broken escape":            raw("/prefix/%zz"),
		"the prefix alone":         path("/prefix"),
		"a longer prefix":          path("/prefixed/x"),
		"another case":             path("/PREFIX/x"),
	}
	good := map[string]*http.Request{
		"plain":             path("/prefix/scene/apps/app1/v2/rooms"),
		"slash at the end":  path("/prefix/x/"),
		"the root":          path("/prefix/"),
		"query":             path("/prefix/x?next=//example.com/../"),
		"dots in a name":    path("/prefix/a..b/.well-known/..."),
		"encoded name":      path("/prefix/a%20b/Zo%C3%AB"),
		"parameter":         path("/prefix/x;v=1/y"),
		"Host is the kit's": to(func(r *http.Request) { r.Host = host }),
	}
	k := newKit(t, nimhttp.Options{KitURL: s.URL + "/prefix"})
	logIn(t, k, nil)
	for name, r := range bad {
		if err := k.Authorize(r); !errors.Is(err, engine.ErrArgument) || len(r.Header) != 0 {
			t.Errorf("%s: got %v and %d headers, want ErrArgument and none", name, err, len(r.Header))
		}
	}
	for name, r := range good {
		if err := k.Authorize(r); err != nil || r.Header.Get("token") != account.Token {
			t.Errorf("%s: got %v, want the token", name, err)
		}
	}
}

// Loopback has many names; the request may use another one than KitURL.
func TestAuthorizeLoopbackByAnyName(t *testing.T) {
	s := newStub(t, ok(loginReply))
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	k := newKit(t, nimhttp.Options{KitURL: "http://LOCALHOST." + port})
	logIn(t, k, nil)
	r, err := http.NewRequest("GET", "http://LOCALHOST."+port+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Authorize(r); err != nil {
		t.Errorf("got %v", err)
	}
}
