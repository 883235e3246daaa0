package loopback

import (
	"log/slog"
	"net/http"
	"time"
)

// LogRequests logs each request when h is done with it: its method, path, HTTP
// status and duration, and the client's address. Queries, headers and bodies
// are left out, because they may hold tokens. Status 0 means that h cut the
// connection before it replied. A nil log logs nothing.
func LogRequests(h http.Handler, log *slog.Logger) http.Handler {
	if log == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() { // also if h panics with http.ErrAbortHandler
			log.Info("request", "method", r.Method, "path", r.URL.EscapedPath(), "status", rec.status,
				"duration", time.Since(began).Round(time.Microsecond), "peer", r.RemoteAddr)
		}()
		h.ServeHTTP(rec, r)
		if rec.status == 0 { // net/http now sends the reply that h left empty
			rec.status = http.StatusOK
		}
	})
}

// A recorder remembers the status of a reply.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController and hijackers find the writer beneath.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
