//go:build unix

package child_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/child"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNPMEnvironment(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte("#!/bin/sh\nenv\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, name := range []string{"https_proxy", "NO_PROXY", "npm_config_registry", "NPM_CONFIG_CAFILE", "NPM_TOKEN"} {
		t.Setenv(name, "for npm")
	}
	for _, name := range []string{"NODE_OPTIONS", "HOST_SECRET", "NIM_SDK", "IMREUSE_GATEWAY_SECRET"} {
		t.Setenv(name, "not for npm")
	}
	output, err := child.NPM(t.Context()).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(output), "\n")
	for _, name := range []string{"https_proxy", "NO_PROXY", "npm_config_registry", "NPM_CONFIG_CAFILE", "NPM_TOKEN"} {
		if !slices.Contains(lines, name+"=for npm") {
			t.Errorf("npm does not get %s", name)
		}
	}
	if strings.Contains(string(output), "not for npm") {
		t.Errorf("npm gets what is not for it: %s", output)
	}
}

// The end of ctx also ends the command's children, which hold its output open.
func TestContextEndsTheGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := child.Node(ctx, "sh", "-c", "(while :; do sleep 1; done) & echo started; wait")
	c.Stdout = cancelOnWrite(cancel)
	if err := c.Run(); !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v", err)
	}
}

type cancelOnWrite context.CancelFunc

func (c cancelOnWrite) Write(p []byte) (int, error) {
	c()
	return len(p), nil
}
