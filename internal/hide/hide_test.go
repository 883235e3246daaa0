package hide_test

import (
	"testing"

	"github.com/imreuse/imreuse/internal/hide"
)

func TestIn(t *testing.T) {
	const token = `tok"en-1%`
	for _, test := range []struct{ text, want string }{
		{"nothing of it", "nothing of it"},
		{`it is tok"en-1%, twice: tok"en-1%`, "it is ***, twice: ***"},
		{`in another case: Tok"En-1%`, ""},
		{`in Go: tok\"en-1%`, ""},
		{`in JSON: tok\u0022en-1\u0025`, ""},
		{`in a URL: tok%22en-1%25`, ""},
		{`in a URL in Go in JSON: tok\\\\x22en-1%25`, ""},
		{`100% of "these" \ are no escapes`, `100% of "these" \ are no escapes`},
	} {
		if got := hide.In(test.text, "", token); got != test.want {
			t.Errorf("%s: got %q, want %q", test.text, got, test.want)
		}
	}
	for _, text := range []string{"abc", "a%62c", `a\x62c`} {
		if got := hide.In("it was "+text, "abc"); got != "" {
			t.Errorf("a short secret: got %q, want none of it", got)
		}
	}
	if got := hide.In("a+long%20secret+1", "a long secret 1"); got != "" {
		t.Errorf("spaces: got %q, want none of it", got)
	}
}

func FuzzIn(f *testing.F) {
	f.Add(`\`, "secret-1")
	f.Add(`%`, "%41")
	f.Add(`\u00zz%4`, `\u0041`)
	f.Fuzz(func(t *testing.T, text, token string) {
		if got := hide.In(text+token+text, token); token != "" && hide.Shows(got, token) {
			t.Errorf("got %q, which has %q", got, token)
		}
	})
}
