package play_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/cmd/imreuse/internal/play"
)

// What the vendor gives for the same act, by what the visitor did before.
func TestVendor(t *testing.T) {
	const (
		fine = "success success success success success"
		none = "no_number no_number no_number no_number no_number"
	)
	for _, test := range []struct {
		before  string // acts, with the account after a colon
		act     string
		numbers string
		said    []string
		differs string // a part of what the web kit does
	}{
		{"reset:reuse_im", "login_kit:bound", "100004 100004 1801 -6 -3", []string{"G27"}, ""},
		{"reset:reuse_im host_init host_login:bob", "login_kit:bound", "100005 100005 1802 -7 -5", []string{"G28"}, "letter by letter"},
		{"reset:reuse_im", "login_anonymous", "112001 absent 112001 -8 no_number", []string{"G26"}, "112001 arrives as a *success*"},
		{"reset:reuse_im host_init host_login:alice", "login_kit:bound", "success success absent success success", []string{"G24"}, ""},
		{"reset:auto_detect host_init host_login:alice", "login_kit:bound", "success success absent success success", []string{"G24", "G29"}, ""},
		{"reset:auto_detect", "login_kit:bound", fine, []string{"G22", "G21"}, ""},
		{"reset:auto_login init_im", "login_kit:bound", fine, []string{"G22"}, ""},
		{"reset:auto_login", "login_anonymous", "success absent success success success", []string{"G23"}, ""},
		{"reset:auto_login host_init host_login:alice", "login_kit:bound", none, []string{"G04"}, ""},
		{"reset:auto_login", "login_kit:wrong_token", "402 1027 2006 no_number -2", []string{"kits.md"}, "A refused token"},
		{"reset:auto_login login_kit:bound", "login_kit:wrong_token", fine, []string{"G22"}, "A second login of the same user"},
		{"reset:auto_login login_kit:bound", "login_kit:other", none, nil, "A login of another user replaces"},
		{"reset:auto_login login_kit:bound", "logout_kit", fine, []string{"kits.md"}, ""},

		{"reset:reuse_im", "host_init", "", []string{"G13"}, ""},
		{"reset:auto_detect", "init_im", "", []string{"G16"}, ""},
		{"reset:auto_login", "init_im", "", []string{"G21"}, ""},
		{"reset:reuse_im init_im", "login_im:alice", "", []string{"G18"}, ""},
		{"reset:auto_login init_im", "login_im:alice", "", []string{"G04", "G18"}, ""},
		{"reset:reuse_im init_im", "login_im:wrong_token", "", []string{"im-sdk.md"}, ""},
		{"reset:reuse_im init_im login_im:alice", "login_im:bob", "", []string{"im-sdk.md"}, ""},
		{"reset:reuse_im init_im login_im:alice login_kit:bound", "host_logout", none, []string{"kits.md"}, "After one disconnect"},
		{"reset:reuse_im init_im login_im:alice login_kit:bound", "kick:2", none, []string{"im-sdk.md", "kits.md"}, "After one disconnect"},
		{"reset:auto_login login_kit:bound", "kick:1", none, []string{"im-sdk.md"}, ""},
		{"reset:reuse_im init_im login_im:alice login_kit:bound", "link:false", "", []string{"im-sdk.md"}, "In reuse, a link"},
		{"reset:auto_login login_kit:bound", "link:false", "", []string{"im-sdk.md"}, "A browser that goes offline"},
		{"reset:auto_login login_kit:bound", "expire:kit", "402 1026 2006 no_number no_number", []string{"kits.md"}, "An expired kit token"},
		{"reset:auto_login", "setup:reuse_im", "", []string{"G15"}, "A second `initialize`"},
		{"reset:auto_login", "create_kit_account:bob", "", []string{"G09"}, ""},
		{"reset:auto_login", "fetch_tokens", "", []string{"G10"}, ""},
		{"reset:auto_login", "hang:InitIM", "", nil, ""},
	} {
		l := newLab(t)
		for _, step := range strings.Fields(test.before) {
			l.do(request(step))
		}
		r, _ := l.do(request(test.act))
		if got := numbers(r.Vendor); got != test.numbers {
			t.Errorf("%s, then %s: got numbers %q, want %q", test.before, test.act, got, test.numbers)
		}
		if got := said(r.Vendor); !slices.Equal(got, test.said) {
			t.Errorf("%s, then %s: got sentences %q, want %q", test.before, test.act, got, test.said)
		}
		var differs string
		if r.Vendor != nil && r.Vendor.Differs != nil {
			differs = r.Vendor.Differs.WebKit.EN
		}
		if (differs != "") != (test.differs != "") || !strings.Contains(differs, test.differs) {
			t.Errorf("%s, then %s: got difference %q, want %q", test.before, test.act, differs, test.differs)
		}
	}
}

// request returns the act and the body of a step such as "login_im:alice".
func request(step string) (act, body string) {
	act, value, _ := strings.Cut(step, ":")
	field := map[string]string{"reset": "mode", "setup": "mode", "kick": "reason", "link": "up", "expire": "token", "hang": "call"}[act]
	switch {
	case value == "":
		return act, "{}"
	case field == "":
		field = "account"
	case field == "reason" || field == "up":
		return act, `{"` + field + `":` + value + `}`
	}
	return act, `{"` + field + `":"` + value + `"}`
}

// Each English sentence is on the page that it names, so the documents stay its
// home.
func TestSentencesAreInTheDocuments(t *testing.T) {
	pages := map[string]string{}
	page := func(name string) string {
		if pages[name] == "" {
			text, err := os.ReadFile("../../../../docs/vendor/" + name)
			if err != nil {
				t.Fatal(err)
			}
			pages[name] = plain(string(text))
		}
		return pages[name]
	}
	all := play.Sentences()
	for key, s := range all {
		text := plain(strings.TrimPrefix(s.Text.EN, "Kick reason "))
		if s.ID != "" {
			if s.ID != key {
				t.Errorf("%s has the number %s", key, s.ID)
			}
			row := regexp.MustCompile(regexp.QuoteMeta(s.ID) + `: [WRAlatergudis ]+: ` + regexp.QuoteMeta(text) + `(: | \|)`)
			if !row.MatchString(page(s.Page)) {
				t.Errorf("%s is not a row of %s: %s", s.ID, s.Page, s.Text.EN)
			}
		} else if !strings.Contains(page(s.Page), text) {
			t.Errorf("%s is not on %s: %s", key, s.Page, s.Text.EN)
		}
		if strings.Count(s.Text.EN, "`") != strings.Count(s.Text.ZH, "`") || s.Text.ZH == "" {
			t.Errorf("%s: the Chinese differs: %s", key, s.Text.ZH)
		}
	}
	for _, c := range play.Contrasts() {
		if row := plain(c.WebKit.EN + " | " + c.Here.EN); !strings.Contains(page("differences.md"), row) {
			t.Errorf("this is not a row of differences.md: %s", row)
		}
		if c.WebKit.ZH == "" || c.Here.ZH == "" {
			t.Errorf("there is no Chinese for %s", c.WebKit.EN)
		}
	}
	used := sorted(play.RuleSentences())
	for _, key := range used {
		if _, known := all[key]; !known {
			t.Errorf("a rule names %q, which is no sentence", key)
		}
	}
	if len(used) != len(all) {
		t.Errorf("the rules use %d sentences of %d", len(used), len(all))
	}
}

// plain joins the lines of a document and takes out what only shows in a table or in
// bold.
func plain(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "**", "")
	return strings.ReplaceAll(strings.ReplaceAll(text, " | ", ": "), ": | ", " | ")
}
