package engine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/imreuse/imreuse/engine"
)

// A foreignError is an error type of another package, whose methods panic for
// a nil pointer.
type foreignError struct{ text string }

func (e *foreignError) Error() string { return e.text }
func (e *foreignError) Unwrap() error { return errors.New(e.text) }

// A brokenError has methods that panic.
type brokenError struct{}

func (brokenError) Error() string { panic("the Error method is broken") }
func (brokenError) Unwrap() error { panic("the Unwrap method is broken") }
func (brokenError) Is(error) bool { panic("the Is method is broken") }
func (brokenError) As(any) bool   { panic("the As method is broken") }

var nilErrors = map[string]error{
	"KickError":     (*engine.KickError)(nil),
	"MismatchError": (*engine.MismatchError)(nil),
	"Error":         (*engine.Error)(nil),
	"foreign":       (*foreignError)(nil),
}

// A nil pointer of an error type is a nil cause, at rest and in a login.
func TestNilPointerAsCause(t *testing.T) {
	for name, cause := range nilErrors {
		t.Run(name, func(t *testing.T) {
			inLoggedWorld(t, autoLogin, func(w *world, _ *recorder) {
				climbsAlone(w)
				im, _ := w.tap.notifies()
				im.Lost(cause)
				synctest.Wait()
				if got := w.engine.Status().Cause; got != engine.ErrUnavailable {
					t.Errorf("the cause is %#v, want ErrUnavailable", got)
				}
				w.must(w.engine.LogoutIM(w.ctx))
			})
			f := newFake()
			e := open(t, f, &autoLogin)
			f.on = func(call string) error {
				if call == "LoginIM" {
					f.imNotify().Lost(cause)
				}
				return nil
			}
			if err := e.LoginKit(t.Context(), kitAccount); !errors.Is(err, engine.ErrUnavailable) {
				t.Errorf("lost in LoginIM: got %v, want ErrUnavailable", err)
			}
		})
	}
}

// A cause whose methods panic does no harm.
func TestBrokenCause(t *testing.T) {
	inLoggedWorld(t, autoLogin, func(w *world, _ *recorder) {
		climbsAlone(w)
		im, _ := w.tap.notifies()
		im.Lost(brokenError{})
		synctest.Wait()
		s := w.engine.Status()
		if s.State != imInitialized || s.Cause == nil || engine.CodeOf(s.Cause) != 0 {
			t.Fatalf("got %v because of %v", s.State, s.Cause)
		}
		if text := s.Cause.Error(); strings.Contains(text, "method is broken") {
			t.Errorf("the value of a panic is in %q", text)
		}
		w.must(w.engine.LogoutIM(w.ctx))
	})
}

// The methods of a nil pointer of the engine's own error types are safe.
func TestNilErrors(t *testing.T) {
	for name, err := range nilErrors {
		wrapped := fmt.Errorf("wrapped: %w", err)
		if engine.CodeOf(err) != 0 || engine.CodeOf(wrapped) != 0 {
			t.Errorf("%s has a code", name)
		}
		if name != "foreign" && (err.Error() != "<nil>" || errors.Is(wrapped, engine.ErrKicked)) {
			t.Errorf("%s: %q", name, err)
		}
	}
}

// If the backend's error is a nil pointer, or its methods panic, nobody knows
// what the call did, so it counts as a fault.
func TestBackendReturnsBrokenError(t *testing.T) {
	broken := map[string]error{"broken": brokenError{}}
	for name, err := range nilErrors {
		broken[name] = err
	}
	for name, returned := range broken {
		for _, call := range []string{"Authenticate", "InitIM", "LoginIM", "LoginKit", "LogoutKit", "LogoutIM", "Close"} {
			t.Run(name+" of "+call, func(t *testing.T) {
				f := newFake()
				e, err := engine.New(f, appKey, &autoLogin)
				if err != nil {
					t.Fatal(err)
				}
				f.on = func(c string) error {
					if c == call {
						return returned
					}
					return nil
				}
				err = errors.Join(e.LoginKit(t.Context(), kitAccount), e.LogoutKit(t.Context()), e.Close())
				var failed *engine.Error
				if !errors.As(err, &failed) || failed.Call != call || !strings.Contains(err.Error(), call) {
					t.Errorf("got %v, want an error in %s", err, call)
				}
				if called := strings.Join(f.called(), " "); call == "LoginIM" && !strings.Contains(called, "LoginIM LogoutIM") {
					t.Errorf("calls %s, want LoginIM undone", called)
				}
			})
		}
	}
}

type (
	stringer      struct{ text string }
	kindOfString  string
	holder        struct{ account engine.IMAccount }
	panicStringer struct{}
)

func (s stringer) String() string    { return s.text }
func (panicStringer) String() string { panic("token-of-nobody") }

// The error of a panic quotes at most one short line of the panic's value,
// without any token that the operation knows.
func TestPanicValues(t *testing.T) {
	im, kit := "im-"+secret, "kit-"+secret
	long := strings.Repeat("x", 10_000)
	for name, row := range map[string]struct {
		value any
		want  string // in the text
	}{
		"string":                 {"it broke", "it broke"},
		"error":                  {errors.New("it broke"), "it broke"},
		"Stringer":               {stringer{"it broke"}, "it broke"},
		"number":                 {42, "42"},
		"lines":                  {"first\nsecond", "first"},
		"long":                   {long, "xxx"},
		"long of two bytes":      {"a" + strings.Repeat("é", 10_000), "éé"},
		"controls":               {"a\x1b[31mb\x00c\u0085d", "a"},
		"nothing":                {"\n", "string"},
		"nil pointer":            {(*foreignError)(nil), "*engine_test.foreignError"},
		"IM token":               {"refused " + im, "string"},
		"kit token":              {"refused " + kit, "string"},
		"token after the cut":    {long + im, "string"},
		"token on the next line": {"x\n" + im, "string"},
		"error with a token":     {errors.New(im), "*errors.errorString"},
		"Stringer with a token":  {stringer{kit}, "engine_test.stringer"},
		"quoted token":           {fmt.Sprintf("%q", im), "string"},
		"bytes":                  {[]byte(im), "[]uint8"},
		"named string":           {kindOfString(im), "engine_test.kindOfString"},
		"hidden account":         {holder{engine.IMAccount{Accid: "a", Token: im}}, "engine_test.holder"},
		"pointer to it":          {&holder{engine.IMAccount{Accid: "a", Token: im}}, "*engine_test.holder"},
		"account":                {engine.IMAccount{Accid: "a", Token: im}, "engine.IMAccount"},
		"broken Stringer":        {panicStringer{}, "engine_test.panicStringer"},
		"broken error":           {brokenError{}, "engine_test.brokenError"},
	} {
		for _, call := range []string{"Authenticate", "LoginIM", "LoginKit"} {
			if call == "Authenticate" && strings.Contains(fmt.Sprintf("%v", row.value), im) {
				continue // it has not told the operation that one yet
			}
			t.Run(name+" in "+call, func(t *testing.T) {
				f := newFake()
				e := open(t, f, &autoLogin)
				f.on = func(c string) error {
					if c == call {
						panic(row.value)
					}
					return nil
				}
				checkPanicText(t, e.LoginKit(t.Context(), kitAccount), call, row.want)
			})
		}
	}
}

func checkPanicText(t *testing.T, err error, call, want string) {
	t.Helper()
	if err == nil || engine.CodeOf(err) != 0 {
		t.Fatalf("got %v, want an error without a Code", err)
	}
	text := err.Error()
	if _, of, found := strings.Cut(text, "panicked in "+call+": "); !found || !strings.Contains(of, want) {
		t.Errorf("got %q, want %q", text, want)
	}
	if strings.Contains(text, secret) || strings.Contains(text, "token-of-nobody") {
		t.Errorf("a token is in %q", text)
	}
	if len(text) > 400 || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
		t.Errorf("%d bytes, want a short line: %.500q", len(text), text)
	}
}

// Errors do not show the tokens that come from the backend, either: the bound
// account's and a temporary account's.
func TestPanicValueWithTokenOfBackend(t *testing.T) {
	for _, token := range []string{"guest-" + secret, imAccount.Token} {
		f := newFake()
		e := open(t, f, &engine.Options{Mode: engine.AutoLogin})
		f.on = func(call string) error {
			if call == "LoginKit" {
				panic(fmt.Errorf("no session for %s", token))
			}
			return nil
		}
		checkPanicText(t, e.LoginAnonymous(t.Context()), "LoginKit", "*errors.errorString")
	}
}

// A token is found in the ways in which a URL, JSON or a log spells it.
func TestPanicValueWithEscapedToken(t *testing.T) {
	for name, row := range map[string]struct{ token, text string }{
		"upper case":             {"tok-en1", "TOK-EN1"},
		"JSON":                   {"tok-en1", `{"token":"tok\u002den1"}`},
		"JSON in JSON":           {"tok-en1", `{"a":"{\"token\":\"tok\\u002Den1\"}"}`},
		"JSON with a slash":      {"tok/en1", `tok\/en1`},
		"JSON, not ASCII":        {"tokén1", `tok\u00e9n1`},
		"bytes":                  {"tok-en1", `tok\x2den1`},
		"URL":                    {"tok/en1+", "token=tok%2Fen1%2B&x=1"},
		"URL, lower case":        {"tok/en1", "token=tok%2fen1"},
		"URL, every byte":        {"tok1", "%74%6F%6B%31"},
		"URL, space":             {"tok en1", "token=tok+en1"},
		"URL in URL":             {"tok/en1", "next=%3Ftoken%3Dtok%252Fen1"},
		"URL, token with %":      {"tok%41", "token=tok%2541"},
		"URL, not ASCII":         {"tokén1", "token=tok%C3%A9n1"},
		"after a half escape":    {"41tok", "at %41tok"},
		"escaped and upper case": {"tok-en1", "TOK%2DEN1"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			e := open(t, f, &autoLogin)
			f.on = func(call string) error {
				if call == "LoginKit" {
					panic("refused " + row.text)
				}
				return nil
			}
			err := e.LoginKit(t.Context(), engine.KitAccount{UserUUID: kitAccount.UserUUID, Token: row.token})
			if err == nil || !strings.HasSuffix(err.Error(), "a value of type string") {
				t.Errorf("got %v, want only the type of the value", err)
			}
		})
	}
}

// If a backend calls runtime.Goexit, and again while the engine undoes the
// login, the slot is still given back.
func TestBackendGoexitsTwice(t *testing.T) {
	f := newFake()
	e := open(t, f, &engine.Options{Mode: engine.AutoLogin})
	f.on = func(call string) error {
		if call == "LoginKit" || call == "LogoutKit" {
			runtime.Goexit()
		}
		return nil
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = e.LoginKit(t.Context(), kitAccount)
	}()
	<-gone
	f.on = nil
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := e.LogoutIM(ctx); err != nil {
		t.Errorf("the next operation: %v", err)
	}
	if s, busy := e.Status(), e.Busy(); s.State != imInitialized || busy != "" {
		t.Errorf("got %+v (%s), want im_initialized", s, busy)
	}
}
