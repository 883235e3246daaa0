package nimcloud

import (
	"encoding/json"
	"net/http"
)

// serveLBS tells where the link server is, whoever asks. Pages of any origin
// may: a browser's SDK is in one.
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
	if status := c.switches().lbs; status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	h.Set("Content-Type", "application/json") // without it the Node build does not read the body
	here := []string{c.addr}
	json.NewEncoder(w).Encode(map[string]any{
		"common": map[string][]string{"mix.link": here, "link.default": here},
	})
}
