package nimhttp

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
)

// Authorize puts the headers of the session onto a request of the host's own
// to the kit server, the token among them. It fails, and changes nothing, with
// engine.ErrArgument where the request would take them anywhere else: another
// host, Host header, scheme or path prefix, an opaque URL, or a path that is not
// the same after cleaning (dots, double slashes, backslashes, escapes of them);
// and with engine.ErrState where nobody is logged in.
//
// Send the request with a client that follows no redirects: net/http takes the
// token along to wherever one points.
func (k *Kit) Authorize(r *http.Request) error {
	if r == nil || r.URL == nil {
		return call.Argument("the request is nil")
	}
	if !k.isHome(r) {
		return call.Argument("the request does not go to %s by a clean path", k.base)
	}
	s, err := k.session()
	if err != nil {
		return err
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	for name, values := range k.header(s) {
		r.Header[name] = slices.Clone(values)
	}
	return nil
}

// isHome reports whether r goes to the kit server, and nowhere else.
func (k *Kit) isHome(r *http.Request) bool {
	sameHost := func(host string) bool {
		return strings.EqualFold(call.CanonicalHost(&url.URL{Host: host}), k.base.Host)
	}
	return r.URL.Opaque == "" && r.URL.Scheme == k.base.Scheme && sameHost(r.URL.Host) && (r.Host == "" || sameHost(r.Host)) &&
		strings.HasPrefix(r.URL.EscapedPath(), k.base.EscapedPath()+"/") && isClean(r.URL.Path)
}

// isClean reports whether every server, however it reads a path, takes that one
// for what it says. Some undo escapes twice, take \ for /, or drop what follows
// a semicolon.
func isClean(p string) bool {
	for strings.Contains(p, "%") {
		plain, err := url.PathUnescape(p)
		if err != nil {
			return false
		}
		p = plain
	}
	if strings.ContainsFunc(p, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) {
		return false
	}
	p = parameters.ReplaceAllString(p, "")
	return p == "/" || path.Clean(p) == strings.TrimSuffix(p, "/")
}

var parameters = regexp.MustCompile(`;[^/]*`)
