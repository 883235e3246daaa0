package call

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/loopback"
)

// Bounds on values, in bytes, well above the vendor's documented ones.
const (
	MaxField = 128
	MaxToken = 4096
	maxURL   = 2048
)

// MaxID is the longest accid or userUuid: docs/vendor/kits.md#identifiers.
const MaxID = 32

// Argument returns an error that wraps engine.ErrArgument.
func Argument(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{engine.ErrArgument}, args...)...)
}

// CheckHeader returns an engine.ErrArgument that names the field, unless value
// is a usable header value of at most longest bytes.
func CheckHeader(field, value string, longest int) error {
	if flaw := Flaw(value, longest); flaw != "" {
		return Argument("%s %s", field, flaw)
	}
	return nil
}

// Flaw says what is wrong with a header's value, or returns "". It never
// repeats the value, so it is also safe for values that a server sent.
func Flaw(value string, longest int) string {
	switch {
	case value == "":
		return "is empty"
	case len(value) > longest:
		return fmt.Sprintf("is longer than %d bytes", longest)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return "has a control character or is not UTF-8"
	case strings.TrimSpace(value) != value:
		return "begins or ends with a space"
	}
	return ""
}

// AccidFlaw is like Flaw, for an accid or a userUuid:
// docs/vendor/kits.md#identifiers.
func AccidFlaw(id string) string {
	const others = "_@.-"
	switch {
	case id == "":
		return "is empty"
	case len(id) > MaxID:
		return fmt.Sprintf("has %d characters, but at most %d are allowed", len(id), MaxID)
	case strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	}):
		return "has a character other than letters, digits and _ @ . -"
	}
	return ""
}

// CheckURL parses and checks the base URL of a server. It keeps a path. The
// error is an engine.ErrArgument that names the field.
func CheckURL(field, text string, plainHTTP bool) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, Argument("%s is longer than %d bytes", field, maxURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil: // the parser's error is left out, because it may repeat a secret
		return nil, Argument("%s is not a URL", field)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, Argument("%s has the scheme %q; use http or https", field, u.Scheme)
	case u.Hostname() == "":
		return nil, Argument("%s has no host", field)
	case isOddIPv4(u.Hostname()):
		return nil, Argument("%s has an IPv4 address in an unusual spelling; write it as four decimal numbers, for example 127.0.0.1", field)
	case u.User != nil:
		return nil, Argument("%s has a user name or password", field)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, Argument("%s has a query or a fragment", field)
	case u.Scheme == "http" && !plainHTTP && !loopback.Is(u.Hostname()):
		return nil, Argument("%s is plain http, which would send tokens over the network in the clear; use https", field)
	}
	if trimmed := strings.TrimRight(u.Path, "/"); trimmed != "" && path.Clean(trimmed) != trimmed {
		return nil, Argument("%s has a path with //, . or .. in it", field)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	u.Host = CanonicalHost(u)
	return u, nil
}

// isOddIPv4 reports whether a resolver may read host as an IPv4 address that
// netip does not know, for example 127.1, 0x7f.1 or 127.0.0.1. with a final
// dot. No domain name ends in a number.
func isOddIPv4(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimRight(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	return oddNumber.MatchString(last)
}

var oddNumber = regexp.MustCompile(`^(?:[0-9]+|0[xX][0-9a-fA-F]*)$`)

// CanonicalHost returns u.Host, but spells the names of this machine so that
// http.ProxyFromEnvironment recognises them: it uses no proxy for localhost and
// loopback addresses, but only in their usual spelling. The unspecified address
// counts too, because package net dials this machine for it.
func CanonicalHost(u *url.URL) string {
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		switch ip = ip.Unmap().WithZone(""); {
		case ip == netip.IPv4Unspecified():
			host = "127.0.0.1"
		case ip == netip.IPv6Unspecified():
			host = "::1"
		case ip.IsLoopback():
			host = ip.String()
		}
	} else if host = strings.ToLower(host); loopback.Is(host) {
		host = "localhost"
	}
	switch port := u.Port(); {
	case port != "":
		return net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}
