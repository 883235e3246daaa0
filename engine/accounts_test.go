package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

type imHolder struct{ Account engine.IMAccount }
type kitHolder struct{ Account *engine.KitAccount }
type deepHolder struct {
	Name string
	Deep map[string][]imHolder
}

// shapes are the ways in which a host might print an account.
func shapes() map[string]any {
	im, kit := imAccount, kitAccount
	return map[string]any{
		"IM value":         im,
		"IM pointer":       &im,
		"IM field":         imHolder{im},
		"IM field pointer": &imHolder{im},
		"IM slice":         []engine.IMAccount{im},
		"IM array":         [1]*engine.IMAccount{&im},
		"IM map value":     map[int]engine.IMAccount{1: im},
		"IM map key":       map[engine.IMAccount]int{im: 1},
		"IM nested":        deepHolder{"x", map[string][]imHolder{"y": {{im}}}},
		"IM any":           []any{im},
		"kit value":        kit,
		"kit pointer":      &kit,
		"kit field":        kitHolder{&kit},
		"kit slice":        []engine.KitAccount{kit},
		"kit map value":    map[string]engine.KitAccount{"x": kit},
		"kit map key":      map[engine.KitAccount]bool{kit: true},
		"kit any":          struct{ Any any }{&kit},
		"kit anonymous":    struct{ engine.KitAccount }{kit},
	}
}

// idless are the shapes that print no id. They must not print a token, either.
func idless() map[string]any {
	account := imAccount
	pointer := &account
	return map[string]any{
		"pointer to pointer": &pointer,
		"channel":            make(chan engine.IMAccount),
		"nil pointer":        (*engine.IMAccount)(nil),
		"nil field":          kitHolder{},
	}
}

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%#q", "%d", "%x", "%X", "% x", "%#x",
	"%t", "%o", "%O", "%b", "%c", "%U", "%e", "%g", "%40v", "%-40s", "%z"}

// The token never shows, not even under a wrong verb or in hexadecimal.
func TestTokensNeverPrint(t *testing.T) {
	all := shapes()
	maps.Copy(all, idless())
	for name, v := range all {
		for _, verb := range verbs {
			noToken(t, name+" under "+verb, fmt.Sprintf(verb, v))
		}
		noToken(t, name+" under Sprint", fmt.Sprint("x", v, v))
		noToken(t, name+" under Sprintln", fmt.Sprintln(v))
		for handler, text := range logged(v) {
			noToken(t, name+" logged as "+handler, text)
		}
		if text, err := json.Marshal(v); err == nil {
			noToken(t, name+" as JSON", string(text))
		}
	}
}

func TestIDsPrint(t *testing.T) {
	for name, v := range shapes() {
		id := imAccount.Accid
		if strings.HasPrefix(name, "kit") {
			id = kitAccount.UserUUID
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, v); !strings.Contains(text, id) {
				t.Errorf("%s under %s: %s does not show %q", name, verb, text, id)
			}
		}
	}
}

// Even a MismatchError with tokens in it does not print them, if it is printed
// with its Error method. The engine's own have none: see
// TestEngineNeverPrintsTokens.
func TestMismatchErrorHidesTokens(t *testing.T) {
	m := &engine.MismatchError{Bound: imAccount, LoggedIn: engine.IMAccount{Accid: "other", Token: secret}}
	for name, v := range map[string]any{
		"pointer": m,
		"value":   *m,
		"joined":  errors.Join(errors.New("x"), m),
		"wrapped": fmt.Errorf("x: %w", m),
		"Error":   &engine.Error{Op: "LoginKit", Err: m},
		"slice":   []error{m},
	} {
		for _, verb := range []string{"%v", "%+v", "%s", "%q", "%x", "%X", "%#v"} {
			text := fmt.Sprintf(verb, v)
			noToken(t, name+" under "+verb, text)
			if verb == "%v" && !strings.Contains(text, imAccount.Accid) {
				t.Errorf("%s: %s does not show the accid", name, text)
			}
		}
		for handler, text := range logged(v) {
			noToken(t, name+" logged as "+handler, text)
		}
		if text, err := json.Marshal(v); err == nil {
			noToken(t, name+" as JSON", string(text))
		}
	}
}

// The exact forms of an account alone.
func TestAccountForms(t *testing.T) {
	for _, row := range []struct {
		verb, im, kit string
	}{
		{"%v", "myaccid", "user1"},
		{"%+v", "myaccid", "user1"},
		{"%s", "myaccid", "user1"},
		{"%d", "myaccid", "user1"},
		{"%q", `"myaccid"`, `"user1"`},
		{"%#v", `engine.IMAccount{Accid:"myaccid"}`, `engine.KitAccount{UserUUID:"user1"}`},
	} {
		if got := fmt.Sprintf(row.verb, imAccount); got != row.im {
			t.Errorf("IM account under %s: %s, want %s", row.verb, got, row.im)
		}
		if got := fmt.Sprintf(row.verb, &kitAccount); got != row.kit {
			t.Errorf("kit account under %s: %s, want %s", row.verb, got, row.kit)
		}
	}
}

func TestAccountJSON(t *testing.T) {
	for want, v := range map[string]any{
		`"myaccid"`:               imAccount,
		`["user1"]`:               []*engine.KitAccount{&kitAccount},
		`{"Account":"myaccid"}`:   imHolder{imAccount},
		`{"myaccid":1}`:           map[engine.IMAccount]int{imAccount: 1},
		`{"x":"user1"}`:           map[string]engine.KitAccount{"x": kitAccount},
		`{"user1":true}`:          map[engine.KitAccount]bool{kitAccount: true},
		`{"Account":null}`:        kitHolder{},
		`{"Name":"","Deep":null}`: deepHolder{},
	} {
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}

func TestAccountLogs(t *testing.T) {
	for want, v := range map[string]any{"myaccid": imAccount, "user1": kitAccount} {
		for handler, text := range logged(v) {
			if !strings.Contains(text, want) {
				t.Errorf("logged as %s: %s does not show %q", handler, text, want)
			}
		}
		// Any other handler gets the id, too, never the account.
		if got := slog.AnyValue(v).Resolve(); got.Kind() != slog.KindString || got.String() != want {
			t.Errorf("the log value is %v %v, want the string %q", got.Kind(), got, want)
		}
	}
}

func noToken(t *testing.T, where, text string) {
	t.Helper()
	lower := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
		if strings.Contains(lower, strings.ReplaceAll(form, " ", "")) {
			t.Errorf("%s: the token is in %s", where, text)
		}
	}
}

// logged logs v with both handlers of log/slog, in each place where a value can
// be.
func logged(v any) map[string]string {
	texts := map[string]string{}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		for place, write := range map[string]func(*slog.Logger){
			"attribute": func(l *slog.Logger) { l.Info("m", slog.Any("a", v)) },
			"pair":      func(l *slog.Logger) { l.Info("m", "a", v) },
			"group":     func(l *slog.Logger) { l.Info("m", slog.Group("g", slog.Any("a", v))) },
			"with":      func(l *slog.Logger) { l.WithGroup("g").With("a", v).Info("m") },
			"struct":    func(l *slog.Logger) { l.Info("m", "a", struct{ V any }{v}) },
		} {
			var b bytes.Buffer
			write(slog.New(handler(&b)))
			texts[name+" "+place] = b.String()
		}
	}
	return texts
}

// The engine's own errors and log lines have no token, either.
func TestEngineNeverPrintsTokens(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f := newFake()
	e := open(t, f, &engine.Options{Logger: log})
	climb(t, e, kitLoggedIn)
	errs := []error{
		e.LoginIM(t.Context(), engine.IMAccount{Accid: "other", Token: secret}),
		e.LoginIM(t.Context(), engine.IMAccount{AppKey: "another app", Accid: "myaccid", Token: secret}),
		e.LoginIM(t.Context(), engine.IMAccount{Accid: "not an accid", Token: secret}),
		e.LoginIM(t.Context(), engine.IMAccount{Accid: "myaccid", Token: secret + "\n"}),
		e.LoginKit(t.Context(), engine.KitAccount{UserUUID: "user2", Token: secret}),
		e.LoginKit(t.Context(), engine.KitAccount{UserUUID: "user1", Token: secret + "\x00"}),
	}
	if err := e.LogoutKit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, bound := range []engine.IMAccount{{Accid: "other", Token: secret}, {AppKey: "another app", Accid: "myaccid", Token: secret}} {
		f.bound = bound
		err := e.LoginKit(t.Context(), kitAccount)
		errs = append(errs, err)
		var m *engine.MismatchError
		if !errors.As(err, &m) {
			t.Fatalf("got %v, want a MismatchError", err)
		}
		if m.Bound.Token != "" || m.LoggedIn.Token != "" {
			t.Errorf("the tokens of %v are not cleared", m)
		}
	}
	for i, err := range errs {
		if err == nil {
			t.Errorf("error %d is nil", i)
		}
		for _, verb := range verbs {
			noToken(t, "error under "+verb, fmt.Sprintf(verb, err))
			noToken(t, "joined error under "+verb, fmt.Sprintf(verb, errors.Join(errors.New("x"), err)))
			noToken(t, "wrapped error under "+verb, fmt.Sprintf(verb, fmt.Errorf("x: %w", err)))
		}
	}
	if !strings.Contains(b.String(), "myaccid") {
		t.Error("the log does not show the accid")
	}
	noToken(t, "log", b.String())
}

// A bad argument is refused before anything else: the text names the field, the
// backend is not called, and nothing changes.
func TestBadArguments(t *testing.T) {
	loginIM := func(a engine.IMAccount) func(context.Context, *engine.Engine) error {
		return func(ctx context.Context, e *engine.Engine) error { return e.LoginIM(ctx, a) }
	}
	loginKit := func(a engine.KitAccount) func(context.Context, *engine.Engine) error {
		return func(ctx context.Context, e *engine.Engine) error { return e.LoginKit(ctx, a) }
	}
	var noCtx context.Context // a nil literal is what linters look for
	type row struct {
		name, field string
		noCtx       bool
		run         func(context.Context, *engine.Engine) error
	}
	rows := []row{
		{"LoginIM zero", "accid", false, loginIM(engine.IMAccount{})},
		{"LoginIM empty accid", "accid", false, loginIM(engine.IMAccount{Token: "t"})},
		{"LoginIM accid of 33", "accid", false, loginIM(engine.IMAccount{Accid: strings.Repeat("a", 33), Token: "t"})},
		{"LoginIM empty token", "token", false, loginIM(engine.IMAccount{Accid: "a"})},
		{"LoginIM token with newline", "token", false, loginIM(engine.IMAccount{Accid: "a", Token: "t\n"})},
		{"LoginIM token with C1 control", "token", false, loginIM(engine.IMAccount{Accid: "a", Token: "\u0085"})},
		{"LoginIM token not UTF-8", "token", false, loginIM(engine.IMAccount{Accid: "a", Token: "\xff"})},
		{"LoginKit zero", "userUuid", false, loginKit(engine.KitAccount{})},
		{"LoginKit empty userUuid", "userUuid", false, loginKit(engine.KitAccount{Token: "t"})},
		{"LoginKit userUuid with tab", "userUuid", false, loginKit(engine.KitAccount{UserUUID: "u\t1", Token: "t"})},
		{"LoginKit userUuid not UTF-8", "userUuid", false, loginKit(engine.KitAccount{UserUUID: "\xff", Token: "t"})},
		{"LoginKit empty token", "token", false, loginKit(engine.KitAccount{UserUUID: "u"})},
		{"LoginKit token with NUL", "token", false, loginKit(engine.KitAccount{UserUUID: "u", Token: "t\x00"})},
		{"InitIM nil ctx", "ctx", true, func(ctx context.Context, e *engine.Engine) error { return e.InitIM(ctx) }},
		{"LoginIM nil ctx", "ctx", true, loginIM(imAccount)},
		{"LoginKit nil ctx", "ctx", true, loginKit(kitAccount)},
		{"LoginAnonymous nil ctx", "ctx", true, func(ctx context.Context, e *engine.Engine) error { return e.LoginAnonymous(ctx) }},
		{"LogoutKit nil ctx", "ctx", true, func(ctx context.Context, e *engine.Engine) error { return e.LogoutKit(ctx) }},
		{"LogoutIM nil ctx", "ctx", true, func(ctx context.Context, e *engine.Engine) error { return e.LogoutIM(ctx) }},
	}
	for _, odd := range []string{" ", "a b", "a/b", "a+b", "a:b", "ä", "账号", "a\x00b", "a\nb", "a\x7f", "\xff", "a\u200b"} {
		rows = append(rows, row{fmt.Sprintf("LoginIM accid %+q", odd), "accid", false, loginIM(engine.IMAccount{Accid: odd, Token: "t"})})
	}
	for _, at := range states {
		for _, row := range rows {
			f := newFake()
			e := open(t, adoptingFake{f}, nil)
			climb(t, e, at)
			before, asked := e.Status(), f.called()
			ctx := t.Context()
			if row.noCtx {
				ctx = noCtx
			}
			err := row.run(ctx, e)
			badArgument(t, fmt.Sprintf("%s in %v", row.name, at), row.field, err)
			if got := f.called(); !slices.Equal(got, asked) {
				t.Errorf("%s in %v: the backend was asked %v", row.name, at, got[len(asked):])
			}
			if got := e.Status(); got != before {
				t.Errorf("%s in %v: the status is %+v, was %+v", row.name, at, got, before)
			}
		}
	}
}

func badArgument(t *testing.T, name, field string, err error) {
	t.Helper()
	var e *engine.Error
	if !errors.Is(err, engine.ErrArgument) || !errors.As(err, &e) {
		t.Errorf("%s: got %v, want an *Error with ErrArgument", name, err)
		return
	}
	if !strings.Contains(err.Error(), field+" ") || e.Call != "" {
		t.Errorf("%s: %v (call %q) does not name %s", name, err, e.Call, field)
	}
}

func TestNewBadArguments(t *testing.T) {
	f := newFake()
	for name, row := range map[string]struct {
		field   string
		backend engine.Backend
		appKey  string
		options *engine.Options
	}{
		"no backend":           {"backend", nil, appKey, nil},
		"Join without IM":      {"backend", engine.Join(nil, f), appKey, nil},
		"Join without kit":     {"backend", engine.Join(f, nil), appKey, nil},
		"Join without either":  {"backend", engine.Join(nil, nil), appKey, nil},
		"empty AppKey":         {"appKey", f, "", nil},
		"AppKey with newline":  {"appKey", f, "app\n", nil},
		"AppKey not UTF-8":     {"appKey", f, "\xff", nil},
		"unknown Mode":         {"mode", f, appKey, &engine.Options{Mode: 3}},
		"unknown Mode far off": {"mode", f, appKey, &engine.Options{Mode: 255}},
	} {
		e, err := engine.New(row.backend, row.appKey, row.options)
		if e != nil {
			t.Errorf("%s: got an engine", name)
		}
		badArgument(t, name, row.field, err)
	}
	if calls := f.called(); len(calls) > 0 {
		t.Errorf("the backend was asked %v", calls)
	}
}

// Arguments that are just allowed: the checks do not refuse more than the
// services do.
func TestGoodArguments(t *testing.T) {
	for _, a := range []engine.IMAccount{
		{Accid: strings.Repeat("a", 32), Token: "t"},
		{Accid: "aZ09_@.-", Token: "t"},
		{Accid: "a", Token: strings.Repeat("long ", 100) + "令牌"},
		{AppKey: appKey, Accid: "a", Token: "t"},
	} {
		e := open(t, newFake(), nil)
		climb(t, e, imInitialized)
		if err := e.LoginIM(t.Context(), a); err != nil {
			t.Errorf("LoginIM as %v: %v", a, err)
		}
	}
	for _, a := range []engine.KitAccount{
		{UserUUID: strings.Repeat("u", 64), Token: "t"},
		{UserUUID: "用户 1", Token: "t t"},
	} {
		e := open(t, newFake(), nil)
		if err := e.LoginKit(t.Context(), a); err != nil {
			t.Errorf("LoginKit as %v: %v", a, err)
		}
	}
}
