package nimhttptest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The rules for bodies, which are the same for all calls.

// creates are the calls that make an account.
var creates = []struct {
	name, path, id     string // id is the name of the field
	ok, bad, mediaType int    // codes
}{
	{"IM", "/im/v2/accounts", "account_id", 200, 414, 414},
	{"NERoom", "/neroom/v3/users", "user_uuid", 0, 400, 415},
	{"meeting", "/scene/meeting/api/v2/add-user", "userUuid", 0, 400, 415},
}

func TestAPIContentType(t *testing.T) {
	s := newAPI(t)
	good := []string{"application/json", "application/json;charset=UTF-8", "application/json; charset=utf-8", "Application/JSON"}
	bad := []string{"", "text/plain", "application/x-www-form-urlencoded;charset=UTF-8", "application/json; charset=gbk", "application/json+x", "application/json;;="}
	for _, test := range creates {
		t.Run(test.name, func(t *testing.T) {
			try := func(contentType string, n, want int) {
				h := with(sign(time.Now()), "Content-Type", contentType)
				if contentType == "" {
					h.Del("Content-Type")
				}
				wantResult(t, contentType, send(t, s, "POST", test.path, h, fmt.Sprintf(`{"%s": "%s-%d"}`, test.id, strings.ToLower(test.name), n)), want)
			}
			for n, contentType := range good {
				try(contentType, n, test.ok)
			}
			for n, contentType := range bad {
				try(contentType, 100+n, test.mediaType)
			}
		})
	}
}

func TestAPIBadBodies(t *testing.T) {
	s := newAPI(t)
	bodies := map[string]string{
		"nothing":       "",
		"an object":     "{}",
		"null":          "null",
		"a list":        "[]",
		"text":          `"ID"`,
		"cut off":       `{"ID": "new-1"`,
		"trailing":      `{"ID": "new-1"} {}`,
		"form":          "ID=new-1",
		"a number":      `{"ID": 1}`,
		"null id":       `{"ID": null}`,
		"empty id":      `{"ID": ""}`,
		"long id":       `{"ID": "` + strings.Repeat("a", 33) + `"}`,
		"space":         `{"ID": "new 1"}`,
		"slash":         `{"ID": "new/1"}`,
		"foreign":       `{"ID": "neü"}`,
		"folds to a k":  `{"ID": "` + "\u212a" + `"}`,
		"control":       `{"ID": "new\n"}`,
		"not UTF-8":     "{\"ID\": \"new\xff\"}",
		"another field": `{"accid": "new-1"}`,
	}
	for _, test := range creates {
		for name, body := range bodies {
			t.Run(test.name+", "+name, func(t *testing.T) {
				got := api(t, s, "POST", test.path, strings.ReplaceAll(body, "ID", test.id))
				wantResult(t, body, got, test.bad)
				if got.Msg == "" || got.Data != nil {
					t.Errorf("got msg %q, data %v", got.Msg, got.Data)
				}
			})
		}
	}
	for _, id := range []string{"new-1", "new", "k"} {
		if _, made := s.World().FindIM(id); made {
			t.Errorf("%s was made", id)
		}
	}
}

// Ids of 32 characters, in upper and lower case, with every allowed character.
func TestAPIGoodIDs(t *testing.T) {
	for _, test := range creates {
		s := newAPI(t)
		for _, id := range []string{"a", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", "6789_@.-"} {
			got := api(t, s, "POST", test.path, fmt.Sprintf(`{"%s": "%s", "unknown": {"of": ["any", "kind"]}, "none": null}`, test.id, id))
			wantResult(t, test.name, got, test.ok)
			if data, _ := got.Data.(map[string]any); data[test.id] != strings.ToLower(id) {
				t.Errorf("%s %s: got %v", test.name, id, got.Data)
			}
			if _, made := s.World().FindIM(id); !made {
				t.Errorf("%s %s: the IM account does not exist", test.name, id)
			}
		}
	}
}

func TestAPILengths(t *testing.T) {
	s := newAPI(t)
	tests := []struct {
		method, path, body string // N stands for a text of that length
		longest, ok, bad   int
	}{
		{"POST", "/im/v2/accounts", `{"account_id": "ID", "token": "N"}`, 128, 200, 414},
		{"POST", "/im/v2/accounts", `{"account_id": "ID", "user_information": {"name": "N"}}`, 64, 200, 414},
		{"POST", "/im/v2/accounts", `{"account_id": "ID", "user_information": {"avatar": "N"}}`, 1024, 200, 414},
		{"POST", "/im/v2/accounts", `{"account_id": "ID", "user_information": {"sign": "N"}}`, 256, 200, 414},
		{"POST", "/im/v2/accounts", `{"account_id": "ID", "user_information": {"email": "N"}}`, 64, 200, 414},
		{"POST", "/im/v2/accounts", `{"account_id": "ID", "user_information": {"birthday": "N"}}`, 16, 200, 414},
		{"POST", "/im/v2/accounts", `{"account_id": "ID", "user_information": {"mobile": "N"}}`, 32, 200, 414},
		{"POST", "/im/v2/accounts", `{"account_id": "ID", "user_information": {"extension": "N"}}`, 1024, 200, 414},
		{"PATCH", "/im/v2/accounts/myaccid", `{"token": "N"}`, 128, 200, 414},
		{"PATCH", "/im/v2/accounts/myaccid", `{"user_information": {"name": "N"}}`, 64, 200, 414},
		{"POST", "/neroom/v3/users", `{"user_uuid": "ID", "user_token": "N"}`, 64, 0, 400},
		{"POST", "/neroom/v3/users", `{"user_uuid": "ID", "user_name": "N"}`, 64, 0, 400},
		{"POST", "/neroom/v3/users", `{"user_uuid": "ID", "icon": "N"}`, 1000, 0, 400},
		{"POST", "/neroom/v3/users", `{"user_uuid": "ID", "im_token": "N"}`, 64, 701, 400},
		{"PATCH", "/neroom/v3/users/user1", `{"user_token": "N"}`, 64, 0, 400},
		{"PATCH", "/neroom/v3/users/user1", `{"user_name": "N"}`, 64, 0, 400},
		{"PATCH", "/neroom/v3/users/user1", `{"icon": "N"}`, 1000, 0, 400},
		{"PATCH", "/neroom/v3/users/user1", `{"im_token": "N"}`, 64, 704, 400},
		{"POST", "/scene/meeting/api/v2/add-user", `{"userUuid": "ID", "name": "N"}`, 64, 0, 400},
		{"POST", "/scene/meeting/api/v2/add-user", `{"userUuid": "ID", "avatar": "N"}`, 1000, 0, 400},
		{"POST", "/scene/meeting/api/v2/add-user", `{"userUuid": "ID", "imToken": "N"}`, 64, 701, 400},
	}
	for i, test := range tests {
		for n, want := range []int{test.ok, test.bad} {
			body := strings.ReplaceAll(test.body, "N", strings.Repeat("语", test.longest+n))
			body = strings.ReplaceAll(body, "ID", fmt.Sprintf("id-%d-%d", i, n))
			wantResult(t, fmt.Sprintf("%s with %d characters", test.body, test.longest+n), api(t, s, test.method, test.path, body), want)
		}
	}
}

func TestAPITooLarge(t *testing.T) {
	s := newAPI(t)
	for _, test := range creates {
		body := fmt.Sprintf(`{"%s": "%s"}`, test.id, strings.ToLower(test.name))
		body += strings.Repeat(" ", 64<<10+1-len(body))
		if got := api(t, s, "POST", test.path, body); got.status != 413 || got.Code != 413 {
			t.Errorf("%s: got HTTP %d, code %d, want 413", test.name, got.status, got.Code)
		}
		wantResult(t, "64 KiB", api(t, s, "POST", test.path, body[:64<<10]), test.ok)
	}
}
