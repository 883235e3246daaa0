package loopback

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/imreuse/imreuse/engine"
)

// Pages are the origins whose web pages may use a server, such as
// https://dev.example.com; "null" stands for a page that was opened from a file.
// Pages from this machine always may. Without any origin in the list, every page
// may, as with the vendor's servers.
type Pages []string

// Check fails with engine.ErrArgument if one of the origins is not one that a
// browser could send.
func (p Pages) Check() error {
	for _, origin := range p {
		if origin == "null" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || strings.Contains(u.Host, "*") || strings.ToLower(u.Scheme+"://"+u.Host) != origin {
			return fmt.Errorf("%w: origin %q is not SCHEME://HOST in lower case, with the port if it is not the scheme's own", engine.ErrArgument, origin)
		}
	}
	return nil
}

// Allow reports whether the sender of r may use the server, and answers with
// HTTP 403 if not. A request without an Origin does not come from a page of
// another origin. Otherwise Allow sets the headers that let the page read the
// reply.
func (p Pages) Allow(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if len(p) == 0 || origin == "" || isHere(origin) || slices.Contains(p, origin) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		return true
	}
	http.Error(w, fmt.Sprintf("web pages of the origin %q may not use this server; see the flag -origin of imreuse sandbox", origin), http.StatusForbidden)
	return false
}

// isHere reports whether origin is a web server on this machine. Browsers take
// names under localhost for this machine, too.
func isHere(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return Is(u.Hostname()) || strings.HasSuffix(u.Hostname(), ".localhost")
}
