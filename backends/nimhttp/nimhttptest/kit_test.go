package nimhttptest_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

func TestLoginReply(t *testing.T) {
	s := newServer(t)
	before := time.Now().UnixMilli()
	got := ask(t, s, "POST", login, as("USER1", "kit-1", "device1"))
	wantCode(t, "login", got, 0)
	want := map[string]any{"userUuid": "user1", "imKey": "app1", "imToken": "im-1", "imAccid": "myaccid", "rtcKey": "app1"}
	if !maps.Equal(got.Data, want) {
		t.Errorf("got data %v, want %v", got.Data, want)
	}
	fields := slices.Sorted(maps.Keys(got.fields))
	if want := []string{"code", "cost", "data", "msg", "requestId", "ts"}; !slices.Equal(fields, want) {
		t.Errorf("got fields %v, want %v", fields, want)
	}
	if got.Msg != "success" || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(got.RequestID) ||
		!regexp.MustCompile(`^\d+ms$`).MatchString(got.Cost) || got.TS < before || got.TS > time.Now().UnixMilli() {
		t.Errorf("got msg %q, requestId %q, cost %q, ts %d", got.Msg, got.RequestID, got.Cost, got.TS)
	}
	if again := ask(t, s, "POST", login, user1()); again.RequestID == got.RequestID {
		t.Errorf("got requestId %q twice", again.RequestID)
	}
}

func TestRefusals(t *testing.T) {
	s := newServer(t)
	tests := []struct {
		name         string
		method, path string
		header       http.Header
		status, code int
	}{
		{"wrong token", "POST", login, as("user1", "kit-2", "d"), 200, 402},
		{"IM token", "POST", login, as("user1", "im-1", "d"), 200, 402},
		{"unknown user", "POST", login, as("user2", "kit-1", "d"), 200, 402},
		{"bound to nothing", "POST", login, as("unbound", "kit-2", "d"), 200, 1021},
		{"bound to nobody", "POST", login, as("astray", "kit-3", "d"), 200, 701},
		{"no AppKey", "POST", login, without(user1(), "AppKey"), 200, 401},
		{"no user", "POST", login, without(user1(), "user"), 200, 401},
		{"no token", "POST", login, without(user1(), "token"), 200, 401},
		{"unknown AppKey", "POST", "/scene/apps/app2/v1/login", with(user1(), "AppKey", "app2"), 200, 404},
		{"AppKey of the path", "POST", "/scene/apps/app2/v1/login", user1(), 200, 404},
		{"AppKey of the header", "POST", login, with(user1(), "AppKey", "app2"), 200, 404},
		{"token check, wrong token", "POST", checkToken, as("user1", "kit-2", "d"), 200, 402},
		{"token check, no user", "POST", checkToken, without(user1(), "user"), 200, 401},
		{"account, wrong token", "GET", account, as("user1", "kit-2", "d"), 200, 402},
		{"account, no token", "GET", account, without(user1(), "token"), 200, 401},
		{"guest, no AppKey", "POST", anonymous, nil, 200, 401},
		{"guest, unknown AppKey", "POST", anonymous, http.Header{"Appkey": {"app2"}}, 200, 404},
		{"environment, unknown AppKey", "GET", "/scene/apps/app2/v1/skuEnv", nil, 200, 404},
		{"configuration, unknown AppKey", "GET", "/scene/meeting/app2/v1/config", nil, 200, 404},
		{"root", "GET", "/", nil, 404, 404},
		{"unknown call", "POST", "/scene/apps/app1/v1/logout", user1(), 404, 404},
		{"trailing slash", "POST", login + "/", user1(), 404, 404},
		{"no AppKey in the path", "POST", "/scene/apps//v1/login", user1(), 404, 404},
		{"wrong version", "POST", "/scene/apps/app1/v2/login", user1(), 404, 404},
		{"wrong scene", "POST", "/scene/meeting/app1/v1/login", user1(), 404, 404},
		{"wrong method", "GET", login, user1(), 405, 405},
		{"wrong method of a query", "POST", skuEnv, user1(), 405, 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, s, test.method, test.path, test.header)
			if got.status != test.status || got.Code != test.code {
				t.Errorf("got HTTP %d, code %d, %q, want HTTP %d, code %d", got.status, got.Code, got.Msg, test.status, test.code)
			}
			if _, has := got.fields["data"]; has || got.Msg == "" || got.Msg == "success" || got.RequestID == "" {
				t.Errorf("got %s", got.fields)
			}
		})
	}
}

func TestMissingHeaderIsNamed(t *testing.T) {
	s := newServer(t)
	for _, name := range []string{"AppKey", "user", "token"} {
		if got := ask(t, s, "POST", login, without(user1(), name)); !strings.Contains(got.Msg, name) {
			t.Errorf("without %s: got %q", name, got.Msg)
		}
	}
}

func TestPathPrefix(t *testing.T) {
	s := newServer(t)
	for _, prefix := range []string{"/roomkit", "/a/b.c/scene", "/%E7%A7%81%2F"} {
		wantCode(t, prefix, ask(t, s, "POST", prefix+login, user1()), 0)
	}
}

func TestAppKeyEscapes(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{AppKey: "a/b c"})
	h := with(as(nimhttptest.UserUUID, nimhttptest.UserToken, ""), "AppKey", "a/b c")
	wantCode(t, "login", ask(t, s, "POST", "/scene/apps/a%2Fb%20c/v1/login", h), 0)
}

func TestHeaderNamesInAnyCase(t *testing.T) {
	s := newServer(t)
	h := http.Header{"APPKEY": {"app1"}, "uSER": {"user1"}, "Token": {"kit-1"}, "deviceid": {"d"}}
	wantCode(t, "login", ask(t, s, "POST", login, h), 0)
}

// The accounts of the guides have one id, because the vendor's web kit requires
// it.
func TestGuideAccounts(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{})
	h := as("myaccid", nimhttptest.UserToken, "")
	got := ask(t, s, "POST", "/scene/apps/app1/v1/login", h)
	wantCode(t, "login", got, 0)
	want := map[string]any{"userUuid": "myaccid", "imKey": "app1", "imToken": "myToken", "imAccid": "myaccid", "rtcKey": "app1"}
	if !maps.Equal(got.Data, want) || nimhttptest.AppKey != "app1" || nimhttptest.Accid != "myaccid" ||
		nimhttptest.IMToken != "myToken" || nimhttptest.UserUUID != "myaccid" {
		t.Errorf("got data %v, want %v", got.Data, want)
	}
	device := s.World().Device()
	im, err := device.Authenticate(t.Context(), engine.KitAccount{UserUUID: nimhttptest.UserUUID, Token: nimhttptest.UserToken})
	if err != nil || im.Accid != "myaccid" {
		t.Errorf("in the world: got %v and %v", im, err)
	}
}

func TestAnyAppKey(t *testing.T) {
	world := mockim.NewService(mockim.ServiceOptions{})
	world.AddIM(engine.IMAccount{Accid: "myaccid", Token: "im-1"})
	world.Bind(engine.KitAccount{UserUUID: "user1", Token: "kit-1"}, "myaccid")
	s := nimhttptest.New(t, nimhttptest.Options{World: world})
	if s.World() != world {
		t.Error("World is not the one in Options")
	}
	for _, key := range []string{"app1", "app2"} {
		got := ask(t, s, "POST", "/scene/apps/"+key+"/v1/login", with(user1(), "AppKey", key))
		if wantCode(t, key, got, 0); got.Data["imKey"] != key {
			t.Errorf("%s: got imKey %v", key, got.Data["imKey"])
		}
	}
	wantCode(t, "two AppKeys", ask(t, s, "POST", "/scene/apps/app2/v1/login", user1()), 404)
}

// IM may have another AppKey than the kit. The client must notice that.
func TestIMKeyOfTheAccount(t *testing.T) {
	world := newWorld()
	world.AddIM(engine.IMAccount{AppKey: "app2", Accid: "myaccid", Token: "im-1"})
	s := nimhttptest.New(t, nimhttptest.Options{World: world, AppKey: "app1"})
	if got := ask(t, s, "POST", login, user1()); got.Data["imKey"] != "app2" {
		t.Errorf("got imKey %v, want app2", got.Data["imKey"])
	}
}

func TestAnonymous(t *testing.T) {
	s := newServer(t)
	seen := map[any]bool{}
	for range 2 {
		got := ask(t, s, "POST", anonymous, http.Header{"Appkey": {"app1"}})
		wantCode(t, "anonymous", got, 0)
		user, token := got.Data["userUuid"].(string), got.Data["userToken"].(string)
		if user == "" || token == "" || got.Data["imToken"] == "" || got.Data["imKey"] != "app1" || seen[user] {
			t.Errorf("got %v, after %v", got.Data, seen)
		}
		seen[user] = true
		in := ask(t, s, "POST", login, as(user, token, "device1"))
		if wantCode(t, "login of the guest", in, 0); in.Data["imToken"] != got.Data["imToken"] {
			t.Errorf("the guest's IM token: got %v, then %v", got.Data["imToken"], in.Data["imToken"])
		}
	}
}

func TestNoAnonymous(t *testing.T) {
	world := mockim.NewService(mockim.ServiceOptions{NoAnonymous: true})
	s := nimhttptest.New(t, nimhttptest.Options{World: world, AppKey: "app1"})
	wantCode(t, "anonymous", ask(t, s, "POST", anonymous, http.Header{"Appkey": {"app1"}}), 403)
}

func TestEnvironment(t *testing.T) {
	s := newServer(t)
	got := ask(t, s, "GET", skuEnv, nil)
	wantCode(t, "environment", got, 0)
	im, _ := got.Data["im"].(map[string]any)
	want := []string{"https_enabled", "link_web", "nos_downloader", "nos_lbs", "nos_uploader", "weblbsUrl", "websdkSsl"}
	if keys := slices.Sorted(maps.Keys(im)); !slices.Equal(keys, want) {
		t.Errorf("got im %v, want %v", keys, want)
	}
	here := strings.TrimPrefix(s.KitURL(), "http://")
	for name, value := range im {
		if text, isText := value.(string); isText && !strings.Contains(text, here) {
			t.Errorf("%s: got %q, want only this server in it", name, text)
		}
	}
	if got.Data["rtc"] == nil || got.Data["whiteboard"] == nil {
		t.Errorf("got %v", got.Data)
	}
}

func TestMeeting(t *testing.T) {
	s := newServer(t)
	got := ask(t, s, "GET", account, user1())
	wantCode(t, "account", got, 0)
	if got.Data["userUuid"] != "user1" || got.Data["userToken"] != "kit-1" || got.Data["nickname"] != "user1" || got.Data["settings"] == nil {
		t.Errorf("got %v", got.Data)
	}
	if got := ask(t, s, "GET", config, nil); got.Code != 0 || got.Data["appConfig"] == nil {
		t.Errorf("configuration: got %v", got)
	}
}

func TestBrowser(t *testing.T) {
	s := newServer(t)
	s.Fault(nimhttptest.Fault{Path: login}) // does not apply to the preflight
	s.Fault(nimhttptest.Fault{Path: login, Status: 503})
	res, body := raw(t, "OPTIONS", s.KitURL()+login, http.Header{
		"Origin":                         {"https://app.example.com"},
		"Access-Control-Request-Method":  {"POST"},
		"Access-Control-Request-Headers": {"appkey,clienttype,deviceid,token,user"},
	})
	h := res.Header
	if res.StatusCode != 204 || body != "" || h.Get("Access-Control-Allow-Origin") != "*" ||
		h.Get("Access-Control-Allow-Headers") != "appkey,clienttype,deviceid,token,user" ||
		!strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("preflight: got HTTP %d, %q and %v", res.StatusCode, body, h)
	}
	for _, want := range []int{200, 503, 200} {
		res, _ := raw(t, "POST", s.KitURL()+login, user1())
		if res.StatusCode != want || res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("got HTTP %d and %v, want HTTP %d for any origin", res.StatusCode, res.Header, want)
		}
	}
}

// With Origins, only pages from this machine and of those origins may call.
func TestOrigins(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{Origins: []string{"https://dev.example.com"}})
	for origin, want := range map[string]int{
		"http://127.0.0.1:1": 204, "https://dev.example.com": 204, "https://example.com": 403, "null": 403,
	} {
		header := http.Header{"Origin": {origin}, "Access-Control-Request-Headers": {"token"}}
		res, _ := raw(t, "OPTIONS", s.KitURL()+login, header)
		if allowed := res.Header.Get("Access-Control-Allow-Origin") == "*"; res.StatusCode != want || allowed != (want == 204) {
			t.Errorf("%s: got HTTP %d and %v, want HTTP %d", origin, res.StatusCode, res.Header, want)
		}
	}
	guest, _ := raw(t, "POST", s.KitURL()+anonymous, http.Header{"Origin": {"https://example.com"}, "Appkey": {nimhttptest.AppKey}})
	if guest.StatusCode != 403 {
		t.Errorf("without a preflight: got HTTP %d, want 403", guest.StatusCode)
	}
	if _, err := nimhttptest.Start(nimhttptest.Options{Origins: []string{"example.com"}}); !errors.Is(err, engine.ErrArgument) {
		t.Errorf("got %v, want ErrArgument", err)
	}
}

func TestTooLarge(t *testing.T) {
	s := newServer(t)
	post := func(size int) int {
		r := newRequest(t, "POST", s.KitURL()+login, user1())
		r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", size)))
		res, err := newClient(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := post(64 << 10); got != 200 {
		t.Errorf("a body of 64 KiB: got HTTP %d, want 200", got)
	}
	if got := post(64<<10 + 1); got != 413 {
		t.Errorf("a body of more: got HTTP %d, want 413", got)
	}
	res, _ := raw(t, "POST", s.KitURL()+login, with(user1(), "token", strings.Repeat("x", 64<<10)))
	if res.StatusCode != 431 {
		t.Errorf("a header of 64 KiB: got HTTP %d, want 431", res.StatusCode)
	}
}
