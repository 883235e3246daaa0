package provision_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

// An id that no account can have makes the reply malformed. The error does not
// quote the id.
func TestBadIDsInReplies(t *testing.T) {
	ids := map[string]string{
		"33 characters": strings.Repeat("x", 33), "900 kB": strings.Repeat("x", 900_000),
		"a line break": "user01\r\nX-Evil: 1", "a control": "user01\x00", "a slash": "user/01",
	}
	for name, id := range ids {
		for _, call := range []string{"room", "meeting"} {
			asJSON, _ := json.Marshal(id)
			body := fmt.Sprintf(`{"code":0,"data":{"user_uuid":"user01","userUuid":"user01","im_accid":%s,"user_token":"x"}}`, asJSON)
			w := newWorld()
			w.faults["POST"] = []fault{{body: body}}
			_, _, err := createNamed(call)(t.Context(), w.client(t), wanted)
			if engine.CodeOf(err) != engine.ErrUnavailable || len(err.Error()) > 300 || strings.Contains(err.Error(), id) {
				t.Errorf("%s, %s: got %.400v, want a short ErrUnavailable without the id", name, call, err)
			}
		}
	}
}

// If an account exists, the error shows what the server returned, but no token
// that we sent, and only a limited length.
func TestShownAccountHasNoToken(t *testing.T) {
	for _, shown := range []string{imToken, "x" + userToken + "x", `im\u002dtoken-1`, strings.Repeat("x", 900_000)} {
		w := newWorld()
		w.faults["POST"] = []fault{{body: `{"code":409}`}}
		w.faults["GET"] = []fault{{body: `{"code":0,"data":{"user_uuid":"user01","user_name":"` + shown + `"}}`}}
		_, _, err := createRoom(t.Context(), w.client(t), wanted)
		var exists *provision.ExistsError
		if !errors.As(err, &exists) || len(err.Error()) > 1000 {
			t.Fatalf("got %.300v, want a short ExistsError", err)
		}
		wantNoSecrets(t, err)
		wantNoSecrets(t, exists)
	}
}

// A server echoes what it received, in its content type, its status line, a
// header line and its message. No secret gets into an error.
func TestSecretsSentBack(t *testing.T) {
	for _, place := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: text/%s\r\nContent-Length: 2\r\n\r\nno",
		"HTTP/1.1 %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"HTTP/1.1 307 OK\r\nLocation: http://[%s\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\n{\"code\":401,\"msg\":\"%s\"}",
	} {
		for _, what := range []string{"AppSecret", "CheckSum", "body"} {
			var mu sync.Mutex
			var checkSum string
			url := serveRaw(t, func(r *http.Request) string {
				mu.Lock()
				defer mu.Unlock()
				checkSum = r.Header.Get("CheckSum")
				echoed := map[string]string{"AppSecret": secret, "CheckSum": checkSum, "body": imToken + userToken}[what]
				return fmt.Sprintf(place, echoed)
			})
			c := newClient(t, provision.Options{KitURL: url, IMURL: url, HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
			for _, call := range creates {
				_, _, err := call.create(t.Context(), c, wanted)
				if err == nil {
					t.Fatalf("%s: got no error", call.name)
				}
				wantNoSecrets(t, err)
				mu.Lock()
				if strings.Contains(err.Error(), checkSum) {
					t.Errorf("%s, %s: the signature appears in %q", call.name, what, err)
				}
				mu.Unlock()
			}
		}
	}
}

// serveRaw answers each request with the bytes of answer, on its own
// connection.
func serveRaw(t *testing.T, answer func(*http.Request) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(func() { l.Close(); served.Wait() })
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				io.Copy(io.Discard, r.Body)
				io.WriteString(c, answer(r))
			}
			c.Close()
		}
	})
	return "http://" + l.Addr().String()
}
