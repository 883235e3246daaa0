package play

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/imreuse/imreuse/internal/loopback"
)

// SecretHeader is the header with which an act shows the Secret.
const SecretHeader = "Imreuse-Play"

const maxBody = 4 << 10

//go:embed web
var web embed.FS

// Handler serves the page of package inspect, extended by the controls, and
// what these need:
//
//	GET  /play/catalogue.json  what the controls are made from
//	GET  /play/panel.json      what they show now
//	POST /play/ACT             an act; the body has its fields in JSON
//
// A POST must carry the secret of the catalogue, which no other site's page can
// read. The reply to an act has its result, or the status 202 if it is still
// running.
func (s *Session) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.inspector.Handler())
	mux.Handle("GET /extension.mjs", file("extension.mjs"))
	mux.Handle("GET /extension.css", file("extension.css"))
	mux.HandleFunc("GET /play/{file}", func(w http.ResponseWriter, r *http.Request) {
		file(r.PathValue("file")).ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /play/catalogue.json", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, s.catalogue())
	})
	mux.HandleFunc("GET /play/panel.json", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, s.panel())
	})
	mux.HandleFunc("POST /play/{act}", s.serveAct)
	return guard(mux)
}

// file serves a file of the page.
func file(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := web.ReadFile("web/" + name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		kind := "text/css; charset=utf-8"
		if path.Ext(name) == ".mjs" {
			kind = "text/javascript; charset=utf-8"
		}
		w.Header().Set("Content-Type", kind)
		w.Write(text)
	})
}

// guard refuses requests for another host than this machine, since a page of
// another site could get at the server by pointing its own name at this machine;
// and requests of other sites' pages.
func guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("X-Content-Type-Options", "nosniff")
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]")
		}
		switch site := r.Header.Get("Sec-Fetch-Site"); {
		case !loopback.Is(host):
			refuse(w, http.StatusMisdirectedRequest, errors.New("the Host header must be a loopback name, such as 127.0.0.1 or localhost"))
		case site != "" && site != "same-origin" && site != "none" && strings.HasPrefix(r.URL.Path, "/play/"):
			refuse(w, http.StatusForbidden, errOtherSite)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

var errOtherSite = errors.New("the request comes from another site's page")

// An Answer is the reply to an act.
type Answer struct {
	Running int     `json:"running,omitempty"` // the id of the act, if it has not ended yet
	Result  *Result `json:"result,omitempty"`
	Panel   Panel   `json:"panel"`
}

func (s *Session) serveAct(w http.ResponseWriter, r *http.Request) {
	if status, err := s.admit(r); err != nil {
		refuse(w, status, err)
		return
	}
	name := r.PathValue("act")
	newAct, known := acts[name]
	if !known {
		refuse(w, http.StatusNotFound, fmt.Errorf("there is no act %q", name))
		return
	}
	a := newAct()
	if status, err := decode(w, r, a); err != nil {
		refuse(w, status, err)
		return
	}
	id, result, err := s.start(name, a)
	switch {
	case errors.Is(err, errClosed):
		refuse(w, http.StatusServiceUnavailable, err)
		return
	case err != nil:
		refuse(w, http.StatusTooManyRequests, err)
		return
	}
	waited := time.NewTimer(patience)
	defer waited.Stop()
	select {
	case done := <-result:
		reply(w, http.StatusOK, Answer{Result: &done, Panel: s.panel()})
	case <-waited.C:
		reply(w, http.StatusAccepted, Answer{Running: id, Panel: s.panel()})
	case <-r.Context().Done():
	}
}

// admit refuses a request that does not come from the page.
func (s *Session) admit(r *http.Request) (status int, err error) {
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		return http.StatusForbidden, errOtherSite
	}
	given := sha256.Sum256([]byte(r.Header.Get(SecretHeader)))
	if subtle.ConstantTimeCompare(given[:], s.digest[:]) != 1 {
		return http.StatusForbidden, fmt.Errorf("the header %s must have the secret of the page; reload the page if the server was restarted", SecretHeader)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, errors.New("the Content-Type must be application/json")
	}
	return 0, nil
}

// decode reads the fields of an act, and checks them.
func decode(w http.ResponseWriter, r *http.Request, a act) (status int, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("the body has more than %d bytes", maxBody)
	} else if err != nil {
		return http.StatusBadRequest, fmt.Errorf("the body cannot be read: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(a); err != nil {
		return http.StatusBadRequest, fmt.Errorf("the body is not the JSON of this act: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return http.StatusBadRequest, errors.New("the body has something after its JSON object")
	}
	if err := a.check(); err != nil {
		return http.StatusBadRequest, err
	}
	return 0, nil
}

func reply(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(text)
}

func refuse(w http.ResponseWriter, status int, err error) {
	reply(w, status, struct {
		Error string `json:"error"`
	}{err.Error()})
}
