package engine_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// leftAligned takes the indentation off each line, and empty lines away, so that
// a part of an example compares with the whole.
func leftAligned(code string) string {
	var lines []string
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(lines, "\n")
}

// The README's Go is code that the tests compile and, in examples, run.
func TestReadmeCodeIsExampleCode(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	err = filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		tests.WriteString(leftAligned(string(code)) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) < 4 {
		t.Fatalf("got %d blocks of Go in the README, want one per mode at least", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(tests.String(), leftAligned(block[1])) {
			t.Errorf("this block of the README is in no test:\n%s", block[1])
		}
		if n := strings.Count(block[1], "\n"); n > 20 {
			t.Errorf("got %d lines, want at most 20:\n%s", n, block[1])
		}
	}
}
