package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startSandbox runs the command until stop is called. stop returns the exit
// status and the output on stderr.
func startSandbox(t *testing.T, args ...string) (at map[string]string, stop func() (int, string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stdout, print := io.Pipe()
	var stderr bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"imreuse", "sandbox"}, args...), print, &stderr)
		print.Close()
	}()
	out := bufio.NewReader(stdout)
	at = firstLine(t, out)
	return at, func() (int, string) {
		cancel()
		if rest, _ := io.ReadAll(out); len(rest) > 0 {
			t.Errorf("after the first line: got %q, want nothing", rest)
		}
		return <-done, stderr.String()
	}
}

// firstLine reads the first line of output, which has every address, and checks
// that the gateway and the address service answer there.
func firstLine(t *testing.T, out *bufio.Reader) map[string]string {
	t.Helper()
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("got %q and %v, want a line", line, err)
	}
	var first map[string]string
	err = json.Unmarshal([]byte(line), &first)
	if err != nil || len(first) != 8 || !strings.HasPrefix(first["kit"], "http://") || !strings.HasPrefix(first["api"], "http://") {
		t.Fatalf("got %q and %v, want the addresses of kit server, server API, gateway and IM cloud", line, err)
	}
	wantGateway(t, first)
	res, err := http.Get(first["lbs"])
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	address, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(address), first["link"]) {
		t.Errorf("the address service: got %q and %v, want %s in it", address, err, first["link"])
	}
	return first
}

// post sends a POST without a body. It returns the reply's code and data.
func post(t *testing.T, url, appKey, user, token string) (int, map[string]any) {
	t.Helper()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"AppKey": appKey, "user": user, "token": token, "Origin": "https://app.example.com"} {
		r.Header.Set(name, value)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("got allowed origin %q, want any", got)
	}
	var reply struct {
		Code int
		Data map[string]any
	}
	if err := json.NewDecoder(res.Body).Decode(&reply); err != nil {
		t.Fatal(err)
	}
	return reply.Code, reply.Data
}

func wantGone(t *testing.T, kit string) {
	t.Helper()
	transport := new(http.Transport)
	r, err := http.NewRequest(http.MethodGet, kit, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.RoundTrip(r); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the end: got %v, want %v", err, syscall.ECONNREFUSED)
	}
}

func accountsFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "accounts.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestSandbox(t *testing.T) {
	at, stop := startSandbox(t)
	code, data := post(t, at["kit"]+"/scene/apps/app1/v1/login", "app1", "myaccid", "myUserToken")
	if code != 0 || data["imAccid"] != "myaccid" || data["imToken"] != "myToken" {
		t.Errorf("login: got code %d, %v", code, data)
	}
	if code, _ := post(t, at["kit"]+"/scene/apps/app1/v1/login", "app1", "myaccid", "wrong"); code != 402 {
		t.Errorf("wrong token: got code %d, want 402", code)
	}
	if code, data := post(t, at["kit"]+"/scene/apps/app1/v1/anonymous/login", "app1", "", ""); code != 0 || data["userToken"] == "" {
		t.Errorf("anonymous login: got code %d, %v", code, data)
	}
	if code := postSigned(t, at["api"]+"/im/v2/accounts", "app1", "secret1", `{"account_id": "myaccid"}`); code != 102405 {
		t.Errorf("an account that is there: got code %d, want 102405", code)
	}
	if code, stderr := stop(); code != 0 || stderr != "" {
		t.Errorf("got exit status %d and %q, want success", code, stderr)
	}
	wantGone(t, at["kit"])
	wantGone(t, at["api"])
}

// The kit server knows the accounts that an app server creates.
func TestSandboxAPI(t *testing.T) {
	at, stop := startSandbox(t, "-accounts", accountsFile(t, `{"appKey": "key-9", "appSecret": "s-9"}`))
	defer stop()
	im := postSigned(t, at["api"]+"/im/v2/accounts", "key-9", "s-9", `{"account_id": "User-1", "token": "im-1"}`)
	room := postSigned(t, at["api"]+"/neroom/v3/users", "key-9", "s-9", `{"user_uuid": "user-1", "user_token": "kit-1", "im_token": "im-1"}`)
	if im != 200 || room != 0 {
		t.Errorf("got codes %d and %d, want 200 and 0", im, room)
	}
	code, data := post(t, at["kit"]+"/scene/apps/key-9/v1/login", "key-9", "user-1", "kit-1")
	if code != 0 || data["imAccid"] != "user-1" || data["imToken"] != "im-1" {
		t.Errorf("login: got code %d, %v", code, data)
	}
	if code := postSigned(t, at["api"]+"/neroom/v3/users", "key-9", "secret1", `{"user_uuid": "user-2"}`); code != 401 {
		t.Errorf("another secret: got code %d, want 401", code)
	}
}

// postSigned sends a signed call, as an app server does. It returns the reply's
// code.
func postSigned(t *testing.T, url, appKey, secret, body string) int {
	t.Helper()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	curTime := fmt.Sprint(time.Now().Unix())
	sum := sha1.Sum([]byte(secret + "nonce-1" + curTime))
	for name, value := range map[string]string{
		"AppKey": appKey, "Nonce": "nonce-1", "CurTime": curTime, "CheckSum": hex.EncodeToString(sum[:]), "Content-Type": "application/json",
	} {
		r.Header.Set(name, value)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var reply struct{ Code *int }
	if err := json.NewDecoder(res.Body).Decode(&reply); err != nil || reply.Code == nil {
		t.Fatalf("got %v, want a code", err)
	}
	return *reply.Code
}

// Without an appSecret the server API refuses every call, but the kit server
// works.
func TestSandboxNoAppSecret(t *testing.T) {
	for _, text := range []string{`{"appKey": "key-9"}`, `{"appKey": "key-9", "appSecret": ""}`} {
		at, stop := startSandbox(t, "-accounts", accountsFile(t, text))
		for _, secret := range []string{"", "secret1"} {
			if code := postSigned(t, at["api"]+"/im/v2/accounts", "key-9", secret, `{"account_id": "user-1"}`); code != 403 {
				t.Errorf("%s: got code %d, want 403", text, code)
			}
		}
		if code, _ := post(t, at["kit"]+"/scene/apps/key-9/v1/anonymous/login", "key-9", "", ""); code != 0 {
			t.Errorf("%s: anonymous login: got code %d", text, code)
		}
		stop()
	}
}

// The accounts in the help are a valid accounts file, and the default accounts.
func TestSandboxHelpShowsTheAccounts(t *testing.T) {
	_, out, _ := command(t, "sandbox", "-h")
	from, to := strings.Index(out, `{"appKey"`), strings.LastIndex(out, "]}")
	if from < 0 || to < from {
		t.Fatalf("no accounts in %s", out)
	}
	at, stop := startSandbox(t, "-accounts", accountsFile(t, out[from:to+2]))
	if code, data := post(t, at["kit"]+"/scene/apps/app1/v1/login", "app1", "myaccid", "myUserToken"); code != 0 || data["imToken"] != "myToken" {
		t.Errorf("login: got code %d, %v", code, data)
	}
	stop()
}

func TestSandboxAccounts(t *testing.T) {
	name := accountsFile(t, `
		{"appKey": "key-9", "appSecret": "secret1",
		 "im":  [{"accid": "User-One", "token": "t1"}, {"accid": "two", "token": "t2"}],
		 "kit": [{"userUuid": "user-one", "userToken": "k1", "accid": "user-one"},
		         {"userUuid": "Another", "userToken": "k2", "accid": "USER-one"}]}
	`)
	at, stop := startSandbox(t, "-accounts", name, "-addr", "localhost:0")
	for user, token := range map[string]string{"user-one": "k1", "another": "k2"} {
		code, data := post(t, at["kit"]+"/scene/apps/key-9/v1/login", "key-9", user, token)
		if code != 0 || data["userUuid"] != user || data["imAccid"] != "user-one" || data["imToken"] != "t1" || data["imKey"] != "key-9" {
			t.Errorf("%s: got code %d, %v", user, code, data)
		}
	}
	if code, _ := post(t, at["kit"]+"/scene/apps/app1/v1/login", "app1", "user-one", "k1"); code != 404 {
		t.Errorf("another AppKey: got code %d, want 404", code)
	}
	if code, stderr := stop(); code != 0 || stderr != "" {
		t.Errorf("got exit status %d and %q, want success", code, stderr)
	}
}

func TestSandboxBadAccounts(t *testing.T) {
	long := strings.Repeat("a", 33)
	im := func(entry string) string {
		return `{"appKey": "app1", "im": [{"accid": "one", "token": "s3"}, ` + entry + `]}`
	}
	kit := func(entry string) string {
		return `{"appKey": "app1", "im": [{"accid": "one", "token": "s3"}], "kit": [{"userUuid": "u1", "userToken": "s3", "accid": "one"}, ` + entry + `]}`
	}
	tests := []struct{ name, text, wants string }{
		{"empty", "", "line 1: invalid JSON"},
		{"text", "appKey=app1", "line 1: invalid JSON"},
		{"syntax", "{\n\"appKey\": \"app1\",\n\"im\" []}", "line 3: invalid JSON"},
		{"cut off", "{\"appKey\": \"app1\",\n\"im\": [", "line 2: invalid JSON: it ends too early"},
		{"comma at the end", "{\"appKey\": \"app1\",\n}", "line 2: invalid JSON"},
		{"trailing data", "{\"appKey\": \"app1\"}\n{}", "line 2: there is text after the JSON value"},
		{"trailing bracket", "{\"appKey\": \"app1\"}\n\n]", "line 3: there is text after the JSON value"},
		{"array", "[]", "want a JSON object, not a JSON array"},
		{"null", "null", "appKey is missing or empty"},
		{"no appKey", `{"im": []}`, "appKey is missing or empty"},
		{"empty appKey", `{"appKey": ""}`, "appKey is missing or empty"},
		{"appKey with a space", `{"appKey": "app 1"}`, "appKey has a space"},
		{"appKey is a number", `{"appKey": 1}`, "appKey must not be a JSON number"},
		{"appSecret is a number", `{"appKey": "app1", "appSecret": 1}`, "appSecret must not be a JSON number"},
		{"appSecret with a space", `{"appKey": "app1", "appSecret": "s3 s3"}`, "appSecret has a space"},
		{"long appSecret", `{"appKey": "app1", "appSecret": "` + strings.Repeat("s3", 65) + `"}`, "appSecret has 130 characters"},
		{"field in another case", `{"appkey": "app1"}`, `unknown field "appkey"`},
		{"field twice", `{"appKey": "app1", "im": [], "im": []}`, `the field "im" appears twice`},
		{"im, field in another case", im(`{"accid": "two", "Token": "s3"}`), `im[1]: unknown field "Token"`},
		{"im, field twice", im(`{"accid": "two", "accid": "three", "token": "s3"}`), `im[1]: the field "accid" appears twice`},
		{"unknown field", `{"appKey": "app1", "kits": []}`, `unknown field "kits"`},
		{"im is an object", `{"appKey": "app1", "im": {}}`, "im must not be a JSON object"},
		{"im of text", im(`"two"`), "im[1]: want a JSON object, not a JSON string"},
		{"im, unknown field", im(`{"acid": "two", "token": "s3"}`), `im[1]: unknown field "acid"`},
		{"im, null", im(`null`), "im[1].accid is missing or empty"},
		{"im, no accid", im(`{"token": "s3"}`), "im[1].accid is missing or empty"},
		{"im, bad accid", im(`{"accid": "t wo", "token": "s3"}`), `im[1].accid "t wo" may contain only letters`},
		{"im, control character", im(`{"accid": "t\nwo", "token": "s3"}`), `im[1].accid "t\nwo" may contain only letters`},
		{"im, foreign letter", im(`{"accid": "zwö", "token": "s3"}`), `im[1].accid "zwö" may contain only letters`},
		{"im, letter that folds to a k", im(`{"accid": "two\u212a", "token": "s3"}`), "may contain only letters"},
		{"im, long accid", im(`{"accid": "` + long + `", "token": "s3"}`), "33 characters; the limit is 32"},
		{"im, number", im(`{"accid": 2, "token": "s3"}`), "im[1]: accid must not be a JSON number"},
		{"im, no token", im(`{"accid": "two"}`), "im[1].token is missing or empty"},
		{"im, bad token", im(`{"accid": "two", "token": "s3\u0000"}`), "im[1].token has a space or a character"},
		{"im, long token", im(`{"accid": "two", "token": "` + strings.Repeat("s3", 65) + `"}`), "im[1].token has 130 characters"},
		{"im, twice", im(`{"accid": "one", "token": "s3"}`), `im[1].accid "one" is the same id as im[0].accid`},
		{"im, twice but for case", im(`{"accid": "ONE", "token": "s3"}`), `im[1].accid "ONE" is the same id as im[0].accid`},
		{"kit, field of im", kit(`{"userUuid": "u2", "token": "s3", "accid": "one"}`), `kit[1]: unknown field "token"`},
		{"kit, no userUuid", kit(`{"userToken": "s3", "accid": "one"}`), "kit[1].userUuid is missing or empty"},
		{"kit, bad userUuid", kit(`{"userUuid": "u/2", "userToken": "s3", "accid": "one"}`), `kit[1].userUuid "u/2" may contain only letters`},
		{"kit, no userToken", kit(`{"userUuid": "u2", "accid": "one"}`), "kit[1].userToken is missing or empty"},
		{"kit, bad userToken", kit(`{"userUuid": "u2", "userToken": "s3 s3", "accid": "one"}`), "kit[1].userToken has a space"},
		{"kit, twice but for case", kit(`{"userUuid": "U1", "userToken": "s3", "accid": "one"}`), `kit[1].userUuid "U1" is the same id as kit[0].userUuid`},
		{"kit, no accid", kit(`{"userUuid": "u2", "userToken": "s3"}`), "kit[1].accid is missing or empty"},
		{"kit, unknown accid", kit(`{"userUuid": "u2", "userToken": "s3", "accid": "two"}`), `kit[1].accid "two" is not among the accids in im`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := accountsFile(t, test.text)
			code, out, stderr := command(t, "sandbox", "-accounts", name)
			if code != 1 || out != "" || !strings.Contains(stderr, name) || !strings.Contains(stderr, test.wants) {
				t.Errorf("got exit status %d, %q and %q, want %q about %s", code, out, stderr, test.wants, name)
			}
			if strings.Contains(stderr, "s3") || strings.Count(stderr, "\n") != 1 {
				t.Errorf("got %q, want one line with no token in it", stderr)
			}
		})
	}
}

func TestSandboxBadUse(t *testing.T) {
	at, stop := startSandbox(t)
	defer stop()
	folder := t.TempDir()
	huge := filepath.Join(folder, "huge.json")
	if err := os.WriteFile(huge, bytes.Repeat([]byte(" "), 16<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, wants string
		args        []string
	}{ // exit status 1 or 2: see TestExitStatus
		{"every address", `"0.0.0.0:0" is not on loopback`, []string{"-addr", "0.0.0.0:0"}},
		{"port alone", `":0" is not on loopback`, []string{"-addr", ":0"}},
		{"every address of IPv6", `"[::]:0" is not on loopback`, []string{"-addr", "[::]:0"}},
		{"local network", `"192.168.1.2:0" is not on loopback`, []string{"-addr", "192.168.1.2:0"}},
		{"name", `"example.com:0" is not on loopback`, []string{"-addr", "example.com:0"}},
		{"no port", `"127.0.0.1" is not HOST:PORT`, []string{"-addr", "127.0.0.1"}},
		{"port taken", "is taken: choose another with -addr", []string{"-addr", strings.TrimPrefix(at["kit"], "http://")}},
		{"port out of range", "99999", []string{"-addr", "127.0.0.1:99999"}},
		{"no such file", filepath.Join(folder, "none.json"), []string{"-accounts", filepath.Join(folder, "none.json")}},
		{"file with no name", "-accounts: open", []string{"-accounts", ""}},
		{"folder", folder, []string{"-accounts", folder}},
		{"huge file", "more than 16777216 bytes", []string{"-accounts", huge}},
		{"argument", "no arguments", []string{"accounts.json"}},
		{"unknown flag", "port", []string{"-port", "1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, _, stderr := command(t, append([]string{"sandbox"}, test.args...)...)
			if code == 0 || !strings.Contains(stderr, test.wants) {
				t.Errorf("got exit status %d and %q, want a failure and %q", code, stderr, test.wants)
			}
		})
	}
}

func TestSandboxOutputClosed(t *testing.T) {
	reader, writer := io.Pipe()
	reader.Close()
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"imreuse", "sandbox"}, writer, &stderr); code != 1 || stderr.Len() == 0 {
		t.Errorf("got exit status %d and %q, want 1 and a reason", code, stderr.String())
	}
}

// The command runs as a process, and ends at a signal.
func TestSandboxProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM to send")
	}
	for signal, status := range map[os.Signal]int{syscall.SIGTERM: 0, os.Interrupt: 130} {
		t.Run(fmt.Sprint(signal), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0], "sandbox")
			c.Env = append(os.Environ(), asCommand+"=1")
			var stderr bytes.Buffer
			c.Stderr = &stderr
			stdout, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			out := bufio.NewReader(stdout)
			at := firstLine(t, out)
			if code, _ := post(t, at["kit"]+"/scene/apps/app1/v1/login", "app1", "myaccid", "myUserToken"); code != 0 {
				t.Errorf("login: got code %d", code)
			}
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(out)
			c.Wait()
			if code := c.ProcessState.ExitCode(); code != status || len(rest) > 0 || stderr.Len() > 0 {
				t.Errorf("got exit status %d, %q and %q, want %d and nothing more", code, rest, stderr.String(), status)
			}
			wantGone(t, at["kit"])
		})
	}
}
