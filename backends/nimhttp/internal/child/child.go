// Package child starts the two programs that the IM gateway needs, Node and
// npm: each in a process group of its own, and with no more of this process's
// environment than it needs.
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

// forBoth are the variables that both programs get. PATH and HOME are there for
// wrapper scripts; TMPDIR, TEMP and TMP for a temporary copy of the SDK. The
// second line is what Windows programs cannot start without.
var forBoth = []string{
	"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
	"SystemRoot", "ComSpec", "PATHEXT", "TEMP", "TMP", "USERPROFILE",
}

// forNode are the gateway's own settings; see package gateway.
var forNode = []string{"IMREUSE_GATEWAY_LOG", "NIM_SDK"}

// forNPM is how npm finds its registry and its settings, besides the variables
// that begin with npmSettings.
var forNPM = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"NPM_TOKEN", "NODE_AUTH_TOKEN", // the usual names in an .npmrc
	"APPDATA", "LOCALAPPDATA",
}

const npmSettings = "npm_config_"

// drain is how long a program that has ended is waited for while another
// process holds its output open.
const drain = 500 * time.Millisecond

// Node is a command that runs node, and is killed with its group when ctx ends.
func Node(ctx context.Context, node string, args ...string) *exec.Cmd {
	return command(ctx, environment(slices.Concat(forBoth, forNode), ""), node, args)
}

// NPM is a command that runs npm, and is killed with its group when ctx ends.
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

// environment picks from this process's variables. Windows ignores the case of
// their names, and npm that of its settings.
func environment(names []string, prefix string) []string {
	env := []string{} // not nil, which stands for the whole environment
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
