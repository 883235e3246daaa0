package loopback

import (
	"log/slog"
	"net/http"
	"time"
)

// LogRequests returns a handler that logs each request after h has served it:
// the method, the path, the HTTP status, the duration and the client's address.
// It leaves out queries, headers and bodies, because they may contain tokens.
// Status 0 means that h cut the connection before it replied. If log is nil,
// LogRequests returns h.
func LogRequests(h http.Handler, log *slog.Logger) http.Handler {
	if log == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() { // even if h panics with http.ErrAbortHandler
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

// Unwrap lets http.ResponseController find the writer below, to flush or
// hijack.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
