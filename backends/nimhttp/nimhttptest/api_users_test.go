package nimhttptest_test

import (
	"fmt"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

const (
	users    = "/neroom/v3/users"
	addUser  = "/scene/meeting/api/v2/add-user"
	getUsers = "/scene/meeting/api/v2/batch-get-user"
)

func TestCreateRoomUser(t *testing.T) {
	s := newAPI(t)
	s.World().AddIM(engine.IMAccount{Accid: "one", Token: "im-one"})
	body := `{"user_uuid": "One", "user_token": "kit-one", "user_name": "Zoë", "icon": "http://localhost/i", "im_token": "im-one"}`
	const data = `{"user_uuid": "one", "user_token": "kit-one", "user_name": "Zoë", "icon": "http://localhost/i", "im_token": "im-one"}`
	wantData(t, "create", api(t, s, "POST", users, body), 0, data)
	wantData(t, "show", api(t, s, "GET", users+"/ONE", ""), 0, data)
	wantData(t, "list", api(t, s, "GET", users+"?user_uuids=nobody,one", ""), 0, "["+data+"]")

	got := ask(t, s, "POST", login, as("one", "kit-one", "d"))
	if wantCode(t, "login", got, 0); got.Data["userUuid"] != "one" || got.Data["imAccid"] != "one" || got.Data["imToken"] != "im-one" || got.Data["imKey"] != "app1" {
		t.Errorf("got %v", got.Data)
	}
	if got := ask(t, s, "GET", account, as("one", "kit-one", "d")); got.Data["nickname"] != "Zoë" {
		t.Errorf("got %v", got.Data)
	}
}

func TestCreateMeetingUser(t *testing.T) {
	s := newAPI(t)
	s.World().AddIM(engine.IMAccount{Accid: "one", Token: "im-one"})
	got := api(t, s, "POST", addUser, `{"userUuid": "One", "imToken": "im-one", "userToken": "ignored", "name": "Zoë", "shortMeetingNum": "",
		"sipCid": "", "avatar": "", "phoneNumber": "", "email": "", "returnGeneratedPassword": false, "departments": null}`)
	data, _ := got.Data.(map[string]any)
	token, _ := data["userToken"].(string)
	if !random.MatchString(token) {
		t.Errorf("got userToken %q", token)
	}
	want := fmt.Sprintf(`{"userUuid": "one", "userToken": "%s", "name": "Zoë", "avatar": ""}`, token)
	wantData(t, "create", got, 0, want)
	wantData(t, "list", api(t, s, "GET", getUsers+"?userUuids=one,nobody", ""), 0, "["+want+"]")
	wantData(t, "show by NERoom", api(t, s, "GET", users+"/one", ""), 0,
		fmt.Sprintf(`{"user_uuid": "one", "user_token": "%s", "user_name": "Zoë", "icon": "", "im_token": "im-one"}`, token))
	wantCode(t, "login", ask(t, s, "POST", login, as("one", token, "d")), 0)
}

// Creates that bind an account, and creates that are refused. The IM accounts
// and the kit account user1 exist in the world.
func TestCreateUserBinding(t *testing.T) {
	tests := []struct {
		name, id, imToken string
		want              int
	}{
		{"bound", "myaccid", "im-1", 0},
		{"bound, another case", "MYACCID", "im-1", 0},
		{"wrong token", "myaccid", "im-2", 704},
		{"the kit token", "myaccid", "kit-1", 704},
		{"longer token", "myaccid", "im-11", 704},
		{"no IM account", "new-1", "im-1", 701},
		{"no token, no IM account", "new-1", "", 0},
		{"no token", "myaccid", "", 703},
		{"there already", "user1", "im-1", 409},
		{"there already, no token", "USER1", "", 409},
		{"there already, bound to nothing", "unbound", "", 409},
	}
	for _, kind := range []struct{ name, path, body, id string }{
		{"NERoom", users, `{"user_uuid": "%s", "im_token": "%s"}`, "user_uuid"},
		{"meeting", addUser, `{"userUuid": "%s", "imToken": "%s"}`, "userUuid"},
	} {
		for _, test := range tests {
			t.Run(kind.name+", "+test.name, func(t *testing.T) {
				s := newAPI(t)
				got := api(t, s, "POST", kind.path, fmt.Sprintf(kind.body, test.id, test.imToken))
				wantResult(t, "create", got, test.want)
				if test.want != 0 && got.Data != nil {
					t.Errorf("got data %v with the refusal", got.Data)
				}
				k, accid, found := s.World().FindKit(test.id)
				if test.want == 409 {
					if k.Token != "kit-1" && k.Token != "kit-2" {
						t.Errorf("got another token, %q", k.Token)
					}
					return
				}
				if found != (test.want == 0) {
					t.Fatalf("in the world: got %t", found)
				}
				if !found {
					return
				}
				if data, _ := got.Data.(map[string]any); accid != k.UserUUID || data[kind.id] != k.UserUUID {
					t.Errorf("got %v, in the world %v bound to %q", got.Data, k, accid)
				}
				wantCode(t, "login", ask(t, s, "POST", login, as(test.id, k.Token, "d")), 0)
			})
		}
	}
}

// If the request has no IM token, the server makes the IM account and returns
// its token.
func TestCreateUserMakesIM(t *testing.T) {
	s := newAPI(t)
	seen := map[any]bool{}
	for _, body := range []string{`{"user_uuid": "a"}`, `{"user_uuid": "b", "user_token": "", "im_token": "", "user_name": "", "icon": ""}`, `{"user_uuid": "c", "im_token": null}`} {
		got := api(t, s, "POST", users, body)
		wantResult(t, body, got, 0)
		data, _ := got.Data.(map[string]any)
		user, token, imToken := data["user_uuid"].(string), data["user_token"].(string), data["im_token"].(string)
		if !random.MatchString(token) || !random.MatchString(imToken) || token == imToken || seen[token] || seen[imToken] {
			t.Errorf("%s: got %v, after %v", body, data, seen)
		}
		seen[token], seen[imToken] = true, true
		in := ask(t, s, "POST", login, as(user, token, "d"))
		if wantCode(t, body, in, 0); in.Data["imAccid"] != user || in.Data["imToken"] != imToken || in.Data["imKey"] != "app1" {
			t.Errorf("%s: got %v", body, in.Data)
		}
		if im, _ := s.World().FindIM(user); im.Token != imToken || im.AppKey != "app1" {
			t.Errorf("%s: in the world %q of %q, want %q", body, im.Token, im.AppKey, imToken)
		}
	}
}

func TestUpdateUser(t *testing.T) {
	s := newAPI(t)
	tests := []struct{ name, body, token, userName, icon string }{
		{"nothing", `{}`, "kit-1", "", ""},
		{"empty", `{"user_token": "", "user_name": "", "icon": "", "im_token": ""}`, "kit-1", "", ""},
		{"null", `{"user_token": null, "user_name": null}`, "kit-1", "", ""},
		{"name", `{"user_name": "Zoë"}`, "kit-1", "Zoë", ""},
		{"icon", `{"icon": "i"}`, "kit-1", "Zoë", "i"},
		{"IM token", `{"im_token": "im-1"}`, "kit-1", "Zoë", "i"},
		{"token", `{"user_token": "kit-9"}`, "kit-9", "Zoë", "i"},
		{"id in the body", `{"user_uuid": "unbound", "user_name": "Zoe"}`, "kit-9", "Zoe", "i"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := api(t, s, "PATCH", users+"/User1", test.body)
			wantData(t, "update", got, 0, "null")
			if string(got.fields["data"]) != "null" {
				t.Errorf("got data %s, want null", got.fields["data"])
			}
			wantData(t, "show", api(t, s, "GET", users+"/user1", ""), 0, fmt.Sprintf(
				`{"user_uuid": "user1", "user_token": "%s", "user_name": "%s", "icon": "%s", "im_token": "im-1"}`, test.token, test.userName, test.icon))
			if _, accid, _ := s.World().FindKit("user1"); accid != "myaccid" {
				t.Errorf("bound to %q, want myaccid", accid)
			}
		})
	}
}

func TestUpdateUserRefusals(t *testing.T) {
	s := newAPI(t)
	tests := []struct {
		name, id, body string
		want           int
	}{
		{"unknown", "nobody", `{"user_name": "x"}`, 404},
		{"an IM account", "myaccid", `{"user_name": "x"}`, 404},
		{"no body", "user1", "", 400},
		{"a list", "user1", "[]", 400},
		{"name is a number", "user1", `{"user_name": 1}`, 400},
		{"wrong IM token", "user1", `{"user_token": "x", "user_name": "x", "im_token": "im-2"}`, 704},
		{"bound to nobody", "astray", `{"user_token": "x", "im_token": "im-1"}`, 701},
		{"bound to nothing", "unbound", `{"user_token": "x", "im_token": "im-1"}`, 701},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantResult(t, test.body, api(t, s, "PATCH", users+"/"+test.id, test.body), test.want)
		})
	}
	for id, token := range map[string]string{"user1": "kit-1", "unbound": "kit-2", "astray": "kit-3"} {
		if k, _, _ := s.World().FindKit(id); k.Token != token {
			t.Errorf("%s: got token %q, want %q", id, k.Token, token)
		}
	}
	if got := api(t, s, "GET", users+"/user1", "").Data.(map[string]any); got["user_name"] != "" {
		t.Errorf("got %v", got)
	}
	if _, _, made := s.World().FindKit("nobody"); made {
		t.Error("an update made an account")
	}
}

func TestShowUserRefusals(t *testing.T) {
	s := newAPI(t)
	wantResult(t, "unknown", api(t, s, "GET", users+"/nobody", ""), 404)
	wantResult(t, "an IM account", api(t, s, "GET", users+"/myaccid", ""), 404)
	const unbound = `{"user_uuid": "unbound", "user_token": "kit-2", "user_name": "", "icon": "", "im_token": ""}`
	wantData(t, "bound to nothing", api(t, s, "GET", users+"/unbound", ""), 0, unbound)
}

// A new userToken replaces the old one, even an expired one.
func TestNewUserToken(t *testing.T) {
	s := newAPI(t)
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
	s.World().EndKit("user1", engine.ErrTokenExpired)
	wantCode(t, "expired", ask(t, s, "POST", login, user1()), 1026)
	wantResult(t, "update", api(t, s, "PATCH", users+"/user1", `{"user_token": "kit-9"}`), 0)
	wantCode(t, "the old one", ask(t, s, "POST", login, user1()), 402)
	wantCode(t, "the old one, token check", ask(t, s, "POST", checkToken, user1()), 402)
	wantCode(t, "the new one", ask(t, s, "POST", login, as("user1", "kit-9", "device1")), 0)
}

// The kit server has a copy of the IM token, which does not follow changes.
func TestCopyOfIMToken(t *testing.T) {
	s := newAPI(t)
	wantIM := func(what, user, token, want string) {
		t.Helper()
		got := ask(t, s, "POST", login, as(user, token, "d"))
		if wantCode(t, what, got, 0); got.Data["imToken"] != want {
			t.Errorf("%s: got imToken %v, want %s", what, got.Data["imToken"], want)
		}
	}
	wantResult(t, "create", api(t, s, "POST", users, `{"user_uuid": "myaccid", "user_token": "k", "im_token": "im-1"}`), 0)
	wantResult(t, "new IM token", api(t, s, "PATCH", accounts+"/myaccid", `{"token": "im-9"}`), 200)
	wantIM("made by the API", "myaccid", "k", "im-1")
	wantIM("bound by the test", "user1", "kit-1", "im-9")
	wantResult(t, "the old IM token", api(t, s, "PATCH", users+"/myaccid", `{"im_token": "im-1"}`), 704)
	wantResult(t, "a name", api(t, s, "PATCH", users+"/myaccid", `{"user_name": "Zoë"}`), 0)
	wantIM("still the old one", "MyAccid", "k", "im-1")
	wantData(t, "show the copy", api(t, s, "GET", users+"/myaccid", ""), 0,
		`{"user_uuid": "myaccid", "user_token": "k", "user_name": "Zoë", "icon": "", "im_token": "im-1"}`)
	wantResult(t, "the new IM token", api(t, s, "PATCH", users+"/MYACCID", `{"im_token": "im-9"}`), 0)
	wantIM("then", "MYACCID", "k", "im-9")

	s.World().AddIM(engine.IMAccount{Accid: "myaccid", Token: "im-10"})
	wantIM("changed in the world", "myaccid", "k", "im-9")
	s.World().AddIM(engine.IMAccount{Accid: "another", Token: "im-2"})
	s.World().Bind(engine.KitAccount{UserUUID: "myaccid", Token: "k"}, "another")
	wantIM("bound anew in the world", "myaccid", "k", "im-2")
	wantData(t, "show", api(t, s, "GET", users+"/myaccid", ""), 0,
		`{"user_uuid": "myaccid", "user_token": "k", "user_name": "Zoë", "icon": "", "im_token": "im-2"}`)
}

// The API shows the accounts of the guides and the guests of the kit server.
func TestAPIKnowsTheWorld(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{AppSecret: secret})
	const guide = `{"user_uuid": "myaccid", "user_token": "myUserToken", "user_name": "", "icon": "", "im_token": "myToken"}`
	wantData(t, "of the guides", api(t, s, "GET", users+"/myaccid", ""), 0, guide)
	wantResult(t, "its IM account", api(t, s, "GET", accounts+"/myaccid", ""), 200)
	guest := ask(t, s, "POST", anonymous, as("", "", ""))
	user, _ := guest.Data["userUuid"].(string)
	want := fmt.Sprintf(`{"user_uuid": "%s", "user_token": "%v", "user_name": "", "icon": "", "im_token": "%v"}`,
		user, guest.Data["userToken"], guest.Data["imToken"])
	wantData(t, "a guest", api(t, s, "GET", users+"/"+user, ""), 0, want)
}
