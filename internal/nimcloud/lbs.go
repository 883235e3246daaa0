package nimcloud

import (
	"encoding/json"
	"net/http"
)

// serveLBS answers with the address of the link server.
func (c *Cloud) serveLBS(w http.ResponseWriter, r *http.Request) {
	if !c.allowPages(w, r) {
		return
	}
	if status := c.currentControls().lbs; status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Set("Content-Type", "application/json") // the Node build ignores the body of any other type
	here := []string{c.addr}
	json.NewEncoder(w).Encode(map[string]any{
		"common": map[string][]string{"mix.link": here, "link.default": here},
	})
}

// allowPages lets the allowed web pages read the reply, because an SDK in a
// browser runs in one. It answers every request but GET and HEAD itself, and
// reports whether there is anything left to answer.
//
// The 9.x SDK asks for the handshake with credentials, although there are none.
// A browser then requires the page's own origin in place of a star.
func (c *Cloud) allowPages(w http.ResponseWriter, r *http.Request) bool {
	if !c.pages.Allow(w, r) {
		return false
	}
	h := w.Header()
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Headers", "*")
		w.WriteHeader(http.StatusNoContent)
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	}
	return false
}
