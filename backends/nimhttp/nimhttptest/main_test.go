package nimhttptest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	login      = "/scene/apps/app1/v1/login"
	checkToken = "/scene/apps/app1/v1/checkToken"
	anonymous  = "/scene/apps/app1/v1/anonymous/login"
	skuEnv     = "/scene/apps/app1/v1/skuEnv"
	account    = "/scene/meeting/app1/v1/account/info"
	config     = "/scene/meeting/app1/v1/config"
)

// newWorld makes a world with one account of each kind.
func newWorld() *mockim.Service {
	world := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	world.AddIM(engine.IMAccount{Accid: "myAccid", Token: "im-1"})
	world.Bind(engine.KitAccount{UserUUID: "User1", Token: "kit-1"}, "myAccid")
	world.Bind(engine.KitAccount{UserUUID: "unbound", Token: "kit-2"}, "")
	world.Bind(engine.KitAccount{UserUUID: "astray", Token: "kit-3"}, "nobody")
	return world
}

func newServer(t *testing.T) *nimhttptest.Server {
	t.Helper()
	return nimhttptest.New(t, nimhttptest.Options{World: newWorld(), AppKey: "app1"})
}

// as returns the header of a request by an account on a device.
func as(user, token, deviceID string) http.Header {
	h := http.Header{}
	h.Set("AppKey", "app1")
	h.Set("user", user)
	h.Set("token", token)
	h.Set("deviceId", deviceID)
	return h
}

func user1() http.Header { return as("user1", "kit-1", "device1") }

func without(h http.Header, name string) http.Header {
	h.Del(name)
	return h
}

func with(h http.Header, name, value string) http.Header {
	h.Set(name, value)
	return h
}

// An answer is a reply, decoded.
type answer struct {
	status    int
	header    http.Header
	fields    map[string]json.RawMessage
	Code      int
	Msg       string
	RequestID string
	TS        int64
	Cost      string
	Data      map[string]any
}

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newRequest(t *testing.T, method, url string, h http.Header) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	return r
}

// raw sends one request and returns the whole reply.
func raw(t *testing.T, method, url string, h http.Header) (*http.Response, string) {
	t.Helper()
	res, err := newClient(t).Do(newRequest(t, method, url, h))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func ask(t *testing.T, s *nimhttptest.Server, method, path string, h http.Header) answer {
	t.Helper()
	res, body := raw(t, method, s.KitURL()+path, h)
	a := answer{status: res.StatusCode, header: res.Header}
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("%s %s: got content type %q and %s, want JSON", method, path, got, body)
	}
	if err := json.Unmarshal([]byte(body), &a.fields); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, body)
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, body)
	}
	return a
}

func wantCode(t *testing.T, what string, a answer, want int) {
	t.Helper()
	if a.status != http.StatusOK || a.Code != want {
		t.Errorf("%s: got HTTP %d, code %d, %q, want HTTP 200, code %d", what, a.status, a.Code, a.Msg, want)
	}
}
