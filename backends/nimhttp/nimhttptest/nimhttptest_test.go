package nimhttptest_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

func TestAddr(t *testing.T) {
	for addr, want := range map[string]string{
		"":                     "http://127.0.0.1:",
		"127.0.0.1:0":          "http://127.0.0.1:",
		"127.0.0.9:0":          "http://127.0.0.9:",
		"localhost:0":          "http://",
		"LocalHost:0":          "http://",
		"[::1]:0":              "http://[::1]:",
		"[::ffff:127.0.0.1]:0": "http://127.0.0.1:",
	} {
		s, err := nimhttptest.Start(nimhttptest.Options{Addr: addr})
		if strings.HasPrefix(addr, "[::") && errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Logf("%s: %v", addr, err) // this machine has no IPv6
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", addr, err)
			continue
		}
		if !strings.HasPrefix(s.KitURL(), want) || strings.HasSuffix(s.KitURL(), ":0") {
			t.Errorf("%q: got %s, want %s and a port", addr, s.KitURL(), want)
		}
		if got := ask(t, s, "GET", skuEnv, nil); got.Code != 0 {
			t.Errorf("%q: got %v", addr, got)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

func TestBadAddr(t *testing.T) {
	for _, addr := range []string{
		"0.0.0.0:0", ":0", "[::]:0", "192.168.0.1:0", "10.0.0.1:80", "8.8.8.8:0", "[fe80::1]:0", "[::ffff:10.0.0.1]:0",
		"example.com:0", "localhost.example.com:0", "127.0.0.1.example.com:0", "127.1:0", "2130706433:0", " 127.0.0.1:0",
		"127.0.0.1", "localhost", "http://127.0.0.1:0", "::1:0",
	} {
		s, err := nimhttptest.Start(nimhttptest.Options{Addr: addr})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, engine.ErrArgument) || !strings.Contains(err.Error(), fmt.Sprintf("%q", addr)) {
			t.Errorf("%q: got %v, want %v that names the address", addr, err, engine.ErrArgument)
		}
	}
}

func TestBadPort(t *testing.T) {
	s := newServer(t)
	for _, addr := range []string{strings.TrimPrefix(s.KitURL(), "http://"), "127.0.0.1:99999", "127.0.0.1:nosuchservice"} {
		other, err := nimhttptest.Start(nimhttptest.Options{Addr: addr})
		if err == nil {
			other.Close()
		}
		var failed *net.OpError
		if !errors.As(err, &failed) {
			t.Errorf("%q: got %v, want the error of net.Listen", addr, err)
		}
	}
	_, err := nimhttptest.Start(nimhttptest.Options{Addr: strings.TrimPrefix(s.KitURL(), "http://")})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a port that is taken: got %v, want %v", err, syscall.EADDRINUSE)
	}
}

// A fakeTB is a testing.TB that records whether the test failed.
type fakeTB struct {
	testing.TB
	failed bool
}

func (*fakeTB) Helper()          {}
func (f *fakeTB) Cleanup(func()) {}
func (f *fakeTB) Fatal(...any) {
	f.failed = true
	panic(f)
}

func TestNewFails(t *testing.T) {
	fake := new(fakeTB)
	defer func() {
		if recover() != fake || !fake.failed {
			t.Error("the test did not fail")
		}
	}()
	nimhttptest.New(fake, nimhttptest.Options{Addr: "0.0.0.0:0"})
}

func TestNewClosesWithTheTest(t *testing.T) {
	var s *nimhttptest.Server
	t.Run("a test", func(t *testing.T) { s = newServer(t) })
	wantNobody(t, s)
}

// wantNobody checks that nobody listens at an address.
func wantNobody(t *testing.T, s *nimhttptest.Server) {
	t.Helper()
	if _, err := newClient(t).Get(s.KitURL()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want %v", err, syscall.ECONNREFUSED)
	}
}

func TestClose(t *testing.T) {
	s := newServer(t)
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
	unused, err := net.Dial("tcp", strings.TrimPrefix(s.KitURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()
	s.Fault(nimhttptest.Fault{Delay: time.Hour})
	result := make(chan error)
	client, request := newClient(t), newRequest(t, "POST", s.KitURL()+login, user1())
	go func() {
		_, err := client.Do(request)
		result <- err
	}()
	eventually(t, "the server waits", pausing)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-result; err == nil {
		t.Error("the delayed login got a reply")
	}
	if pausing() {
		t.Error("the server still waits after Close")
	}
	wantNobody(t, s)
	s.World().EndKit("user1", engine.ErrTokenExpired) // the world still works, without the server's sessions
}

// A request whose end never comes. The server cannot distinguish it from a
// client that has gone.
func TestCloseHalfARequest(t *testing.T) {
	s := newServer(t)
	s.Fault(nimhttptest.Fault{Delay: time.Hour})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.KitURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{", login)
	eventually(t, "the server waits", pausing)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for the delay")
	}
}

func TestRequests(t *testing.T) {
	s := newServer(t)
	s.Fault(nimhttptest.Fault{Path: "checkToken", Status: 503})
	ask(t, s, "POST", "/a%2Fb"+login, user1())
	raw(t, "POST", s.KitURL()+checkToken, user1())
	raw(t, "OPTIONS", s.KitURL()+"/nothing", nil)
	got := s.Requests()
	var lines []string
	for _, r := range got {
		lines = append(lines, r.Method+" "+r.Path+" "+r.Header.Get("token"))
	}
	want := "POST /a%2Fb/scene/apps/app1/v1/login kit-1\nPOST /scene/apps/app1/v1/checkToken kit-1\nOPTIONS /nothing "
	if strings.Join(lines, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), want)
	}
	got[0].Header.Set("token", "changed")
	if again := s.Requests()[0].Header.Get("token"); again != "kit-1" {
		t.Errorf("then got token %q", again)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	s := newServer(t)
	client := newClient(t)
	for i := range 1003 {
		res, err := client.Do(newRequest(t, "GET", fmt.Sprintf("%s/%d", s.KitURL(), i), http.Header{}))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	got := s.Requests()
	if len(got) != 1000 || got[0].Path != "/3" || got[999].Path != "/1002" {
		t.Errorf("got %d requests, from %s to %s", len(got), got[0].Path, got[len(got)-1].Path)
	}
}
