package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

func TestControlRefuses(t *testing.T) {
	at, stop := startSandbox(t)
	defer stop()
	const kick = `{"accid": "myaccid", "reason": 2}`
	tests := []struct {
		name, method, path, auth, host, body string
		status                               int
		wants                                string
	}{
		{"good", "POST", "/v1/kick", "Bearer S", "", kick, 204, ""},
		{"scheme in another case", "POST", "/v1/kick", "bearer  S", "", kick, 204, ""},
		{"localhost", "POST", "/v1/kick", "Bearer S", "localhost:1", kick, 204, ""},
		{"IPv6", "POST", "/v1/kick", "Bearer S", "[::1]", kick, 204, ""},
		{"no secret", "POST", "/v1/kick", "", "", kick, 401, "controlSecret"},
		{"the gateway's secret", "POST", "/v1/kick", "Bearer G", "", kick, 401, "controlSecret"},
		{"secret without scheme", "POST", "/v1/kick", "S", "", kick, 401, "controlSecret"},
		{"another scheme", "POST", "/v1/kick", "Basic S", "", kick, 401, "controlSecret"},
		{"foreign Host", "POST", "/v1/kick", "Bearer S", "example.com", kick, 403, "Host"},
		{"Host that resolves here", "POST", "/v1/kick", "Bearer S", "127.0.0.1.example.com:80", kick, 403, "Host"},
		{"unknown path", "POST", "/v1/kik", "Bearer S", "", kick, 404, "/v1/kick"},
		{"GET", "GET", "/v1/kick", "Bearer S", "", "", 405, "POST"},
		{"huge", "POST", "/v1/kick", "Bearer S", "", strings.Repeat(" ", 64<<10+1), 413, "65536 bytes"},
		{"no body", "POST", "/v1/kick", "Bearer S", "", "", 400, "invalid JSON"},
		{"no JSON", "POST", "/v1/kick", "Bearer S", "", "accid=myaccid", 400, "invalid JSON"},
		{"array", "POST", "/v1/kick", "Bearer S", "", "[]", 400, "want a JSON object"},
		{"unknown field", "POST", "/v1/kick", "Bearer S", "", `{"accid": "myaccid", "reson": 2}`, 400, `unknown field "reson"`},
		{"field in another case", "POST", "/v1/kick", "Bearer S", "", `{"Accid": "myaccid", "reason": 2}`, 400, `unknown field "Accid"`},
		{"field twice", "POST", "/v1/kick", "Bearer S", "", `{"accid": "a", "accid": "b", "reason": 2}`, 400, "appears twice"},
		{"trailing data", "POST", "/v1/kick", "Bearer S", "", kick + kick, 400, "text after the JSON value"},
		{"no reason", "POST", "/v1/kick", "Bearer S", "", `{"accid": "myaccid"}`, 400, "reason must be 1"},
		{"reason 5", "POST", "/v1/kick", "Bearer S", "", `{"accid": "myaccid", "reason": 5}`, 400, "reason must be 1"},
		{"no accid", "POST", "/v1/kick", "Bearer S", "", `{"reason": 2}`, 400, "accid is missing"},
		{"unknown accid", "POST", "/v1/kick", "Bearer S", "", `{"accid": "nobody", "reason": 2}`, 404, `no IM account "nobody"`},
		{"no cause", "POST", "/v1/end-im", "Bearer S", "", `{"accid": "myaccid"}`, 400, "cause must be one of ErrAccountBanned"},
		{"cause null", "POST", "/v1/end-im", "Bearer S", "", `{"accid": "myaccid", "cause": null}`, 400, "cause must be one of"},
		{"unknown cause", "POST", "/v1/end-im", "Bearer S", "", `{"accid": "myaccid", "cause": "Banned"}`, 400, "cause must be one of"},
		{"number of a cause", "POST", "/v1/end-im", "Bearer S", "", `{"accid": "myaccid", "cause": -20009}`, 204, ""},
		{"number of another Code", "POST", "/v1/end-im", "Bearer S", "", `{"accid": "myaccid", "cause": -20001}`, 400, "cause must be one of"},
		{"end-im, unknown accid", "POST", "/v1/end-im", "Bearer S", "", `{"accid": "nobody", "cause": -20009}`, 404, "nobody"},
		{"end-kit, unknown user", "POST", "/v1/end-kit", "Bearer S", "", `{"userUuid": "nobody", "cause": "ErrTokenExpired"}`, 404, `no kit account "nobody"`},
		{"end-kit, no cause", "POST", "/v1/end-kit", "Bearer S", "", `{"userUuid": "myaccid"}`, 400, "cause must be one of"},
		{"expire, no user", "POST", "/v1/expire", "Bearer S", "", `{}`, 400, "userUuid is missing"},
		{"expire, unknown user", "POST", "/v1/expire", "Bearer S", "", `{"userUuid": "nobody"}`, 404, "nobody"},
		{"link, no online", "POST", "/v1/link", "Bearer S", "", `{"accid": "myaccid"}`, 400, "online is missing"},
		{"link, unknown accid", "POST", "/v1/link", "Bearer S", "", `{"accid": "nobody", "online": true}`, 404, "nobody"},
		{"fault, status 100", "POST", "/v1/fault", "Bearer S", "", `{"status": 100}`, 400, "200 to 599, not 100"},
		{"fault, status 600", "POST", "/v1/fault", "Bearer S", "", `{"status": 600}`, 400, "200 to 599, not 600"},
		{"fault, times", "POST", "/v1/fault", "Bearer S", "", `{"times": -1}`, 400, "times must be"},
		{"fault, cut", "POST", "/v1/fault", "Bearer S", "", `{"cut": "never"}`, 400, `before or after, not "never"`},
		{"fault, long delay", "POST", "/v1/fault", "Bearer S", "", `{"delayMs": 600001}`, 400, "delayMs"},
		{"fault, negative pause", "POST", "/v1/fault", "Bearer S", "", `{"trickleMs": -1}`, 400, "trickleMs"},
		{"fault, header of two lines", "POST", "/v1/fault", "Bearer S", "", `{"header": {"A": "b\r\nC: d"}}`, 400, "header A"},
		{"fault, no name of a header", "POST", "/v1/fault", "Bearer S", "", `{"header": {"A B": "c"}}`, 400, `"A B"`},
		{"fault, text for a number", "POST", "/v1/fault", "Bearer S", "", `{"status": "503"}`, 400, "status must not be a JSON string"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), test.method, at["control"]+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if test.auth != "" {
				r.Header.Set("Authorization", strings.NewReplacer("S", at["controlSecret"], "G", at["gatewaySecret"]).Replace(test.auth))
			}
			r.Host = test.host
			status, text := send(t, r)
			if status != test.status || !strings.Contains(text, test.wants) {
				t.Errorf("got HTTP %d, %q, want %d and %q", status, text, test.status, test.wants)
			}
		})
	}
	// No refused fault has any effect.
	if code, _ := post(t, at["kit"]+"/scene/apps/app1/v1/login", "app1", "myaccid", "myUserToken"); code != 0 {
		t.Errorf("login: got code %d", code)
	}
}

// A client over HTTP gets the code that docs/sandbox.md lists for each cause.
func TestControlCauses(t *testing.T) {
	tests := map[string]struct {
		sdkCode int
		code    engine.Code // 0: the client has no Code for it
	}{
		"ErrTokenRejected":  {102302, engine.ErrTokenRejected},
		"ErrTokenExpired":   {102302, engine.ErrTokenRejected},
		"ErrAccountBanned":  {102422, engine.ErrAccountBanned},
		"ErrNotEnabled":     {101301, 0},
		"ErrAppKeyMismatch": {101303, 0},
	}
	for name := range causes {
		test, known := tests[name]
		if name == "ErrUnavailable" {
			continue // the link drops and comes back: the login holds
		}
		t.Run(name, func(t *testing.T) {
			at, stop := startSandbox(t)
			t.Cleanup(func() { stop() })
			h := newHost(t, at)
			if status, text := callControl(t, at, "/v1/end-im", `{"accid": "MyAccid", "cause": "`+name+`"}`); status != http.StatusNoContent {
				t.Fatalf("got HTTP %d, %s", status, text)
			}
			h.await("the end of IM", func(s engine.Status) bool { return s.State < engine.IMLoggedIn && s.Cause != nil })
			cause := h.engine.Status().Cause
			var sdk *nimhttp.ServerError
			if !known || !errors.As(cause, &sdk) || sdk.Code != test.sdkCode || test.code != engine.CodeOf(cause) {
				t.Errorf("got %v (code %d), want code %d of the SDK, and %v", cause, engine.CodeOf(cause), test.sdkCode, test.code)
			}
		})
	}
}
