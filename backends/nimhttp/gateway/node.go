package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/child"
	"github.com/imreuse/imreuse/engine"
)

// nodeTimeout is the longest time that Node may take to print its version.
const nodeTimeout = 10 * time.Second

// OldestNode returns the oldest major version of Node that the gateway
// supports. Its package.json has the number.
func OldestNode() int {
	var manifest struct{ Engines struct{ Node string } }
	data, err := files.ReadFile("package.json")
	if err == nil {
		err = json.Unmarshal(data, &manifest)
	}
	oldest, bad := strconv.Atoi(strings.TrimPrefix(manifest.Engines.Node, ">="))
	if err := errors.Join(err, bad); err != nil {
		panic("gateway: package.json: " + err.Error()) // the file is embedded, and a test reads it
	}
	return oldest
}

var nodeVersion = regexp.MustCompile(`^v(\d{1,4})\.\d+\.\d+`)

// CheckNode fails with engine.ErrState if node is missing, does not work, or is
// older than OldestNode.
func CheckNode(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, nodeTimeout, fmt.Errorf("%w: %s --version did not end within %v", engine.ErrState, node, nodeTimeout))
	defer cancel()
	output, err := child.Node(ctx, node, "--version").Output()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	version := firstLine(output)
	match := nodeVersion.FindStringSubmatch(version)
	switch {
	case err != nil:
		return badNode("%s", nodeFailure(node, err))
	case match == nil && version == "":
		return badNode("%s --version printed nothing", node)
	case match == nil:
		return badNode("%s --version printed %q, which is not a version", node, version)
	}
	if major, _ := strconv.Atoi(match[1]); major < OldestNode() {
		return badNode("%s is version %s", node, strings.TrimPrefix(version, "v"))
	}
	return nil
}

func badNode(format string, args ...any) error {
	return fmt.Errorf("%w: the IM gateway needs Node %d or newer, but %s", engine.ErrState, OldestNode(), fmt.Sprintf(format, args...))
}

// nodeFailure says in a few words why Node did not print its version.
func nodeFailure(node string, err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if said := firstLine(exit.Stderr); said != "" {
			return fmt.Sprintf("%s --version failed (%v): %s", node, exit, said)
		}
		return fmt.Sprintf("%s --version failed: %v", node, exit)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Sprintf("there is no %s in your PATH", node)
	}
	return fmt.Sprintf("%s does not start: %v", node, err)
}

// firstLine returns the first line of a program's output, shortened and without
// control characters.
func firstLine(output []byte) string {
	const most = 60
	line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	line = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return -1
	}, line)
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + "…"
	}
	return strings.TrimSpace(line)
}
