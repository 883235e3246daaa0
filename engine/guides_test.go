package engine_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// guides says which test or document shows each numbered sentence of the
// vendor's guides (docs/vendor/guides.md): "package TestName" or "package
// TestName/subtest", where the package is a folder; "README Section"; or "n/a"
// with the reason.
var guides = map[string][]string{
	"G01": {"engine TestScenarios/A2", "engine TestScenarios/B4"},
	"G02": {"engine TestScenarios/C5", "engine TestScenarios/C8", "backends/mockim TestCreateKitAccount"},
	"G03": {"engine TestScenarios/A2", "engine Example_autoLogin"},
	"G04": {"engine TestScenarios/B7", "engine TestScenarios/M11"},
	"G05": {"engine TestScenarios/A1", "README The three modes"},
	"G06": {"README The real thing"},
	"G07": {"README The real thing"},
	"G08": {"backends/mockim TestCreateKitAccount", "engine TestBadArguments"},
	"G09": {"backends/mockim TestCreateKitAccount", "README The real thing"},
	"G10": {"backends/mockim TestCreateKitAccount", "engine TestScenarios/A1"},
	"G11": {"backends/mockim TestCreateKitAccount", "README The real thing"},
	"G12": {"bindings/web TestPackage", "backends/hostim Example_web", "README Your own IM client"},
	"G13": {"engine TestScenarios/B15", "backends/hostim Example_neroom"},
	"G14": {"bindings/web TestPackage", "backends/hostim Example_web", "README Your own IM client"},
	"G15": {"engine TestScenarios/A1", "backends/hostim Example_neroom", "backends/hostim Example_android"},
	"G16": {"backends/hostim Example_neroom", "backends/hostim Example_android"},
	"G17": {"engine TestScenarios/B12", "backends/hostim Example_android"},
	"G18": {"engine TestScenarios/A7", "engine TestScenarios/B5"},
	"G19": {"engine TestScenarios/A1", "engine TestScenarios/N1"},
	"G20": {"engine TestScenarios/A1", "engine TestScenarios/D6", "README The three modes"},
	"G21": {"engine TestScenarios/A2"},
	"G22": {"engine TestScenarios/A2"},
	"G23": {"engine TestScenarios/D2"},
	"G24": {"engine TestScenarios/A1", "engine TestScenarios/C1", "engine TestScenarios/B4"},
	"G25": {"engine TestScenarios/D1", "engine TestScenarios/D3"},
	"G26": {"engine TestScenarios/D1", "engine TestRemedies"},
	"G27": {"engine TestScenarios/B3", "engine TestRemedies"},
	"G28": {"engine TestScenarios/C1", "engine TestRemedies"},
	"G29": {"engine TestScenarios/A3", "engine TestScenarios/A4"},
}

func TestGuides(t *testing.T) {
	text, err := os.ReadFile("../docs/vendor/guides.md")
	if err != nil {
		t.Fatal(err)
	}
	var numbers []string
	for _, m := range regexp.MustCompile(`(?m)^\| (G\d\d) \|`).FindAllStringSubmatch(string(text), -1) {
		numbers = append(numbers, m[1])
	}
	if len(numbers) != 29 {
		t.Errorf("got %d numbers in docs/vendor/guides.md, want 29", len(numbers))
	}
	for _, n := range numbers {
		if len(guides[n]) == 0 {
			t.Errorf("nothing shows %s", n)
		}
	}
	for n, shown := range guides {
		if !slices.Contains(numbers, n) {
			t.Errorf("%s is not in guides.md", n)
		}
		for _, by := range shown {
			if err := exists(by); err != nil {
				t.Errorf("%s: %v", n, err)
			}
		}
	}
}

// exists fails if the test or section that by names does not exist.
func exists(by string) error {
	where, what, _ := strings.Cut(by, " ")
	switch where {
	case "README":
		return readmeHas(what)
	case "n/a":
		if len(what) < 10 {
			return fmt.Errorf("n/a needs a reason")
		}
		return nil
	}
	name, sub, _ := strings.Cut(what, "/")
	funcs, literals, err := testsIn(filepath.Join("..", where))
	switch {
	case err != nil:
		return err
	case !slices.Contains(funcs, name):
		return fmt.Errorf("%s has no %s", where, name)
	case sub != "" && !slices.Contains(literals, sub):
		return fmt.Errorf("%s has no subtest %q of %s", where, sub, name)
	}
	return nil
}

func readmeHas(section string) error {
	readme, err := os.ReadFile("../README.md")
	if err == nil && !strings.Contains(string(readme), "\n## "+section+"\n") {
		err = fmt.Errorf("the README has no section %q", section)
	}
	return err
}

// testsIn returns the functions and the string literals of a folder's tests.
func testsIn(dir string) (funcs, literals []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, nil, err
	}
	for _, name := range files {
		if filepath.Base(name) == "guides_test.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return nil, nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				funcs = append(funcs, n.Name.Name)
			case *ast.BasicLit:
				literals = append(literals, strings.Trim(n.Value, "`\""))
			}
			return true
		})
	}
	return funcs, literals, nil
}
