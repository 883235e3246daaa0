package nimhttptest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Fault changes how the server answers a request. The zero Fault changes
// nothing; each field changes one thing. A reply of the vendor's servers keeps
// its CORS headers unless Header replaces them.
//
// With Status or Body the request is not carried out, unless Cut is CutAfter.
//
// The paths of the IM gateway end in the name of the slot, "/login" or
// "/logout". Reading, initialising and releasing a slot have the same path. A
// client of the gateway asks for "/healthz" on each new connection, and a Fault
// with an empty Path applies to that too. If a login at the gateway is cut with
// CutAfter, the gateway logs the account out again, as its contract requires.
type Fault struct {
	// Path is the end of the request's path, such as "/v1/login". An empty Path
	// matches every request. Note that "login" also matches an anonymous login
	// and a login at the gateway.
	Path string

	Times int // the number of requests that the Fault applies to; 0 means 1

	// Delay is the time to wait before anything else. The wait ends early, and
	// the connection is closed, if the client goes or the server is closed.
	Delay time.Duration

	Cut    Cut // closes the connection instead of replying
	Status int // the HTTP status, 200 to 599; 0 means 200 if there is a Body

	// Header is set on the reply and replaces its own values, for example
	// Location, Retry-After or Content-Type. A Content-Length that is longer
	// than the body cuts the connection after the body.
	Header http.Header

	Body    string        // the whole body of the reply
	Trickle time.Duration // the pause before each byte of the body
}

// A Cut closes the connection instead of sending a reply, before or after the
// request is carried out. A client cannot tell the two apart.
type Cut int

const (
	NoCut     Cut = iota
	CutBefore     // the request is not carried out
	CutAfter      // the request is carried out, whatever Status and Body are
)

// Fault applies f to the next f.Times requests whose path ends in f.Path. If
// several faults match a request, the one that was added first applies.
// Preflight requests of browsers are never affected. Fault panics if f.Status
// or f.Times is out of range.
func (s *Server) Fault(f Fault) {
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		panic(fmt.Sprintf("nimhttptest: Fault.Status %d is not 200 to 599", f.Status))
	}
	if f.Times < 0 {
		panic(fmt.Sprintf("nimhttptest: Fault.Times %d is negative", f.Times))
	}
	f.Times = max(f.Times, 1)
	f.Header = f.Header.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

func (s *Server) takeFault(path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !strings.HasSuffix(path, f.Path) {
			continue
		}
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f
	}
	return nil
}

func serveFault(w http.ResponseWriter, r *http.Request, f *Fault, respond responder) {
	control := http.NewResponseController(w)
	if f.Delay > 0 || f.Trickle > 0 { // may take longer than the server's time limits
		control.SetReadDeadline(time.Time{})
		control.SetWriteDeadline(time.Time{})
	}
	if !pause(r.Context(), f.Delay) || f.Cut == CutBefore {
		panic(http.ErrAbortHandler)
	}
	out := faultyReply(w, r, f, respond)
	if f.Cut == CutAfter {
		panic(http.ErrAbortHandler)
	}
	out.writeHeader(w)
	if f.Trickle == 0 {
		w.Write(out.body)
		return
	}
	for i := range out.body {
		if control.Flush() != nil || !pause(r.Context(), f.Trickle) {
			return
		}
		w.Write(out.body[i : i+1])
	}
}

// faultyReply returns the reply that f asks for.
func faultyReply(w http.ResponseWriter, r *http.Request, f *Fault, respond responder) reply {
	var out reply
	if f.Cut == CutAfter || f.Status == 0 && f.Body == "" {
		out = respond(w, r)
	} else {
		out = reply{http.StatusOK, http.Header{"Content-Type": {"application/json;charset=UTF-8"}}, []byte(f.Body)}
		if f.Status != 0 {
			out.status = f.Status
		}
	}
	for name, values := range f.Header {
		out.header[http.CanonicalHeaderKey(name)] = values
	}
	return out
}

// pause waits for d. It reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
