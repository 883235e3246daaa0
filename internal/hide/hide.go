// Package hide keeps tokens and secrets out of texts that come from somebody
// else: a server, or the host's own code.
package hide

import (
	"strconv"
	"strings"
)

// In returns the text with each secret replaced by ***. It returns "" if the
// text has a secret of fewer than 8 bytes, because the gaps could give a short
// one away, or a secret with escapes of Go, JSON or URLs.
func In(text string, secrets ...string) string {
	const shortest = 8
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, "***")
		}
		if Shows(text, secret) {
			return ""
		}
	}
	return text
}

// Shows reports whether the text contains the secret, plain or escaped. It
// ignores case, because net/http changes the case of header names.
func Shows(text, secret string) bool {
	if secret == "" {
		return false
	}
	spellings := unescapings(secret)
	for _, plain := range unescapings(text) {
		for _, spelling := range spellings {
			if strings.Contains(strings.ToLower(plain), strings.ToLower(spelling)) {
				return true
			}
		}
	}
	return false
}

// unescapings returns the text, followed by the results of undoing its escapes
// once, twice, and so on. A + becomes a space in all of them, as in a query.
func unescapings(text string) []string {
	const deepest = 4
	text = strings.ReplaceAll(text, "+", " ")
	all := []string{text}
	for len(all) < deepest && strings.ContainsAny(text, `\%`) {
		next := unescape(text)
		if next == text {
			break
		}
		text = strings.ReplaceAll(next, "+", " ")
		all = append(all, text)
	}
	return all
}

// unescape undoes one layer of the escapes of Go, JSON and URLs. Everything
// else stays as it is.
func unescape(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		switch {
		case text[0] == '%' && len(text) >= 3:
			if c, err := strconv.ParseUint(text[1:3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				text = text[3:]
				continue
			}
		case strings.HasPrefix(text, `\/`): // an escape in JSON only
			text = text[1:]
		case text[0] == '\\':
			quote := byte('"')
			if strings.HasPrefix(text, `\'`) {
				quote = '\''
			}
			if c, multibyte, rest, err := strconv.UnquoteChar(text, quote); err == nil {
				if c < 0x80 || multibyte {
					b.WriteRune(c)
				} else {
					b.WriteByte(byte(c))
				}
				text = rest
				continue
			}
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}
