package contract_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Rows about the end of a gateway.

// Close logs the slots out, reports that to readers, and gives up a login in
// progress.
func contractClose(t *testing.T, w *contractWorld) {
	in, trying := w.ready("in"), w.ready("trying")
	held := in.loginOK("user-two", tokenTwo)
	w.mute(true)
	login := trying.startLogin(t.Context(), time.Minute)
	reader := in.beginRead(t.Context(), query(held.Seq, 30_000))
	if err := w.close(); err != nil {
		t.Errorf("got %v", err)
	}
	if r := <-login; r.err != nil || r.kind != "closing" {
		t.Errorf("the login got %v and %v, want closing", r, r.err)
	}
	if r := <-reader; r.err == nil && r.kind != "closing" { // an error means that it came too late
		wantLogoutRead(t, r, held)
	}
	w.online(t)
	if r, err := in.call(t.Context(), "GET", "", nil); err == nil {
		t.Errorf("after Close: got %v", r)
	}
}

// A request that begins before Close and is complete only after it gets the
// problem closing.
func contractWhileClosing(t *testing.T, w *contractWorld) {
	w.ready("late")
	calls := []struct{ method, target, body string }{
		{"PUT", "/v1/im/late", `{"appKey":"app1"}`},
		{"GET", "/v1/im/late", `{}`},
		{"POST", "/v1/im/late/login", `{"accid":"user-one","token":"t","owner":"o"}`},
		{"POST", "/v1/im/late/logout", `{}`},
		{"PUT", "/v1/im/late/token", `{"asks":1}`},
		{"DELETE", "/v1/im/late", `{}`},
	}
	var late []*halfway
	for _, call := range calls {
		late = append(late, sendHalf(t, w, call.method, call.target, call.body))
	}
	closed := make(chan error, 1)
	go func() { closed <- w.close() }()
	wantRefused(t, strings.TrimPrefix(w.url, "http://"))
	for i, h := range late {
		r, err := h.finish(w, calls[i].method, calls[i].target)
		if err != nil || r.kind != "closing" || r.header.Get("Connection") != "close" {
			t.Errorf("%s %s: got %v, %v and %v, want closing", calls[i].method, calls[i].target, r, r.header, err)
		}
	}
	if err := <-closed; err != nil {
		t.Errorf("got %v", err)
	}
}

// A halfway request has been sent without its body, and the server waits for
// that.
type halfway struct {
	conn net.Conn
	in   *bufio.Reader
	body string
}

func sendHalf(t *testing.T, w *contractWorld, method, target, body string) *halfway {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(gatewayPatience))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		method, target, w.secret, len(body))
	h := &halfway{conn, bufio.NewReader(conn), body}
	line, err := h.in.ReadString('\n')
	blank, errBlank := h.in.ReadString('\n')
	if err != nil || errBlank != nil || !strings.HasPrefix(line, "HTTP/1.1 100") || blank != "\r\n" {
		t.Fatalf("got %q %q, %v, want 100 Continue", line, blank, err)
	}
	return h
}

func (h *halfway) finish(w *contractWorld, method, target string) (gatewayReply, error) {
	if _, err := io.WriteString(h.conn, h.body); err != nil {
		return gatewayReply{}, err
	}
	response, err := http.ReadResponse(h.in, nil)
	if err != nil {
		return gatewayReply{}, err
	}
	defer response.Body.Close()
	response.Header.Set("Connection", connection(response))
	return w.read(method, target, response)
}

// connection returns the header Connection, which net/http removes.
func connection(response *http.Response) string {
	if response.Close {
		return "close"
	}
	return "keep-alive"
}

// wantRefused waits until nobody listens at addr.
func wantRefused(t *testing.T, addr string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(gatewayPatience); ; {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		conn.Close()
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the gateway still listens")
		}
	}
}
