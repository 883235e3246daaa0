package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestGatewayBadUse(t *testing.T) {
	t.Setenv("NIM_SDK", "")
	tests := []struct {
		name   string
		args   []string
		status int
		wants  string
	}{
		{"not installed", []string{"gateway", "-dir", t.TempDir()}, 1, "imreuse gateway install"},
		{"not loopback", []string{"gateway", "-addr", "0.0.0.0:0"}, 2, "loopback"},
		{"unknown command", []string{"gateway", "start"}, 2, `"start"`},
		{"argument of install", []string{"gateway", "install", "now"}, 2, "no arguments"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, out, errs := command(t, test.args...)
			if code != test.status || out != "" || !strings.Contains(errs, test.wants) {
				t.Errorf("got exit status %d, %q and %q, want %d and %q", code, out, errs, test.status, test.wants)
			}
		})
	}
}

// The installed gateway runs until it is interrupted.
func TestGateway(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20 and imreuse gateway install")
	}
	ctx, cancel := context.WithCancel(t.Context())
	stdout, print := io.Pipe()
	var stderr bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"imreuse", "gateway"}, print, &stderr)
		print.Close()
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	var first struct{ URL, Secret string }
	if err := json.Unmarshal([]byte(line), &first); err != nil || len(first.Secret) < 16 {
		t.Fatalf("got %q and %v, want url and secret; %s", line, err, &stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(first.URL + "/healthz")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("got %v and %v, want HTTP 200", res, err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if code := <-done; code != 0 || strings.Contains(stderr.String(), first.Secret) {
		t.Errorf("got exit status %d and %q", code, &stderr)
	}
}

// fakeNode puts a node and an npm on PATH that run these shell scripts.
func fakeNode(t *testing.T, node, npm string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	folder := t.TempDir()
	for name, script := range map[string]string{"node": node, "npm": npm} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
}

// If npm fails, the error has npm's own reason.
func TestGatewayInstallFails(t *testing.T) {
	fakeNode(t, "echo v22.1.0", `cat >&2 <<'END'
npm error code E404
npm error 404 Not Found - GET https://registry.example.com/ws
npm error     at ClientRequest.<anonymous> (index.js:130:14)
npm error     at ClientRequest.emit (node:events:524:28)
npm error     at emitErrorEvent (node:_http_client:101:11)
npm error A complete log of this run can be found in: debug-0.log
END
exit 1`)
	code, _, errs := command(t, "gateway", "install")
	if code != 1 || !strings.Contains(errs, "404 Not Found - GET https://registry.example.com/ws") || strings.Contains(errs, "index.js") {
		t.Errorf("got exit status %d and %q, want 1 and npm's reason", code, errs)
	}
}

// fakeInstall installs the gateway with an npm that fetches nothing, and returns
// its folder. When the gateway starts, it is the shell script.
func fakeInstall(t *testing.T, script string) (dir string) {
	t.Helper()
	fakeNode(t, `test "$1" = --version && exec echo v22.1.0; `+script,
		"mkdir -p node_modules/nim-web-sdk-ng/dist/nodejs && touch node_modules/nim-web-sdk-ng/dist/nodejs/nim.js")
	t.Setenv("NIM_SDK", "")
	dir = filepath.Join(t.TempDir(), "here")
	if code, _, errs := command(t, "gateway", "-dir", dir, "install"); code != 0 {
		t.Fatal(errs)
	}
	return dir
}

// A gateway that is stopped while it starts has stopped cleanly.
func TestGatewayStoppedWhileItStarts(t *testing.T) {
	dir := fakeInstall(t, "echo starting >&2; exec cat")
	for signal, status := range map[os.Signal]int{syscall.SIGTERM: 0, os.Interrupt: 130} {
		ctx, cancel := context.WithCancelCause(t.Context())
		started := &firstWrite{done: make(chan struct{})}
		go func() {
			<-started.done
			cancel(stopSignal{signal})
		}()
		if code := run(ctx, []string{"imreuse", "gateway", "-dir", dir}, io.Discard, started); code != status || started.text != "starting\n" {
			t.Errorf("%v: got exit status %d and %q, want %d", signal, code, started.text, status)
		}
		cancel(nil)
	}
}

// A taken port is reported once and with its flag, although the gateway is a
// child that reports it only as text.
func TestGatewayPortTaken(t *testing.T) {
	dir := fakeInstall(t, "echo cannot listen >&2; exit 1")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	addr := listener.Addr().String()
	code, out, errs := command(t, "gateway", "-dir", dir, "-addr", addr)
	if want := "imreuse: port " + addr + " is taken: choose another with -addr\n"; code != 1 || out != "" || errs != want {
		t.Errorf("got exit status %d, %q and %q, want 1 and %q", code, out, errs, want)
	}
}
