package nimcloud_test

import (
	"os"
	"strings"
	"testing"
)

// The documentation has the options that the tests use.
func TestDocumentedOptions(t *testing.T) {
	script, err := os.ReadFile("websdk/options.mjs")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	_, options, found := strings.Cut(string(script), "\n\n")
	if !found || !strings.Contains(string(doc), options) {
		t.Errorf("docs/sandbox.md does not have the options of websdk/options.mjs")
	}
}
