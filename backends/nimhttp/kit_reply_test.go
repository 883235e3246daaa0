package nimhttp_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// The content type of a JSON reply does not matter.
func TestContentTypeHasNoSay(t *testing.T) {
	for _, contentType := range []string{"text/plain", "text/plain;charset=UTF-8", "text/html", "application/octet-stream", "nonsense;;", ""} {
		k := newKit(t, nimhttp.Options{KitURL: newStub(t, reply(200, contentType, loginReply)).URL})
		if im, err := k.Authenticate(t.Context(), account); err != nil || im.Accid != "user1" {
			t.Errorf("%q: got %v and %v, want a login", contentType, im, err)
		}
		k = newKit(t, nimhttp.Options{KitURL: newStub(t, reply(400, contentType, `{"code":1026,"msg":"too old"}`)).URL})
		if _, err := k.Authenticate(t.Context(), account); !errors.Is(err, engine.ErrTokenExpired) || !strings.Contains(err.Error(), "too old") {
			t.Errorf("%q, refused: got %v, want the server's words", contentType, err)
		}
	}
}

func TestNotJSON(t *testing.T) {
	long := "text/" + strings.Repeat("x", 5000)
	for _, test := range []struct{ contentType, body, want string }{
		{"text/html", "<html>Please log in</html>", `not JSON (HTTP 200, content type "text/html")`},
		{"application/json", "<html>", `not JSON (HTTP 200, content type "application/json")`},
		{"application/json", "", "not JSON (HTTP 200"},
		{"application/json", `{"code":0`, "not JSON (HTTP 200"},
		{"application/json", `[]`, "JSON without the expected envelope"},
		{long, "no", "not JSON (HTTP 200"},
	} {
		k := newKit(t, nimhttp.Options{KitURL: newStub(t, reply(200, test.contentType, test.body)).URL})
		_, err := k.Authenticate(t.Context(), account)
		if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 300 {
			t.Errorf("%.40q: got %.400v, want ErrUnavailable and %q", test.body, err, test.want)
		}
	}
}

// Ids in a reply must follow the same rules as a host's arguments.
func TestBadIDs(t *testing.T) {
	bad := map[string]string{
		"33 characters": strings.Repeat("x", 33),
		"900 kB":        strings.Repeat("x", 900_000),
		"a line break":  "user1\r\nX-Evil: 1",
		"a control":     "user1\x00",
		"a delete":      "user1\x7f",
		"a space":       " user1",
	}
	badAccid := map[string]string{"a slash": "user/1", "a space inside": "user 1", "another script": "Zoë"}
	data := func(field, value string) map[string]string {
		d := map[string]string{"userUuid": "user1", "imKey": "app1", "imToken": "im-token-1", "userToken": "user-token"}
		d[field] = value
		return d
	}
	for name, value := range bad {
		for _, field := range []string{"userUuid", "imAccid"} {
			wantBadReply(t, name+" in "+field, value, data(field, value), login)
		}
		wantBadReply(t, name+" in a guest's userUuid", value, data("userUuid", value), guest)
	}
	for name, value := range badAccid {
		wantBadReply(t, name+" in userUuid", value, data("userUuid", value), login)
		wantBadReply(t, name+" in imAccid", value, data("imAccid", value), login)
		wantBadReply(t, name+" in a guest's userUuid", value, data("userUuid", value), guest)
	}
	long := strings.Repeat("x", 5000)
	wantBadReply(t, "long imKey", long, data("imKey", long), login)
	wantBadReply(t, "long imToken", long, data("imToken", long), login)
	wantBadReply(t, "control in imToken", "a\nb", data("imToken", "a\nb"), login)
	wantBadReply(t, "long userToken", long, data("userToken", long), guest)
	for _, field := range []string{"userUuid", "imAccid", "imKey"} {
		wantBadReply(t, "our token in "+field, account.Token, data(field, account.Token), login)
	}
}

func login(t *testing.T, k *nimhttp.Kit) error {
	im, err := k.Authenticate(t.Context(), account)
	if im != (engine.IMAccount{}) {
		t.Error("got an account")
	}
	return err
}

func guest(t *testing.T, k *nimhttp.Kit) error {
	a, err := k.Anonymous(t.Context())
	if a != (engine.KitAccount{}) {
		t.Error("got an account")
	}
	return err
}

func wantBadReply(t *testing.T, name, value string, data map[string]string, ask func(*testing.T, *nimhttp.Kit) error) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"code": 0, "data": data})
	if err != nil {
		t.Fatal(err)
	}
	k := newKit(t, nimhttp.Options{KitURL: newStub(t, ok(string(body))).URL})
	err = ask(t, k)
	if engine.CodeOf(err) != engine.ErrUnavailable {
		t.Errorf("%s: got %.300v, want ErrUnavailable", name, err)
		return
	}
	if text := err.Error(); len(text) > 200 || strings.Contains(text, value) || strings.ContainsAny(text, "\r\n") {
		t.Errorf("%s: got %.300q, want a short sentence without the value", name, text)
	}
	if k.LoginKit(t.Context(), account, engine.Notify{}) == nil {
		t.Errorf("%s: a login is left", name)
	}
}

// The longest and oddest ids that are allowed.
func TestGoodIDs(t *testing.T) {
	id := strings.Repeat("x", 28) + "_@.-"
	k := newKit(t, nimhttp.Options{KitURL: newStub(t, ok(strings.ReplaceAll(loginReply, "user1", id))).URL})
	if im, err := k.Authenticate(t.Context(), account); err != nil || im.Accid != id {
		t.Errorf("got %v and %v, want %s", im, err, id)
	}
}

// newRawServer answers every request with these bytes, even if they are not
// HTTP.
func newRawServer(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				io.Copy(io.Discard, r.Body)
				io.WriteString(c, answer)
			}
			c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// A token is sent in a header, so it has no control characters. Everything else
// is allowed.
const nastyToken = `kit-"tok\en" <&>%41;é+1`

// The ways in which a server or a proxy can spell a token.
func spellings(token string) map[string]string {
	asJSON, _ := json.Marshal(token)
	quoted := strconv.Quote(token)
	twice := strconv.Quote(quoted)
	return map[string]string{
		"plain": token, "Go": quoted[1 : len(quoted)-1], "Go, twice": twice[1 : len(twice)-1], "ASCII": strings.Trim(strconv.QuoteToASCII(token), `"`),
		"JSON": string(asJSON[1 : len(asJSON)-1]), "query": url.QueryEscape(token), "path": url.PathEscape(token),
		"lower-case query": strings.ToLower(url.QueryEscape(strings.ToLower(token))), "path, twice": url.PathEscape(url.PathEscape(token)),
		"every byte": everyByte("%%%02X", token), "every byte, Go": everyByte(`\x%02x`, token),
	}
}

func everyByte(format, token string) string {
	var b strings.Builder
	for i := range len(token) {
		fmt.Fprintf(&b, format, token[i])
	}
	return b.String()
}

// If a server repeats our token, no error shows it, and no error in the chain
// does.
func TestTokenSentBack(t *testing.T) {
	const rest = "Content-Length: 2\r\n\r\n{}"
	places := map[string]string{
		"content type":     "HTTP/1.1 200 OK\r\nContent-Type: text/%s\r\nContent-Length: 2\r\n\r\nno",
		"protocol":         "%s\r\n" + rest,
		"status line":      "HTTP/1.1 %s\r\n" + rest,
		"reason":           "HTTP/1.1 401 %s\r\n" + rest,
		"header line":      "HTTP/1.1 200 OK\r\n%s\r\n" + rest,
		"header name":      "HTTP/1.1 200 OK\r\nX %s: 1\r\n" + rest,
		"continued header": "HTTP/1.1 200 OK\r\n %s\r\n" + rest,
		"content length":   "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n{}",
		"encoding":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n{}",
		"chunk":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n{}",
		"trailer":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n0\r\n%[1]s\r\n\r\n",
		"location":         "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://[%s\r\n" + rest,
		"good location":    "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://example.com/?t=%s\r\n" + rest,
		"retry-after":      "HTTP/1.1 400 Bad Request\r\nRetry-After: %s\r\n" + rest,
		"msg":              "HTTP/1.0 200 OK\r\n\r\n{\"code\":402,\"msg\":\"%s\"}",
		"requestId":        "HTTP/1.0 200 OK\r\n\r\n{\"code\":402,\"requestId\":\"%s\"}",
		"code":             "HTTP/1.0 200 OK\r\n\r\n{\"code\":\"%s\"}",
	}
	for _, token := range []string{account.Token, nastyToken, "k1"} {
		for spelling, text := range spellings(token) {
			for place, format := range places {
				answer := fmt.Sprintf(format, text)
				k := newKit(t, nimhttp.Options{KitURL: newRawServer(t, answer)})
				_, err := k.Authenticate(t.Context(), engine.KitAccount{UserUUID: "user1", Token: token})
				if err == nil {
					t.Fatalf("%s in %s: got no error for %q", spelling, place, answer)
				}
				wantUntold(t, spelling+" in "+place, err, text)
			}
		}
	}
}

// wantUntold checks that neither the error nor any error in its chain shows the
// text.
func wantUntold(t *testing.T, name string, err error, text string) {
	t.Helper()
	var walk func(error)
	walk = func(err error) {
		if err == nil {
			return
		}
		for _, format := range []string{"%v", "%+v", "%q", "%#v"} {
			if got := fmt.Sprintf(format, err); strings.Contains(got, text) || strings.Contains(got, strings.Trim(strconv.Quote(text), `"`)) {
				t.Errorf("%s: %s of a %T has it: %.300s", name, format, err, got)
			}
		}
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
		}
	}
	walk(err)
}

// A server's text is shortened. An error without a token keeps its chain.
func TestErrorsStayUseful(t *testing.T) {
	k := newKit(t, nimhttp.Options{KitURL: newRawServer(t, "gibberish\r\n\r\n")})
	_, err := k.Authenticate(t.Context(), account)
	if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "gibberish") {
		t.Errorf("got %v, want what the server said", err)
	}
	refusing := httptest.NewServer(nil)
	refusing.Close()
	k = newKit(t, nimhttp.Options{KitURL: refusing.URL})
	_, err = k.Authenticate(t.Context(), engine.KitAccount{UserUUID: "user1", Token: "1"}) // the token is also part of the address
	if dial := (*net.OpError)(nil); !errors.As(err, &dial) || !bytes.Contains([]byte(err.Error()), []byte("127.0.0.1")) {
		t.Errorf("got %v, want the dial's error", err)
	}
}

// No error of an IM login shows the gateway's secret or the IM token.
func TestGatewaySecretSentBack(t *testing.T) {
	server := nimhttptest.New(t, nimhttptest.Options{})
	secret := server.GatewaySecret()
	im, err := nimhttp.NewIM(nimhttp.Options{AppKey: nimhttptest.AppKey, GatewayURL: server.GatewayURL(), GatewaySecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	wantWell(t, im.InitIM(t.Context(), nimhttptest.AppKey))
	for _, told := range []string{secret, nimhttptest.IMToken} {
		for spelling, text := range spellings(told) {
			server.Fault(nimhttptest.Fault{Path: "/login", Status: 200, Header: http.Header{"Content-Type": {"text/" + text}}, Body: "no"})
			err := im.LoginIM(t.Context(), engine.IMAccount{Accid: nimhttptest.Accid, Token: nimhttptest.IMToken}, engine.Notify{})
			if err == nil {
				t.Fatal("got no error")
			}
			wantUntold(t, spelling, err, text)
		}
	}
}
