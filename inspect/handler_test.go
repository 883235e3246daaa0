package inspect_test

import (
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/inspect"
)

const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"

func get(h http.Handler, method, path, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A page that rebinds its own name to this machine gets nothing.
func TestHandlerRefusesForeignHosts(t *testing.T) {
	h := inspect.New(engine.Options{}).Handler()
	for host, want := range map[string]int{
		"localhost": 200, "localhost:6060": 200, "LOCALHOST:1": 200, "localhost.:80": 200, "127.0.0.1": 200, "127.8.8.8:65535": 200,
		"[::1]": 200, "[::1]:6060": 200, "[::ffff:127.0.0.1]:1": 200,
		"": 421, "evil.example": 421, "evil.example:6060": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
		"192.0.2.1": 421, "0.0.0.0:6060": 421, "[::]:6060": 421, "[2001:db8::1]:6060": 421, "localhost:evil": 421, "localhost:80:80": 421,
		"evil@localhost": 421, "2130706433": 421,
	} {
		for _, path := range []string{"/", "/status.json", "/page.mjs"} {
			if got := get(h, "GET", path, host); got.Code != want {
				t.Errorf("%s of %q: got %d, want %d", path, host, got.Code, want)
			}
		}
	}
	if got := get(h, "GET", "/events", "evil.example"); got.Code != 421 || strings.Contains(got.Body.String(), "hello") {
		t.Errorf("events: got %d %s", got.Code, got.Body)
	}
}

func TestHandlerIsReadOnly(t *testing.T) {
	h := inspect.New(engine.Options{}).Handler()
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "BREW"} {
		for _, path := range []string{"/", "/status.json", "/events", "/none"} {
			if got := get(h, method, path, "localhost"); got.Code != 405 || got.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got %d, want 405", method, path, got.Code)
			}
		}
	}
	for _, path := range []string{"/", "/status.json", "/events"} {
		if got := get(h, "HEAD", path, "localhost"); got.Code != 200 {
			t.Errorf("HEAD %s: got %d", path, got.Code)
		}
	}
}

func TestHandlerServesThePage(t *testing.T) {
	h := inspect.New(engine.Options{}).Handler()
	for path, kind := range map[string]string{
		"/": "text/html", "/page.css": "text/css", "/page.mjs": "text/javascript", "/icon.svg": "image/svg+xml", "/status.json": "application/json",
		"/extension.mjs": "text/javascript", "/extension.css": "text/css",
		"/debug/imreuse/": "text/html", "/debug/imreuse/page.mjs": "text/javascript", // without StripPrefix
	} {
		got := get(h, "GET", path, "localhost")
		if got.Code != 200 || !strings.HasPrefix(got.Header().Get("Content-Type"), kind) || got.Body.Len() == 0 {
			t.Errorf("%s: got %d, %s, %d bytes", path, got.Code, got.Header().Get("Content-Type"), got.Body.Len())
		}
	}
	for _, path := range []string{"/none", "/doc.go", "/..%2fdoc.go", "/page.mjs/x"} {
		if got := get(h, "GET", path, "localhost"); got.Code != 404 {
			t.Errorf("%s: got %d, want 404", path, got.Code)
		}
	}
	for _, path := range []string{"/", "/none", "/status.json"} {
		header := get(h, "GET", path, "localhost").Header()
		for name, want := range map[string]string{"Content-Security-Policy": csp, "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer"} {
			if got := header.Get(name); got != want {
				t.Errorf("%s of %s: got %q, want %q", name, path, got, want)
			}
		}
	}
}

// All files of the page are found where it looks for them, and nothing is
// inline, which the policy would refuse.
func TestPageNeedsNothingElse(t *testing.T) {
	h := inspect.New(engine.Options{}).Handler()
	reference := regexp.MustCompile(`(?:src|href)="([^#"][^"]*)"|from '\./([^']+)'`)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script(?: type="module")?>|innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://`)
	names, err := filepath.Glob("page/*")
	if err != nil || len(names) < 10 {
		t.Fatalf("got %v and %v", names, err)
	}
	found := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reference.FindAllStringSubmatch(string(text), -1) {
			found++
			if got := get(h, "GET", "/"+m[1]+m[2], "localhost"); got.Code != 200 {
				t.Errorf("%s needs %s%s: got %d", name, m[1], m[2], got.Code)
			}
		}
		lasting := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "") // the name of a format
		if m := inline.FindString(lasting); m != "" {
			t.Errorf("%s has %q", name, m)
		}
	}
	if found < 15 {
		t.Errorf("%d references, want 15 or more: the search is broken", found)
	}
}

// The page has a Chinese sentence for each code, like README.zh-CN.md.
func TestPageKnowsAllCodes(t *testing.T) {
	words, err := os.ReadFile("page/words.mjs")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.zh-CN.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| (-?\\d+) `Err\\w+` \\| ([^|]+) \\|")
	rows := row.FindAllStringSubmatch(string(readme), -1)
	for _, m := range rows {
		code, err := strconv.Atoi(m[1])
		if err != nil || engine.Code(code).Remedy() == "" {
			t.Errorf("%s is no code: %v", m[1], err)
		}
		key := m[1]
		if code < 0 {
			key = "'" + key + "'"
		}
		if want := key + ": '" + m[2] + "',"; !strings.Contains(string(words), want) {
			t.Errorf("words.mjs lacks %s", want)
		}
	}
	if len(rows) != 19 {
		t.Errorf("%d codes, want 19", len(rows))
	}
}

// The English and the Chinese texts have the same keys.
func TestPageHasBothLanguages(t *testing.T) {
	words, err := os.ReadFile("page/words.mjs")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(words), "const english = {")
	english, rest, _ := strings.Cut(rest, "\n};")
	_, rest, _ = strings.Cut(rest, "const chinese = {")
	chinese, _, _ := strings.Cut(rest, "\n};")
	key := regexp.MustCompile(`(?:^|[\n,] *)(?:'([a-z]+\.\w+)'|(\w+)): ['(]`)
	keys := func(text string) (list []string) {
		for _, m := range key.FindAllStringSubmatch(text, -1) {
			list = append(list, m[1]+m[2])
		}
		return list
	}
	en, zh := keys(english), keys(chinese)
	if len(en) < 60 || strings.Join(en, " ") != strings.Join(zh, " ") {
		t.Errorf("got %d and %d keys:\n%v\n%v", len(en), len(zh), en, zh)
	}
}

// A host that links the inspector gets the standard library and the engine.
func TestInspectImportsOnlyTheEngine(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, s := range file.Imports {
			name, err := strconv.Unquote(s.Path.Value)
			if err != nil {
				return err
			}
			first, _, _ := strings.Cut(name, "/")
			if strings.Contains(first, ".") && name != "github.com/imreuse/imreuse/engine" {
				t.Errorf("%s imports %s", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A host that shuts its server down does not wait for the pages that are open.
func TestShutdownEndsTheStreams(t *testing.T) {
	w := newWorld(t, engine.Options{})
	f := follow(t, w.server, "")
	f.next("hello")
	w.must(w.server.Config.Shutdown(t.Context()))
	for range f.events { // until it ends
	}
}

// At most 64 pages can be open at a time.
func TestStreamsAreLimited(t *testing.T) {
	w := newWorld(t, engine.Options{})
	var feeds []*feed
	for range 64 {
		feeds = append(feeds, follow(t, w.server, ""))
	}
	reply, err := w.server.Client().Get(w.server.URL + "/events")
	w.must(err)
	_, _ = io.Copy(io.Discard, reply.Body)
	reply.Body.Close()
	if reply.StatusCode != 503 || reply.Header.Get("Retry-After") == "" {
		t.Errorf("got %s, want 503", reply.Status)
	}
	feeds[0].cancel()
	eventually(t, "room for another page", func() bool {
		reply := get(w.inspector.Handler(), "HEAD", "/events", "localhost")
		if reply.Code != 200 {
			return false
		}
		r, err := w.server.Client().Get(w.server.URL + "/events")
		w.must(err)
		r.Body.Close()
		return r.StatusCode == 200
	})
}
