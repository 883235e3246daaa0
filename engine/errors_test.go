package engine_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// The codes by name, with their numbers. Numbers never change, because they are
// in other people's logs and metrics.
var codeNames = []struct {
	name   string
	code   engine.Code
	number int
}{
	{"ErrIMNotLoggedIn", engine.ErrIMNotLoggedIn, 100004},
	{"ErrIMAccountMismatch", engine.ErrIMAccountMismatch, 100005},
	{"ErrReuseNoAnonymous", engine.ErrReuseNoAnonymous, 112001},
	{"ErrClosed", engine.ErrClosed, -20001},
	{"ErrState", engine.ErrState, -20002},
	{"ErrArgument", engine.ErrArgument, -20003},
	{"ErrIMInUse", engine.ErrIMInUse, -20004},
	{"ErrKitInUse", engine.ErrKitInUse, -20005},
	{"ErrAppKeyMismatch", engine.ErrAppKeyMismatch, -20006},
	{"ErrTokenRejected", engine.ErrTokenRejected, -20007},
	{"ErrTokenExpired", engine.ErrTokenExpired, -20008},
	{"ErrAccountBanned", engine.ErrAccountBanned, -20009},
	{"ErrNoIMAccount", engine.ErrNoIMAccount, -20010},
	{"ErrNotEnabled", engine.ErrNotEnabled, -20011},
	{"ErrKicked", engine.ErrKicked, -20012},
	{"ErrIMLoggedOut", engine.ErrIMLoggedOut, -20013},
	{"ErrUnavailable", engine.ErrUnavailable, -20014},
	{"ErrInterrupted", engine.ErrInterrupted, -20015},
	{"ErrSecondaryProcess", engine.ErrSecondaryProcess, -20016},
}

func TestCodeNumbers(t *testing.T) {
	for _, row := range codeNames {
		if got := int(row.code); got != row.number {
			t.Errorf("%s is %d, want %d", row.name, got, row.number)
		}
	}
}

// The list above, the constants in errors.go and the table there agree.
func TestCodeSets(t *testing.T) {
	var listed []engine.Code
	var names []string
	for _, row := range codeNames {
		listed, names = append(listed, row.code), append(names, row.name)
	}
	if got := engine.Codes(); !sameSet(got, listed) {
		t.Errorf("the table in errors.go has %d, the list %d", got, listed)
	}
	if got := errorConstants(t); !sameSet(got, names) {
		t.Errorf("errors.go declares %v, the list has %v", got, names)
	}
}

// sameSet also fails if one of them has a duplicate.
func sameSet[T interface{ ~int | ~string }](a, b []T) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b) && len(slices.Compact(a)) == len(b)
}

// errorConstants returns the names of the constants of type Code.
func errorConstants(t *testing.T) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, spec := range g.Specs {
			s := spec.(*ast.ValueSpec)
			if typ, ok := s.Type.(*ast.Ident); ok && typ.Name == "Code" {
				for _, n := range s.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

func TestCodeTexts(t *testing.T) {
	texts, remedies := map[string]string{}, map[string]string{}
	for _, row := range codeNames {
		text, remedy := row.code.Error(), row.code.Remedy()
		if text == "" || strings.TrimRight(text, ".!\n ") != text || strings.Contains(text, ". ") {
			t.Errorf("%s: the text %q is not one sentence without a full stop", row.name, text)
		}
		if remedy == "" || !strings.HasSuffix(remedy, ".") {
			t.Errorf("%s: the remedy %q does not end with a full stop", row.name, remedy)
		}
		if twin, ok := texts[text]; ok {
			t.Errorf("%s and %s have the same text", twin, row.name)
		}
		if twin, ok := remedies[remedy]; ok {
			t.Errorf("%s and %s have the same remedy", twin, row.name)
		}
		texts[text], remedies[remedy] = row.name, row.name
	}
}

// Every Code has a remedy in Chinese, which README.zh-CN.md prints beside its
// number.
func TestRemediesInChinese(t *testing.T) {
	readme, err := os.ReadFile("../README.zh-CN.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range engine.Codes() {
		remedy := code.RemedyIn("zh-CN")
		if !regexp.MustCompile(`\p{Han}`).MatchString(remedy) || !strings.HasSuffix(remedy, "。") {
			t.Errorf("%d: the Chinese remedy is %q", int(code), remedy)
		}
		if row := fmt.Sprintf(`(?m)^\| %d .*\| %s \| [^|]* \|$`, int(code), regexp.QuoteMeta(remedy)); !regexp.MustCompile(row).Match(readme) {
			t.Errorf("README.zh-CN.md has no row with %d and %q", int(code), remedy)
		}
	}
}

func TestRemedyIn(t *testing.T) {
	const english, chinese = "Call LogoutKit first.", "先调用 LogoutKit。"
	for language, want := range map[string]string{
		"zh": chinese, "zh-CN": chinese, "zh_TW": chinese, "ZH-Hans-CN": chinese,
		"en": english, "de-DE": english, "": english, "zhx": english,
	} {
		if got := engine.ErrKitInUse.RemedyIn(language); got != want {
			t.Errorf("RemedyIn(%q) is %q, want %q", language, got, want)
		}
	}
	if got := engine.Code(1).RemedyIn("zh"); got != "" {
		t.Errorf("the remedy of no Code is %q", got)
	}
}

// The advice is the vendor's (docs/vendor/guides.md, G26 to G28).
func TestRemediesOfTheVendor(t *testing.T) {
	for code, words := range map[engine.Code][]string{
		engine.ErrIMNotLoggedIn:     {"Log IM in", "before the kit"},
		engine.ErrIMAccountMismatch: {"Create the kit account again", "imAccid", "imToken"},
		engine.ErrReuseNoAnonymous:  {"Log in with a kit account", "switch IM reuse off"},
	} {
		for _, w := range words {
			if !strings.Contains(code.Remedy(), w) {
				t.Errorf("the remedy of %d, %q, does not say %q", int(code), code.Remedy(), w)
			}
		}
	}
}

// Every number that a profile has, written by hand; 0 means none. Codes that
// are not here have no number in any profile.
func TestCodeIn(t *testing.T) {
	profiles := []engine.Profile{engine.ProfileMeeting, engine.ProfileRoom, engine.ProfileDesktop, engine.ProfileRoomKit1, engine.ProfileMeeting1}
	rows := map[engine.Code][5]int{
		engine.ErrIMNotLoggedIn:     {100004, 100004, 1801, -6, -3},
		engine.ErrIMAccountMismatch: {100005, 100005, 1802, -7, -5},
		engine.ErrReuseNoAnonymous:  {112001, 0, 112001, -8, 0},
		engine.ErrArgument:          {-5, 0, -5, 0, -5},
		engine.ErrTokenRejected:     {402, 1027, 2006, 0, -2},
		engine.ErrTokenExpired:      {402, 1026, 2006, 0, 0},
		engine.ErrUnavailable:       {100003, 100003, -3, 0, -3},
	}
	for _, row := range codeNames {
		for i, p := range profiles {
			want := rows[row.code][i]
			if got, ok := row.code.In(p); got != want || ok != (want != 0) {
				t.Errorf("%s in profile %d: %d, %v; want %d", row.name, p, got, ok, want)
			}
		}
	}
}

// In the first kits the numbers of two failures clash (scenario M6); the Codes
// tell them apart.
func TestCodeClashes(t *testing.T) {
	for _, pair := range [][2]engine.Code{
		{engine.ErrIMNotLoggedIn, engine.ErrUnavailable},
		{engine.ErrIMAccountMismatch, engine.ErrArgument},
	} {
		first, _ := pair[0].In(engine.ProfileMeeting1)
		second, _ := pair[1].In(engine.ProfileMeeting1)
		if first != second || first == 0 {
			t.Errorf("%q and %q: %d and %d, want one number", pair[0], pair[1], first, second)
		}
		if err := fmt.Errorf("login: %w", pair[0]); errors.Is(err, pair[1]) || engine.CodeOf(err) != pair[0] {
			t.Errorf("%v counts as %q", err, engine.CodeOf(err))
		}
	}
}

func TestUnknownCode(t *testing.T) {
	for _, c := range []engine.Code{0, 1, -1, 100006, -20017, -20000} {
		if got, want := c.Error(), fmt.Sprintf("code %d", int(c)); got != want {
			t.Errorf("the text is %q, want %q", got, want)
		}
		if got := c.Remedy(); got != "" {
			t.Errorf("%v has the remedy %q", c, got)
		}
		if n, ok := c.In(engine.ProfileMeeting); n != 0 || ok {
			t.Errorf("%v has the number %d", c, n)
		}
	}
	for _, p := range []engine.Profile{5, 255} {
		if n, ok := engine.ErrIMNotLoggedIn.In(p); n != 0 || ok {
			t.Errorf("100004 has the number %d in the unknown profile %d", n, p)
		}
	}
}

func TestCodeOf(t *testing.T) {
	foreign := errors.New("foreign")
	for name, row := range map[string]struct {
		err  error
		want engine.Code
	}{
		"nil":          {nil, 0},
		"foreign":      {foreign, 0},
		"itself":       {engine.ErrClosed, engine.ErrClosed},
		"wrapped":      {fmt.Errorf("a: %w", fmt.Errorf("b: %w", engine.ErrClosed)), engine.ErrClosed},
		"joined":       {errors.Join(foreign, engine.ErrKitInUse, engine.ErrClosed), engine.ErrKitInUse},
		"unknown code": {engine.Code(7), 7},
		"Error":        {&engine.Error{Op: "LoginIM", Err: engine.ErrIMInUse}, engine.ErrIMInUse},
		"no code":      {&engine.Error{Op: "LoginIM", Err: foreign}, 0},
		"mismatch":     {&engine.MismatchError{Bound: engine.IMAccount{Accid: "a"}}, engine.ErrIMAccountMismatch},
		"kick":         {&engine.KickError{}, engine.ErrKicked},
	} {
		if got := engine.CodeOf(row.err); got != row.want {
			t.Errorf("%s: %d, want %d", name, int(got), int(row.want))
		}
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("cause")
	for want, err := range map[string]*engine.Error{
		"imreuse: LoginKit in im_logged_in: Authenticate: cause": {Op: "LoginKit", State: imLoggedIn, Call: "Authenticate", Err: cause},
		"imreuse: LoginKit in im_logged_in: cause":               {Op: "LoginKit", State: imLoggedIn, Err: cause},
		"imreuse: LoginIM in im_initialized: cause":              {Op: "LoginIM", State: imInitialized, Call: "LoginIM", Err: cause},
		"imreuse: New in uninitialized: cause":                   {Op: "New", Err: cause},
		"imreuse: Close in State(9): cause":                      {Op: "Close", State: 9, Err: cause},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if !errors.Is(err, cause) {
			t.Errorf("%q does not unwrap to its cause", err)
		}
	}
}

func TestMismatchError(t *testing.T) {
	mine, other := engine.IMAccount{AppKey: "one", Accid: "myaccid"}, engine.IMAccount{AppKey: "one", Accid: "other"}
	nobody := engine.IMAccount{AppKey: "two"}
	rows := []struct {
		err        engine.MismatchError
		want, not  engine.Code
		wantInText []string
	}{
		{engine.MismatchError{Bound: mine, LoggedIn: other}, engine.ErrIMAccountMismatch, engine.ErrAppKeyMismatch, []string{`"myaccid"`, `"other"`}},
		{engine.MismatchError{Bound: mine, LoggedIn: nobody}, engine.ErrAppKeyMismatch, engine.ErrIMAccountMismatch, []string{`"one"`, `"two"`}},
	}
	for _, row := range rows {
		err := fmt.Errorf("wrapped: %w", &row.err)
		if !errors.Is(err, row.want) || errors.Is(err, row.not) {
			t.Errorf("%v: want %q", err, row.want)
		}
		for _, id := range row.wantInText {
			if !strings.Contains(err.Error(), id) {
				t.Errorf("%v does not say %s", err, id)
			}
		}
		var back *engine.MismatchError
		if !errors.As(err, &back) || back.Bound.Accid != "myaccid" {
			t.Errorf("%v: errors.As finds %+v", err, back)
		}
	}
}

func TestKickError(t *testing.T) {
	for want, err := range map[string]*engine.KickError{
		"by a login on another device":                       {Reason: engine.KickedByClient},
		"by the server: maintenance":                         {Reason: engine.KickedByServer, Text: "maintenance"},
		"by another device (client type 4)":                  {Reason: engine.KickedByOther, ClientType: 4},
		"by a new login on the same device (client type 16)": {Reason: engine.KickedQuietly, ClientType: 16},
		"KickReason(0)":                                      {},
	} {
		got := err.Error()
		if head := engine.ErrKicked.Error() + ": "; !strings.HasPrefix(got, head) || !strings.HasSuffix(got, "kicked "+want) {
			t.Errorf("got %q, want %q and %q", got, head, "kicked "+want)
		}
		if !errors.Is(err, engine.ErrKicked) {
			t.Errorf("%q is not ErrKicked", err)
		}
	}
}

func TestKickReason(t *testing.T) {
	for r, want := range map[engine.KickReason]int{
		engine.KickedByClient: 1, engine.KickedByServer: 2, engine.KickedByOther: 3, engine.KickedQuietly: 4,
	} {
		if int(r) != want {
			t.Errorf("%v is %d, want %d", r, int(r), want)
		}
	}
	for _, r := range []engine.KickReason{-1, 0, 5, 9} {
		if got, want := r.String(), fmt.Sprintf("KickReason(%d)", int(r)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
