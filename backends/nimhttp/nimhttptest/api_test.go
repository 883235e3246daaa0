package nimhttptest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
)

func newAPI(t *testing.T) *nimhttptest.Server {
	t.Helper()
	return nimhttptest.New(t, nimhttptest.Options{World: newWorld(), AppKey: "app1", AppSecret: secret})
}

// A result is a reply of the server API, decoded.
type result struct {
	status int
	header http.Header
	fields map[string]json.RawMessage
	Code   int
	Msg    string
	Data   any
}

// send sends one request and returns the reply.
func send(t *testing.T, s *nimhttptest.Server, method, path string, h http.Header, body string) result {
	t.Helper()
	r := newRequest(t, method, s.APIURL()+path, h)
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	res, err := newClient(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := result{status: res.StatusCode, header: res.Header}
	if err := json.Unmarshal(text, &got.fields); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return got
}

func asJSON(h http.Header) http.Header {
	h.Set("Content-Type", "application/json;charset=UTF-8")
	return h
}

// api sends a signed call.
func api(t *testing.T, s *nimhttptest.Server, method, path, body string) result {
	t.Helper()
	h := sign(time.Now())
	if body != "" {
		h = asJSON(h)
	}
	return send(t, s, method, path, h, body)
}

func wantResult(t *testing.T, what string, got result, want int) {
	t.Helper()
	if _, has := got.fields["code"]; !has || got.status != http.StatusOK || got.Code != want {
		t.Errorf("%s: got HTTP %d, code %d, %q, want HTTP 200, code %d", what, got.status, got.Code, got.Msg, want)
	}
}

// wantData checks that got is a success with that data, as JSON.
func wantData(t *testing.T, what string, got result, code int, data string) {
	t.Helper()
	wantResult(t, what, got, code)
	var want any
	if err := json.Unmarshal([]byte(data), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Data, want) {
		t.Errorf("%s: got data %v, want %v", what, got.Data, want)
	}
}

func TestAPIEnvelopes(t *testing.T) {
	s := newAPI(t)
	tests := []struct {
		name, path string
		code       int
		fields     []string
	}{
		{"IM", "/im/v2/accounts/myaccid", 200, []string{"code", "data", "msg"}},
		{"IM, refused", "/im/v2/accounts/nobody", 102404, []string{"code", "data", "msg"}},
		{"NERoom", "/neroom/v3/users/user1", 0, []string{"code", "cost", "data", "msg", "request_id", "ts"}},
		{"NERoom, refused", "/neroom/v3/users/nobody", 404, []string{"code", "cost", "data", "msg", "request_id", "ts"}},
		{"meeting", "/scene/meeting/api/v2/batch-get-user?userUuids=user1", 0, []string{"code", "cost", "data", "msg", "requestId", "ts"}},
		{"meeting, refused", "/scene/meeting/api/v2/batch-get-user", 400, []string{"code", "cost", "msg", "requestId", "ts"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := api(t, s, "GET", test.path, "")
			wantResult(t, test.path, got, test.code)
			if fields := slices.Sorted(maps.Keys(got.fields)); !slices.Equal(fields, test.fields) {
				t.Errorf("got fields %v, want %v", fields, test.fields)
			}
			refused := test.code != 200 && test.code != 0
			if (got.Msg == "success") == refused || got.Msg == "" || (got.Data == nil) != refused {
				t.Errorf("got msg %q, data %v", got.Msg, got.Data)
			}
			if contentType := got.header.Get("Content-Type"); contentType != "application/json;charset=UTF-8" {
				t.Errorf("got content type %q", contentType)
			}
		})
	}
}

func TestAPIPaths(t *testing.T) {
	s := newAPI(t)
	tests := []struct {
		name, method, path string
		status, code       int
	}{
		{"IM", "GET", "/im/v2/accounts/myaccid", 200, 200},
		{"IM, private deployment", "GET", "/nimserver/im/v2/accounts/myaccid", 200, 200},
		{"IM, odd prefix", "GET", "/im/v2/accounts/im/v2/accounts/myaccid", 200, 200},
		{"IM, escapes", "GET", "/im/v2/accounts/%6Dyaccid", 200, 200},
		{"IM, upper case", "GET", "/im/v2/accounts/MyAccid", 200, 200},
		{"IM, slash in the id", "GET", "/im/v2/accounts/my%2Faccid", 200, 102404},
		{"IM, wrong method", "DELETE", "/im/v2/accounts/myaccid", 200, 414},
		{"IM, POST to an id", "POST", "/im/v2/accounts/myaccid", 200, 414},
		{"IM, no id", "GET", "/im/v2/accounts/", 404, 404},
		{"IM, beyond the id", "GET", "/im/v2/accounts/myaccid/actions", 404, 404},
		{"IM, v1", "POST", "/nimserver/user/create.action", 404, 404},
		{"IM, another word", "GET", "/xim/v2/accounts/myaccid", 404, 404},
		{"NERoom", "GET", "/neroom/v3/users/user1", 200, 0},
		{"NERoom, prefix", "GET", "/a/b/neroom/v3/users/user1", 200, 0},
		{"NERoom, wrong method", "DELETE", "/neroom/v3/users/user1", 200, 405},
		{"NERoom, PUT", "PUT", "/neroom/v3/users", 200, 405},
		{"NERoom, version", "GET", "/neroom/v2/users/user1", 404, 404},
		{"meeting", "GET", "/scene/meeting/api/v2/batch-get-user?userUuids=user1", 200, 0},
		{"meeting, prefix", "GET", "/a/scene/meeting/api/v2/batch-get-user?userUuids=user1", 200, 0},
		{"meeting, wrong method", "POST", "/scene/meeting/api/v2/batch-get-user", 200, 405},
		{"meeting, GET", "GET", "/scene/meeting/api/v2/add-user", 200, 405},
		{"meeting, another call", "POST", "/scene/meeting/api/v2/delete-user", 404, 404},
		{"meeting, beyond", "POST", "/scene/meeting/api/v2/add-user/user1", 404, 404},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := api(t, s, test.method, test.path, ""); got.status != test.status || got.Code != test.code {
				t.Errorf("got HTTP %d, code %d, %q, want HTTP %d, code %d", got.status, got.Code, got.Msg, test.status, test.code)
			}
		})
	}
}

// The ids in a query are folded, and each counts once. The reply has the
// accounts that exist.
func TestAPIQueries(t *testing.T) {
	s := newAPI(t)
	many, nobodies := "myaccid,", "["
	for i := range 99 {
		many += fmt.Sprintf("nobody-%d,", i)
		nobodies += fmt.Sprintf(`"nobody-%d",`, i)
	}
	nobodies = strings.TrimSuffix(nobodies, ",") + "]"
	tests := []struct {
		name, ids string
		im        string // "" if the query is refused
		room      string
	}{
		{"one", "myaccid,user1", `["myaccid"] ["user1"]`, `["user1"]`},
		{"twice", "MYACCID,User1,myAccid,user1,USER1", `["myaccid"] ["user1"]`, `["user1"]`},
		{"spaces", "+myaccid+,,+user1,", `["myaccid"] ["user1"]`, `["user1"]`},
		{"escapes", "myaccid%2Cuser1", `["myaccid"] ["user1"]`, `["user1"]`},
		{"none of them", "x,%2F", `[] ["x","/"]`, `[]`},
		{"nothing", "", "", ""},
		{"commas", ",,", "", ""},
		{"as many as may be", many[:len(many)-1], `["myaccid"] ` + nobodies, `[]`},
		{"too many", many + "nobody-99", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			im := api(t, s, "GET", "/im/v2/accounts?account_ids="+test.ids, "")
			room := api(t, s, "GET", "/neroom/v3/users?user_uuids="+test.ids, "")
			meeting := api(t, s, "GET", "/scene/meeting/api/v2/batch-get-user?userUuids="+test.ids, "")
			if test.im == "" {
				wantResult(t, "IM", im, 414)
				wantResult(t, "NERoom", room, 400)
				wantResult(t, "meeting", meeting, 400)
				return
			}
			lists, _ := im.Data.(map[string]any)
			if got := idsIn(lists["success_list"]) + " " + idsIn(lists["failed_list"]); got != test.im {
				t.Errorf("IM: got %s, want %s", got, test.im)
			}
			if got := idsIn(room.Data); got != test.room {
				t.Errorf("NERoom: got %s, want %s", got, test.room)
			}
			if got := idsIn(meeting.Data); got != test.room {
				t.Errorf("meeting: got %s, want %s", got, test.room)
			}
		})
	}
	wantResult(t, "no query", api(t, s, "GET", "/im/v2/accounts", ""), 414)
}

// idsIn returns the ids in a list of accounts, as JSON.
func idsIn(list any) string {
	ids := []any{}
	accounts, isList := list.([]any)
	if !isList {
		return fmt.Sprint(list)
	}
	for _, one := range accounts {
		for _, field := range []string{"account_id", "user_uuid", "userUuid"} {
			if id, has := one.(map[string]any)[field]; has {
				ids = append(ids, id)
			}
		}
	}
	text, _ := json.Marshal(ids)
	return string(text)
}

// If many clients make the same account at once, only one succeeds.
func TestAPIManyAtOnce(t *testing.T) {
	s := newAPI(t)
	client := newClient(t)
	for _, test := range creates {
		for i := range 50 {
			body := fmt.Sprintf(`{"%s": "%s-%d"}`, test.id, strings.ToLower(test.name), i)
			made := map[bool]int{}
			var mu sync.Mutex // protects made
			var clients sync.WaitGroup
			for range 4 {
				r := newRequest(t, "POST", s.APIURL()+test.path, asJSON(sign(time.Now())))
				r.Body = io.NopCloser(strings.NewReader(body))
				clients.Go(func() {
					code, err := codeOf(client.Do(r))
					if err != nil || code != test.ok && code != 102405 && code != 409 {
						t.Errorf("%s: got code %d, %v", body, code, err)
					}
					mu.Lock()
					defer mu.Unlock()
					made[err == nil && code == test.ok]++
				})
			}
			clients.Wait()
			if made[true] != 1 {
				t.Errorf("%s: %d calls made the account, want 1", body, made[true])
			}
		}
	}
}

// codeOf returns the code of a reply.
func codeOf(res *http.Response, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	reply := struct{ Code int }{-1}
	err = json.NewDecoder(res.Body).Decode(&reply)
	return reply.Code, err
}

// A client repeats a request with the same trace id. The server does not
// notice: a repeated create is one more create.
func TestTraceIDs(t *testing.T) {
	s := newAPI(t)
	for _, want := range []int{0, 409} {
		h := asJSON(sign(time.Now()))
		h.Set("X-custom-traceid", "trace-1")
		wantResult(t, "create", send(t, s, "POST", "/neroom/v3/users", h, `{"user_uuid": "new-1"}`), want)
	}
	for _, r := range s.Requests() {
		if got := r.Header.Get("X-custom-traceid"); got != "trace-1" || r.Method != "POST" || r.Path != "/neroom/v3/users" {
			t.Errorf("got %s %s with trace id %q", r.Method, r.Path, got)
		}
	}
	if got := len(s.Requests()); got != 2 {
		t.Errorf("got %d requests, want 2", got)
	}
}

func TestAPIFaults(t *testing.T) {
	tests := []struct {
		name   string
		fault  nimhttptest.Fault
		status int // 0 for no reply
		effect bool
	}{
		{"cut before", nimhttptest.Fault{Cut: nimhttptest.CutBefore}, 0, false},
		{"cut after", nimhttptest.Fault{Cut: nimhttptest.CutAfter}, 0, true},
		{"status", nimhttptest.Fault{Status: 502}, 502, false},
		{"body", nimhttptest.Fault{Body: "{}"}, 200, false},
		{"header", nimhttptest.Fault{Header: http.Header{"Date": {"yesterday"}}}, 200, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, to := range creates {
				s := newAPI(t)
				test.fault.Path = to.path
				s.Fault(test.fault)
				r := newRequest(t, "POST", s.APIURL()+"/nimserver"+to.path, asJSON(sign(time.Now())))
				r.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`{"%s": "new-1"}`, to.id)))
				status := 0
				if res, err := newClient(t).Do(r); err == nil {
					status = res.StatusCode
					res.Body.Close()
				}
				if _, made := s.World().FindIM("new-1"); status != test.status || made != test.effect {
					t.Errorf("%s: got HTTP %d, made %t, want HTTP %d, made %t", to.name, status, made, test.status, test.effect)
				}
				wantResult(t, "the next call", api(t, s, "GET", "/im/v2/accounts/myaccid", ""), 200)
			}
		})
	}
}
