package play_test

import (
	"slices"
	"strings"
	"testing"
)

// What comes of each step of each story.
var storyOutcomes = map[string][]string{
	"auto_login": {"reset done", "login_kit done", "logout_kit done", "login_anonymous done", "logout_kit done",
		"host_login done", "login_kit failed -20004"},
	"reuse": {"reset done", "login_kit failed 100004", "host_init done", "host_login done", "login_kit done", "logout_kit done",
		"login_anonymous failed 112001"},
	"mismatch": {"reset done", "host_init done", "host_login done", "login_kit failed 100005", "create_kit_account done", "login_kit done"},
	"kick": {"reset done", "init_im done", "login_im done", "login_kit done", "kick lost -20012", "login_kit failed 100004",
		"login_im done", "login_kit done"},
}

// Who is logged in to IM after each story.
var storyEnds = map[string]string{"auto_login": "alice", "reuse": "alice", "mismatch": "bob", "kick": "alice"}

func TestStories(t *testing.T) {
	l := newLab(t)
	stories := l.catalogue().Stories
	if len(stories) != 4 {
		t.Fatalf("got %d stories, want 4", len(stories))
	}
	for range 2 { // each story starts over, so it works after any other
		for _, story := range stories {
			var got []string
			for _, step := range story.Steps {
				_, outcome := l.do(step.Act, string(step.Details))
				got = append(got, step.Act+" "+outcome)
			}
			if want := storyOutcomes[story.ID]; !slices.Equal(got, want) {
				t.Errorf("%s: got\n%q, want\n%q", story.ID, got, want)
			}
			if got := l.panel().IM; got != storyEnds[story.ID] {
				t.Errorf("%s: %q is logged in to IM at the end, want %q", story.ID, got, storyEnds[story.ID])
			}
		}
	}
}

// Every text of the page is there in both languages.
func TestBothLanguages(t *testing.T) {
	l := newLab(t)
	c := l.catalogue()
	check := func(what, en, zh string) {
		t.Helper()
		if en == "" || zh == "" || strings.TrimSpace(en) != en || strings.TrimSpace(zh) != zh {
			t.Errorf("%s: got %q and %q", what, en, zh)
		}
		if strings.Count(en, "`") != strings.Count(zh, "`") {
			t.Errorf("%s: %q and %q have different code in them", what, en, zh)
		}
	}
	for name, text := range c.Acts {
		check(name, text.EN, text.ZH)
	}
	for _, text := range c.Platforms {
		check("platform", text.EN, text.ZH)
	}
	for _, story := range c.Stories {
		check(story.ID, story.Title.EN, story.Title.ZH)
		check(story.ID, story.About.EN, story.About.ZH)
		for _, step := range story.Steps {
			check(story.ID+" "+step.Act, step.Say.EN, step.Say.ZH)
		}
	}
}
