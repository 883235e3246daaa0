// Package child starts the two programs that the IM gateway needs, Node and
// npm. Each gets its own process group, and only those variables of this
// process's environment that it needs.
package child

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// forBoth lists the variables that both programs get. Wrapper scripts need PATH
// and HOME; a temporary copy of the SDK needs TMPDIR, TEMP or TMP. Programs on
// Windows do not start without the second line.
var forBoth = []string{
	"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
	"SystemRoot", "ComSpec", "PATHEXT", "TEMP", "TMP", "USERPROFILE",
}

// forNode lists the gateway's own settings; see package gateway.
var forNode = []string{"IMREUSE_GATEWAY_LOG", "NIM_SDK"}

// forNPM lists the variables with which npm finds its registry and its
// settings. npm also gets every variable that begins with npmSettings.
var forNPM = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"NPM_TOKEN", "NODE_AUTH_TOKEN", // the usual names in an .npmrc
	"APPDATA", "LOCALAPPDATA",
}

const npmSettings = "npm_config_"

// drain is the time to wait for the output of a program that has ended, while
// another process still holds that output open.
const drain = 500 * time.Millisecond

// Node returns a command that runs node. When ctx ends, its process group is
// killed.
func Node(ctx context.Context, node string, args ...string) *exec.Cmd {
	return command(ctx, environment(slices.Concat(forBoth, forNode), ""), node, args)
}

// NPM returns a command that runs npm. When ctx ends, its process group is
// killed.
func NPM(ctx context.Context, args ...string) *exec.Cmd {
	return command(ctx, environment(slices.Concat(forBoth, forNPM), npmSettings), "npm", args)
}

func command(ctx context.Context, env []string, name string, args []string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = env
	c.WaitDelay = drain
	c.Cancel = func() error { return Kill(c) }
	ownGroup(c)
	return c
}

// environment returns this process's variables that have one of the names or
// begin with the prefix. Windows ignores the case of a name, and npm ignores
// the case of its settings.
func environment(names []string, prefix string) []string {
	env := []string{} // nil would mean the whole environment
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		named := slices.ContainsFunc(names, func(n string) bool {
			return n == name || runtime.GOOS == "windows" && strings.EqualFold(n, name)
		})
		if named || prefix != "" && strings.HasPrefix(strings.ToLower(name), prefix) {
			env = append(env, variable)
		}
	}
	return env
}
