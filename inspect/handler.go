package inspect

import (
	"embed"
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"
)

// This file serves the page and the present, to this machine only.
//
// The page can be extended without changing it: it always loads extension.mjs
// and extension.css, which are empty here. A server that wants more serves its
// own files under these two names, and gives every other request to the handler.
// page/extension.mjs says what the page calls and offers.

//go:embed page/*.html page/*.css page/*.mjs page/*.svg
var files embed.FS

// policy lets the page load its own files, and nothing else from anywhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"

// guard refuses requests that are not from this machine's own pages or tools,
// and sets the headers that all replies have.
func guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Cache-Control", "no-store")
		switch {
		case !isLoopback(r.Host):
			http.Error(w, "This page is served to this machine only. Open it as localhost or 127.0.0.1.", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			header.Set("Allow", "GET, HEAD")
			http.Error(w, "This page is read only: use GET.", http.StatusMethodNotAllowed)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// isLoopback reports whether a Host header names this machine: localhost, or a
// loopback address, with or without a port.
func isLoopback(host string) bool {
	name := host
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		name = h
	}
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return strings.EqualFold(strings.TrimSuffix(name, "."), "localhost")
}

func (i *Inspector) serve(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	if strings.HasSuffix(r.URL.Path, "/") {
		name = "index.html"
	}
	switch name {
	case "events":
		i.serveEvents(w, r)
	case "status.json":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(i.present())
	default:
		serveFile(w, r, name)
	}
}

func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	text, err := files.ReadFile("page/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".mjs" { // not every system's table has it
		kind = "text/javascript; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text)
}

func (i *Inspector) present() present {
	i.mu.Lock()
	defer i.mu.Unlock()
	p := present{Run: i.story.run, Time: time.Now(), Last: i.story.last, Engines: []engineJSON{}}
	for _, w := range i.engines {
		p.Engines = append(p.Engines, w.jsonLocked())
	}
	return p
}
