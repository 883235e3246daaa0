package contract_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
)

// Rows about valid and invalid requests.

type gatewayHealth struct {
	Boot, SDK, Version string
	Slots              int
	Proof              string
}

func (w *contractWorld) health(t *testing.T) gatewayHealth {
	t.Helper()
	r, err := w.send(t.Context(), "GET", "/healthz", "", nil)
	if err != nil || r.status != 200 {
		t.Fatalf("got %v and %v", r, err)
	}
	return r.health
}

func contractSecret(t *testing.T, w *contractWorld) {
	for name, secret := range map[string]string{
		"none":     "",
		"wrong":    "not-the-secret-of-it",
		"longer":   w.secret + "x",
		"shorter":  w.secret[1:],
		"in front": "x " + w.secret,
	} {
		stranger := newGatewayClient(t, w.url, secret, w.judge)
		for _, call := range [][2]string{
			{"PUT", "/v1/im/secret"}, {"GET", "/v1/im/secret"}, {"DELETE", "/v1/im/secret"}, {"POST", "/v1/im/secret/login"}, {"POST", "/v1/im/secret/logout"}, {"PUT", "/v1/im/secret/token"},
			{"PATCH", "/v1/im/secret"}, {"OPTIONS", "/v1/im/secret"}, {"GET", "/v1/im/%20"}, {"GET", "/elsewhere"}, {"GET", "/"},
		} {
			r, err := stranger.send(t.Context(), call[0], call[1], "text/plain", strings.NewReader("{"))
			if err != nil || r.kind != "unauthorized" || r.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: %s %s: got %v and %v, want unauthorized", name, call[0], call[1], r, err)
			}
		}
	}
	s := w.slot("secret")
	s.wants("GET", s.get(), "no-such-slot")
	s.wants("PUT", s.init(), "200")
	stranger := newGatewayClient(t, w.url, "not-the-secret-of-it", w.judge)
	if r, err := stranger.send(t.Context(), "DELETE", "/v1/im/secret", "", nil); err != nil || r.kind != "unauthorized" {
		t.Errorf("DELETE without the secret: got %v and %v", r, err)
	}
	s.wants("GET", s.get(), "200")
}

func contractHealth(t *testing.T, w *contractWorld) {
	stranger := newGatewayClient(t, w.url, "", w.judge)
	r, err := stranger.send(t.Context(), "GET", "/healthz", "", nil)
	if err != nil || r.status != 200 {
		t.Fatalf("got %v and %v", r, err)
	}
	before := r.health
	if before.Version != gateway.Version || before.SDK == "" {
		t.Errorf("got %+v, want version %s", before, gateway.Version)
	}
	s := w.slot("health")
	s.wants("login", s.login("user-one", tokenOne), "not-initialised")
	if got := w.health(t); got != before {
		t.Errorf("got %+v, want %+v, unchanged", got, before)
	}
	if boot := s.init().snapshot.Boot; boot != before.Boot {
		t.Errorf("got boot %q, want %q", boot, before.Boot)
	}
	if got := w.health(t).Slots; got != before.Slots+1 {
		t.Errorf("got %d slots, want one more than %d", got, before.Slots)
	}
	s.wants("DELETE", s.must("DELETE", "", nil), "200")
	if got := w.health(t); got != before {
		t.Errorf("got %+v, want %+v", got, before)
	}
}

const anyJSON = "application/json"

func contractBadRequests(t *testing.T, w *contractWorld) {
	const (
		path  = "/v1/im/bad"
		login = path + "/login"
		good  = `"accid":"user-one","token":"t","owner":"o"`
	)
	s := w.ready("bad")
	before, slots := s.get().snapshot, w.health(t).Slots
	for _, row := range []struct {
		name, method, target, contentType, body, want string
	}{
		{"unknown field of init", "PUT", path, anyJSON, `{"appKey":"app1","extra":1}`, "bad-request"},
		{"field in another case", "PUT", path, anyJSON, `{"appkey":"app1"}`, "bad-request"},
		{"field named __proto__", "PUT", path, anyJSON, `{"appKey":"app1","__proto__":{}}`, "bad-request"},
		{"unknown field of login", "POST", login, anyJSON, `{` + good + `,"password":"x"}`, "bad-request"},
		{"field of logout", "POST", path + "/logout", anyJSON, `{"force":true}`, "bad-request"},
		{"owner of logout that is empty", "POST", path + "/logout", anyJSON, `{"owner":""}`, "bad-request"},
		{"owner of logout that is a number", "POST", path + "/logout", anyJSON, `{"owner":1}`, "bad-request"},
		{"owner of logout that is too long", "POST", path + "/logout", anyJSON, `{"owner":"` + strings.Repeat("o", 129) + `"}`, "bad-request"},
		{"owner of logout as a parameter", "POST", path + "/logout?owner=o", "", "", "bad-request"},
		{"logout as text", "POST", path + "/logout", "text/plain", `{"owner":"o"}`, "wrong-media-type"},
		{"logout of 64 KiB and a byte", "POST", path + "/logout", anyJSON, `{"owner":"o"}` + strings.Repeat(" ", 64<<10), "too-large"},
		{"unknown field of an answer", "PUT", path + "/token", anyJSON, `{"asks":1,"owner":"o"}`, "bad-request"},
		{"answer to no number", "PUT", path + "/token", anyJSON, `{"token":"t"}`, "bad-request"},
		{"answer to question 0", "PUT", path + "/token", anyJSON, `{"asks":0}`, "bad-request"},
		{"answer that is empty", "PUT", path + "/token", anyJSON, `{"asks":1,"token":""}`, "bad-request"},
		{"answer that is too long", "PUT", path + "/token", anyJSON, `{"asks":1,"token":"` + strings.Repeat("t", 4097) + `"}`, "bad-request"},
		{"parameter of an answer", "PUT", path + "/token?asks=1", anyJSON, `{"asks":1}`, "bad-request"},
		{"answer as text", "PUT", path + "/token", "text/plain", `{"asks":1}`, "wrong-media-type"},
		{"answer of 64 KiB and a byte", "PUT", path + "/token", anyJSON, `{"asks":1}` + strings.Repeat(" ", 64<<10), "too-large"},
		{"answer in an unknown slot", "PUT", "/v1/im/none/token", anyJSON, `{"asks":1}`, "no-such-slot"},
		{"owner of release that is empty", "DELETE", path + "?owner=", "", "", "bad-request"},
		{"owner of release that is too long", "DELETE", path + "?owner=" + strings.Repeat("o", 129), "", "", "bad-request"},
		{"owner of release, twice", "DELETE", path + "?owner=o&owner=o", "", "", "bad-request"},
		{"owner of release in the body", "DELETE", path, anyJSON, `{"owner":"o"}`, "bad-request"},
		{"field of release", "DELETE", path, anyJSON, `{"force":true}`, "bad-request"},
		{"field of a read", "GET", path, anyJSON, `{"after":1}`, "bad-request"},
		{"unknown parameter", "GET", path + "?before=3", "", "", "bad-request"},
		{"parameter twice", "GET", path + "?after=1&after=2", "", "", "bad-request"},
		{"parameter of init", "PUT", path + "?after=1", anyJSON, `{"appKey":"app1"}`, "bad-request"},
		{"parameter of login", "POST", login + "?timeoutMs=1", anyJSON, `{` + good + `}`, "bad-request"},
		{"parameter of logout", "POST", path + "/logout?a=1", "", "", "bad-request"},
		{"parameter of release", "DELETE", path + "?a=", "", "", "bad-request"},
		{"parameter that cannot be read", "GET", path + "?after=%zz", "", "", "bad-request"},
		{"negative after", "GET", path + "?after=-1", "", "", "bad-request"},
		{"after with a sign", "GET", path + "?after=%2B1", "", "", "bad-request"},
		{"after with an exponent", "GET", path + "?after=1e3", "", "", "bad-request"},
		{"after with a fraction", "GET", path + "?after=1.0", "", "", "bad-request"},
		{"empty after", "GET", path + "?after=", "", "", "bad-request"},
		{"after beyond all integers", "GET", path + "?after=9007199254740992", "", "", "bad-request"},
		{"after of 17 digits", "GET", path + "?after=00000000000000001", "", "", "bad-request"},
		{"wait that is too long", "GET", path + "?after=1&waitMs=30001", "", "", "bad-request"},
		{"cut off", "PUT", path, anyJSON, `{"appKey":`, "bad-request"},
		{"with more behind it", "PUT", path, anyJSON, `{"appKey":"app1"} {}`, "bad-request"},
		{"list", "PUT", path, anyJSON, `[]`, "bad-request"},
		{"null", "PUT", path, anyJSON, `null`, "bad-request"},
		{"string", "PUT", path, anyJSON, `"appKey"`, "bad-request"},
		{"nothing", "PUT", path, "", "", "bad-request"},
		{"nothing as JSON", "PUT", path, anyJSON, "", "bad-request"},
		{"nothing as text", "PUT", path, "text/plain", "", "wrong-media-type"},
		{"not UTF-8", "PUT", path, anyJSON, "{\"appKey\":\"\xff\"}", "bad-request"},
		{"form", "PUT", path, "application/x-www-form-urlencoded", "appKey=app1", "wrong-media-type"},
		{"JSON as text", "POST", login, "text/plain", `{` + good + `}`, "wrong-media-type"},
		{"JSON with a suffix", "PUT", path, "application/jsonp", `{"appKey":"app1"}`, "wrong-media-type"},
		{"64 KiB and a byte", "PUT", path, anyJSON, `{"appKey":"app1"}` + strings.Repeat(" ", 64<<10+1-17), "too-large"},
		{"1 MiB", "POST", login, anyJSON, `{"accid":"` + strings.Repeat("x", 1<<20) + `"}`, "too-large"},
		{"large as text", "PUT", path, "text/plain", strings.Repeat(" ", 64<<10+1), "too-large"},
		{"slot with a slash", "PUT", "/v1/im/a/b", anyJSON, `{"appKey":"app1"}`, "no-such-path"},
		{"slot with an escaped slash", "PUT", "/v1/im/a%2Fb", anyJSON, `{"appKey":"app1"}`, "bad-request"},
		{"slot with a space", "POST", "/v1/im/%20/login", anyJSON, `{` + good + `}`, "bad-request"},
		{"slot with a space, logout", "POST", "/v1/im/%20/logout", "", "", "bad-request"},
		{"slot of 65 characters", "DELETE", "/v1/im/" + strings.Repeat("a", 65), "", "", "bad-request"},
		{"slot of 10 kB", "GET", "/v1/im/" + strings.Repeat("a", 10_000), "", "", "bad-request"},
		{"no slot", "PUT", "/v1/im/", anyJSON, `{"appKey":"app1"}`, "no-such-path"},
		{"path with more", "POST", login + "/", anyJSON, `{` + good + `}`, "no-such-path"},
		{"path in front", "GET", "/x" + path, "", "", "no-such-path"},
		{"root", "GET", "/", "", "", "no-such-path"},
	} {
		r, err := w.send(t.Context(), row.method, row.target, row.contentType, strings.NewReader(row.body))
		if err != nil || r.kind != row.want {
			t.Errorf("%s: got %v and %v, want %s", row.name, r, err, row.want)
		}
		if about := strings.HasPrefix(row.target, path) && row.want != "no-such-path"; about != (r.snapshot.Seq == before.Seq) {
			t.Errorf("%s: got snapshot %v, want the slot's: %t", row.name, r.snapshot, about)
		}
	}
	if now := s.get().snapshot; now.String() != before.String() || w.health(t).Slots != slots {
		t.Errorf("got %v and %d slots, want %v and %d", now, w.health(t).Slots, before, slots)
	}
}

func contractGoodRequests(t *testing.T, w *contractWorld) {
	for _, row := range []struct{ name, slot, contentType, body string }{
		{"64 KiB", "good", anyJSON, `{"appKey":"app1"}` + strings.Repeat(" ", 64<<10-17)},
		{"charset", "good", "application/json; charset=utf-8", `{"appKey":"app1"}`},
		{"in capitals", "good", "Application/JSON", `{"appKey":"app1"}`},
		{"field twice", "good", anyJSON, `{"appKey":"app2","appKey":"app1"}`},
		{"integer with a fraction of 0", "good", anyJSON, `{"appKey":"app1","leaseMs":60000.0}`},
		{"integer with an exponent", "good", anyJSON, `{"appKey":"app1","leaseMs":6e4}`},
		{"slot of 64 characters", strings.Repeat("Az_.", 16), anyJSON, `{"appKey":"app1"}`},
		{"slot named ..", "..", anyJSON, `{"appKey":"app1"}`},
	} {
		s := w.slot(row.slot)
		r, err := w.send(t.Context(), "PUT", "/v1/im/"+row.slot, row.contentType, strings.NewReader(row.body))
		if err != nil || r.status != 200 || r.snapshot.AppKey != "app1" {
			t.Errorf("%s: got %v and %v, want 200", row.name, r, err)
		}
		s.wants(row.name, s.must("DELETE", "", map[string]any{}), "200")
	}
}

// The limits are in characters, not in bytes.
func contractBounds(t *testing.T, w *contractWorld) {
	long := func(n int) string { return strings.Repeat("é", n) }
	s := w.slot("bounds")
	for _, row := range []struct {
		field string
		good  []any
		bad   []any
	}{
		{"appKey", []any{"a", long(128)}, []any{"", long(129), 1, nil, true, []any{"a"}}},
		{"leaseMs", []any{0, 1000, 86_400_000}, []any{-1, 86_400_001, 1.5, "1", nil, true}},
		{"linkPlain", []any{false}, []any{"false", 0, nil, true}},
	} {
		for _, value := range row.good {
			s.wants("PUT", s.init(map[string]any{row.field: value}), "200")
		}
		for _, value := range row.bad {
			s.wants("PUT", s.must("PUT", "", with(map[string]any{"appKey": "app1"}, map[string]any{row.field: value})), "bad-request")
		}
	}
	s.wants("PUT without appKey", s.must("PUT", "", map[string]any{"leaseMs": 0}), "bad-request")
	s.wants("PUT", s.init(), "200")
	request := loginRequest("nobody", tokenWrong, 20*time.Second)
	for _, row := range []struct {
		field string
		good  []any
		bad   []any
	}{
		{"accid", []any{long(128)}, []any{"", long(129), 7, nil}},
		{"token", []any{long(4096)}, []any{"", long(4097), 7, nil}},
		{"owner", []any{long(128)}, []any{"", long(129), 7, nil}},
		{"dynamic", []any{false}, []any{"true", 1, nil}},
		{"timeoutMs", []any{120_000}, []any{0, -1, 120_001, 2.5, "5", nil}},
	} {
		for _, value := range row.good {
			s.wants(row.field, s.must("POST", "/login", with(request, map[string]any{row.field: value})), "login-failed")
		}
		for _, value := range row.bad {
			s.wants(row.field, s.must("POST", "/login", with(request, map[string]any{row.field: value})), "bad-request")
		}
		missing := with(request)
		delete(missing, row.field)
		if row.field != "timeoutMs" && row.field != "dynamic" {
			s.wants("without "+row.field, s.must("POST", "/login", missing), "bad-request")
		}
	}
}

// The snapshot does not show the servers, so it stays the same.
func contractServers(t *testing.T, w *contractWorld) {
	s := w.ready("servers")
	before := s.get().snapshot.String()
	for _, row := range []struct {
		lbs, link string
		plain     bool
		want      string
	}{
		{"", "", false, "200"},
		{"https://lbs.example.com/lbs", "link.example.com:443", false, "200"},
		{"http://127.0.0.1:1/lbs", "127.0.0.1:2", true, "200"},
		{"http://127.0.0.1:1/lbs", "127.0.0.1:2", false, "200"},
		{"http://localhost:1/lbs", "localhost:2", true, "200"},
		{"http://[::1]:1/lbs", "[::1]:2", true, "200"},
		{"http://127.8.9.10/", "link.example.com:443", false, "200"},
		{"", "", true, "bad-request"},
		{"https://lbs.example.com/", "", false, "bad-request"},
		{"", "link.example.com:443", false, "bad-request"},
		{"http://lbs.example.com/", "link.example.com:443", false, "bad-request"},
		{"https://user:pass@lbs.example.com/", "link.example.com:443", false, "bad-request"},
		{"https://user@lbs.example.com/", "link.example.com:443", false, "bad-request"},
		{"lbs", "link.example.com:443", false, "bad-request"},
		{"file:///etc/hosts", "link.example.com:443", false, "bad-request"},
		{"https://lbs.example.com/", "link.example.com", false, "bad-request"},
		{"https://lbs.example.com/", "link.example.com:0", false, "bad-request"},
		{"https://lbs.example.com/", "link.example.com:65536", false, "bad-request"},
		{"https://lbs.example.com/", "link.example.com:443/x", false, "bad-request"},
		{"https://lbs.example.com/", "::1:443", false, "bad-request"},
		{"https://lbs.example.com/", "[127.0.0.1]:443", false, "bad-request"},
		{"http://127.0.0.1:1/", "link.example.com:80", true, "bad-request"},
		{"https://lbs.example.com/", "127.0.0.1:80", true, "bad-request"},
		{"https://lbs.example.com/" + strings.Repeat("x", 2048-24), "link.example.com:443", false, "200"},
		{"https://lbs.example.com/" + strings.Repeat("x", 2049-24), "link.example.com:443", false, "bad-request"},
		{"https://lbs.example.com/", strings.Repeat("x", 297) + ":80", false, "200"},
		{"https://lbs.example.com/", strings.Repeat("x", 298) + ":80", false, "bad-request"},
	} {
		body := map[string]any{"appKey": gatewayAppKey}
		for name, value := range map[string]any{"lbsUrl": row.lbs, "linkAddr": row.link} {
			if value != "" {
				body[name] = value
			}
		}
		if row.plain {
			body["linkPlain"] = true
		}
		r := s.must("PUT", "", body)
		if got := r.kind; r.status == 200 && row.want != "200" || r.status != 200 && got != row.want || r.snapshot.String() != before {
			t.Errorf("%.60q, %.60q, plain %t: got %v, want %s and %s", row.lbs, row.link, row.plain, r, row.want, before)
		}
	}
}

func contractMethods(t *testing.T, w *contractWorld) {
	w.ready("methods")
	for target, want := range map[string][]string{
		"/healthz":             {"GET"},
		"/v1/im/methods":       {"DELETE", "GET", "PUT"},
		"/v1/im/methods/login": {"POST"}, "/v1/im/methods/logout": {"POST"}, "/v1/im/methods/token": {"PUT"},
	} {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "LOCK"} {
			if slices.Contains(want, method) {
				continue
			}
			r, err := w.send(t.Context(), method, target, "", nil)
			allow := strings.Split(r.header.Get("Allow"), ", ")
			slices.Sort(allow)
			if err != nil || r.kind != "method-not-allowed" || !slices.Equal(allow, want) {
				t.Errorf("%s %s: got %v and %v, Allow %q, want %q", method, target, r, err, allow, want)
			}
		}
		request, err := http.NewRequestWithContext(t.Context(), "HEAD", w.url+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+w.secret)
		response, err := w.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("HEAD %s: got %d", target, response.StatusCode)
		}
	}
}
