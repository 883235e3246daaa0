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

// Authorize adds the headers of the session, including the token, to one of
// your own requests to the kit server. If it fails, it leaves the request
// unchanged.
//
// It fails with engine.ErrArgument if the request could take the token anywhere
// else: if it has another host, Host header, scheme or path prefix, an opaque
// URL, or a path that cleaning would change (dots, double slashes, backslashes,
// or escapes of them). It fails with engine.ErrState if nobody is logged in.
//
// Send the request with a client that does not follow redirects, because
// net/http would take the token along to the new address.
func (k *Kit) Authorize(r *http.Request) error {
	if r == nil || r.URL == nil {
		return call.Argument("the request is nil")
	}
	if !k.isHome(r) {
		return call.Argument("the request does not go to %s, or its path is not clean", k.base)
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

// isHome reports whether r goes to the kit server and nowhere else.
func (k *Kit) isHome(r *http.Request) bool {
	sameHost := func(host string) bool {
		return strings.EqualFold(call.CanonicalHost(&url.URL{Host: host}), k.base.Host)
	}
	return r.URL.Opaque == "" && r.URL.Scheme == k.base.Scheme && sameHost(r.URL.Host) && (r.Host == "" || sameHost(r.Host)) &&
		strings.HasPrefix(r.URL.EscapedPath(), k.base.EscapedPath()+"/") && isClean(r.URL.Path)
}

// isClean reports whether every server reads the path p in the same way. Some
// servers undo escapes twice, treat \ as /, or drop the part after a semicolon.
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
