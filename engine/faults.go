package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// This file calls the backend. If the backend panics, or returns an error that
// would panic later, it makes that an ordinary error that shows no token.

// A backendFault is the error of a call that the backend did not end properly:
// it panicked, or returned an error whose methods panic. Nobody knows what the
// call did. A backendFault has no Code, because none says that the backend is
// broken.
type backendFault struct{ text string }

func (f *backendFault) Error() string { return f.text }

func faulty(err error) bool {
	_, ok := err.(*backendFault)
	return ok
}

// callUntraced makes one call of the backend, without Trace.
func (o *operation) callUntraced(ctx context.Context, call string, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &backendFault{fmt.Sprintf("%s panicked in %s: %s", owner(call), call, o.describe(v))}
		}
		if err != nil && o.failed == "" {
			o.failed = call
		}
	}()
	if err = f(ctx); err == nil {
		return nil
	}
	if isNilPointer(err) {
		return &backendFault{fmt.Sprintf("%s returned a nil %T as the error of %s", owner(call), err, call)}
	}
	tryMethods(err)
	return err
}

// owner says whether the host or the backend failed in call.
func owner(call string) string {
	if isTokenSource(call) {
		return "the host"
	}
	return "the backend"
}

// isNilPointer reports whether err is a nil pointer of an error type, such as
// (*KickError)(nil). The methods of most such types panic.
func isNilPointer(err error) bool {
	v := reflect.ValueOf(err)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// tryMethods calls the methods of err that the engine and its host will call
// later. Here their panic becomes a fault of the backend; later it would hit
// whoever calls them.
func tryMethods(err error) {
	_ = err.Error()
	_ = errors.Is(err, (*backendFault)(nil)) // walks the whole chain
}

// describe describes the value of a panic in one short line, without any token
// that o knows. A value that is not text could hide a token anywhere, so
// describe names only its type.
func (o *operation) describe(v any) string {
	text := strings.TrimSpace(textOf(v))
	if text == "" || o.containsToken(text) {
		return fmt.Sprintf("a value of type %T", v)
	}
	return oneLine(text)
}

// errorText returns err.Error(), or names the type of err if that panics, as it
// can for the cause of a loss. Package fmt would print the value of the panic
// in full, and with it perhaps a token.
func errorText(err error) (text string) {
	if err == nil {
		return "<nil>"
	}
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("an error of type %T", err)
		}
	}()
	return err.Error()
}

func textOf(v any) (text string) {
	defer func() {
		if recover() != nil {
			text = "" // a method of v panicked
		}
	}()
	switch v := v.(type) {
	case string:
		return v
	case error:
		return v.Error()
	case fmt.Stringer:
		return v.String()
	}
	if k := reflect.ValueOf(v).Kind(); k >= reflect.Bool && k <= reflect.Complex128 {
		return fmt.Sprint(v)
	}
	return ""
}

// keepSecret remembers a token that describe must not show.
func (o *operation) keepSecret(token string) {
	for i := range o.secrets {
		if o.secrets[i] == "" || o.secrets[i] == token {
			o.secrets[i] = token
			return
		}
	}
	if token == "" {
		return
	}
	copy(o.secrets[:], o.secrets[1:]) // the oldest goes, which was refused
	o.secrets[len(o.secrets)-1] = token
}

// containsToken reports whether text has a token, as it is or escaped, in any
// case.
func (o *operation) containsToken(text string) bool {
	for _, token := range o.secrets {
		if token == "" {
			continue
		}
		quoted := strconv.Quote(token)
		if strings.Contains(text, token) || strings.Contains(text, quoted[1:len(quoted)-1]) || strings.Contains(plain(text), plain(token)) {
			return true
		}
	}
	return false
}

// plain undoes the escapes of URLs and JSON in text, and makes it lower case.
// Two texts that it makes equal may differ in spaces, + and backslashes.
func plain(text string) string {
	for range 2 { // a token can have a % itself
		text = escape.ReplaceAllStringFunc(text, unescape)
	}
	return strings.ToLower(strings.NewReplacer(`\`, "", "+", " ").Replace(text))
}

// escape matches %XX, \xXX and \uXXXX. Text that was quoted twice has more
// backslashes.
var escape = regexp.MustCompile(`(?:%|\\+x)[0-9A-Fa-f]{2}|\\+u[0-9A-Fa-f]{4}`)

func unescape(s string) string {
	digits := strings.TrimLeft(s, `%\xu`)
	n, _ := strconv.ParseUint(digits, 16, 16) // escape has matched the digits
	if len(digits) == 2 {
		return string([]byte{byte(n)})
	}
	return string(rune(n))
}

// oneLine returns the first line of text, up to 200 bytes of it.
func oneLine(text string) string {
	const most = 200
	isBreak := func(r rune) bool { return strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r) }
	line, cut := text, false
	if i := strings.IndexFunc(line, isBreak); i >= 0 {
		line, cut = line[:i], true
	}
	if len(line) > most {
		line, cut = line[:most], true
	}
	line = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, ""))
	if cut {
		line += " …"
	}
	return line
}
