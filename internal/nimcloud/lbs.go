package nimcloud

import (
	"encoding/json"
	"net/http"
)

// serveLBS answers with the address of the link server. Web pages of any origin
// may ask, because an SDK in a browser runs in one.
func (c *Cloud) serveLBS(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Headers", "*")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	if status := c.currentControls().lbs; status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	h.Set("Content-Type", "application/json") // the Node build ignores the body of any other type
	here := []string{c.addr}
	json.NewEncoder(w).Encode(map[string]any{
		"common": map[string][]string{"mix.link": here, "link.default": here},
	})
}
