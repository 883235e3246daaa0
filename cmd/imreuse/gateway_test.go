package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestGatewayBadUse(t *testing.T) {
	t.Setenv("NIM_SDK", "")
	tests := []struct {
		name  string
		args  []string
		wants string
	}{
		{"not installed", []string{"gateway", "-dir", t.TempDir()}, "imreuse gateway install"},
		{"not loopback", []string{"gateway", "-addr", "0.0.0.0:0"}, "loopback"},
		{"unknown command", []string{"gateway", "start"}, `"start"`},
		{"argument of install", []string{"gateway", "install", "now"}, "no arguments"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, out, errs := command(t, test.args...)
			if code != 1 || out != "" || !strings.Contains(errs, test.wants) {
				t.Errorf("got exit status %d, %q and %q, want 1 and %q", code, out, errs, test.wants)
			}
		})
	}
}

// The installed gateway, until it is interrupted.
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
