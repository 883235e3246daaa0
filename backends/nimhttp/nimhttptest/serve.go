package nimhttptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest/internal/gatewaydouble"
)

// An envelope wraps every reply. This is the form of the kit server and of the
// meeting server. A failure has no data.
type envelope struct {
	Code      int    `json:"code"`
	Msg       string `json:"msg"`
	RequestID string `json:"requestId"`
	TS        int64  `json:"ts"` // milliseconds
	Cost      string `json:"cost"`
	Data      any    `json:"data,omitempty"`
}

// A reply is a complete reply that is not written yet.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// A responder carries a request out and returns the reply.
type responder func(http.ResponseWriter, *http.Request) reply

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.note(r)
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	if !s.pages.Allow(w, r) {
		return
	}
	if r.Method == http.MethodOptions {
		preflight(w, r)
		return
	}
	s.reply(w, r, s.respond)
}

// reply writes the reply of respond, unless a Fault applies to r.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, respond responder) {
	if fault := s.takeFault(r.URL.EscapedPath()); fault != nil {
		serveFault(w, r, fault, respond)
		return
	}
	out := respond(w, r)
	out.writeHeader(w)
	w.Write(out.body)
}

// answerGateway notes and answers a request to the IM gateway.
func (s *Server) answerGateway(w http.ResponseWriter, r *http.Request, respond gatewaydouble.Responder) {
	s.note(r)
	s.reply(w, r, func(w http.ResponseWriter, r *http.Request) reply {
		out := respond(w, r)
		return reply{out.Status, out.Header, out.Body}
	})
}

func (s *Server) note(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == maxRequests {
		s.requests = slices.Delete(s.requests, 0, 1)
	}
	s.requests = append(s.requests, &Request{r.Method, r.URL.EscapedPath(), r.Header.Clone()})
}

// preflight lets a page send the kit's headers.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	if asked := r.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
	}
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// respond carries r out. The kit server ignores the body, because the kits send
// everything in headers.
func (s *Server) respond(w http.ResponseWriter, r *http.Request) reply {
	began := time.Now()
	of, id, isAPI := findResource(r.URL.EscapedPath())
	e := envelope{Code: of.success, Msg: "success", RequestID: newID(), TS: s.now().UnixMilli()}
	body, err := readBody(w, r)
	switch {
	case err != nil:
	case isAPI:
		e.Data, err = s.answerAPI(r, of, id, body)
	default:
		e.Data, err = s.answer(r)
	}
	out := reply{status: http.StatusOK, header: http.Header{}}
	if err != nil {
		var no *refusal
		if !errors.As(err, &no) {
			no = refuseHTTP(http.StatusInternalServerError)
		}
		out.status, e.Code, e.Msg, e.Data = no.status, no.code, no.text, nil
	}
	e.Cost = fmt.Sprintf("%dms", time.Since(began).Milliseconds())
	out.header.Set("Content-Type", "application/json;charset=UTF-8")
	out.body, err = json.Marshal(of.wrap(e))
	if err != nil {
		panic(err) // cannot happen: our own types can be marshalled
	}
	return out
}

// newID makes an id in the vendor's form: 32 characters of 0-9 a-f.
func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return nil, refuseHTTP(http.StatusRequestEntityTooLarge)
	}
	if err != nil {
		return nil, refuseHTTP(http.StatusBadRequest)
	}
	return body, nil
}

func (out reply) writeHeader(w http.ResponseWriter) {
	for name, values := range out.header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(out.status)
}
