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

// notices records the calls of a Notify.
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

// wantNothing checks that the Notify was not called: the login has not ended.
func (n *notices) wantNothing(t *testing.T) {
	t.Helper()
	if lost, links := n.told(); len(lost) != 0 || len(links) != 0 {
		t.Errorf("got lost %v and links %v, want nothing", lost, links)
	}
}

// logInAlice initialises IM and logs alice in. The test fails if that fails.
func logInAlice(t *testing.T, im *nimhttp.IM, n engine.Notify) {
	t.Helper()
	if err := im.InitIM(t.Context(), "app1"); err != nil {
		t.Fatalf("InitIM: %v", err)
	}
	if err := im.LoginIM(t.Context(), stubAlice, n); err != nil {
		t.Fatalf("LoginIM: %v", err)
	}
}

// pass lets the time d go by in a synctest bubble, and waits for the effects.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// noSecrets checks that a text that people may see shows no secret.
func noSecrets(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range []string{stubSecret, stubToken} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has %q in it: %q", what, secret, text)
		}
	}
}

// A safeBuffer is a buffer that several goroutines may write.
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
