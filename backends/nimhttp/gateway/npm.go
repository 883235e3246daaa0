package gateway

import (
	"cmp"
	"strings"
)

// npmReason returns npm's reason for its failure, on one line. npm prints the
// reason first, then a stack trace and advice, and finally the path of its log.
func npmReason(output []byte) string {
	const most = 4
	var reasons, all []string
	for line := range strings.Lines(string(output)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		all = append(all, line)
		text, isError := cutNpmPrefix(line)
		if isError && text != "" && !strings.HasPrefix(text, "at ") && !strings.HasPrefix(text, "A complete log") {
			reasons = append(reasons, text)
		}
	}
	if reasons == nil {
		return cmp.Or(strings.Join(all[max(0, len(all)-most):], "; "), "it printed nothing")
	}
	return strings.Join(reasons[:min(len(reasons), most)], "; ")
}

// cutNpmPrefix returns the text of an error line. npm before 10 writes ERR!.
func cutNpmPrefix(line string) (text string, isError bool) {
	for _, prefix := range []string{"npm error", "npm ERR!"} {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}
