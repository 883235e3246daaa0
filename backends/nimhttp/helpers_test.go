package nimhttp_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// notices are what a Notify was told.
type notices struct {
	mu    sync.Mutex
	lost  []error
	links []bool
}

func (n *notices) notify() engine.Notify {
	return engine.Notify{
		Lost: func(cause error) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.lost = append(n.lost, cause)
		},
		Link: func(online bool) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.links = append(n.links, online)
		},
	}
}

func (n *notices) told() (lost []error, links []bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lost), slices.Clone(n.links)
}

// wantNothing is for a Notify of a login that nobody has ended.
func (n *notices) wantNothing(t *testing.T) {
	t.Helper()
	if lost, links := n.told(); len(lost) != 0 || len(links) != 0 {
		t.Errorf("got lost %v and links %v, want nothing", lost, links)
	}
}

// logInAlice initialises IM and logs in, which has to work.
func logInAlice(t *testing.T, im *nimhttp.IM, n engine.Notify) {
	t.Helper()
	if err := im.InitIM(t.Context(), "app1"); err != nil {
		t.Fatalf("InitIM: %v", err)
	}
	if err := im.LoginIM(t.Context(), stubAlice, n); err != nil {
		t.Fatalf("LoginIM: %v", err)
	}
}

// pass lets time go by, in a bubble, and all that it leads to happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// noSecrets looks for them in what people may get to see.
func noSecrets(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range []string{stubSecret, stubToken} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has %q in it: %q", what, secret, text)
		}
	}
}

// A safeBuffer is for a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
