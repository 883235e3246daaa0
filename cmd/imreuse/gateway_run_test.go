package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const gatewaySecret = "a-secret-from-a-file-0123456789"

// fakeMachine puts a fake Node and npm on PATH before the real ones. The fake
// Node prints the environment and the arguments of the gateway to stderr.
func fakeMachine(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	bin := t.TempDir()
	for name, script := range map[string]string{
		"node": `[ "$1" = --version ] && exec echo v20.0.0; env >&2; echo "args: $*" >&2; echo '{"url":"http://127.0.0.1:7788"}'; exec cat`,
		"npm":  "mkdir -p node_modules/nim-web-sdk-ng/dist/nodejs && touch node_modules/nim-web-sdk-ng/dist/nodejs/nim.js",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", os.Getenv("XDG_CACHE_HOME"))
}

// A gatewayRun is a running "imreuse gateway" that has printed its first line.
type gatewayRun struct {
	line   string
	first  struct{ URL, Secret string }
	stderr bytes.Buffer // read it after stop
	cancel context.CancelFunc
	status chan int
}

func runGatewayCommand(t *testing.T, args ...string) *gatewayRun {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &gatewayRun{cancel: cancel, status: make(chan int, 1)}
	stdout, print := io.Pipe()
	go func() {
		r.status <- run(ctx, append([]string{"imreuse", "gateway"}, args...), print, &r.stderr)
		print.Close()
	}()
	r.line, _ = bufio.NewReader(stdout).ReadString('\n')
	if err := json.Unmarshal([]byte(r.line), &r.first); err != nil {
		t.Fatalf("got %q, exit status %d and %s", r.line, <-r.status, &r.stderr)
	}
	return r
}

func (r *gatewayRun) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if code := <-r.status; code != 0 {
		t.Errorf("got exit status %d: %s", code, &r.stderr)
	}
}

// -dir names the same folder for gateway and gateway install.
func TestGatewayDir(t *testing.T) {
	fakeMachine(t)
	dir := filepath.Join(t.TempDir(), "here")
	if code, out, errs := command(t, "gateway", "-dir", dir, "install"); code != 0 || !strings.Contains(out, dir) {
		t.Fatalf("got exit status %d, %q and %q, want an install into %s", code, out, errs, dir)
	}
	if entries, err := os.ReadDir(os.Getenv("XDG_CACHE_HOME")); err != nil || len(entries) != 0 {
		t.Errorf("got %v and %v, want nothing in the cache folder", entries, err)
	}
	r := runGatewayCommand(t, "-dir", dir)
	r.stop(t)
	if want := "args: " + filepath.Join(dir, "main.mjs"); !strings.Contains(r.stderr.String(), want) {
		t.Errorf("got %s, want %q", &r.stderr, want)
	}
	if len(r.first.Secret) < 32 {
		t.Errorf("got %q, want a secret", r.line)
	}
}

func TestGatewaySecret(t *testing.T) {
	fakeMachine(t)
	dir := filepath.Join(t.TempDir(), "here")
	if code, _, errs := command(t, "gateway", "-dir", dir, "install"); code != 0 {
		t.Fatal(errs)
	}
	t.Setenv("IMREUSE_GATEWAY_SECRET", gatewaySecret)
	r := runGatewayCommand(t, "-dir", dir)
	r.stop(t)
	if r.line != `{"url":"http://127.0.0.1:7788"}`+"\n" {
		t.Errorf("got %q, want the URL without the secret", r.line)
	}
	log := r.stderr.String()
	if !strings.Contains(log, "IMREUSE_GATEWAY_SECRET="+gatewaySecret) {
		t.Errorf("the gateway does not get the secret: %s", log)
	}
	if _, args, _ := strings.Cut(log, "args: "); strings.Contains(args, gatewaySecret) {
		t.Errorf("the secret is an argument: %s", args)
	}
}

func TestGatewayBadSecret(t *testing.T) {
	fakeMachine(t)
	dir := filepath.Join(t.TempDir(), "here")
	if code, _, errs := command(t, "gateway", "-dir", dir, "install"); code != 0 {
		t.Fatal(errs)
	}
	for name, secret := range map[string]string{
		"empty":     "",
		"short":     "fifteen-letters",
		"space":     "sixteen letters and more",
		"new line":  gatewaySecret + "\n",
		"control":   gatewaySecret + "\x01",
		"not ASCII": gatewaySecret + "ü",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("IMREUSE_GATEWAY_SECRET", secret)
			code, out, errs := command(t, "gateway", "-dir", dir)
			if code == 0 || out != "" || !strings.Contains(errs, "IMREUSE_GATEWAY_SECRET") || strings.Contains(errs, "args:") {
				t.Errorf("got exit status %d, %q and %q, want an error about the secret before Node starts", code, out, errs)
			}
			if secret != "" && strings.Contains(errs, secret) {
				t.Errorf("the error has the secret: %s", errs)
			}
		})
	}
}

// With a fixed secret, a client's calls are accepted after a restart.
func TestGatewayRestart(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20 and imreuse gateway install")
	}
	t.Setenv("NIM_SDK", "")
	t.Setenv("IMREUSE_GATEWAY_SECRET", gatewaySecret)
	boots := map[string]bool{}
	addr := "127.0.0.1:0"
	for range 2 {
		r := runGatewayCommand(t, "-addr", addr)
		addr = strings.TrimPrefix(r.first.URL, "http://")
		if status, boot := askGateway(t, r.first.URL, gatewaySecret); status != http.StatusOK || boot == "" || boots[boot] {
			t.Errorf("got HTTP %d from run %q, want 200 from a new run", status, boot)
		} else {
			boots[boot] = true
		}
		if status, _ := askGateway(t, r.first.URL, "another-secret-0123456789"); status != http.StatusUnauthorized {
			t.Errorf("another secret: got HTTP %d, want 401", status)
		}
		r.stop(t)
		if all := r.line + r.stderr.String(); strings.Contains(all, gatewaySecret) {
			t.Errorf("the secret was printed: %s", all)
		}
	}
}

// askGateway initialises a slot and returns the boot id of the gateway.
func askGateway(t *testing.T, url, secret string) (status int, boot string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url+"/v1/im/restart", strings.NewReader(`{"appKey":"app1"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var snapshot struct{ Boot string }
	if err := json.NewDecoder(res.Body).Decode(&snapshot); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, snapshot.Boot
}
