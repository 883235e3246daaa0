package call

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// This file is the one home for keeping what we sent out of what we say.

// secrets are what r sends that no error may repeat: what it names itself, and
// the headers that are secret in every call.
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

// Clean is what a server said, without the secrets, and not too much of it.
func Clean(text string, secrets ...string) string { return shorten(Hide(text, secrets...)) }

// Hide is a text without the secrets. One that is so short that it could be
// a part of a word would be told by the gaps, so it takes the whole text with
// it; so does one that is there in escapes, of Go, JSON or URLs.
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

// Tells reports whether a secret is in a text, as it is or in escapes. Case
// makes no difference: net/http spells header names in its own.
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

// unescapings are a text, and what it comes to when its escapes are undone,
// once and again. A + is a space in all of them, as in a query.
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

// unescape undoes one layer of the escapes of Go, JSON and URLs. Whatever is
// none stays as it is.
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
		case strings.HasPrefix(text, `\/`): // JSON's alone
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

// hideIn returns err, or, if any error in it tells a secret, one that only has
// its words, without the secret: net/http quotes what it cannot read, and what
// quotes a token is not to be unwrapped either.
func hideIn(err error, secrets []string) error {
	if !tells(err, secrets) {
		return err
	}
	text := Clean(err.Error(), secrets...)
	if text == "" {
		text = "what it sent cannot be repeated, since it has our own token in it"
	}
	return errors.New(text)
}

// tells reports whether an error, or one in its chain, tells a secret.
func tells(err error, secrets []string) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	if slices.ContainsFunc(secrets, func(secret string) bool { return Tells(text, secret) }) {
		return true
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return tells(wrapper.Unwrap(), secrets)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(wrapper.Unwrap(), func(inner error) bool { return tells(inner, secrets) })
	}
	return false
}

// ShowURL is a URL without what may be a secret in it: user info, a query,
// a fragment; "" of what is no URL.
func ShowURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return ""
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return shown.String()
}

// shorten keeps a server from filling our logs.
func shorten(text string) string { return Shorten(text, 200) }

// Shorten keeps so many bytes of a text, or a few less.
func Shorten(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
