package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// If asCommand is set in the environment, the test binary runs the command.
const asCommand = "IMREUSE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"imreuse"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// rungs returns the triggers and states printed in one scene, in order.
func rungs(text string) string {
	line := regexp.MustCompile(`(?m)^    ([a-z_]+) +via ([a-z_]+)`)
	var all []string
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		all = append(all, m[2]+">"+m[1])
	}
	return strings.Join(all, " ")
}

const (
	up   = "init_im>im_initialized login_im>im_logged_in login_kit>kit_logged_in"
	shut = " close>uninitialized"
)

func TestDemoScenes(t *testing.T) {
	code, out, errs := command(t, "demo")
	if code != 0 || errs != "" {
		t.Fatalf("demo: got exit status %d and %q, want success", code, errs)
	}
	scenes := strings.Split(out, "\n\n")[1:]
	tests := []struct{ title, rungs, also string }{
		{"auto_login: ", up + " logout_kit>im_logged_in logout_im>im_initialized" + shut, "reused: false"},
		{"reuse_im: The app", up + " logout_kit>im_logged_in" + shut, "reused: true"},
		{"auto_detect: ", up + " logout_kit>im_logged_in logout_im>im_initialized" +
			" login_im>im_logged_in login_kit>kit_logged_in logout_kit>im_logged_in" + shut, "reused: true"},
		{"reuse_im: 100004", up + shut, "(code 100004)"},
		{"reuse_im: 100005", up + shut, "(code 100005)"},
		{"reuse_im: 112001", up + shut, "(code 112001)"},
		{"reuse_im: Kicked", up + " im_lost>im_initialized login_im>im_logged_in login_kit>kit_logged_in" + shut,
			"because: the service ended the IM login: it was kicked by a login on another device"},
	}
	if len(scenes) != len(tests) {
		t.Fatalf("got %d scenes, want %d:\n%s", len(scenes), len(tests), out)
	}
	for i, test := range tests {
		if !strings.HasPrefix(scenes[i], test.title) || !strings.Contains(scenes[i], test.also) {
			t.Errorf("scene %d: got\n%s\nwant %q and %q in it", i, scenes[i], test.title, test.also)
		}
		if got := rungs(scenes[i]); got != test.rungs {
			t.Errorf("%s got rungs\n%s, want\n%s", test.title, got, test.rungs)
		}
	}
	for _, secret := range []string{"myToken", "otherToken", "\x1b["} {
		if strings.Contains(out, secret) {
			t.Errorf("the output has %q in it", secret)
		}
	}
}

func TestDemoOneMode(t *testing.T) {
	for _, mode := range []string{"auto_login", "reuse_im", "auto_detect"} {
		code, out, errs := command(t, "demo", "-mode", mode)
		if code != 0 || errs != "" {
			t.Errorf("-mode %s: got exit status %d and %q", mode, code, errs)
		}
		if got := strings.Count(out, "\n\n"); got != 1 || !strings.Contains(out, "\n"+mode+": ") {
			t.Errorf("-mode %s: got %d scenes, want one of that mode:\n%s", mode, got, out)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"-h"}, {"demo", "-h"}} {
		code, out, errs := command(t, args...)
		if code != 0 || errs != "" || !strings.Contains(out, "demo") {
			t.Errorf("%q: got exit status %d, %q and %q", args, code, out, errs)
		}
	}
}

func TestDemoStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := run(ctx, []string{"imreuse", "demo"}, new(bytes.Buffer), new(bytes.Buffer)); code != 1 {
		t.Errorf("with an ended ctx: got exit status %d, want 1", code)
	}
}
