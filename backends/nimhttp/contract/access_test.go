package contract_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
)

// Rows about access, and about how a gateway proves its identity.

const contractNonce = "0123456789_-abcdefABCDEFxyz"

// The proof is computed from the nonce and the secret. Anyone may ask for it.
func contractProof(t *testing.T, w *contractWorld) {
	stranger := newGatewayClient(t, w.url, "", w.judge)
	for _, nonce := range []string{contractNonce, strings.Repeat("n", 22), strings.Repeat("n", 128)} {
		r, err := stranger.send(t.Context(), "GET", "/healthz?nonce="+nonce, "", nil)
		mac := hmac.New(sha256.New, []byte(w.secret))
		mac.Write([]byte("imreuse gateway proof 1\n" + nonce))
		if want := hex.EncodeToString(mac.Sum(nil)); err != nil || r.status != 200 || r.health.Proof != want || r.health.Boot == "" {
			t.Errorf("%s: got %+v and %v, want proof %s", nonce, r.health, err, want)
		}
	}
	for _, query := range []string{"nonce=", "nonce=" + strings.Repeat("n", 21), "nonce=" + strings.Repeat("n", 129), "nonce=" + contractNonce + "%0A",
		"nonce=" + contractNonce + "%C3%A9", "nonce=" + contractNonce + "&nonce=" + contractNonce, "other=1"} {
		if r, err := stranger.send(t.Context(), "GET", "/healthz?"+query, "", nil); err != nil || r.kind != "bad-request" {
			t.Errorf("%s: got %v and %v, want bad-request", query, r, err)
		}
	}
}

// Another site may point its own name at 127.0.0.1 (DNS rebinding).
func contractHost(t *testing.T, w *contractWorld) {
	s := w.ready("host")
	calls := []struct{ method, target, body string }{
		{"GET", "/healthz", ""}, {"GET", "/healthz?nonce=" + contractNonce, ""}, {"GET", "/elsewhere", ""}, {"OPTIONS", "/v1/im/host", ""},
		{"PUT", "/v1/im/host", `{"appKey":"app1"}`}, {"GET", "/v1/im/host", ""}, {"DELETE", "/v1/im/host", ""},
		{"POST", "/v1/im/host/login", `{"accid":"user-one","token":"` + tokenOne + `","owner":"o"}`}, {"POST", "/v1/im/host/logout", ""}, {"PUT", "/v1/im/host/token", `{"asks":1}`},
	}
	for _, host := range []string{"example.com", "example.com:7788", "10.0.0.1", "0.0.0.0:7788", "[::]:7788", "localhost.example.com", "127.0.0.1.example.com", "localhost."} {
		foreign := newGatewayClient(t, w.url, w.secret, w.judge)
		foreign.host = host
		for _, call := range calls {
			r, err := foreign.send(t.Context(), call.method, call.target, anyJSON, strings.NewReader(call.body))
			if err != nil || r.status != 421 || r.kind != "foreign-host" {
				t.Errorf("%s: %s %s: got %v and %v, want foreign-host", host, call.method, call.target, r, err)
			}
		}
	}
	for _, second := range []string{"localhost", "example.com"} {
		if status := statusForTwoHosts(t, w.url, second); status != 421 && status != 400 { // net/http has 400 for it
			t.Errorf("localhost and %s: got HTTP %d, want 421 or 400", second, status)
		}
	}
	for _, host := range []string{"localhost", "LocalHost:7788", "127.0.0.1", "127.0.0.1:1", "127.9.9.9:7788", "[::1]", "[::1]:7788"} {
		local := newGatewayClient(t, w.url, w.secret, w.judge)
		local.host = host
		for _, target := range []string{"/healthz", "/v1/im/host"} {
			if r, err := local.send(t.Context(), "GET", target, "", nil); err != nil || r.status != 200 {
				t.Errorf("%s: %s: got %v and %v, want 200", host, target, r, err)
			}
		}
	}
	s.wants("GET after it", s.get(), "200")
}

// statusForTwoHosts sends what no http.Client can send.
func statusForTwoHosts(t *testing.T, url, second string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: %s\r\nConnection: close\r\n\r\n", second)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// Connections beyond 256 are closed. With IMREUSE_SLOW=1, the row also checks
// that the gateway waits 10 s for a header.
func contractConnections(t *testing.T, w *contractWorld) {
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		return conn
	}
	answers := func() bool {
		conn := dial()
		defer conn.Close()
		fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		line, _ := bufio.NewReader(conn).ReadString('\n')
		return strings.HasPrefix(line, "HTTP/1.1 200")
	}
	slow := dial()
	fmt.Fprintf(slow, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	var held []net.Conn
	for range 255 {
		held = append(held, dial())
	}
	if answers() {
		t.Error("connection 257 was served")
	}
	for _, conn := range held {
		conn.Close()
	}
	if !gatewaytest.Poll(answers) {
		t.Error("after connections were closed, no new one is served")
	}
	if os.Getenv("IMREUSE_SLOW") != "1" {
		return // the rest takes 10 s
	}
	if _, err := io.Copy(io.Discard, slow); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("half a header: got %v, want the connection to be closed", err)
	}
}
