package nimhttptest_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

const (
	accounts = "/im/v2/accounts"

	// The configuration of every account.
	defaults = `{"enabled": true, "p2p_chat_banned": false, "team_chat_banned": false, "chatroom_chat_banned": false, "qchat_chat_banned": false}`
)

// random matches a token that the server makes: 32 characters, new each time.
var random = regexp.MustCompile(`^[0-9a-f]{32}$`)

func TestCreateIM(t *testing.T) {
	s := newAPI(t)
	got := api(t, s, "POST", accounts, `{"account_id": "User-1", "token": "im-9",
		"configuration": {"enabled": true}, "antispam_configuration": {"enabled": false},
		"user_information": {"name": "Zoë", "gender": 2, "email_validation_mode": 1}}`)
	wantData(t, "create", got, 200, `{"account_id": "user-1", "token": "im-9", "configuration": `+defaults+`,
		"user_information": {"name": "Zoë", "avatar": "", "sign": "", "email": "", "birthday": "", "mobile": "", "gender": 2, "extension": ""}}`)
	shown := `{"account_id": "user-1", "token": "im-9", "configuration": ` + defaults + `}`
	wantData(t, "show", api(t, s, "GET", accounts+"/user-1", ""), 200, shown)
	im, found := s.World().FindIM("user-1")
	if want := (engine.IMAccount{AppKey: "app1", Accid: "user-1", Token: "im-9"}); im != want || !found {
		t.Errorf("in the world: got %v of %q, %t, want %v of %q", im, im.AppKey, found, want, want.AppKey)
	}
	device := s.World().Device()
	if err := device.InitIM(t.Context(), "app1"); err != nil {
		t.Fatal(err)
	}
	if err := device.LoginIM(t.Context(), engine.IMAccount{Accid: "user-1", Token: "im-9"}, engine.Notify{}); err != nil {
		t.Errorf("login to IM: %v", err)
	}
}

func TestCreateIMWithoutToken(t *testing.T) {
	s := newAPI(t)
	seen := map[string]bool{}
	for _, body := range []string{`{"account_id": "user-1"}`, `{"account_id": "user-2", "token": ""}`, `{"account_id": "user-3", "token": null}`} {
		got := api(t, s, "POST", accounts, body)
		wantResult(t, body, got, 200)
		data, _ := got.Data.(map[string]any)
		token, _ := data["token"].(string)
		if !random.MatchString(token) || seen[token] {
			t.Errorf("%s: got token %q, after %v", body, token, seen)
		}
		seen[token] = true
		if im, _ := s.World().FindIM(data["account_id"].(string)); im.Token != token {
			t.Errorf("%s: got token %q, in the world %q", body, token, im.Token)
		}
	}
}

func TestCreateIMTwice(t *testing.T) {
	s := newAPI(t)
	for _, id := range []string{"myaccid", "MyAccid"} {
		wantResult(t, id, api(t, s, "POST", accounts, `{"account_id": "`+id+`", "token": "im-9"}`), 102405)
	}
	if im, _ := s.World().FindIM("myaccid"); im.Token != "im-1" {
		t.Errorf("got token %q, want the old one", im.Token)
	}
}

func TestUpdateIM(t *testing.T) {
	s := newAPI(t)
	s.World().AddIM(engine.IMAccount{AppKey: "app2", Accid: "another", Token: "im-2"})
	tests := []struct {
		name, id, body string
		token          string // afterwards
	}{
		{"token", "MyAccid", `{"token": "im-9", "need_kick": false}`, "im-9"},
		{"nothing", "myaccid", `{}`, "im-9"},
		{"empty token", "myaccid", `{"token": ""}`, "im-9"},
		{"null token", "myaccid", `{"token": null}`, "im-9"},
		{"configuration", "myaccid", `{"configuration": {"enabled": true}}`, "im-9"},
		{"id in the body", "myaccid", `{"account_id": "another", "token": "im-10"}`, "im-10"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := `{"account_id": "myaccid", "token": "` + test.token + `", "configuration": ` + defaults + `}`
			wantData(t, "update", api(t, s, "PATCH", accounts+"/"+test.id, test.body), 200, want)
			if im, _ := s.World().FindIM("myaccid"); im.Token != test.token || im.AppKey != "app1" {
				t.Errorf("in the world: got token %q of %q, want %q", im.Token, im.AppKey, test.token)
			}
		})
	}
	wantResult(t, "account of another app", api(t, s, "PATCH", accounts+"/another", `{"token": "im-3"}`), 200)
	if im, _ := s.World().FindIM("another"); im.Token != "im-3" || im.AppKey != "app2" {
		t.Errorf("another: got token %q of %q, want im-3 of app2", im.Token, im.AppKey)
	}
}

func TestIMRefusals(t *testing.T) {
	s := newAPI(t)
	tests := []struct {
		name, method, path, body string
		want                     int
	}{
		{"unknown", "GET", accounts + "/nobody", "", 102404},
		{"a kit account", "GET", accounts + "/user1", "", 102404},
		{"update, unknown", "PATCH", accounts + "/nobody", `{"token": "im-9"}`, 102404},
		{"update, no body", "PATCH", accounts + "/myaccid", "", 414},
		{"update, a list", "PATCH", accounts + "/myaccid", "[]", 414},
		{"token is a number", "POST", accounts, `{"account_id": "new-1", "token": 1}`, 414},
		{"gender", "POST", accounts, `{"account_id": "new-1", "user_information": {"gender": 3}}`, 414},
		{"gender below", "POST", accounts, `{"account_id": "new-1", "user_information": {"gender": -1}}`, 414},
		{"name of a list", "POST", accounts, `{"account_id": "new-1", "user_information": {"name": []}}`, 414},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantResult(t, test.body, api(t, s, test.method, test.path, test.body), test.want)
		})
	}
	if _, made := s.World().FindIM("new-1"); made {
		t.Error("an account was made")
	}
	if _, made := s.World().FindIM("nobody"); made {
		t.Error("an update made an account")
	}
}

func TestListIM(t *testing.T) {
	s := newAPI(t)
	s.World().AddIM(engine.IMAccount{Accid: "Two", Token: "im-2"})
	got := api(t, s, "GET", accounts+"?account_ids=two,nobody,myaccid", "")
	wantData(t, "list", got, 200, fmt.Sprintf(`{
		"success_list": [{"account_id": "two", "configuration": %s}, {"account_id": "myaccid", "configuration": %[1]s}],
		"failed_list": [{"account_id": "nobody", "error_code": 102404, "error_msg": "account does not exist"}]}`, defaults))
}
