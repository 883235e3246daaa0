package play_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/cmd/imreuse/internal/play"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A lab is a session and its handler. Its methods are what a page does.
type lab struct {
	t *testing.T
	*play.Session
	handler http.Handler
	bodies  []string // of all replies
}

func newLab(t *testing.T) *lab {
	t.Helper()
	s, err := play.New(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return &lab{t: t, Session: s, handler: s.Handler()}
}

// request makes the request of the page's own script for an act.
func (l *lab) request(act, body string) *http.Request {
	r := httptest.NewRequestWithContext(l.t.Context(), http.MethodPost, "http://127.0.0.1:8080/play/"+act, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", "http://127.0.0.1:8080")
	r.Header.Set(play.SecretHeader, l.Secret())
	return r
}

func (l *lab) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	l.bodies = append(l.bodies, w.Body.String())
	return w
}

// An answer is a play.Answer as the page reads it.
type answer struct {
	Running int
	Result  *result
	Panel   panel
}

type result struct {
	ID      int
	Act     string
	Outcome string
	Reused  bool
	Code    int
	Error   string
	Remedy  *play.Text
	Note    *play.Text
	Vendor  *play.Vendor
}

type panel struct {
	Version uint64
	Mode    string
	Renewal bool
	IM      string
	Kit     []play.Account
	Running []struct {
		ID  int
		Act string
	}
	Hanging []struct {
		ID   int
		Call string
	}
	Failing []struct {
		ID   int
		Call string
		Code int
	}
	Results []result
}

// post carries out an act and returns the reply, whose status must be want.
func (l *lab) post(want int, act, body string) answer {
	l.t.Helper()
	w := l.serve(l.request(act, body))
	if w.Code != want {
		l.t.Fatalf("%s %s: got status %d, want %d: %s", act, body, w.Code, want, w.Body)
	}
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		l.t.Fatalf("%s: got %s: %v", act, w.Body, err)
	}
	return a
}

// do carries out an act that must end at once, and returns what came of it: its
// outcome, and the code if there is one.
func (l *lab) do(act, body string) (*result, string) {
	l.t.Helper()
	r := l.post(http.StatusOK, act, body).Result
	if r.Code == 0 {
		return r, r.Outcome
	}
	return r, fmt.Sprint(r.Outcome, " ", r.Code)
}

// want carries out an act and checks what came of it.
func (l *lab) want(outcome, act, body string) *result {
	l.t.Helper()
	r, got := l.do(act, body)
	if got != outcome {
		l.t.Errorf("%s %s: got %q, want %q: %s", act, body, got, outcome, r.Error)
	}
	return r
}

func (l *lab) panel() (p panel) {
	l.t.Helper()
	w := l.serve(httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/play/panel.json", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		l.t.Fatalf("got %s: %v", w.Body, err)
	}
	return p
}

func (l *lab) catalogue() (c struct {
	Acts      map[string]play.Text
	Calls     []string
	Failures  []struct{ Code int }
	Platforms []play.Text
	Stories   []struct {
		ID           string
		Title, About play.Text
		Steps        []struct {
			Act     string
			Details json.RawMessage
			Say     play.Text
		}
	}
}) {
	l.t.Helper()
	w := l.serve(httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/play/catalogue.json", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
		l.t.Fatalf("got %s: %v", w.Body, err)
	}
	return c
}

// said returns the numbers of the vendor's sentences, or the pages of those
// without a number.
func said(v *play.Vendor) (ids []string) {
	if v == nil {
		return nil
	}
	for _, s := range v.Said {
		if s.ID == "" {
			s.ID = s.Page
		}
		ids = append(ids, s.ID)
	}
	return ids
}

// numbers returns what each platform gives.
func numbers(v *play.Vendor) string {
	if v == nil || v.Platforms == nil {
		return ""
	}
	var list []string
	for _, p := range v.Platforms {
		if p.Outcome == "number" {
			list = append(list, fmt.Sprint(p.Number))
		} else {
			list = append(list, p.Outcome)
		}
	}
	return strings.Join(list, " ")
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
