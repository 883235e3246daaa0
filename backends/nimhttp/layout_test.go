package nimhttp_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A host links only the packages that it uses. So it links neither the doubles
// nor the test cloud, and it links provision, which needs the AppSecret, only
// if it imports that. The doubles link no code that runs other programs.
func TestLayoutImports(t *testing.T) {
	const module = "github.com/imreuse/imreuse/"
	tests := map[string][]string{ // what each package must not link
		"backends/nimhttp": {module + "backends/nimhttp/provision", module + "backends/nimhttp/nimhttptest", module + "internal/nimcloud",
			module + "backends/mockim", module + "backends/nimhttp/internal/gatewaytest", "testing"},
		"backends/nimhttp/provision": {module + "backends/nimhttp", module + "backends/nimhttp/nimhttptest", module + "internal/nimcloud",
			module + "backends/mockim", module + "backends/nimhttp/gateway", "os/exec", "testing"},
		"backends/nimhttp/nimhttptest": {module + "backends/nimhttp", module + "backends/nimhttp/provision", module + "internal/nimcloud",
			module + "backends/nimhttp/gateway", module + "backends/nimhttp/internal/gatewaytest", "os/exec"},
	}
	for path, banned := range tests {
		linked := dependencies(t, module+path)
		for _, name := range banned {
			if slices.Contains(linked, name) {
				t.Errorf("%s links %s", path, name)
			}
		}
	}
	for _, name := range dependencies(t, module+"internal/nimcodes") {
		if strings.HasPrefix(name, module+"backends/") {
			t.Errorf("internal/nimcodes links %s", name)
		}
	}
}

func dependencies(t *testing.T, path string) []string {
	t.Helper()
	output, err := exec.Command("go", "list", "-deps", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(output))
	if !slices.Contains(all, path) {
		t.Fatalf("go list names %d packages, and not %s", len(all), path)
	}
	return all
}
