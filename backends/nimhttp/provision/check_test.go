package provision_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

func sign(*http.Request) error { return nil }

func TestNew(t *testing.T) {
	good := provision.Options{AppKey: "app1", AppSecret: "s"}
	with := func(change func(*provision.Options)) provision.Options {
		o := good
		change(&o)
		return o
	}
	tests := []struct {
		name    string
		options provision.Options
		field   string // named in the error; "" for no error
	}{
		{"secret", good, ""},
		{"signer", provision.Options{AppKey: "app1", Sign: sign}, ""},
		{"prefix", with(func(o *provision.Options) { o.IMURL = "https://im.example.com/nimserver/" }), ""},
		{"loopback", with(func(o *provision.Options) { o.IMURL = "http://127.0.0.1:1"; o.KitURL = "http://localhost:1" }), ""},
		{"nothing", provision.Options{}, "AppKey"},
		{"no AppKey", provision.Options{AppSecret: "s"}, "AppKey"},
		{"AppKey with a line break", provision.Options{AppKey: "app1\n", AppSecret: "s"}, "AppKey"},
		{"neither secret nor signer", provision.Options{AppKey: "app1"}, "AppSecret"},
		{"secret and signer", provision.Options{AppKey: "app1", AppSecret: "s", Sign: sign}, "Sign"},
		{"secret with a line break", provision.Options{AppKey: "app1", AppSecret: "hush\n"}, "AppSecret"},
		{"plain IM", with(func(o *provision.Options) { o.IMURL = "http://im.example.com" }), "IMURL"},
		{"plain kit", with(func(o *provision.Options) { o.KitURL = "http://10.0.0.1" }), "KitURL"},
		{"plain meeting", with(func(o *provision.Options) { o.MeetingURL = "http://m.example.com" }), "MeetingURL"},
		{"no URL", with(func(o *provision.Options) { o.KitURL = "kit.example.com" }), "KitURL"},
		{"query", with(func(o *provision.Options) { o.KitURL = "https://kit.example.com/?a=b" }), "KitURL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := provision.New(test.options)
			if test.field == "" {
				if err != nil || c == nil {
					t.Errorf("got %v, %v, want a client", c, err)
				}
				return
			}
			if c != nil || !errors.Is(err, engine.ErrArgument) || !strings.Contains(err.Error(), test.field) || strings.Contains(err.Error(), "hush") {
				t.Errorf("got %v, %v, want an ErrArgument that names %s", c, err, test.field)
			}
		})
	}
}

// A request that the servers would refuse is not sent.
func TestBadRequests(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	all, kits := []string{"IM", "room", "meeting"}, []string{"room", "meeting"}
	tests := []struct {
		name    string
		calls   []string
		request provision.AccountRequest
		field   string // in the error
	}{
		{"nothing", append(all, "update"), provision.AccountRequest{}, "is empty|both empty|UserUUID"},
		{"space in the accid", append(all, "update"), provision.AccountRequest{Accid: "user 01", IMToken: imToken}, "Accid"},
		{"slash in the accid", append(all, "update"), provision.AccountRequest{Accid: "user/01", IMToken: imToken}, "Accid"},
		{"control character in the accid", append(all, "update"), provision.AccountRequest{Accid: "user01\x00", IMToken: imToken}, "Accid"},
		{"letter that only folds to ASCII", append(all, "update"), provision.AccountRequest{Accid: "\u212Aim", IMToken: imToken}, "Accid"},
		{"accid of 33", append(all, "update"), provision.AccountRequest{Accid: long(33), IMToken: imToken}, "Accid"},
		{"accid that is a path", append(all, "update"), provision.AccountRequest{Accid: "..", IMToken: imToken}, "Accid"},
		{"userUuid of 33", append(kits, "update"), provision.AccountRequest{UserUUID: long(33), Name: "n"}, "UserUUID"},
		{"userUuid that is a path", append(kits, "update"), provision.AccountRequest{UserUUID: ".", Name: "n"}, "UserUUID"},
		{"question mark in the userUuid", append(kits, "update"), provision.AccountRequest{UserUUID: "a?b", Name: "n"}, "UserUUID"},
		{"two ids", append(kits, "update"), provision.AccountRequest{Accid: "user01", UserUUID: "user02", IMToken: imToken}, "the servers bind a kit account to the IM account with the same id"},
		{"IM token of 129", all, provision.AccountRequest{Accid: "user01", IMToken: long(129)}, "IMToken"},
		{"bound IM token of 65", append(kits, "update"), provision.AccountRequest{Accid: "user01", IMToken: long(65)}, "IMToken is longer than 64 bytes: IM allows 128"},
		{"line break in the IM token", append(all, "update"), provision.AccountRequest{Accid: "user01", IMToken: imToken + "\n"}, "IMToken"},
		{"userToken of 65", []string{"room", "update"}, provision.AccountRequest{UserUUID: "user01", UserToken: long(65)}, "UserToken"},
		{"space after the userToken", []string{"room", "update"}, provision.AccountRequest{UserUUID: "user01", UserToken: userToken + " "}, "UserToken"},
		{"name of 65", append(all, "update"), provision.AccountRequest{Accid: "user01", IMToken: imToken, Name: strings.Repeat("名", 65)}, "Name"},
		{"tab in the name", append(all, "update"), provision.AccountRequest{Accid: "user01", IMToken: imToken, Name: "a\tb"}, "Name"},
		{"name that is not UTF-8", append(all, "update"), provision.AccountRequest{Accid: "user01", IMToken: imToken, Name: "a\xff"}, "Name"},
		{"IM account without an accid", []string{"IM"}, provision.AccountRequest{UserUUID: "user01", IMToken: imToken}, "Accid"},
		{"accid without its token", kits, provision.AccountRequest{Accid: "user01"}, "IMToken"},
		{"token without its accid", kits, provision.AccountRequest{UserUUID: "user01", IMToken: imToken}, "Accid"},
		{"update of nothing", []string{"update"}, provision.AccountRequest{UserUUID: "user01"}, "IMToken, UserToken and Name are all empty"},
	}
	for _, test := range tests {
		for _, name := range test.calls {
			t.Run(test.name+", "+name, func(t *testing.T) {
				w := newWorld()
				_, _, err := createNamed(name)(t.Context(), w.client(t), test.request)
				named := slices.ContainsFunc(strings.Split(test.field, "|"), func(s string) bool { return err != nil && strings.Contains(err.Error(), s) })
				if !errors.Is(err, engine.ErrArgument) || !named {
					t.Errorf("got %v, want ErrArgument with %q", err, test.field)
				}
				if len(w.requests) != 0 {
					t.Errorf("got %d requests, want none", len(w.requests))
				}
				wantNoSecrets(t, err)
			})
		}
	}
}

// The longest values that the servers accept.
func TestLimits(t *testing.T) {
	id := strings.Repeat("A", 28) + "_@.-"
	name := strings.Repeat("名", 64)
	w := newWorld()
	c := w.client(t)
	if im, err := c.CreateIMAccount(t.Context(), provision.AccountRequest{Accid: id, IMToken: strings.Repeat("i", 128), Name: name}); err != nil || im.Accid != strings.ToLower(id) {
		t.Errorf("got %v, %v", im, err)
	}
	r := provision.AccountRequest{Accid: id, UserUUID: strings.ToLower(id), IMToken: strings.Repeat("i", 64), UserToken: strings.Repeat("u", 64), Name: name}
	if kit, err := c.CreateRoomAccount(t.Context(), r); err != nil || kit.UserUUID != strings.ToLower(id) {
		t.Errorf("got %v, %v", kit, err)
	}
	if err := c.UpdateAccount(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	for _, v := range []any{wanted, &wanted, []any{wanted}, map[string]provision.AccountRequest{"a": wanted},
		provision.Options{AppKey: "app1", AppSecret: secret}, &provision.Options{AppKey: "app1", AppSecret: secret}} {
		wantNoSecrets(t, v)
	}
	c := newClient(t, provision.Options{})
	wantNoSecrets(t, c)
	wantNoSecrets(t, *c)
	if got, err := json.Marshal(wanted); err != nil || string(got) != `"User01"` {
		t.Errorf("got %s, %v, want the id", got, err)
	}
}
