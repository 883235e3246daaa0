package engine_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

var update = flag.Bool("update", false, "rewrite the verified blocks of states.md")

const statesDoc = "../states.md"

// A block of states.md stands between <!-- begin name --> and <!-- end name -->.
var block = regexp.MustCompile(`(?s)<!-- begin (\w+) -->\n(.*?)<!-- end (\w+) -->\n`)

// The blocks of states.md agree with the code.
func TestStatesDoc(t *testing.T) {
	text, err := os.ReadFile(statesDoc)
	if err != nil {
		t.Fatal(err)
	}
	renderers := map[string]func(*testing.T) string{
		"diagram": renderDiagram, "matrix": renderMatrix, "modes": renderModes, "errors": renderErrors,
	}
	rendered := block.ReplaceAllStringFunc(string(text), func(whole string) string {
		m := block.FindStringSubmatch(whole)
		name, render := m[1], renderers[m[1]]
		if render == nil || m[3] != name {
			t.Errorf("block %q ends as %q, and may be unknown or here for the second time", name, m[3])
			return whole
		}
		delete(renderers, name)
		want := "\n" + render(t) + "\n"
		if m[2] != want && !*update {
			got, want := firstDifference(m[2], want)
			t.Errorf("block %q differs from the code; if the code is right, run\n"+
				"\tgo test ./engine -run StatesDoc -update\ngot  %s\nwant %s", name, got, want)
		}
		return fmt.Sprintf("<!-- begin %s -->\n%s<!-- end %s -->\n", name, want, name)
	})
	for name := range renderers {
		t.Errorf("%s has no block %q", statesDoc, name)
	}
	if *update && !t.Failed() && rendered != string(text) {
		if err := os.WriteFile(statesDoc, []byte(rendered), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// firstDifference returns the first lines in which two texts differ.
func firstDifference(got, want string) (string, string) {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return g[i], w[i]
		}
	}
	return fmt.Sprintf("%d lines", len(g)), fmt.Sprintf("%d lines", len(w))
}

func renderDiagram(*testing.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, "```mermaid\nstateDiagram-v2\n    [*] --> %v\n", engine.Status{}.State)
	for edge := range engine.Transitions() {
		fmt.Fprintf(&b, "    %v --> %v: %s\n", edge.From, edge.To, edge.Trigger)
	}
	b.WriteString("```\n")
	return b.String()
}

// table renders rows of cells. The first row is the head.
func table(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}

func quoted(v any) string { return fmt.Sprintf("`%v`", v) }

func renderMatrix(*testing.T) string {
	const noEdge = "·"
	head := []string{"trigger"}
	for _, s := range states {
		head = append(head, "from "+quoted(s))
	}
	rows := [][]string{head}
	for edge := range engine.Transitions() {
		name := quoted(edge.Trigger)
		i := slices.IndexFunc(rows, func(row []string) bool { return row[0] == name })
		if i < 0 {
			i = len(rows)
			rows = append(rows, []string{name, noEdge, noEdge, noEdge, noEdge})
		}
		rows[i][1+edge.From] = quoted(edge.To)
	}
	return table(rows)
}

func renderModes(t *testing.T) string {
	rows := [][]string{{"mode", "the host has logged IM in", "`LoginKit`", "`LoginAnonymous`"}}
	for _, mode := range []engine.Mode{engine.AutoDetect, engine.ReuseIM, engine.AutoLogin} {
		for _, hostLoggedIn := range []bool{true, false} {
			kit := "the engine logs IM in"
			reuse, err := engine.ModeReuse(mode, hostLoggedIn)
			switch {
			case err != nil:
				kit = codeName(t, err)
			case reuse:
				kit = "reuses the host's login"
			}
			anonymous := "allowed"
			if err := engine.ModeAnonymous(mode, hostLoggedIn); err != nil {
				anonymous = codeName(t, err)
			}
			rows = append(rows, []string{quoted(mode), either(hostLoggedIn, "yes", "no"), kit, anonymous})
		}
	}
	return table(rows) + "\n" + table(vendorRows(t))
}

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// codeName names the code in err by its constant, and also by its number if
// that is the vendor's.
func codeName(t *testing.T, err error) string {
	t.Helper()
	for _, row := range codeNames {
		if row.code == engine.CodeOf(err) {
			return quoted(row.name) + either(row.code > 0, " ("+strconv.Itoa(int(row.code))+")", "")
		}
	}
	t.Errorf("no name for %v", err)
	return ""
}

// vendorRows is the behaviour table of the vendor's guides. Its cells come from
// running an engine in each mode.
func vendorRows(t *testing.T) [][]string {
	rows := [][]string{
		{"vendor's guides", "reuse off: `auto_login`", "reuse on: `reuse_im`"},
		{"who initialises IM"}, {"who logs IM in"}, {"anonymous join"},
		{"the host has logged IM in already"}, {"how to know that reuse works"},
	}
	for _, mode := range []engine.Mode{engine.AutoLogin, engine.ReuseIM} {
		// The kit logs in as that mode allows: by itself, or over the
		// host's login.
		_, err := engine.ModeReuse(mode, false)
		own := play(t, mode, err != nil, (*engine.Engine).LoginKit)
		taken := play(t, mode, true, (*engine.Engine).LoginKit)
		guest := playAnonymous(t, mode)
		if own.err != nil {
			t.Errorf("%v: the kit login failed: %v", mode, own.err)
		}
		cells := []string{
			either(own.called("InitIM"), "the kit", "the host; the kit never does"),
			either(own.called("LoginIM"), "the kit, as the IM account that is bound to the kit account",
				"the host; the kit checks that it is the bound account"),
			either(guest == nil, "supported", "not supported"),
			either(taken.err == nil, "that is what reuse is for", "the kit login fails"),
			either(own.reused, "the kit login reports it: nil means that it does", "–"),
		}
		for i, err := range []error{nil, nil, guest, taken.err, nil} {
			if err != nil {
				cells[i] += ": " + codeName(t, err)
			}
			rows[i+1] = append(rows[i+1], cells[i])
		}
	}
	return rows
}

// A kitLogin records what a kit login did.
type kitLogin struct {
	err    error
	calls  []string
	reused bool
}

func (l kitLogin) called(name string) bool { return slices.Contains(l.calls, name) }

// play logs the kit in, over the host's IM login if hostLoggedIn is set.
func play(t *testing.T, mode engine.Mode, hostLoggedIn bool, login func(*engine.Engine, context.Context, engine.KitAccount) error) kitLogin {
	t.Helper()
	f := newFake()
	e := open(t, f, &engine.Options{Mode: mode})
	climb(t, e, hostRung(hostLoggedIn))
	before := len(f.called())
	err := login(e, t.Context(), kitAccount)
	return kitLogin{err, f.called()[before:], e.Status().Reused()}
}

func playAnonymous(t *testing.T, mode engine.Mode) error {
	return play(t, mode, false, func(e *engine.Engine, ctx context.Context, _ engine.KitAccount) error {
		return e.LoginAnonymous(ctx)
	}).err
}

func renderErrors(*testing.T) string {
	rows := [][]string{{"code", "name", "what it says", "what to do", "`KeepKit`",
		"Meeting", "Room", "Desktop", "RoomKit1", "Meeting1"}}
	profiles := []engine.Profile{engine.ProfileMeeting, engine.ProfileRoom, engine.ProfileDesktop,
		engine.ProfileRoomKit1, engine.ProfileMeeting1}
	for _, c := range codeNames {
		row := []string{strconv.Itoa(int(c.code)), quoted(c.name), c.code.Error(), c.code.Remedy(), keeps(c.code)}
		for _, p := range profiles {
			n, ok := c.code.In(p)
			row = append(row, either(ok, strconv.Itoa(n), "–"))
		}
		rows = append(rows, row)
	}
	return table(rows)
}

// keeps says what KeepKit makes of a code.
func keeps(c engine.Code) string {
	switch {
	case engine.TriesAgain(c, false):
		return "tries again"
	case engine.TriesAgain(c, true):
		return "tries again if there is a source for a new token"
	}
	return "returns it"
}
