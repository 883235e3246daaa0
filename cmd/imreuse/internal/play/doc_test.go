package play_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/cmd/imreuse/internal/play"
)

// docs/play.md describes every act, with a body that works.
func TestDocumentedActs(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/play.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `({.*})` \\|").FindAllStringSubmatch(string(text), -1)
	var names []string
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		for _, row := range rows {
			names = append(names, row[1])
			l.post(http.StatusOK, row[1], row[2])
		}
	})
	if want := sorted(play.ActNames()); !slices.Equal(sorted(names), want) {
		t.Errorf("the acts in docs/play.md are %q, want %q", names, want)
	}
}
