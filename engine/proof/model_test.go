package proof_test

import (
	"maps"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// modelReports is the number of loss reports that may be on their way at once.
// With two, a late report can meet one that counts, and both logins can be lost
// at once.
func modelReports() int {
	if os.Getenv("IMREUSE_SLOW") == "" {
		return 1
	}
	return 2
}

// hasRaceDetector reports whether the race detector is on. It makes the model
// ten times as slow, and finds nothing in one goroutine.
func hasRaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Every state that host, engine, SDK and service can get into keeps the rules.
func TestModel(t *testing.T) {
	if hasRaceDetector() {
		t.Skip("the race detector is on, and has nothing to find here")
	}
	var states, moves int
	for _, m := range []model{{mode: engine.AutoDetect}, {mode: engine.ReuseIM}, {mode: engine.AutoLogin},
		{mode: engine.ReuseIM, lasting: true}, {mode: engine.AutoLogin, lasting: true}} {
		name := m.mode.String()
		if m.lasting {
			name += ", lasting"
		}
		t.Run(name, func(t *testing.T) {
			m.reports = modelReports()
			if m.lasting {
				m.reports = 1
			}
			r := explore(&m)
			t.Logf("%d states, %d moves", len(r.states), r.count)
			if r.broken != "" {
				t.Errorf("%q is broken:\n\t%s", r.broken, strings.Join(r.trace, "\n\t"))
			}
			want := modelEdges()
			if m.lasting { // where some operations are left out
				maps.DeleteFunc(want, func(edge engine.Transition, _ bool) bool { return !r.edges[edge] })
			}
			if !maps.Equal(r.edges, want) {
				t.Errorf("the model takes the edges\n%v, want\n%v", r.edges, want)
			}
			states, moves = states+len(r.states), moves+r.count
		})
	}
	t.Logf("%d states, %d moves in all", states, moves)
}

// modelEdges are the edges that the model must take. It may take no others.
func modelEdges() map[engine.Transition]bool {
	return map[engine.Transition]bool{
		{Trigger: "init_im", From: uninitialized, To: imInitialized}: true,
		{Trigger: "login_im", From: imInitialized, To: imLoggedIn}:   true,
		{Trigger: "login_kit", From: imLoggedIn, To: kitLoggedIn}:    true,
		{Trigger: "logout_kit", From: kitLoggedIn, To: imLoggedIn}:   true,
		{Trigger: "logout_im", From: imLoggedIn, To: imInitialized}:  true,
		{Trigger: "kit_lost", From: kitLoggedIn, To: imLoggedIn}:     true,
		{Trigger: "im_lost", From: imLoggedIn, To: imInitialized}:    true,
		{Trigger: "im_lost", From: kitLoggedIn, To: imInitialized}:   true,
		{Trigger: "close", From: imInitialized, To: uninitialized}:   true,
		{Trigger: "close", From: imLoggedIn, To: uninitialized}:      true,
		{Trigger: "close", From: kitLoggedIn, To: uninitialized}:     true,
	}
}

// states.md lists the rules by their names, in any order.
func TestModelRulesInStatesDoc(t *testing.T) {
	text, err := os.ReadFile("../../states.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^\* \*\*(.+?)\.\*\*`).FindAllStringSubmatch(sectionOf(string(text), "What is proved"), -1) {
		got = append(got, strings.ToLower(m[1]))
	}
	want := ruleNames()
	for i := range want {
		want[i] = strings.ToLower(want[i])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("states.md has the rules\n%q, the model\n%q", got, want)
	}
}

// sectionOf returns the section of a Markdown text under that title.
func sectionOf(text, title string) string {
	_, section, _ := strings.Cut(text, "\n## "+title+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// The model and the engine have the same edges.
func TestModelHasTheEnginesEdges(t *testing.T) {
	got := map[engine.Transition]bool{}
	for edge := range engine.Transitions() {
		got[edge] = true
	}
	if want := modelEdges(); !maps.Equal(got, want) {
		t.Errorf("the engine has the edges\n%v, the model\n%v", got, want)
	}
}
