package repocheck

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence     = regexp.MustCompile("(?ms)^```.*?^```")
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	address   = regexp.MustCompile(`https?://\S+`)
	reference = regexp.MustCompile(`(?:[\w.-]+/)*[\w.-]+\.md\b(?:#[\w-]+)?`)
)

// Every link in a document leads to a file of this repository and to a heading
// in that file.
func TestLinksLeadSomewhere(t *testing.T) {
	checked := 0
	for _, document := range files(t, ".md") {
		text := fence.ReplaceAllString(read(t, document), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			checked++
			target, anchor, _ := strings.Cut(m[1], "#")
			if target == "" {
				target = path.Base(document)
			}
			wantReference(t, document, path.Join(path.Dir(document), target), anchor)
		}
	}
	if checked < 30 {
		t.Errorf("checked %d links, want 30 or more: the search for them is broken", checked)
	}
}

// Every document that a comment names exists in this repository. The name is a
// path from the root or from the folder of the comment.
func TestCitationsLeadSomewhere(t *testing.T) {
	checked := 0
	for _, source := range files(t, ".go", ".mjs", ".yaml", ".yml") {
		if strings.HasPrefix(source, "internal/repocheck/") {
			continue // this package names the files that must not be cited
		}
		for line := range strings.Lines(read(t, source)) {
			_, comment, ok := cutComment(line)
			if !ok {
				continue
			}
			for _, cited := range reference.FindAllString(address.ReplaceAllString(comment, ""), -1) {
				checked++
				target, anchor, _ := strings.Cut(cited, "#")
				if !exists(target) {
					target = path.Join(path.Dir(source), target)
				}
				wantReference(t, source, target, anchor)
			}
		}
	}
	if checked < 20 {
		t.Errorf("checked %d citations, want 20 or more: the search for them is broken", checked)
	}
}

func cutComment(line string) (code, comment string, ok bool) {
	for _, mark := range []string{"// ", "# "} {
		if code, comment, ok = strings.Cut(line, mark); ok {
			return code, comment, true
		}
	}
	return line, "", false
}

func exists(target string) bool {
	_, err := os.Stat(filepath.Join(root, target))
	return err == nil
}

func wantReference(t *testing.T, from, target, anchor string) {
	t.Helper()
	if !exists(target) {
		t.Errorf("%s refers to %s, which is not in this repository", from, target)
		return
	}
	if anchor != "" && !slices.Contains(anchors(t, target), anchor) {
		t.Errorf("%s refers to %s#%s; its headings are %q", from, target, anchor, anchors(t, target))
	}
}

// anchors returns the anchors that GitHub makes from the headings of a document.
func anchors(t *testing.T, document string) []string {
	t.Helper()
	var list []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(read(t, document), ""), -1) {
		list = append(list, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, m[1]))
	}
	return list
}

// The authors' own notes are not in the repository, so nothing may cite them.
func TestNoFileCitesPrivateNotes(t *testing.T) {
	for _, source := range files(t, ".go", ".mjs", ".yaml", ".yml", ".md", ".json") {
		if strings.HasPrefix(source, "internal/repocheck/") {
			continue
		}
		text := read(t, source)
		for _, note := range []string{"http-api.md", "kit-semantics.md", "nim-login.md", "vendor-oracle.md", "design.md", "design-nimhttp.md", "research/", "scenarios.md"} {
			if strings.Contains(text, note) {
				t.Errorf("%s cites %s", source, note)
			}
		}
	}
}
