package play_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/cmd/imreuse/internal/play"
)

// The page in a real Chromium. The tests are in browser/, in JavaScript. They
// put pictures of the page into the folder that IMREUSE_PICTURES names, or else
// into a temporary one.
func TestBrowser(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20.12, Chromium, and npm ci in internal/browsertest")
	}
	tests, err := filepath.Glob("browser/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatalf("got %v and %v, want tests", tests, err)
	}
	pictures := os.Getenv("IMREUSE_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	labs := &labs{t: t}
	defer labs.close()
	server := httptest.NewServer(labs.control())
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	args := append([]string{"--test", "--test-reporter=spec"}, tests...)
	if only := os.Getenv("IMREUSE_BROWSER_TESTS"); only != "" {
		args = append([]string{"--test-name-pattern=" + only}, args...)
	}
	command := exec.CommandContext(ctx, "node", args...)
	command.Env = append(os.Environ(), "IMREUSE_LABS="+server.URL, "IMREUSE_PICTURES="+pictures)
	command.WaitDelay = 10 * time.Second // its child processes may keep its output open
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, output)
	}
	t.Logf("%s", output)
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
