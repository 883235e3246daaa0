package call

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/imreuse/imreuse/internal/hide"
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
func Clean(text string, secrets ...string) string { return shorten(hide.In(text, secrets...)) }

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
	if slices.ContainsFunc(secrets, func(s string) bool { return hide.Shows(text, s) }) {
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
