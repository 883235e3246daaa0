package gateway_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
)

// The version is in three places, which no build tool holds together.
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

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
