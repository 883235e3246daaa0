package inspect_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// spellings are the ways in which the tests of other packages hide a token in a
// text: engine's for panics, and those of nimhttp for replies of servers.
var spellings = map[string]struct{ token, text string }{
	"as it is":               {"tok-en1", "tok-en1"},
	"letters":                {"myToken", "myToken"},
	"words":                  {"a long secret 1", "a long secret 1"},
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
	"quoted in Go":           {`tok"en-1%`, `tok\"en-1%`},
	"quoted in JSON":         {`tok"en-1%`, `tok\u0022en-1\u0025`},
	"URL in Go in JSON":      {`tok"en-1%`, `tok\\\\x22en-1%25`},
	"base64":                 {"tok-en1", base64.StdEncoding.EncodeToString([]byte("tok-en1"))},
	"hex":                    {"tok-en1", hex.EncodeToString([]byte("tok-en1"))},
	"backwards":              {"tok-en1", "1ne-kot"},
	"markup":                 {"tok-en1", "<b>tok</b>&#45;en1"},
	"in an HTTP code":        {"tok-en1", "HTTP 401: tok-en1"},
}

// secrets returns all that a reply must not have: the token, and the text that
// has it, with and without the escapes of JSON.
func secrets(token, text string) []string {
	list := []string{token, text}
	for _, s := range []string{token, text} {
		quoted := strconv.Quote(s)
		list = append(list, quoted[1:len(quoted)-1], url.QueryEscape(s))
	}
	return list
}

// A leaky backend puts a text into everything that it returns and reports.
type leaky struct {
	text   string
	fail   string // the call that fails
	how    func(text string) error
	im     engine.Notify
	kitten engine.Notify
}

func (b *leaky) call(name string) error {
	if b.fail != name {
		return nil
	}
	return b.how(b.text)
}

func (b *leaky) InitIM(context.Context, string) error { return b.call("InitIM") }
func (b *leaky) LoginIM(_ context.Context, _ engine.IMAccount, n engine.Notify) error {
	b.im = n
	return b.call("LoginIM")
}
func (b *leaky) LogoutIM(context.Context) error { return b.call("LogoutIM") }
func (b *leaky) Authenticate(context.Context, engine.KitAccount) (engine.IMAccount, error) {
	return appAccount, b.call("Authenticate")
}
func (b *leaky) Anonymous(context.Context) (engine.KitAccount, error) {
	return engine.KitAccount{UserUUID: "guest", Token: "guest"}, b.call("Anonymous")
}
func (b *leaky) LoginKit(_ context.Context, _ engine.KitAccount, n engine.Notify) error {
	b.kitten = n
	return b.call("LoginKit")
}
func (b *leaky) LogoutKit(context.Context) error { return b.call("LogoutKit") }
func (b *leaky) AdoptIM(context.Context, engine.Notify) (engine.IMAccount, error) {
	return engine.IMAccount{}, b.call("AdoptIM")
}
func (b *leaky) Close() error { return b.call("Close") }

// leaks are the ways in which an error can have a text in it.
var leaks = map[string]func(text string) error{
	"alone":          errors.New,
	"with a code":    func(text string) error { return fmt.Errorf("%w: %s", engine.ErrUnavailable, text) },
	"before a code":  func(text string) error { return fmt.Errorf("%s: %w", text, engine.ErrTokenRejected) },
	"like a word":    func(text string) error { return fmt.Errorf("%w: as %s", engine.ErrIMInUse, text) },
	"like an answer": func(text string) error { return fmt.Errorf("%w: %s is empty", engine.ErrArgument, text) },
	"in a kick":      func(text string) error { return &engine.KickError{Reason: engine.KickedByServer, Text: text} },
	"in an Error":    func(text string) error { return &engine.Error{Op: text, Call: text, Err: errors.New(text)} },
	"in an address": func(text string) error {
		return &url.Error{Op: "Get", URL: "https://kit.example/?" + text, Err: &net.OpError{Op: "dial", Net: text,
			Addr: address(text), Err: &net.DNSError{Err: text, Name: text, Server: text}}}
	},
	"in an operation": func(text string) error {
		return &net.OpError{Op: text, Net: text, Source: address(text), Err: errors.New(text)}
	},
	"joined": func(text string) error { return errors.Join(context.DeadlineExceeded, errors.New(text)) },
	"panic":  func(text string) error { panic(text) },
	"panic of an error that breaks": func(text string) error {
		return breaking{text}
	},
}

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

type breaking struct{ text string }

func (b breaking) Error() string { return b.text }
func (b breaking) As(any) bool   { panic(b.text) }

// No reply has a token, whatever a backend puts into its errors.
func TestNoReplyHasAToken(t *testing.T) {
	for name, spelling := range spellings {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, engine.Options{})
			seen := ""
			for how, leak := range leaks {
				w.leak(t, spelling.token, spelling.text, leak)
				seen = w.look(t, spelling.token, spelling.text, how, seen)
			}
		})
	}
}

// leak lets each call fail in turn, and each login be lost. It leaves one engine
// on the page, whose login was lost.
func (w *world) leak(t *testing.T, token, text string, leak func(string) error) {
	ctx := t.Context()
	for _, call := range []string{"AdoptIM", "InitIM", "LoginIM", "Authenticate", "LoginKit", "LogoutKit", "LogoutIM", "Anonymous", "Close"} {
		b := &leaky{text: text, fail: call, how: leak}
		o := w.inspector.Options()
		o.Mode = engine.AutoLogin
		e, err := engine.New(b, "app1", o)
		w.must(err)
		stop := w.inspector.Watch("leaky", e)
		_ = e.LoginKit(ctx, engine.KitAccount{UserUUID: "user1", Token: token})
		_ = e.LogoutKit(ctx)
		_ = e.LoginAnonymous(ctx)
		_ = e.LogoutIM(ctx)
		_ = e.LoginIM(ctx, engine.IMAccount{Accid: "alice", Token: token})
		if b.im.Lost != nil {
			b.im.Lost(lossOf(leak, text))
		}
		_ = e.LogoutIM(ctx) // after the loss
		if call != "LoginKit" {
			_ = e.Close()
			stop()
		} else {
			t.Cleanup(func() { e.Close() })
		}
	}
	source := func(context.Context, string, string) (string, error) { return "", leak(text) }
	o := w.inspector.Options()
	o.KitToken, o.IMToken = source, source
	e := w.open(&leaky{}, o)
	defer w.inspector.Watch("leaky", e)()
	_ = e.LoginKit(ctx, engine.KitAccount{UserUUID: "user1"})
	w.must(e.InitIM(ctx))
	_ = e.LoginIM(ctx, engine.IMAccount{Accid: "alice"})
}

// lossOf returns the error of a leak, even if that one panics instead.
func lossOf(leak func(string) error, text string) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New(text)
		}
	}()
	return leak(text)
}

// look looks for the token in what the handler says after the entry seen, and
// returns the id of the last entry.
func (w *world) look(t *testing.T, token, text, how, seen string) (last string) {
	t.Helper()
	status := get(w.inspector.Handler(), "GET", "/status.json", "localhost").Body.String()
	events, failures, last := w.events(seen)
	if failures < 9 || !strings.Contains(status, `"cause"`) {
		t.Errorf("%s: %d failures, and the status %s: there is not enough to look at", how, failures, status)
	}
	for name, body := range map[string]string{"status.json": status, "events": events} {
		for _, secret := range secrets(token, text) {
			if at := strings.Index(strings.ToLower(body), strings.ToLower(secret)); at >= 0 {
				t.Fatalf("%s: %s has %q:\n%s", how, name, secret, body[max(0, at-200):at+50])
			}
		}
	}
	return last
}

// events returns all entries after the given one, as the handler sends them, how
// many of them are failures, and the id of the last one. A writer that cannot
// flush gets 100 at a time.
func (w *world) events(after string) (text string, failures int, last string) {
	w.Helper()
	var all strings.Builder
	for {
		part := &noFlush{header: http.Header{}}
		r := httptest.NewRequest(http.MethodGet, "/events", nil)
		r.Host = "localhost"
		r.Header.Set("Last-Event-ID", after)
		w.inspector.Handler().ServeHTTP(part, r)
		all.WriteString(part.String())
		at := strings.LastIndex(part.String(), "id: ")
		if at < 0 {
			return all.String(), strings.Count(all.String(), `"kind":"failure"`), after
		}
		after, _, _ = strings.Cut(part.String()[at+len("id: "):], "\n")
	}
}
