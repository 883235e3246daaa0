package main

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// Both servers of a sandbox that check dynamic tokens take what the command
// prints, and nothing that was signed with another secret.
func TestDynamicTokenToLogin(t *testing.T) {
	at, stop := startSandbox(t, "-accounts", accountsFile(t, `{"appKey": "app1", "appSecret": "s3cr3t",
		"im": [{"accid": "alice", "token": "static"}]}`))
	for secret, want := range map[string]struct{ kit, im int }{
		"s3cr3t":  {0, 200},
		"secret1": {402, 102302}, // that of the sandbox without -accounts
	} {
		t.Setenv("IMREUSE_APP_SECRET", secret)
		code, out, errs := command(t, "provision", "dynamic-token", "-appkey", "app1", "-accid", "alice")
		token, isLine := strings.CutSuffix(out, "\n")
		if code != 0 || errs != "" || !isLine {
			t.Fatalf("got exit status %d, %q and %q, want a token", code, out, errs)
		}
		wantDynamicLogins(t, at, "alice", token, want.kit, want.im)
	}
	stop()
}

// The sandbox of the vendor's guides has a secret, too.
func TestSandboxDynamicToken(t *testing.T) {
	t.Setenv("IMREUSE_APP_SECRET", "secret1")
	code, out, errs := command(t, "provision", "dynamic-token", "-appkey", "app1", "-accid", "myaccid", "-ttl", "1h", "-json")
	var made provisioned
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 || errs != "" || made.Accid != "myaccid" {
		t.Fatalf("got exit status %d, %q, %q and %v", code, out, errs, err)
	}
	at, stop := startSandbox(t)
	wantDynamicLogins(t, at, "myaccid", made.Token, 0, 200)
	stop()
}

// Without appSecret the app does not allow dynamic tokens.
func TestSandboxDynamicTokenNoSecret(t *testing.T) {
	t.Setenv("IMREUSE_APP_SECRET", "secret1")
	_, out, _ := command(t, "provision", "dynamic-token", "-appkey", "app1", "-accid", "alice")
	at, stop := startSandbox(t, "-accounts", accountsFile(t, `{"appKey": "app1", "im": [{"accid": "alice", "token": "static"}]}`))
	wantDynamicLogins(t, at, "alice", strings.TrimSpace(out), 402, 403)
	stop()
}

func TestDynamicTokenSecretsFile(t *testing.T) {
	t.Setenv("IMREUSE_APP_SECRET", "")
	file := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(file, []byte(`{"appSecret": "secret1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, "provision", "dynamic-token", "-appkey", "app1", "-accid", "myaccid", "-secrets", file)
	if code != 0 || errs != "" {
		t.Fatalf("got exit status %d, %q and %q", code, out, errs)
	}
	at, stop := startSandbox(t)
	wantDynamicLogins(t, at, "myaccid", strings.TrimSpace(out), 0, 200)
	stop()
}

func TestDynamicTokenBadUse(t *testing.T) {
	good := []string{"provision", "dynamic-token", "-appkey", "app1", "-accid", "alice"}
	tests := []struct {
		name, secret string
		args         []string
		status       int
		wants        string
	}{
		{"no AppSecret", "", good, 1, "IMREUSE_APP_SECRET"},
		{"no AppKey", "x", []string{"provision", "dynamic-token", "-accid", "alice"}, 2, "appkey"},
		{"no accid", "x", []string{"provision", "dynamic-token", "-appkey", "app1"}, 2, "accid"},
		{"bad AppKey", "x", []string{"provision", "dynamic-token", "-appkey", "a b", "-accid", "alice"}, 2, "-appkey"},
		{"bad accid", "x", []string{"provision", "dynamic-token", "-appkey", "app1", "-accid", "a b"}, 2, "-accid"},
		{"no lifetime", "x", append(good, "-ttl", "0s"), 2, "-ttl"},
		{"too short", "x", append(good, "-ttl", "999ms"), 2, "-ttl"},
		{"negative", "x", append(good, "-ttl", "-1h"), 2, "-ttl"},
		{"no unit", "x", append(good, "-ttl", "600"), 2, "ttl"},
		{"argument", "x", append(good, "bob"), 2, "no arguments"},
		{"dry run", "x", append(good, "-dry-run"), 2, "dry-run"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("IMREUSE_APP_SECRET", test.secret)
			code, out, errs := command(t, test.args...)
			if code != test.status || out != "" || !strings.Contains(errs, test.wants) {
				t.Errorf("got exit status %d, %q and %q, want %d and %q", code, out, errs, test.status, test.wants)
			}
		})
	}
}

// wantDynamicLogins logs in at the kit server and at the IM cloud.
func wantDynamicLogins(t *testing.T, at map[string]string, accid, token string, kit, im int) {
	t.Helper()
	if got := dynamicKitLogin(t, at["kit"]+"/scene/apps/app1/v1/login", accid, token); got != kit {
		t.Errorf("the kit server: got code %d, want %d", got, kit)
	}
	packed := map[int]int{200: 200, 403: 403, 102302: 3<<9 | 302}[im]
	if got := dynamicIMLogin(t, at["link"], accid, token); got != packed {
		t.Errorf("the IM cloud: got result %d, want %d for %d", got, packed, im)
	}
}

func dynamicKitLogin(t *testing.T, url, user, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"AppKey": "app1", "user": user, "token": token, "authType": "1"} {
		r.Header.Set(name, value)
	}
	_, body := send(t, r)
	var reply struct{ Code int }
	if err := json.Unmarshal([]byte(body), &reply); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return reply.Code
}

// dynamicIMLogin sends the login packet of the vendor's SDK, and returns the
// result as it is on the wire.
func dynamicIMLogin(t *testing.T, link, accid, token string) int {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), "ws://"+link+"/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	packet := []byte{0, 26, 3, 1, 0, 0, 4}
	for _, field := range []struct {
		tag   []byte // a varint
		value string
	}{{[]byte{18}, "app1"}, {[]byte{19}, accid}, {[]byte{115}, "1"}, {[]byte{0xe8, 7}, token}} {
		packet = append(packet, field.tag...)
		packet = binary.AppendUvarint(packet, uint64(len(field.value)))
		packet = append(packet, field.value...)
	}
	if err := ws.Write(t.Context(), websocket.MessageBinary, packet); err != nil {
		t.Fatal(err)
	}
	_, answer, err := ws.Read(t.Context())
	if err != nil || len(answer) < 8 {
		t.Fatalf("got % x and %v, want a packet", answer, err)
	}
	return int(answer[6]) | int(answer[7])<<8
}
