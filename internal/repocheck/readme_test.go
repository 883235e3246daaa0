package repocheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/imreuse/imreuse"

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// readmes has the output of the program in each language's README.
var readmes = map[string]string{
	"README.md": `imreuse: LoginKit in uninitialized: IM reuse is on and the host has not logged IM in
remedy: Log IM in with the bound account (Engine.LoginIM, or the host's own IM client) before the kit login.
kit_logged_in reused: true
im_logged_in - the app's chat is still logged in
`,
	"README.zh-CN.md": `imreuse: LoginKit in uninitialized: IM reuse is on and the host has not logged IM in
请先用绑定的 IM 账号登录 IM（Engine.LoginIM，或应用自己的 IM 客户端），再登录组件。
kit_logged_in true
im_logged_in
`,
}

func TestReadmeIsShort(t *testing.T) {
	const most = 200
	for name := range readmes {
		if n := strings.Count(read(t, name), "\n"); n > most {
			t.Errorf("%s has %d lines, want at most %d", name, n, most)
		}
	}
}

// The program of each README compiles in a module that uses this clone as the
// README says, and its output is right.
func TestReadmeProgramRuns(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go command, which builds the program, is not in PATH")
	}
	clone, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range readmes {
		t.Run(name, func(t *testing.T) {
			var program string
			for _, block := range goBlock.FindAllStringSubmatch(read(t, name), -1) {
				if strings.HasPrefix(block[1], "package main\n") {
					program = block[1]
				}
			}
			if program == "" {
				t.Fatal("there is no complete program")
			}
			dir := t.TempDir()
			for file, text := range map[string]string{
				"main.go": program,
				"go.mod":  "module example.com/host\n\ngo 1.25\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + strconv.Quote(clone) + "\n",
				"go.sum":  read(t, "go.sum"),
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), goCommand, "run", ".")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off", "GOTOOLCHAIN=local")
			var stderr strings.Builder
			cmd.Stderr = &stderr
			got, err := cmd.Output()
			if err != nil {
				t.Fatalf("go run: %v\n%s", err, stderr.String())
			}
			if string(got) != want {
				t.Errorf("it prints\n%swant\n%s", got, want)
			}
		})
	}
}

// All other Go code in the documents also appears in a test, which compiles it.
func TestDocumentsShowTestedCode(t *testing.T) {
	var tests strings.Builder
	for _, path := range files(t, ".go") {
		if strings.HasSuffix(path, "_test.go") {
			tests.WriteString(leftAligned(read(t, path)) + "\n")
		}
	}
	blocks := 0
	for _, document := range files(t, ".md") {
		for _, block := range goBlock.FindAllStringSubmatch(read(t, document), -1) {
			if strings.HasPrefix(block[1], "package main\n") {
				continue // TestReadmeProgramRuns
			}
			blocks++
			if !strings.Contains(tests.String(), leftAligned(block[1])) {
				t.Errorf("this block of %s is in no test:\n%s", document, block[1])
			}
		}
	}
	if blocks < 5 {
		t.Errorf("found %d blocks of Go in the documents, want 5 or more", blocks)
	}
}

// leftAligned removes indentation and empty lines, so that a block can be found
// in a test that indents it differently.
func leftAligned(code string) string {
	var lines []string
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(lines, "\n")
}
