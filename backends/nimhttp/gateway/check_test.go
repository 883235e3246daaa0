package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/engine"
)

const sdkFile = "node_modules/nim-web-sdk-ng/dist/nodejs/nim.js"

// Each row damages an installation; Check must name the damage.
func TestCheck(t *testing.T) {
	append1 := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { appendTo(t, filepath.Join(dir, name)) }
	}
	mode := func(name string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) { try(t, os.Chmod(filepath.Join(dir, name), mode)) }
	}
	tests := []struct {
		name   string
		damage func(t *testing.T, dir string)
		says   string
	}{
		{"a file has changed", append1("main.mjs"), "main.mjs"},
		{"a file is missing", func(t *testing.T, dir string) { try(t, os.Remove(filepath.Join(dir, "log.mjs"))) }, "log.mjs"},
		{"the SDK has changed", append1(sdkFile), "node_modules"},
		{"a package is new", append1("node_modules/ws/index.js"), "node_modules"},
		{"the SDK is missing", func(t *testing.T, dir string) { try(t, os.Remove(filepath.Join(dir, sdkFile))) }, "gateway install"},
		{"npm was run by hand", func(t *testing.T, dir string) { try(t, os.Remove(filepath.Join(dir, "install.json"))) }, "install.json"},
		{"others can write to a file", mode("main.mjs", 0o606), "chmod go-w"},
		{"the group can write to the SDK", mode(sdkFile, 0o660), "chmod go-w"},
		{"others can write to the folder", mode(".", 0o777), "chmod go-w"},
		{"others can write to a sticky folder in it", mode("node_modules", 0o777|os.ModeSticky), "chmod go-w"},
		{"others can write to the folder above", mode("..", 0o777), "chmod go-w"},
		{"others can write to the cache folder", mode("../..", 0o777), "chmod go-w"},
		{"a file is a link", linkAway("main.mjs"), "link"},
		{"the SDK is a link", linkAway(sdkFile), "link"},
		{"the folder is a link", linkAway("."), "link"},
		{"the folder above is a link", linkAway(".."), "link"},
		{"a file belongs to another", chown("slot.mjs"), "user 12345"},
		{"the folder belongs to another", chown("."), "user 12345"},
		{"the folder above belongs to another", chown(".."), "user 12345"},
		{"the SDK belongs to another", chown(sdkFile), "user 12345"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onMachine(t, goodNode, goodNPM)
			dir, err := gateway.Install(t.Context(), io.Discard)
			if err := errors.Join(err, gateway.Check(dir)); err != nil {
				t.Fatal(err)
			}
			test.damage(t, dir)
			err = gateway.Check(dir)
			if gateway.Installed(dir) || !errors.Is(err, engine.ErrState) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("installed %t, and got %v, want engine.ErrState that says %q", gateway.Installed(dir), err, test.says)
			}
		})
	}
}

func appendTo(t *testing.T, file string) {
	t.Helper()
	try(t, os.MkdirAll(filepath.Dir(file), 0o700))
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	try(t, err)
	_, err = f.WriteString("// more\n")
	try(t, errors.Join(err, f.Close()))
}

// linkAway moves a file or folder elsewhere and leaves a link to it.
func linkAway(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path, elsewhere := filepath.Join(dir, name), filepath.Join(t.TempDir(), "elsewhere")
		try(t, errors.Join(os.Rename(path, elsewhere), os.Symlink(elsewhere, path)))
	}
}

func chown(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if os.Getuid() != 0 {
			t.Skip("only root can give a file away")
		}
		try(t, os.Lchown(filepath.Join(dir, name), 12345, 12345))
	}
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// If the folder is outside the cache, every folder above it is checked.
func TestInstallIn(t *testing.T) {
	cache := onMachine(t, goodNode, goodNPM)
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	try(t, gateway.InstallIn(t.Context(), dir, io.Discard))
	if err := gateway.Check(dir); err != nil {
		t.Errorf("got %v, want a good installation", err)
	}
	if entries, err := os.ReadDir(cache); err != nil || len(entries) != 0 {
		t.Errorf("got %v in the cache folder, and %v", entries, err)
	}
	link := filepath.Join(t.TempDir(), "link")
	try(t, os.Symlink(dir, link))
	if err := gateway.Check(link); err != nil {
		t.Errorf("through a link of this user: got %v", err)
	}
	appendTo(t, filepath.Join(dir, sdkFile))
	if err := gateway.Check(link); err == nil {
		t.Error("damaged, through a link: got true from Installed")
	}
	var progress bytes.Buffer
	try(t, gateway.InstallIn(t.Context(), dir, &progress))
	if err := gateway.Check(dir); err != nil || !strings.Contains(progress.String(), "Installed: "+dir) {
		t.Errorf("got %v and %q, want it replaced", err, &progress)
	}
	try(t, os.Chmod(top, 0o777))
	if err := gateway.Check(dir); !errors.Is(err, engine.ErrState) || !strings.Contains(err.Error(), "chmod go-w "+top) {
		t.Errorf("got %v, want that others can write to %s", err, top)
	}
	if err := gateway.InstallIn(t.Context(), filepath.Join(top, "c"), io.Discard); !errors.Is(err, engine.ErrState) {
		t.Errorf("an install below: got %v, want engine.ErrState", err)
	}
	try(t, os.Chmod(top, 0o777|os.ModeSticky))
	if err := gateway.Check(dir); err != nil {
		t.Errorf("below a sticky folder: got %v", err)
	}
}

// A folder with other contents is not replaced.
func TestInstallInSparesOtherFiles(t *testing.T) {
	onMachine(t, goodNode, goodNPM)
	dir := t.TempDir()
	mine := filepath.Join(dir, "main.mjs")
	appendTo(t, mine)
	if err := gateway.InstallIn(t.Context(), dir, io.Discard); !errors.Is(err, engine.ErrState) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want engine.ErrState", err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
	try(t, os.Remove(mine))
	if err := gateway.InstallIn(t.Context(), dir, io.Discard); err != nil {
		t.Errorf("into an empty folder: got %v", err)
	}
}

// A umask that lets others write does not make an install unsafe.
func TestInstallWithOpenModes(t *testing.T) {
	onMachine(t, goodNode, "umask 0; "+goodNPM)
	dir, err := gateway.Install(t.Context(), io.Discard)
	if err := errors.Join(err, gateway.Check(dir)); err != nil {
		t.Error(err)
	}
}

// With NIM_SDK the installed SDK may differ, but the other files may not.
func TestCheckWithAnotherSDK(t *testing.T) {
	onMachine(t, goodNode, goodNPM)
	dir, err := gateway.Install(t.Context(), io.Discard)
	try(t, err)
	appendTo(t, filepath.Join(dir, "node_modules/another/index.js"))
	if err := gateway.Check(dir); err == nil {
		t.Error("without NIM_SDK: want an error")
	}
	t.Setenv("NIM_SDK", "another")
	if err := gateway.Check(dir); err != nil {
		t.Errorf("with NIM_SDK: got %v", err)
	}
	appendTo(t, filepath.Join(dir, "main.mjs"))
	if err := gateway.Check(dir); err == nil {
		t.Error("with NIM_SDK and another main.mjs: want an error")
	}
}

func TestCheckNode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	const needs = "the IM gateway needs Node 20 or newer, but "
	tests := []struct{ name, script, want string }{
		{"oldest", "echo v20.0.0", ""},
		{"newest", "echo v26.1.0", ""},
		{"nightly", "echo v25.0.0-nightly2025", ""},
		{"too old", "echo v19.9.0", needs + "NODE is version 19.9.0"},
		{"nonsense", "echo hello; echo world", needs + `NODE --version printed "hello", which is not a version`},
		{"no v", "echo 20.0.0", needs + `NODE --version printed "20.0.0", which is not a version`},
		{"controls", `printf 'a\tb\033[1mc\n\n'`, needs + `NODE --version printed "ab[1mc", which is not a version`},
		{"nothing", "exit 0", needs + "NODE --version printed nothing"},
		{"long", "printf %0100d 0", needs + `NODE --version printed "` + strings.Repeat("0", 60) + `…", which is not a version`},
		{"failure", "echo libnode.so is missing >&2; echo more >&2; exit 127", needs + "NODE --version failed (exit status 127): libnode.so is missing"},
		{"quiet failure", "exit 3", needs + "NODE --version failed: exit status 3"},
		{"killed", "kill -9 $$", needs + "NODE --version failed: signal: killed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			node := filepath.Join(t.TempDir(), "node")
			try(t, os.WriteFile(node, []byte("#!/bin/sh\n"+test.script+"\n"), 0o700))
			wantNodeError(t, gateway.CheckNode(t.Context(), node), strings.ReplaceAll(test.want, "NODE", node))
		})
	}
	t.Run("missing", func(t *testing.T) {
		wantNodeError(t, gateway.CheckNode(t.Context(), "no-such-node"), needs+"there is no no-such-node in your PATH")
	})
	t.Run("missing path", func(t *testing.T) {
		err := gateway.CheckNode(t.Context(), "/nowhere/node")
		if !errors.Is(err, engine.ErrState) || !strings.Contains(err.Error(), needs+"/nowhere/node does not start") {
			t.Errorf("got %v", err)
		}
	})
}

func wantNodeError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want nil", err)
	case want != "" && (!errors.Is(err, engine.ErrState) || !strings.HasSuffix(err.Error(), ": "+want)):
		t.Errorf("got %v, want engine.ErrState that says %q", err, want)
	}
}
