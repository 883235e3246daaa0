package proof_test

import (
	"maps"
	"os"
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
	for _, mode := range []engine.Mode{engine.AutoDetect, engine.ReuseIM, engine.AutoLogin} {
		t.Run(mode.String(), func(t *testing.T) {
			r := explore(&model{mode: mode, reports: modelReports()})
			t.Logf("%d states, %d moves", len(r.states), r.count)
			if r.broken != "" {
				t.Errorf("%q is broken:\n\t%s", r.broken, strings.Join(r.trace, "\n\t"))
			}
			if want := modelEdges(); !maps.Equal(r.edges, want) {
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
