package play_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/cmd/imreuse/internal/play"
	"github.com/imreuse/imreuse/internal/browsertest"
)

// The page in a real Chromium. The tests are in browser/, in JavaScript.
func TestBrowser(t *testing.T) {
	browsertest.Skip(t)
	labs := &labs{t: t}
	defer labs.close()
	server := httptest.NewServer(labs.control())
	defer server.Close()
	browsertest.Run(t, "browser", 8*time.Minute, "IMREUSE_LABS="+server.URL)
}

// labs are the servers that the tests in the browser open.
type labs struct {
	t  *testing.T
	mu sync.Mutex
	on []*served
}

// A served session has a server of its own.
type served struct {
	session *play.Session
	server  *http.Server
	ended   chan error
	addr    string
}

func serve(addr string, pace time.Duration) (*served, error) {
	session, err := play.New(pace)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	s := &served{session, &http.Server{Handler: session.Handler()}, make(chan error, 1), listener.Addr().String()}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s, nil
}

func (s *served) close() error {
	err := s.server.Close()
	<-s.ended
	return errors.Join(err, s.session.Close())
}

func (l *labs) close() {
	for _, s := range l.on {
		if err := s.close(); err != nil {
			l.t.Errorf("close: %v", err)
		}
	}
}

// control serves POST /labs?pace=DURATION, which starts a server and answers with
// its number and address; POST /labs/N/restart, which ends it and starts another
// at the same address; POST /labs/N/stop; and GET /labs/N/tokens, which answers
// with every token of its world, one a line.
func (l *labs) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /labs", func(w http.ResponseWriter, r *http.Request) {
		pace, err := time.ParseDuration(r.FormValue("pace"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s, err := serve("127.0.0.1:0", pace)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.on = append(l.on, s)
		fmt.Fprintf(w, "%d http://%s/", len(l.on)-1, s.addr)
	})
	mux.HandleFunc("/labs/{number}/{act}", func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		number, err := strconv.Atoi(r.PathValue("number"))
		if err != nil || number >= len(l.on) {
			http.NotFound(w, r)
			return
		}
		s := l.on[number]
		switch r.PathValue("act") {
		case "tokens":
			for _, token := range s.session.Tokens() {
				fmt.Fprintln(w, token)
			}
		case "stop":
			err = s.close()
			l.on[number] = &served{session: s.session, server: s.server, ended: closedChan(), addr: s.addr}
		case "restart":
			if err = s.close(); err == nil {
				l.on[number], err = serve(s.addr, 0)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return mux
}

// closedChan is what a server that has ended delivers.
func closedChan() chan error {
	c := make(chan error)
	close(c)
	return c
}
