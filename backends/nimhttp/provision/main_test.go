package provision_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret    = "app-secret-1"
	imToken   = "im-token-1"
	userToken = "user-token-1"
)

// wanted works with every call.
var wanted = provision.AccountRequest{Accid: "User01", IMToken: imToken, UserToken: userToken, Name: "Zoë"}

// The calls that make an account, and the account that each makes from wanted.
// The server makes the token if the call sends none.
var creates = []struct {
	name   string
	kind   string // of account in the world
	path   string
	token  string
	create func(context.Context, *provision.Client, provision.AccountRequest) (id, token string, err error)
}{
	{"IM", "im", "/im/v2/accounts", imToken, createIM},
	{"room", "room", "/neroom/v3/users", userToken, createRoom},
	{"meeting", "meeting", "/scene/meeting/api/v2/add-user", "made-by-the-server", createMeeting},
}

func createIM(ctx context.Context, c *provision.Client, r provision.AccountRequest) (string, string, error) {
	a, err := c.CreateIMAccount(ctx, r)
	return a.Accid, a.Token, err
}

func createRoom(ctx context.Context, c *provision.Client, r provision.AccountRequest) (string, string, error) {
	return kit(c.CreateRoomAccount(ctx, r))
}

func createMeeting(ctx context.Context, c *provision.Client, r provision.AccountRequest) (string, string, error) {
	return kit(c.CreateMeetingAccount(ctx, r))
}

func kit(a engine.KitAccount, err error) (string, string, error) { return a.UserUUID, a.Token, err }

// A world is the vendor's three servers in one. It is an http.RoundTripper,
// which needs no clock and no network, and an http.Handler. A test sets its
// faults beforehand.
type world struct {
	mu       sync.Mutex
	accounts map[string]fields // by kind and id, such as "room user01"
	made     int               // accounts made so far
	requests []sent
	faults   map[string][]fault // by method, in order
	hidden   []string           // fields that queries do not return
}

type fields = map[string]string

type sent struct {
	method, path string
	header       http.Header
	body         string
}

// A fault changes how one request is answered.
type fault struct {
	works  bool        // the request takes effect nevertheless
	cut    bool        // no reply
	late   bool        // no reply until the client has gone
	status int         // of the reply
	body   string      // of the reply; "" for the server's own, if works
	header http.Header // of the reply
}

func newWorld() *world {
	return &world{accounts: map[string]fields{}, faults: map[string][]fault{}}
}

func (w *world) client(t testing.TB) *provision.Client {
	return newClient(t, provision.Options{HTTPClient: &http.Client{Transport: w}})
}

func newClient(t testing.TB, o provision.Options) *provision.Client {
	t.Helper()
	o.AppKey = "app1"
	if o.Sign == nil {
		o.AppSecret = secret
	}
	c, err := provision.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// RoundTrip implements http.RoundTripper. It does not call httptrace hooks.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	out := httptest.NewRecorder()
	f := w.serve(out, r)
	if f.late {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if f.cut {
		return nil, io.ErrUnexpectedEOF
	}
	return out.Result(), nil
}

func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	f := w.serve(out, r)
	if f.late {
		<-r.Context().Done()
	}
	if f.late || f.cut {
		panic(http.ErrAbortHandler)
	}
}

func (w *world) serve(out http.ResponseWriter, r *http.Request) fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	w.requests = append(w.requests, sent{r.Method, r.URL.RequestURI(), r.Header.Clone(), string(body)})
	f := fault{works: true}
	if queue := w.faults[r.Method]; len(queue) > 0 {
		f, w.faults[r.Method] = queue[0], queue[1:]
	}
	reply := ""
	if f.works {
		reply = w.do(r, body)
	}
	if f.cut || f.late {
		return f
	}
	if f.body != "" {
		reply = f.body
	}
	out.Header().Set("Content-Type", "application/json;charset=UTF-8")
	for name, values := range f.header {
		out.Header()[name] = values
	}
	if f.status != 0 {
		out.WriteHeader(f.status)
	}
	io.WriteString(out, reply)
	return f
}

// do carries a request out. Each server has its own names for the same fields.
func (w *world) do(r *http.Request, body []byte) string {
	kind, ok := "", 0
	names := map[string]string{} // of the fields on the wire
	exists, missing := 409, 404
	switch {
	case strings.Contains(r.URL.Path, "/im/v2/accounts"):
		kind, ok, exists, missing = "im", 200, 102405, 102404
		names["id"], names["token"] = "account_id", "token"
	case strings.Contains(r.URL.Path, "/neroom/v3/users"):
		kind = "room"
		names["id"], names["token"], names["imToken"], names["name"] = "user_uuid", "user_token", "im_token", "user_name"
	case strings.Contains(r.URL.Path, "/scene/meeting/api/v2/"):
		kind = "meeting"
		names["id"], names["token"], names["imToken"], names["name"] = "userUuid", "userToken", "imToken", "name"
	default:
		return `{"code":404,"msg":"no such path"}`
	}
	var asked map[string]any
	json.Unmarshal(body, &asked)
	given := fields{}
	for field, name := range names {
		if value, has := asked[name].(string); has {
			given[field] = value
		}
	}
	id := given["id"]
	switch {
	case r.URL.Query().Get("userUuids") != "":
		id = r.URL.Query().Get("userUuids")
	case r.Method != http.MethodPost:
		id = r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	}
	found, there := w.accounts[kind+" "+id]
	switch {
	case r.Method == http.MethodPost && there:
		return fmt.Sprintf(`{"code":%d,"msg":"exists"}`, exists)
	case r.Method == http.MethodPost:
		w.made++
		found = given
		if found["token"] == "" {
			found["token"] = "made-by-the-server"
		}
		w.accounts[kind+" "+id] = found
	case !there:
		return fmt.Sprintf(`{"code":%d,"msg":"not found"}`, missing)
	case r.Method == http.MethodPatch:
		for field, value := range given {
			found[field] = value
		}
		return `{"code":0,"msg":"success","data":null}`
	}
	data := map[string]string{}
	for field, value := range found {
		if r.Method == http.MethodPost || !slices.Contains(w.hidden, field) {
			data[names[field]] = value
		}
	}
	var shown any = data
	if r.URL.Query().Has("userUuids") {
		shown = []any{data}
	}
	text, _ := json.Marshal(map[string]any{"code": ok, "msg": "success", "data": shown})
	return string(text)
}

// count returns the number of requests with that method.
func (w *world) count(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.requests {
		if r.method == method {
			n++
		}
	}
	return n
}

// wantNoSecrets looks for a secret in v as fmt and encoding/json print it.
func wantNoSecrets(t *testing.T, v any) {
	t.Helper()
	asJSON, _ := json.Marshal(v)
	for _, text := range []string{fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), fmt.Sprintf("%q", v), string(asJSON)} {
		for _, s := range []string{secret, imToken, userToken, "im-token-2", "user-token-2"} {
			if strings.Contains(text, s) {
				t.Errorf("%q appears in %q", s, text)
			}
		}
	}
}
