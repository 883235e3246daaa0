package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
)

// The control endpoint acts on logins of the 9.x SDK, too.
func TestSandboxWebSDK(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20, and npm ci in internal/nimcloud/websdk")
	}
	at, stop := startSandbox(t)
	defer stop()
	cmd := exec.CommandContext(t.Context(), "node", "../../internal/nimcloud/websdk/node.mjs")
	cmd.Env = append(os.Environ(), "LBS="+at["lbs"], "LINK="+at["link"], "APPKEY="+nimhttptest.AppKey)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 20 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	events := bufio.NewScanner(stdout)
	want := func(event, text string, number int) {
		t.Helper()
		for events.Scan() {
			var got struct {
				Event, Text string
				Number      int
			}
			if err := json.Unmarshal(events.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if got.Event == event && got.Text == text && got.Number == number {
				return
			}
		}
		t.Fatalf("the SDK did not say %s %s %d", event, text, number)
	}
	login := func() {
		t.Helper()
		call := map[string]any{"name": "a", "call": "login", "args": []string{nimhttptest.Accid, nimhttptest.IMToken}}
		if err := json.NewEncoder(stdin).Encode(call); err != nil {
			t.Fatal(err)
		}
		want("sync", "", 0)
	}
	control := func(path, body string) {
		t.Helper()
		if status, text := callControl(t, at, path, body); status != http.StatusNoContent {
			t.Fatalf("%s: got HTTP %d, %s", path, status, text)
		}
	}

	login()
	control("/v1/link", `{"accid": "myaccid", "online": false}`)
	want("willreconnect", "", 0)
	control("/v1/link", `{"accid": "myaccid", "online": true}`)
	want("sync", "", 0)
	control("/v1/kick", `{"accid": "myaccid", "reason": 2, "text": "bye"}`)
	want("disconnect", "kicked serverKick bye", 0)
	login()
	control("/v1/end-im", `{"accid": "myaccid", "cause": "ErrTokenRejected"}`)
	want("disconnect", "", 302)
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
