package call

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// This file keeps the tokens and secrets that we send out of our errors and
// logs.

// secrets returns everything in the request that no error may repeat:
// r.Secrets, and the headers that are secret in every call.
func (r Request) secrets(sent http.Header) []string {
	all := slices.Clone(r.Secrets)
	for _, name := range []string{"Token", "Authorization", "Checksum"} {
		value := sent.Get(name)
		if scheme, credentials, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
			value = credentials
		}
		all = append(all, value)
	}
	return all
}

// Clean returns a server's text without the secrets, shortened for an error.
func Clean(text string, secrets ...string) string { return shorten(Hide(text, secrets...)) }

// Hide returns the text with each secret replaced by ***. It returns "" if the
// text has a secret of fewer than 8 bytes, because the gaps could give a short
// one away, or a secret with escapes of Go, JSON or URLs.
func Hide(text string, secrets ...string) string {
	const shortest = 8
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, "***")
		}
		if Tells(text, secret) {
			return ""
		}
	}
	return text
}

// Tells reports whether the text contains the secret, plain or escaped. It
// ignores case, because net/http changes the case of header names.
func Tells(text, secret string) bool {
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

// hideIn returns err, unless an error in its chain shows a secret: net/http
// quotes text that it cannot parse. Then hideIn returns a new error with the
// text of err, but without the secret and without the chain.
func hideIn(err error, secrets []string) error {
	if !chainTells(err, secrets) {
		return err
	}
	text := Clean(err.Error(), secrets...)
	if text == "" {
		text = "the reply cannot be shown, because it contains our own token"
	}
	return errors.New(text)
}

// chainTells reports whether err or an error in its chain shows a secret.
func chainTells(err error, secrets []string) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	if slices.ContainsFunc(secrets, func(secret string) bool { return Tells(text, secret) }) {
		return true
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return chainTells(wrapper.Unwrap(), secrets)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(wrapper.Unwrap(), func(inner error) bool { return chainTells(inner, secrets) })
	}
	return false
}

// ShowURL returns the URL without the parts that may have a secret: user info,
// query and fragment. If text is not a URL, it returns "".
func ShowURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return ""
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return shown.String()
}

// shorten bounds the text, so that a server cannot fill our logs.
func shorten(text string) string { return Shorten(text, 200) }

// Shorten cuts the text to at most the given number of bytes, and adds … if it
// cut anything.
func Shorten(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
