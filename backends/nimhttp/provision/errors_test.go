package provision_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

// The same number means different things on different servers
// (docs/vendor/http.md#error-codes).
func TestCodes(t *testing.T) {
	tests := []struct {
		call   string
		code   int
		want   engine.Code // 0 for none
		domain string
		text   string // in the error
	}{
		{"IM", 301, 0, "im", ""},
		{"IM", 403, 0, "im", "the signature was refused"},
		{"IM", 404, 0, "im", "/nimserver"},
		{"IM", 414, 0, "im", ""},
		{"IM", 422, engine.ErrAccountBanned, "im", ""},
		{"IM", 701, 0, "im", ""},
		{"IM", 101303, 0, "im", "another data centre"},
		{"IM", 102422, engine.ErrAccountBanned, "im", ""},
		{"IM", 102434, 0, "im", ""},
		{"IM", 103451, 0, "im", ""},
		{"IM", 0, 0, "im", ""},
		{"room", 400, 0, "room", ""},
		{"room", 401, 0, "room", "the signature was refused"},
		{"room", 403, 0, "room", ""},
		{"room", 200, 0, "room", ""},
		{"room", 449, 0, "room", ""},
		{"room", 701, engine.ErrNoIMAccount, "room", "the IM account does not exist: make it first"},
		{"room", 704, engine.ErrTokenRejected, "room", "IMToken is not the current token"},
		{"room", 600420, engine.ErrNotEnabled, "room", ""},
		{"meeting", 401, 0, "meeting", "the signature was refused"},
		{"meeting", 701, engine.ErrNoIMAccount, "meeting", "the IM account does not exist: make it first"},
		{"meeting", 704, engine.ErrTokenRejected, "meeting", "IMToken is not the current token"},
		{"meeting", 600420, engine.ErrNotEnabled, "meeting", ""},
		{"update", 404, 0, "room", ""},
		{"update", 600420, engine.ErrNotEnabled, "room", ""},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.call, " ", test.code), func(t *testing.T) {
			w := newWorld()
			reply := fault{body: fmt.Sprintf(`{"code":%d,"msg":"%s and %s are refused","request_id":"r1"}`, test.code, imToken, wanted.Accid)}
			w.faults["POST"], w.faults["PATCH"] = []fault{reply}, []fault{reply}
			_, _, err := createNamed(test.call)(t.Context(), w.client(t), wanted)
			var refused *nimhttp.ServerError
			if !errors.As(err, &refused) || refused.Code != test.code || refused.Domain != test.domain || refused.RequestID != "r1" {
				t.Fatalf("got %v, want code %d of the %s server", err, test.code, test.domain)
			}
			if got := engine.CodeOf(err); got != test.want {
				t.Errorf("got code %d, want %d", got, test.want)
			}
			if !strings.Contains(err.Error(), test.text) || !strings.Contains(refused.Msg, "*** and User01") {
				t.Errorf("got %q, want it to contain %q", err, test.text)
			}
			if len(w.requests) != 1 {
				t.Errorf("got %d requests, want 1", len(w.requests))
			}
			wantNoSecrets(t, err)
			wantNoSecrets(t, refused)
		})
	}
}

// After 700 and 702, failures of IM behind the server, the Client asks whether
// the account exists.
func TestIMFailedBehindTheServer(t *testing.T) {
	for _, call := range []string{"room", "meeting"} {
		for _, code := range []string{`{"code":700,"msg":"failed"}`, `{"code":702,"msg":"failed"}`} {
			for _, works := range []bool{true, false} {
				w := newWorld()
				w.faults["POST"] = []fault{{works: works, body: code}}
				_, _, err := createNamed(call)(t.Context(), w.client(t), wanted)
				if works && err != nil || !works && !errors.Is(err, engine.ErrUnavailable) || w.count("GET") != 1 {
					t.Errorf("%s %s: got %v after %d queries, want success: %t", call, code, err, w.count("GET"), works)
				}
			}
		}
	}
}

// A success has the account and its token, and the binding that was asked for.
func TestSuccesses(t *testing.T) {
	tests := []struct {
		name, call, reply string
		works             bool
		exists            bool // the error is an ExistsError
	}{
		{"IM", "IM", `{"code":200,"data":{"account_id":"user01","token":"im-token-1"}}`, true, false},
		{"IM, token not repeated", "IM", `{"code":200,"data":{"account_id":"user01"}}`, true, false},
		{"IM, upper case", "IM", `{"code":200,"data":{"account_id":"USER01"}}`, true, false},
		{"IM, code 0", "IM", `{"code":0,"data":{"account_id":"user01"}}`, false, false},
		{"IM, another account", "IM", `{"code":200,"data":{"account_id":"user02","token":"x"}}`, false, false},
		{"IM, no account", "IM", `{"code":200,"data":{}}`, false, false},
		{"IM, a list", "IM", `{"code":200,"data":[]}`, false, false},
		{"IM, bad token", "IM", `{"code":200,"data":{"account_id":"user01","token":"a\nb"}}`, false, false},
		{"room", "room", `{"code":0,"data":{"user_uuid":"user01","user_token":"user-token-1","im_token":"im-token-1"}}`, true, false},
		{"room, tokens not repeated", "room", `{"code":0,"data":{"user_uuid":"user01"}}`, true, false},
		{"room, upper case", "room", `{"code":0,"data":{"user_uuid":"USER01","user_token":"x"}}`, true, false},
		{"room, camel case", "room", `{"code":0,"data":{"userUuid":"user01","userToken":"user-token-1"}}`, true, false},
		{"room, another IM token", "room", `{"code":0,"data":{"user_uuid":"user01","user_token":"x","im_token":"im-token-2"}}`, false, true},
		{"room, code 200", "room", `{"code":200,"data":{"user_uuid":"user01","user_token":"x"}}`, false, false},
		{"room, another account", "room", `{"code":0,"data":{"user_uuid":"user02","user_token":"x"}}`, false, false},
		{"room, no data", "room", `{"code":0}`, false, false},
		{"meeting", "meeting", `{"code":0,"data":{"userUuid":"user01","userToken":"x"}}`, true, false},
		{"meeting, no token", "meeting", `{"code":0,"data":{"userUuid":"user01"}}`, false, false},
		{"meeting, a text", "meeting", `{"code":0,"data":"user01"}`, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.faults["POST"] = []fault{{body: test.reply}}
			id, token, err := createNamed(test.call)(t.Context(), w.client(t), wanted)
			if (err == nil) != test.works || (id == "user01" && token != "") != test.works || w.count("POST") != 1 {
				t.Errorf("got %q, %v after %d creates, want success: %t", id, err, w.count("POST"), test.works)
			}
			if errors.As(err, new(*provision.ExistsError)) != test.exists {
				t.Errorf("got %v, want an ExistsError: %t", err, test.exists)
			}
			wantNoSecrets(t, err)
		})
	}
}

// The reply of batch-get-user is not known, so a list anywhere in it counts.
func TestShapesOfFinds(t *testing.T) {
	tests := []struct {
		name, data string
		works      bool
	}{
		{"one", `{"userUuid":"user01","userToken":"x"}`, true},
		{"list", `[{"userUuid":"user02"},{"userUuid":"user01","userToken":"x"}]`, true},
		{"list of successes", `{"successList":[{"userUuid":"user01","userToken":"x"}],"failList":[]}`, true},
		{"list of failures", `{"successList":[],"failList":["user01"]}`, false},
		{"empty list", `[]`, false},
		{"others", `[{"userUuid":"user02","userToken":"x"}]`, false},
		{"no token", `[{"userUuid":"user01"}]`, false},
		{"ids", `["user01"]`, false},
		{"a text", `"user01"`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.faults["POST"] = []fault{{cut: true}}
			w.faults["GET"] = []fault{{body: `{"code":0,"data":` + test.data + `}`}}
			a, err := w.client(t).CreateMeetingAccount(t.Context(), wanted)
			if (err == nil) != test.works || (a.UserUUID == "user01" && a.Token == "x") != test.works {
				t.Errorf("got %v, %v, want success: %t", a, err, test.works)
			}
			if w.requests[1].path != "/scene/meeting/api/v2/batch-get-user?userUuids=user01" {
				t.Errorf("got %s", w.requests[1].path)
			}
		})
	}
}

// A redirect must not carry a signature or a token to another server.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, call := range creates {
		w := newWorld()
		w.faults["POST"] = []fault{{status: 308, body: "there", header: map[string][]string{"Location": {"https://example.com/"}}}}
		if _, _, err := call.create(t.Context(), w.client(t), wanted); !errors.Is(err, engine.ErrUnavailable) || len(w.requests) != 1 {
			t.Errorf("%s: got %v after %d requests, want ErrUnavailable after 1", call.name, err, len(w.requests))
		}
	}
}
