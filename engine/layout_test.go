package engine_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/imreuse/imreuse"

// source parses the engine, without its tests and without comments.
func source(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	for _, name := range []string{"machine.go", "mode.go", "errors.go"} {
		if files[name] == nil {
			t.Fatalf("no %s among %v", name, slices.Sorted(maps.Keys(files)))
		}
	}
	return files
}

// where returns the names of the files that have a node for which found is
// true.
func where(files map[string]*ast.File, found func(ast.Node) bool) []string {
	var names []string
	for name, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if n != nil && found(n) && !slices.Contains(names, name) {
				names = append(names, name)
			}
			return true
		})
	}
	slices.Sort(names)
	return names
}

// wantOnly fails if something is in other files than want. It also fails if it
// is in none, because then the search is broken.
func wantOnly(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if !slices.Equal(got, []string{want}) {
		t.Errorf("%s: in %v, want it in %s only", what, got, want)
	}
}

func TestLayoutMachine(t *testing.T) {
	wantOnly(t, "looplab/fsm", where(source(t), func(n ast.Node) bool {
		s, ok := n.(*ast.ImportSpec)
		return ok && importPath(t, s) == "github.com/looplab/fsm"
	}), "machine.go")
}

func TestLayoutModes(t *testing.T) {
	for _, mode := range []string{"AutoDetect", "ReuseIM", "AutoLogin"} {
		wantOnly(t, mode, where(source(t), func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			return ok && id.Name == mode
		}), "mode.go")
	}
}

func TestLayoutNumbers(t *testing.T) {
	wantOnly(t, "a number of 1000 or more", where(source(t), func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.INT {
			return false
		}
		v, err := strconv.ParseInt(lit.Value, 0, 64)
		return err != nil || v >= 1000 // the sign is not part of the literal
	}), "errors.go")
}

// The engine is linked into other people's apps, so it depends only on
// looplab/fsm and uuid, and on no backend.
func TestLayoutImports(t *testing.T) {
	var outside []string
	for name, file := range source(t) {
		for _, s := range file.Imports {
			path := importPath(t, s)
			first, _, _ := strings.Cut(path, "/")
			if !strings.Contains(first, ".") || slices.Contains(outside, path) {
				continue // the standard library
			}
			if path == module || strings.HasPrefix(path, module+"/") {
				t.Errorf("%s imports %s", name, path)
			}
			outside = append(outside, path)
		}
	}
	slices.Sort(outside)
	if want := []string{"github.com/google/uuid", "github.com/looplab/fsm"}; !slices.Equal(outside, want) {
		t.Errorf("the engine imports %v, want %v", outside, want)
	}
}

// Each kind of test has its place. The proofs are in proof/, which has only
// tests of the engine from outside. A test in package engine says so in its
// file name.
func TestLayoutTests(t *testing.T) {
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := filepath.Glob("proof/*.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 || len(proofs) == 0 {
		t.Fatalf("%d tests and %d proofs, want some of each", len(names), len(proofs))
	}
	for _, name := range slices.Concat(names, proofs) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		inside := name == "export_test.go" || strings.HasSuffix(name, "_internal_test.go")
		proof := filepath.Dir(name) == "proof"
		want := either(proof, "proof_test", either(inside, "engine", "engine_test"))
		if got := file.Name.Name; got != want || !strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s is of package %s, want a test of package %s", name, got, want)
		}
		if what := proves(t, file); what != "" && !proof {
			t.Errorf("%s has %s, which belongs in proof/", name, what)
		}
	}
}

// proves returns what makes a file a proof, or "" if it is not one.
func proves(t *testing.T, file *ast.File) string {
	for _, s := range file.Imports {
		if path := importPath(t, s); path == "pgregory.net/rapid" {
			return path
		}
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		for _, prefix := range []string{"Fuzz", "TestModel", "TestRapid", "TestHook"} {
			if ok && strings.HasPrefix(f.Name.Name, prefix) {
				return f.Name.Name
			}
		}
	}
	return ""
}

func importPath(t *testing.T, s *ast.ImportSpec) string {
	t.Helper()
	path, err := strconv.Unquote(s.Path.Value)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLayoutFileLengths(t *testing.T) {
	const most = 400
	checked := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		checked++
		if n := bytes.Count(text, []byte("\n")); n > most {
			t.Errorf("%s has %d lines, more than %d", path, n, most)
		}
		return nil
	})
	if err != nil || checked == 0 {
		t.Errorf("%d files checked: %v", checked, err)
	}
}

// What the engine costs a host: a module that imports only the engine gets
// three lines in its go.mod. The modules come from the cache, because the
// engine's own build has put them there.
func TestLayoutHostModule(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go command, which this test builds a host with, is not in PATH")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	host := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/host\n\ngo 1.25\n\n" +
			"require " + module + " v0.0.0\n\n" +
			"replace " + module + " => " + strconv.Quote(root) + "\n",
		"go.sum":  string(sums),
		"main.go": hostMain,
	} {
		if err := os.WriteFile(filepath.Join(host, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), goCommand, args...)
		cmd.Dir = host
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off", "GOTOOLCHAIN=local")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
		}
		return string(out)
	}
	run("mod", "tidy")
	run("build", "-o", filepath.Join(host, "host.out"), ".")

	want := []string{"github.com/google/uuid", module, "github.com/looplab/fsm"}
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal([]byte(run("mod", "edit", "-json")), &mod); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range mod.Require {
		got = append(got, r.Path)
	}
	if !sameSet(got, want) {
		t.Errorf("go.mod requires %v, want %v", got, want)
	}
	linked := strings.Fields(run("list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "."))
	slices.Sort(linked)
	if linked = slices.Compact(linked); !sameSet(linked, append(want, "example.com/host")) {
		t.Errorf("the host is built of %v, want itself and %v", linked, want)
	}
}

const hostMain = `package main

import (
	"context"
	"fmt"

	"` + module + `/engine"
)

func main() {
	e, err := engine.New(nil, "app", &engine.Options{Mode: engine.ReuseIM})
	if err != nil {
		fmt.Println(err, engine.CodeOf(err).Remedy())
		return
	}
	defer e.Close()
	for s := range e.Watch(context.Background()) {
		fmt.Println(s.State)
	}
}
`
