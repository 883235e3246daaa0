package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/urfave/cli/v3"
)

// Each command line has the right exit status. A usage error prints one line to
// stderr, and nothing to stdout.
func TestExitStatus(t *testing.T) {
	t.Setenv("IMREUSE_APP_SECRET", "x")
	im := func(args ...string) []string {
		return append([]string{"provision", "im-account", "-appkey", "app1", "-accid", "alice"}, args...)
	}
	tests := []struct {
		args   []string
		status int
		stdout string // a part of it; "": it is empty
		stderr string // a part of its only line; "": it is empty
	}{
		{nil, 0, "COMMANDS:", ""},
		{[]string{"-h"}, 0, "COMMANDS:", ""},
		{[]string{"help"}, 0, "COMMANDS:", ""},
		{[]string{"help", "demo"}, 0, "--mode", ""},
		{[]string{"demo", "-h"}, 0, "--mode", ""},
		{[]string{"provision"}, 0, "room-account", ""},
		{[]string{"version"}, 0, "sdk ", ""},
		{[]string{"-version"}, 0, "imreuse", ""},
		{[]string{"completion"}, 0, "bash", ""},

		{[]string{"demon"}, 2, "", `there is no command "demon"; did you mean "demo"? See: imreuse -h`},
		{[]string{"sandbx"}, 2, "", `did you mean "sandbox"?`},
		{[]string{"vresion"}, 2, "", `did you mean "version"?`},
		{[]string{"zzz"}, 2, "", `there is no command "zzz"; see: imreuse -h`},
		{[]string{"start"}, 2, "", `there is no command "start"; see: imreuse -h`},
		{[]string{"help", "demi"}, 2, "", `there is no command "demi"; did you mean "demo"?`},
		{[]string{"-h", "zzz"}, 2, "", "there is no command 'zzz'"},
		{[]string{"provision", "rom-account"}, 2, "", `did you mean "room-account"? See: imreuse provision -h`},
		{[]string{"gateway", "instal"}, 2, "", `did you mean "install"? See: imreuse gateway -h`},
		{[]string{"completion", "tcsh"}, 2, "", `there is no command "tcsh"`},

		{[]string{"-verbose"}, 2, "", "there is no flag -verbose; see: imreuse -h"},
		{[]string{"demo", "-verbose"}, 2, "", "there is no flag -verbose; see: imreuse demo -h"},
		{[]string{"demo", "-mdoe", "reuse_im"}, 2, "", `there is no flag -mdoe; did you mean "--mode"? See: imreuse demo -h`},
		{[]string{"demo", "-mode"}, 2, "", "flag needs an argument: -mode"},
		{[]string{"demo", "-mode", "reuse"}, 2, "", `there is no mode "reuse"`},
		{[]string{"demo", "-mode", ""}, 2, "", `there is no mode ""`},
		{[]string{"demo", "reuse_im"}, 2, "", "demo takes no arguments"},
		{[]string{"version", "now"}, 2, "", "version takes no arguments"},
		{[]string{"version", "-json=perhaps"}, 2, "", `invalid value "perhaps" for flag -json`},
		{[]string{"completion", "bash", "now"}, 2, "", "bash takes no arguments"},

		{[]string{"play", "-h"}, 0, "--open", ""},
		{[]string{"plya"}, 2, "", `did you mean "play"?`},
		{[]string{"play", "-addr", "0.0.0.0:0"}, 2, "", "not on loopback"},
		{[]string{"play", "-addr", "127.0.0.1:99999"}, 2, "", "invalid port"},
		{[]string{"play", "kick"}, 2, "", "play takes no arguments"},
		{[]string{"play", "-opne"}, 2, "", `there is no flag -opne; did you mean "--open"?`},
		{[]string{"sandbox", "-addr", "127.0.0.1:99999"}, 2, "", "invalid port"},
		{[]string{"sandbox", "-addr", "0.0.0.0:0"}, 2, "", "not on loopback"},
		{[]string{"sandbox", "-addr", "127.0.0.1"}, 2, "", "not HOST:PORT"},
		{[]string{"sandbox", "now"}, 2, "", "sandbox takes no arguments"},
		{[]string{"sandbox", "-accounts", filepath.Join(t.TempDir(), "none.json")}, 1, "", "none.json"},
		{[]string{"gateway", "-addr", "0.0.0.0:0"}, 2, "", "loopback"},
		{[]string{"gateway", "install", "-addr", "127.0.0.1:0"}, 2, "", "there is no flag -addr"},
		{[]string{"gateway", "install", "now"}, 2, "", "install takes no arguments"},

		{[]string{"provision", "im-account"}, 2, "", `required flag "appkey" not set; see: imreuse provision im-account -h`},
		{im("bob"), 2, "", "im-account takes no arguments"},
		{im("-im-token", "x"), 2, "", "there is no flag -im-token"},
		{im("-user-uuid", "alice"), 2, "", "there is no flag -user-uuid"},
		{im("-kit-url", "https://kit.example.com"), 2, "", "there is no flag -kit-url"},
		{[]string{"provision", "room-account", "-appkey", "app1", "-im-url", "https://im.example.com"}, 2, "", "there is no flag -im-url"},
		{[]string{"provision", "update", "-appkey", "app1", "-meeting-url", "https://m.example.com"}, 2, "", "there is no flag -meeting-url"},
		{im("-im-url", "ftp://im.example.com"), 2, "", "ftp"},
		{im("-accid", "a b"), 2, "", "Accid"},
		{im("-secrets", filepath.Join(t.TempDir(), "none.json")), 1, "", "none.json"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			code, out, errs := command(t, test.args...)
			if code != test.status {
				t.Errorf("got exit status %d, want %d; stderr: %s", code, test.status, errs)
			}
			if !strings.Contains(out, test.stdout) || test.stdout == "" && out != "" {
				t.Errorf("got stdout %q, want %q in it", out, test.stdout)
			}
			if !strings.Contains(errs, test.stderr) || test.stderr == "" && errs != "" || strings.Count(errs, "\n") > 1 {
				t.Errorf("got stderr %q, want one line with %q in it", errs, test.stderr)
			}
		})
	}
}

// The error names the flag that chose the port.
func TestTakenPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	addr := listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"imreuse", "listen", "-addr", addr}, "port " + addr + " is taken: choose another with -addr"},
		{[]string{"imreuse", "listen", "-other-addr", addr}, "port " + addr + " is taken: choose another with -other-addr"},
		{[]string{"imreuse", "listen", "-other-addr", "localhost:" + port}, "port " + addr + " is taken: choose another with -other-addr"},
	} {
		root := newRoot(new(bytes.Buffer), new(bytes.Buffer))
		root.Commands = append(root.Commands, &cli.Command{
			Name:  "listen",
			Flags: []cli.Flag{addrFlag(), &cli.StringFlag{Name: "other-addr"}},
			Action: func(context.Context, *cli.Command) error {
				_, err := net.Listen("tcp", addr)
				return err
			},
		})
		if err := explainTakenPort(root, root.Run(t.Context(), test.args)); err.Error() != test.want {
			t.Errorf("%q: got %q, want %q", test.args, err, test.want)
		}
	}
}

// Every command, including future ones, refuses arguments and unknown flags.
func TestUsageErrorsEverywhere(t *testing.T) {
	for _, path := range commandPaths(t) {
		for _, more := range []string{"-no-such-flag", "no-such-argument"} {
			args := append(slices.Clone(path), more)
			code, out, errs := command(t, args...)
			if code != 2 || out != "" || strings.Count(errs, "\n") != 1 {
				t.Errorf("%q: got exit status %d, %q and %q, want 2 and one line on stderr", args, code, out, errs)
			}
		}
	}
}

// commandPaths returns the words of each command.
func commandPaths(t *testing.T) (paths [][]string) {
	t.Helper()
	root := newRoot(new(bytes.Buffer), new(bytes.Buffer))
	for _, c := range root.Commands {
		paths = append(paths, []string{c.Name})
		for _, sub := range c.Commands {
			paths = append(paths, []string{c.Name, sub.Name})
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} { // cli adds it when it runs
		paths = append(paths, []string{"completion", shell})
	}
	return append(paths, nil)
}

func TestExitStatusOfSignals(t *testing.T) {
	tests := []struct {
		name   string
		cause  error
		status int
	}{
		{"interrupt", stopSignal{os.Interrupt}, 130},
		{"terminate", stopSignal{syscall.SIGTERM}, 143},
		{"neither", errors.New("over"), 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(test.cause)
			var errs bytes.Buffer
			if code := run(ctx, []string{"imreuse", "demo"}, new(bytes.Buffer), &errs); code != test.status {
				t.Errorf("got exit status %d and %q, want %d", code, &errs, test.status)
			}
		})
	}
}

// The script works in a real bash. The test stubs the only function that the
// script calls from bash-completion, which may not be installed.
func TestCompletionInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("there is no bash")
	}
	folder := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(folder, "imreuse")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ words, want string }{
		{`imreuse ""`, "demo play sandbox provision gateway"},
		{`imreuse de`, "demo"},
		{`imreuse provision r`, "room-account"},
		{`imreuse demo --m`, "--mode"},
	} {
		const script = `_get_comp_words_by_ref() { :; }
source <(imreuse completion bash)
COMP_WORDS=(%WORDS%); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
__imreuse_bash_autocomplete
echo "${COMPREPLY[@]}"`
		c := exec.Command(bash, "--norc", "-c", strings.Replace(script, "%WORDS%", test.words, 1))
		c.Env = append(os.Environ(), asCommand+"=1", "PATH="+folder+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := c.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: got %q and %v, want %q", test.words, got, err, test.want)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	for shell, want := range map[string]string{"bash": "complete -o", "zsh": "#compdef imreuse", "fish": "complete -c imreuse"} {
		code, out, errs := command(t, "completion", shell)
		if code != 0 || errs != "" || !strings.Contains(out, want) {
			t.Errorf("%s: got exit status %d, %q and %q, want %q", shell, code, out, errs, want)
		}
	}
}
