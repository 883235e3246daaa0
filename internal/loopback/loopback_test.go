package loopback_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/loopback"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestIs(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.1.2.3": true, "::1": true, "localhost": true, "LocalHost": true,
		"localhost.": true, "::ffff:127.0.0.1": true, "::1%lo": true, "0:0:0:0:0:0:0:1": true,
		"localhost..": false, ".": false, "127.0.0.1.": false, "::ffff:10.0.0.1": false, "127.1": false,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "localhost.example.com": false, "example.com": false,
	} {
		if got := loopback.Is(host); got != want {
			t.Errorf("%q: got %t, want %t", host, got, want)
		}
	}
}

func TestServe(t *testing.T) {
	s, err := loopback.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })})
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get("http://" + s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "here" {
		t.Errorf("got %q and %v", body, err)
	}
	if _, err := loopback.Listen(s.Addr()); err == nil {
		t.Error("taken port: got no error")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: got %v", err)
	}
}

// A connection beyond the limit is closed, and a connection that ends makes room.
func TestLimit(t *testing.T) {
	s, err := loopback.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	s.Limit(2)
	s.Serve(&http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	t.Cleanup(func() { s.Close() })
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	served := func() bool {
		conn := dial()
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		_, err := http.ReadResponse(bufio.NewReader(conn), nil)
		return err == nil
	}
	first, _ := dial(), dial()
	if served() {
		t.Error("a third connection was served")
	}
	first.Close()
	for range 1000 {
		if served() {
			return
		}
		runtime.Gosched()
	}
	t.Error("no connection is served after one was closed")
}

func TestRefusedAddresses(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", ":0", "0.0.0.0:0", "[::]:0", "192.168.0.1:0", "example.com:0", "127.0.0.1:0:0"} {
		if s, err := loopback.Listen(addr); s != nil || !errors.Is(err, engine.ErrArgument) {
			t.Errorf("%s: got %v, want ErrArgument", addr, err)
		}
	}
}
