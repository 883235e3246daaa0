package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func addrOf(t *testing.T, url string) string {
	t.Helper()
	addr, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	return addr
}

// With fixed addresses and secrets, a restarted sandbox is where it was before.
func TestSandboxFixed(t *testing.T) {
	first, stop := startSandbox(t, "-gateway-secret", "g'1", "-control-secret", "c")
	stop()
	if first["gatewaySecret"] != "g'1" || first["controlSecret"] != "c" {
		t.Errorf("got secrets %q and %q", first["gatewaySecret"], first["controlSecret"])
	}
	t.Setenv("IMREUSE_GATEWAY_SECRET", "g'1")
	t.Setenv("IMREUSE_CONTROL_SECRET", "another")
	again, stop := startSandbox(t, "-control-secret", "c", // a flag wins over the environment
		"-addr", addrOf(t, first["kit"]), "-gateway-addr", addrOf(t, first["gateway"]),
		"-im-addr", first["link"], "-control-addr", addrOf(t, first["control"]))
	if code, stderr := stop(); code != 0 || stderr != "" {
		t.Errorf("got exit status %d and %q", code, stderr)
	}
	if !maps.Equal(first, again) {
		t.Errorf("got %v, want %v", again, first)
	}
}

// Without fixed secrets, each sandbox makes its own.
func TestSandboxNewSecrets(t *testing.T) {
	t.Setenv("IMREUSE_GATEWAY_SECRET", "")
	t.Setenv("IMREUSE_CONTROL_SECRET", "")
	one, stopOne := startSandbox(t)
	defer stopOne()
	two, stopTwo := startSandbox(t)
	defer stopTwo()
	secrets := map[string]bool{one["gatewaySecret"]: true, one["controlSecret"]: true, two["gatewaySecret"]: true, two["controlSecret"]: true}
	for secret := range secrets {
		if len(secret) < 32 {
			t.Errorf("got a secret of %d characters", len(secret))
		}
	}
	if len(secrets) != 4 {
		t.Errorf("got %d different secrets, want 4", len(secrets))
	}
}

func TestSandboxFixedBad(t *testing.T) {
	at, stop := startSandbox(t)
	defer stop()
	const s3 = "s3 s3"
	tests := []struct {
		name, wants string
		args        []string
	}{
		{"gateway on every address", `"0.0.0.0:0" is not on loopback`, []string{"-gateway-addr", "0.0.0.0:0"}},
		{"IM cloud on every address", `"0.0.0.0:0" is not on loopback`, []string{"-im-addr", "0.0.0.0:0"}},
		{"control on every address", `"0.0.0.0:0" is not on loopback`, []string{"-control-addr", "0.0.0.0:0"}},
		{"gateway's port taken", "is taken: choose another with -gateway-addr", []string{"-gateway-addr", addrOf(t, at["gateway"])}},
		{"IM cloud's port taken", "is taken: choose another with -im-addr", []string{"-im-addr", at["link"]}},
		{"control's port taken", "is taken: choose another with -control-addr", []string{"-control-addr", addrOf(t, at["control"])}},
		{"gateway secret", "-gateway-secret has a space", []string{"-gateway-secret", s3}},
		{"control secret", "-control-secret has a space", []string{"-control-secret", s3}},
		{"long secret", "-control-secret has 130 characters", []string{"-control-secret", strings.Repeat("s3", 65)}},
		{"out without a name", "-out", []string{"-out", ""}},
		{"out in no folder", "-out", []string{"-out", filepath.Join(t.TempDir(), "none", "out.json")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, out, stderr := command(t, append([]string{"sandbox"}, test.args...)...)
			if code == 0 || out != "" || !strings.Contains(stderr, test.wants) || strings.Contains(stderr, "s3") {
				t.Errorf("got exit status %d, %q and %q, want a failure and %q", code, out, stderr, test.wants)
			}
		})
	}
}

func TestSandboxHelpHidesSecrets(t *testing.T) {
	t.Setenv("IMREUSE_GATEWAY_SECRET", "hidden-1")
	t.Setenv("IMREUSE_CONTROL_SECRET", "hidden-2")
	code, out, stderr := command(t, "sandbox", "-h")
	if code != 0 || strings.Contains(out+stderr, "hidden") || !strings.Contains(out, "IMREUSE_CONTROL_SECRET") {
		t.Errorf("got exit status %d, %s%s", code, out, stderr)
	}
}

func TestSandboxOut(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "sandbox.json")
	if err := os.WriteFile(name, []byte("of an earlier run"), 0o644); err != nil {
		t.Fatal(err)
	}
	at, stop := startSandbox(t, "-out", name)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(text, &got); err != nil || !maps.Equal(got, at) || !bytes.HasSuffix(text, []byte("}\n")) {
		t.Errorf("got %q and %v, want the first line", text, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v and %v, want a file for its owner only", info.Mode(), err)
	}
	if code, stderr := stop(); code != 0 || stderr != "" {
		t.Errorf("got exit status %d and %q", code, stderr)
	}
	wantFiles(t, dir)
}

func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got files %q, want %q", got, want)
	}
}

// A sandbox does not remove the file of the one that started after it, and does
// not mind a file that is gone.
func TestSandboxOutOfAnother(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "sandbox.json")
	_, stopFirst := startSandbox(t, "-out", name)
	_, stopSecond := startSandbox(t, "-out", name)
	if code, stderr := stopFirst(); code != 0 {
		t.Errorf("got exit status %d and %q", code, stderr)
	}
	wantFiles(t, dir, "sandbox.json")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if code, stderr := stopSecond(); code != 0 {
		t.Errorf("got exit status %d and %q", code, stderr)
	}
	wantFiles(t, dir)
}

func TestSandboxOutNobodyReads(t *testing.T) {
	dir := t.TempDir()
	reader, writer := io.Pipe()
	reader.Close()
	if code := run(t.Context(), []string{"imreuse", "sandbox", "-out", filepath.Join(dir, "out")}, writer, io.Discard); code != 1 {
		t.Errorf("got exit status %d, want 1", code)
	}
	wantFiles(t, dir)
}

// A shell can read the output of -env, whatever characters a secret has.
func TestSandboxEnv(t *testing.T) {
	const secret = `it's"$HOME` + "`pwd`" + `\`
	name := filepath.Join(t.TempDir(), "sandbox.json")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &firstWrite{done: make(chan struct{})}
	ended := make(chan int, 1)
	go func() {
		args := []string{"imreuse", "sandbox", "-env", "-out", name, "-control-secret", secret}
		ended <- run(ctx, args, out, io.Discard)
	}()
	<-out.done
	text, err := os.ReadFile(name) // -out is JSON even with -env
	if err != nil {
		t.Fatal(err)
	}
	var at addresses
	if err := json.Unmarshal(text, &at); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, "sh", "-c", out.text+`printf '%s\n' "$IMREUSE_KIT_URL" "$IMREUSE_API_URL" "$IMREUSE_GATEWAY_URL" \
		"$IMREUSE_GATEWAY_SECRET" "$IMREUSE_LBS_URL" "$IMREUSE_LINK_ADDR" "$IMREUSE_CONTROL_URL" "$IMREUSE_CONTROL_SECRET"`)
	got, err := c.CombinedOutput()
	want := strings.Join([]string{at.Kit, at.API, at.Gateway, at.GatewaySecret, at.LBS, at.Link, at.Control, secret, ""}, "\n")
	if err != nil || string(got) != want {
		t.Errorf("got %q and %v, want %q", got, err, want)
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("got exit status %d", code)
	}
}

// A firstWrite keeps the first write. The output must come in a single one, so
// that a script never reads a part of it.
type firstWrite struct {
	text string
	done chan struct{}
}

func (f *firstWrite) Write(b []byte) (int, error) {
	f.text = string(b)
	close(f.done)
	return len(b), nil
}

func TestSandboxVerbose(t *testing.T) {
	at, stop := startSandbox(t, "-v")
	post(t, at["kit"]+"/scene/apps/app1/v1/login?token=myUserToken", "app1", "myaccid", "myUserToken")
	h := newHost(t, at)
	callControl(t, at, "/v1/fault", `{"path": "/v1/login", "cut": "before"}`)
	h.login()
	callControl(t, at, "/v1/kick", `{"accid": "nobody", "reason": 2}`)
	h.engine.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at["kit"]+"/a%0Ab", nil)
	if err != nil {
		t.Fatal(err)
	}
	send(t, r)
	code, log := stop()
	if code != 0 {
		t.Errorf("got exit status %d", code)
	}
	for _, want := range []string{
		"method=POST path=/scene/apps/app1/v1/login status=200 duration=",
		"method=POST path=/scene/apps/app1/v1/login status=0 duration=",
		"method=GET path=/lbs status=200 duration=",
		"method=PUT path=/v1/im/a status=401 duration=",
		"/login status=200 duration=",
		"method=POST path=/v1/fault status=204 duration=",
		"method=POST path=/v1/kick status=404 duration=",
		"method=GET path=/a%0Ab status=404 duration=",
		" peer=127.0.0.1:",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	for _, secret := range []string{"myUserToken", "myToken", at["gatewaySecret"], at["controlSecret"]} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in\n%s", secret, log)
		}
	}
}
