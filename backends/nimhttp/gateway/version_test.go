package gateway_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
)

// The version is in three places, and no build tool keeps them equal.
func TestVersion(t *testing.T) {
	var npm struct{ Version string }
	if err := json.Unmarshal(read(t, "package.json"), &npm); err != nil {
		t.Fatal(err)
	}
	if npm.Version != gateway.Version {
		t.Errorf("got %q in package.json, want %q", npm.Version, gateway.Version)
	}
	contract := regexp.MustCompile(`(?m)^info:\n(?:  .*\n)*?  version: (.+)$`).FindSubmatch(read(t, "openapi.yaml"))
	if contract == nil || string(contract[1]) != gateway.Version {
		t.Errorf("got %q in openapi.yaml, want %q", contract, gateway.Version)
	}
}

// package.json has the oldest version of Node; README.md must name the same.
func TestOldestNode(t *testing.T) {
	if got := gateway.OldestNode(); got != 20 {
		t.Errorf("got %d, want 20, on which CI runs the tests", got)
	}
	readme := string(read(t, "../../../README.md"))
	named := regexp.MustCompile(`Node (\d+)`).FindAllStringSubmatch(readme, -1)
	if len(named) == 0 {
		t.Error("README.md names no version of Node")
	}
	for _, name := range named {
		if name[1] != strconv.Itoa(gateway.OldestNode()) {
			t.Errorf("README.md says %q, want Node %d", name[0], gateway.OldestNode())
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
