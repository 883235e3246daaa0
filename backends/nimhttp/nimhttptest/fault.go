package nimhttptest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Fault is what goes wrong with a request. Whatever it does not name goes as
// it would have: the zero Fault changes nothing. A reply of the vendor's servers
// still has CORS headers, unless Header says otherwise.
//
// With Status or Body the request is not looked at, and has no effect.
//
// The IM gateway's paths end in the name of the slot, "/login" or "/logout"; its
// reads have the same path as an init and a release. Its clients ask for
// "/healthz" on each new connection, and a Fault of any path meets that too. A
// login there that is cut
// after it happened is logged out again, for so the contract has it.
type Fault struct {
	Path    string        // how the request's path ends, such as "/v1/login"; mind that "login" ends an anonymous login and one at the gateway too; "": any
	Times   int           // how many such requests; 0: one
	Delay   time.Duration // before anything else; until the client goes or the server is closed, if that is sooner
	Cut     Cut           // closes the connection in place of a reply
	Status  int           // of the reply, 200 to 599; 0 with a Body: 200
	Header  http.Header   // set on the reply, over its own: Location, Retry-After, Content-Type; a Content-Length beyond the body cuts the connection after it
	Body    string        // of the reply, as it is
	Trickle time.Duration // the pause before each byte of the body
}

// A Cut says whether a request that gets no reply has had its effect. The
// client sees the same in both cases: it has written its request, and the
// connection is closed.
type Cut int

const (
	NoCut     Cut = iota
	CutBefore     // nothing happened
	CutAfter      // it happened, whatever Status and Body say
)

// Fault lets the next f.Times requests of f.Path go wrong. Each request takes
// the first Fault that is for it, in the order in which they were given; the
// preflight requests of browsers take none. It panics where f.Status is no
// status of a reply, or f.Times is negative.
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
	if f.Delay > 0 || f.Trickle > 0 { // which may well be longer than what the server allows
		control.SetReadDeadline(time.Time{})
		control.SetWriteDeadline(time.Time{})
	}
	if !pause(r.Context(), f.Delay) || f.Cut == CutBefore {
		panic(http.ErrAbortHandler)
	}
	out := faulty(w, r, f, respond)
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

// faulty is the reply as f has it.
func faulty(w http.ResponseWriter, r *http.Request, f *Fault, respond responder) reply {
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

// pause waits, and reports whether it was left to.
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
