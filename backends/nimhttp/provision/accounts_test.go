package provision_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

// createNamed returns the call with that name. "update" returns only an error.
func createNamed(name string) func(context.Context, *provision.Client, provision.AccountRequest) (string, string, error) {
	for _, call := range creates {
		if call.name == name {
			return call.create
		}
	}
	return func(ctx context.Context, c *provision.Client, r provision.AccountRequest) (string, string, error) {
		return "", "", c.UpdateAccount(ctx, r)
	}
}

// The requests, byte by byte.
func TestRequests(t *testing.T) {
	bare := provision.AccountRequest{UserUUID: "User02"}
	tests := []struct {
		name, call string
		request    provision.AccountRequest
		method     string
		path, body string
		id, token  string
	}{
		{"IM account", "IM", wanted, "POST", "/im/v2/accounts",
			`{"account_id":"user01","token":"im-token-1","user_information":{"name":"Zoë"}}`, "user01", imToken},
		{"IM account, token of the server", "IM", provision.AccountRequest{Accid: "user02"}, "POST", "/im/v2/accounts",
			`{"account_id":"user02"}`, "user02", "made-by-the-server"},
		{"room account", "room", wanted, "POST", "/neroom/v3/users",
			`{"user_uuid":"user01","user_token":"user-token-1","user_name":"Zoë","im_token":"im-token-1"}`, "user01", userToken},
		{"room account, IM account of the server", "room", bare, "POST", "/neroom/v3/users",
			`{"user_uuid":"user02"}`, "user02", "made-by-the-server"},
		{"meeting account", "meeting", wanted, "POST", "/scene/meeting/api/v2/add-user",
			`{"userUuid":"user01","imToken":"im-token-1","name":"Zoë"}`, "user01", "made-by-the-server"},
		{"meeting account, IM account of the server", "meeting", bare, "POST", "/scene/meeting/api/v2/add-user",
			`{"userUuid":"user02"}`, "user02", "made-by-the-server"},
		{"both ids", "room", provision.AccountRequest{Accid: "USER01", UserUUID: "user01", IMToken: imToken}, "POST", "/neroom/v3/users",
			`{"user_uuid":"user01","im_token":"im-token-1"}`, "user01", "made-by-the-server"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			id, token, err := createNamed(test.call)(t.Context(), w.client(t), test.request)
			if err != nil || id != test.id || token != test.token {
				t.Errorf("got %q, %q, %v, want %q, %q", id, token, err, test.id, test.token)
			}
			if len(w.requests) != 1 {
				t.Fatalf("got %d requests, want 1", len(w.requests))
			}
			if r := w.requests[0]; r.method != test.method || r.path != test.path || r.body != test.body {
				t.Errorf("got %s %s %s, want %s %s %s", r.method, r.path, r.body, test.method, test.path, test.body)
			}
		})
	}
}

func TestAppKeyOfIMAccount(t *testing.T) {
	got, err := newWorld().client(t).CreateIMAccount(t.Context(), wanted)
	if want := (engine.IMAccount{AppKey: "app1", Accid: "user01", Token: imToken}); err != nil || got != want {
		t.Errorf("got %v with AppKey %q, %v, want %v with app1", got, got.AppKey, err, want)
	}
}

func TestUpdateRequest(t *testing.T) {
	w := newWorld()
	c := w.client(t)
	if _, err := c.CreateRoomAccount(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		request provision.AccountRequest
		body    string
	}{
		{provision.AccountRequest{UserUUID: "USER01", IMToken: "im-token-2"}, `{"im_token":"im-token-2"}`},
		{provision.AccountRequest{Accid: "user01", UserToken: "user-token-2", Name: "Zoe"}, `{"user_token":"user-token-2","user_name":"Zoe"}`},
	} {
		if err := c.UpdateAccount(t.Context(), test.request); err != nil {
			t.Error(err)
		}
		if r := w.requests[len(w.requests)-1]; r.method != "PATCH" || r.path != "/neroom/v3/users/user01" || r.body != test.body {
			t.Errorf("got %s %s %s, want %s", r.method, r.path, r.body, test.body)
		}
	}
	if got := w.accounts["room user01"]; got["imToken"] != "im-token-2" || got["token"] != "user-token-2" || got["name"] != "Zoe" {
		t.Errorf("got %v", got)
	}
}

// Each call goes to its own server, below the path of the server's URL.
func TestServers(t *testing.T) {
	prefixed := map[string]*world{"/nimserver": newWorld(), "/kit": newWorld(), "/meet%20ing": newWorld()}
	urls := map[string]string{}
	for prefix, w := range prefixed {
		s := httptest.NewServer(w)
		defer s.Close()
		urls[prefix] = s.URL + prefix
	}
	c := newClient(t, provision.Options{IMURL: urls["/nimserver"] + "/", KitURL: urls["/kit"], MeetingURL: urls["/meet%20ing"]})
	for _, call := range creates {
		if _, _, err := call.create(t.Context(), c, wanted); err != nil {
			t.Errorf("%s: %v", call.name, err)
		}
	}
	if err := c.UpdateAccount(t.Context(), wanted); err != nil {
		t.Error(err)
	}
	for prefix, paths := range map[string][]string{
		"/nimserver":  {"/nimserver/im/v2/accounts"},
		"/kit":        {"/kit/neroom/v3/users", "/kit/neroom/v3/users/user01"},
		"/meet%20ing": {"/meet%20ing/scene/meeting/api/v2/add-user"},
	} {
		var got []string
		for _, r := range prefixed[prefix].requests {
			got = append(got, r.path)
		}
		if len(got) != len(paths) || got[0] != paths[0] || got[len(got)-1] != paths[len(paths)-1] {
			t.Errorf("got %v, want %v", got, paths)
		}
	}
}

// If any server is set, the vendor's public hosts are not used.
func TestDefaultServers(t *testing.T) {
	tests := []struct {
		name    string
		options provision.Options
		want    [3]string
	}{
		{"none", provision.Options{}, [3]string{"open.yunxinapi.com", "roomkit.netease.im", "meeting.yunxinroom.com"}},
		{"kit", provision.Options{KitURL: "https://kit.example.com"}, [3]string{"", "kit.example.com", "kit.example.com"}},
		{"im", provision.Options{IMURL: "https://im.example.com"}, [3]string{"im.example.com", "", ""}},
		{"meeting", provision.Options{MeetingURL: "https://m.example.com"}, [3]string{"", "", "m.example.com"}},
		{"all", provision.Options{IMURL: "https://im.example.com", KitURL: "https://kit.example.com", MeetingURL: "https://m.example.com"},
			[3]string{"im.example.com", "kit.example.com", "m.example.com"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			var host string
			test.options.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				host = r.URL.Scheme + " " + r.URL.Host
				return w.RoundTrip(r)
			})}
			c := newClient(t, test.options)
			for i, call := range creates {
				host = ""
				_, _, err := call.create(t.Context(), c, wanted)
				if test.want[i] == "" { // not set: the call must not go to the vendor's host
					if !errors.Is(err, engine.ErrArgument) || host != "" {
						t.Errorf("%s: got %v and %q, want ErrArgument and nothing sent", call.name, err, host)
					}
				} else if want := "https " + test.want[i]; err != nil || host != want {
					t.Errorf("%s: got %v and %s, want %s", call.name, err, host, want)
				}
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
