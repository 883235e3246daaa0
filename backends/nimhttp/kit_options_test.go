package nimhttp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

func TestBadOptions(t *testing.T) {
	long := strings.Repeat("x", 5000)
	tests := []struct {
		name, field string
		options     nimhttp.Options
	}{
		{"no AppKey", "AppKey", nimhttp.Options{}},
		{"long AppKey", "AppKey", nimhttp.Options{AppKey: long}},
		{"AppKey with control", "AppKey", nimhttp.Options{AppKey: "a\r\nb: c"}},
		{"AppKey is a path", "AppKey", nimhttp.Options{AppKey: ".."}},
		{"DeviceID with control", "DeviceID", nimhttp.Options{AppKey: "a", DeviceID: "a\nb"}},
		{"long DeviceID", "DeviceID", nimhttp.Options{AppKey: "a", DeviceID: long}},
		{"ClientType with control", "ClientType", nimhttp.Options{AppKey: "a", ClientType: "a\x00"}},
		{"Language not UTF-8", "Language", nimhttp.Options{AppKey: "a", Language: "\xff"}},
		{"AuthType", "AuthType", nimhttp.Options{AppKey: "a", AuthType: 9}},
		{"not a URL", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "http://[::1"}},
		{"no scheme", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "kit.example.com"}},
		{"ftp", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "ftp://kit.example.com"}},
		{"no host", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https:///x"}},
		{"user info", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://user:hunter2@kit.example.com"}},
		{"query", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://kit.example.com/?a=b"}},
		{"fragment", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://kit.example.com/#a"}},
		{"dots", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://kit.example.com/a/../b"}},
		{"empty segment", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://kit.example.com//a"}},
		{"plain http", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "http://kit.example.com"}},
		{"long URL", "KitURL", nimhttp.Options{AppKey: "a", KitURL: "https://kit.example.com/" + long}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k, err := nimhttp.NewKit(test.options)
			if k != nil || !errors.Is(err, engine.ErrArgument) || !strings.Contains(err.Error(), test.field) {
				t.Errorf("got %v, want ErrArgument that names %s", err, test.field)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
	for _, url := range []string{"http://kit.example.com", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"} {
		_, err := nimhttp.NewKit(nimhttp.Options{AppKey: "a", KitURL: url, PlainHTTP: strings.Contains(url, "example")})
		if err != nil {
			t.Errorf("%s: got %v", url, err)
		}
	}
}

func TestBadAccounts(t *testing.T) {
	s := newStub(t, ok(loginReply))
	k := newKit(t, nimhttp.Options{KitURL: s.URL})
	for name, a := range map[string]engine.KitAccount{
		"no userUuid":           {Token: "x"},
		"no token":              {UserUUID: "user1"},
		"control in userUuid":   {UserUUID: "a\r\nb", Token: "x"},
		"control in token":      {UserUUID: "user1", Token: "x\ny"},
		"token with edge space": {UserUUID: "user1", Token: " x"},
		"long userUuid":         {UserUUID: strings.Repeat("x", 500), Token: "x"},
		"long token":            {UserUUID: "user1", Token: strings.Repeat("x", 5000)},
	} {
		if _, err := k.Authenticate(t.Context(), a); !errors.Is(err, engine.ErrArgument) {
			t.Errorf("%s: got %v, want ErrArgument", name, err)
		}
	}
	if got := len(s.seen()); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
}
