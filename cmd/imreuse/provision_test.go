package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// provisionOK runs imreuse provision against a server and decodes what it prints.
func provisionOK(t *testing.T, s *nimhttptest.Server, what string, args ...string) provisioned {
	t.Helper()
	args = append([]string{"provision", what, "-appkey", nimhttptest.AppKey, "-json", urlFlag(what), s.APIURL()}, args...)
	code, out, errs := command(t, args...)
	var p provisioned
	if err := json.Unmarshal([]byte(out), &p); code != 0 || errs != "" || err != nil {
		t.Fatalf("%s: got exit status %d, %q and %v", args, code, errs, err)
	}
	return p
}

// urlFlag returns the flag that names the server of a provision command.
func urlFlag(what string) string {
	if what == "im-account" {
		return "-im-url"
	}
	return "-kit-url"
}

// The whole way: an IM account, a kit account that is bound to it, kit logins in
// two modes, and 100005, which a new kit account repairs.
func TestProvisionToLogin(t *testing.T) {
	server := nimhttptest.New(t, nimhttptest.Options{})
	t.Setenv("IMREUSE_APP_SECRET", nimhttptest.AppSecret)
	t.Setenv("IMREUSE_IM_TOKEN", "token-of-alice")
	im := provisionOK(t, server, "im-account", "-accid", "Alice", "-name", "爱丽丝")
	if want := (provisioned{Accid: "alice", Token: "token-of-alice"}); im != want {
		t.Errorf("got %+v, want %+v", im, want)
	}
	alice := provisionOK(t, server, "room-account", "-accid", "alice")
	login(t, server, engine.AutoLogin, alice, nil, nil)
	login(t, server, engine.ReuseIM, alice, &engine.IMAccount{Accid: "alice", Token: "token-of-alice"}, nil)

	t.Setenv("IMREUSE_IM_TOKEN", "token-of-bob")
	provisionOK(t, server, "im-account", "-accid", "bob")
	bob := engine.IMAccount{Accid: "bob", Token: "token-of-bob"}
	login(t, server, engine.ReuseIM, alice, &bob, engine.ErrIMAccountMismatch)
	login(t, server, engine.ReuseIM, provisionOK(t, server, "meeting-account", "-accid", "bob"), &bob, nil)
}

// login logs the kit in over HTTP. If im is not nil, the host has logged it in
// before.
func login(t *testing.T, s *nimhttptest.Server, mode engine.Mode, a provisioned, im *engine.IMAccount, want error) {
	t.Helper()
	device := s.World().Device()
	defer device.HostLogout(t.Context())
	if im != nil {
		if err := errors.Join(device.HostInit(t.Context()), device.HostLogin(t.Context(), *im)); err != nil {
			t.Fatal(err)
		}
	}
	kit, err := nimhttp.NewKit(nimhttp.Options{AppKey: nimhttptest.AppKey, KitURL: s.KitURL()})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Join(device, kit), nimhttptest.AppKey, &engine.Options{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	err = e.LoginKit(t.Context(), engine.KitAccount{UserUUID: a.UserUUID, Token: a.UserToken})
	if !errors.Is(err, want) || e.Status().Reused() != (im != nil && want == nil) {
		t.Errorf("%v as %s: got %v, reused %t, want %v", mode, a.UserUUID, err, e.Status().Reused(), want)
	}
}

func TestProvisionUpdate(t *testing.T) {
	server := nimhttptest.New(t, nimhttptest.Options{})
	t.Setenv("IMREUSE_APP_SECRET", nimhttptest.AppSecret)
	t.Setenv("IMREUSE_USER_TOKEN", "new-kit-token")
	code, out, errs := command(t, "provision", "update", "-appkey", nimhttptest.AppKey, "-kit-url", server.APIURL(), "-user-uuid", nimhttptest.UserUUID)
	if code != 0 || out != "done\n" || errs != "" {
		t.Fatalf("got exit status %d, %q and %q", code, out, errs)
	}
	login(t, server, engine.AutoLogin, provisioned{UserUUID: nimhttptest.UserUUID, UserToken: nimhttptest.UserToken}, nil, engine.ErrTokenRejected)
	login(t, server, engine.AutoLogin, provisioned{UserUUID: nimhttptest.UserUUID, UserToken: "new-kit-token"}, nil, nil)
}

func TestProvisionAsText(t *testing.T) {
	server := nimhttptest.New(t, nimhttptest.Options{})
	t.Setenv("IMREUSE_APP_SECRET", nimhttptest.AppSecret)
	t.Setenv("IMREUSE_IM_TOKEN", "t1")
	code, out, errs := command(t, "provision", "im-account", "-appkey", nimhttptest.AppKey, "-im-url", server.APIURL(), "-accid", "carol")
	if want := "accid: carol\ntoken: t1\n"; code != 0 || out != want || errs != "" {
		t.Errorf("got exit status %d, %q and %q, want %q", code, out, errs, want)
	}
}

func TestProvisionDryRun(t *testing.T) {
	server := nimhttptest.New(t, nimhttptest.Options{})
	file := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(file, []byte(`{"appSecret": "app-s3cr3t", "imToken": "im-s3cr3t<", "userToken": "user-s3cr3t\""}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, path := range map[string]string{
		"im-account":      "POST " + server.APIURL() + "/im/v2/accounts",
		"room-account":    "POST " + server.APIURL() + "/neroom/v3/users",
		"meeting-account": "POST " + server.APIURL() + "/scene/meeting/api/v2/add-user",
		"update":          "PATCH " + server.APIURL() + "/neroom/v3/users/alice",
	} {
		code, out, errs := command(t, "provision", what, "-appkey", "app1", "-accid", "alice", "-secrets", file, "-dry-run", urlFlag(what), server.APIURL())
		if code != 0 || errs != "" || !strings.HasPrefix(out, path+"\n") {
			t.Errorf("%s: got exit status %d, %q and\n%s", what, code, errs, out)
		}
		if strings.Contains(out, "s3cr3t") || !strings.Contains(out, "Checksum: ***") || !strings.Contains(out, `"***"`) {
			t.Errorf("%s: the secrets are not masked:\n%s", what, out)
		}
	}
	if got := server.Requests(); len(got) != 0 {
		t.Errorf("got %d requests, want none", len(got))
	}
}

func TestProvisionBadUse(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	im := []string{"provision", "im-account", "-appkey", "app1", "-accid", "alice"}
	tests := []struct {
		name, secret string
		args         []string
		status       int
		wants        string
	}{
		{"no AppSecret", "", im, 1, "IMREUSE_APP_SECRET"},
		{"no AppKey", "x", []string{"provision", "im-account", "-accid", "alice"}, 2, "appkey"},
		{"argument", "x", append(im, "bob"), 2, "no arguments"},
		{"unknown command", "x", []string{"provision", "account"}, 2, `"account"`},
		{"bad accid", "x", []string{"provision", "im-account", "-appkey", "app1", "-accid", "a b"}, 2, "Accid"},
		{"plain http", "x", append(im, "-im-url", "http://im.example.com"), 2, "https"},
		{"no such file", "x", append(im, "-secrets", filepath.Join(folder, "none.json")), 1, "none.json"},
		{"not JSON", "x", append(im, "-secrets", write("text.json", "s3cr3t")), 1, "text.json"},
		{"typo", "x", append(im, "-secrets", write("typo.json", `{"appsecrets": "s3cr3t"}`)), 1, "typo.json"},
		{"two values", "x", append(im, "-secrets", write("two.json", `{"appSecret": "s3cr3t"} {}`)), 1, "two.json"},
		{"secret as a flag", "x", append(im, "-im-token", "s3cr3t"), 2, "im-token"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("IMREUSE_APP_SECRET", test.secret)
			code, out, errs := command(t, test.args...)
			if code != test.status || out != "" || !strings.Contains(errs, test.wants) || strings.Contains(errs, "s3cr3t") {
				t.Errorf("got exit status %d, %q and %q, want %d and %q", code, out, errs, test.status, test.wants)
			}
		})
	}
}

func TestProvisionUpdateJSON(t *testing.T) {
	server := nimhttptest.New(t, nimhttptest.Options{})
	t.Setenv("IMREUSE_APP_SECRET", nimhttptest.AppSecret)
	t.Setenv("IMREUSE_USER_TOKEN", "new-kit-token")
	got := provisionOK(t, server, "update", "-user-uuid", nimhttptest.UserUUID)
	if want := (provisioned{UserUUID: nimhttptest.UserUUID, Updated: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A dry run with -json prints one JSON document with its secrets masked.
func TestProvisionDryRunJSON(t *testing.T) {
	server := nimhttptest.New(t, nimhttptest.Options{})
	t.Setenv("IMREUSE_APP_SECRET", "app-s3cr3t")
	t.Setenv("IMREUSE_IM_TOKEN", "im-s3cr3t<")
	t.Setenv("IMREUSE_USER_TOKEN", `user-s3cr3t"`)
	for what, method := range map[string]string{"im-account": "POST", "room-account": "POST", "meeting-account": "POST", "update": "PATCH"} {
		code, out, errs := command(t, "provision", what, "-appkey", "app1", "-accid", "alice", "-dry-run", "-json", urlFlag(what), server.APIURL())
		var got struct {
			Method, URL string
			Header      map[string]string
			Body        map[string]any
		}
		if err := json.Unmarshal([]byte(out), &got); code != 0 || errs != "" || err != nil {
			t.Errorf("%s: got exit status %d, %q and %v", what, code, errs, err)
		}
		if got.Method != method || !strings.HasPrefix(got.URL, server.APIURL()+"/") || got.Header["Checksum"] != "***" || len(got.Body) == 0 {
			t.Errorf("%s: got %+v", what, got)
		}
		if strings.Contains(out, "s3cr3t") || !strings.Contains(out, `"***"`) {
			t.Errorf("%s: the secrets are not masked:\n%s", what, out)
		}
	}
	if got := server.Requests(); len(got) != 0 {
		t.Errorf("got %d requests, want none", len(got))
	}
}
