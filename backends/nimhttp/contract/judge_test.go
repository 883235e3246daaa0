package contract_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// The rules of openapi.yaml for replies, written by hand. Unknown fields are
// refused, and required fields must be present.

type (
	rule  func(value any) error
	shape map[string]rule // a name that ends in "?" may be missing
)

func (s shape) check(value any) error {
	fields, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("%v is not an object", value)
	}
	for name := range fields {
		if s[name] == nil && s[name+"?"] == nil {
			return fmt.Errorf("unknown field %q", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		plain, optional := strings.CutSuffix(name, "?")
		value, there := fields[plain]
		if !there && !optional {
			return fmt.Errorf("no field %q", plain)
		}
		if !there {
			continue
		}
		if err := s[name](value); err != nil {
			return fmt.Errorf("%s: %w", plain, err)
		}
	}
	return nil
}

func text(least, most int) rule {
	return func(value any) error {
		s, ok := value.(string)
		if n := utf8.RuneCountInString(s); !ok || n < least || n > most {
			return fmt.Errorf("%v is not a string of %d to %d characters", value, least, most)
		}
		return nil
	}
}

func integer(least float64) rule {
	return func(value any) error {
		n, ok := value.(float64)
		if !ok || n != math.Trunc(n) || n < least || n > 1<<53-1 {
			return fmt.Errorf("%v is not an integer of at least %v", value, least)
		}
		return nil
	}
}

func word(words ...string) rule {
	return func(value any) error {
		if s, ok := value.(string); !ok || !slices.Contains(words, s) {
			return fmt.Errorf("%v is not one of %q", value, words)
		}
		return nil
	}
}

var (
	anyNumber = integer(-math.MaxInt64)
	anyText   = text(0, math.MaxInt)

	healthShape = shape{"boot": text(1, math.MaxInt), "sdk": anyText, "version": anyText, "slots": integer(0), "proof?": text(64, 64)}

	snapshotShape = shape{
		"boot": text(1, math.MaxInt), "seq": integer(1), "appKey": text(1, math.MaxInt), "accid": anyText, "owner": anyText, "session": integer(0),
		"login": word("logged_out", "logging_in", "logged_in", "backing_off"), "link": word("down", "connecting", "up", "waiting"), "asks?": integer(1), "ended": checkEnded,
	}

	endedShape = shape{
		"session": integer(1),
		"kick?":   shape{"reason": anyNumber, "reasonDesc": text(0, 500), "clientType": anyNumber, "customClientType": anyNumber}.check,
		"error?":  shape{"code": anyNumber, "message": text(0, 500)}.check,
	}

	problemShape = shape{"type": anyText, "title": text(1, math.MaxInt), "status": integer(400), "detail": text(1, math.MaxInt), "code?": anyNumber, "snapshot?": checkSnapshot}
)

func checkEnded(value any) error {
	if value == nil {
		return nil
	}
	if err := endedShape.check(value); err != nil {
		return err
	}
	if fields := value.(map[string]any); fields["kick"] != nil && fields["error"] != nil {
		return fmt.Errorf("%v has two causes", value)
	}
	return nil
}

func checkSnapshot(value any) error {
	if err := snapshotShape.check(value); err != nil {
		return err
	}
	fields := value.(map[string]any)
	if holds := fields["session"] != 0.0; holds != (fields["accid"] != "") || holds != (fields["owner"] != "") {
		return fmt.Errorf("%v: session, accid and owner contradict each other", value)
	}
	return nil
}

// problems has the status and the title of each type.
var problems = map[string]struct {
	status int
	title  string
}{
	"bad-request":         {400, "The request breaks the contract"},
	"unauthorized":        {401, "The secret is missing or wrong"},
	"no-such-path":        {404, "There is nothing at this path"},
	"no-such-slot":        {404, "The slot is not initialised or was released"},
	"no-such-question":    {409, "The SDK does not wait for this answer"},
	"method-not-allowed":  {405, "This path has no such method"},
	"not-initialised":     {409, "The slot is not initialised"},
	"other-account":       {409, "Another account is logged in"},
	"other-configuration": {409, "The slot is logged in under another configuration"},
	"too-large":           {413, "The body is too large"},
	"wrong-media-type":    {415, "The body is not application/json"},
	"foreign-host":        {421, "The Host is not a loopback name"},
	"login-failed":        {422, "The login failed"},
	"internal":            {500, "The gateway has a bug"},
	"closing":             {503, "The gateway is shutting down"},
}

func checkProblem(status int, value any) error {
	if err := problemShape.check(value); err != nil {
		return err
	}
	fields := value.(map[string]any)
	kind, ours := strings.CutPrefix(fields["type"].(string), problemPrefix)
	want, known := problems[kind]
	_, hasCode := fields["code"]
	_, hasSnapshot := fields["snapshot"]
	switch {
	case !ours || !known:
		return fmt.Errorf("unknown type %v", fields["type"])
	case status != want.status || fields["status"] != float64(status) || fields["title"] != want.title:
		return fmt.Errorf("%s has HTTP status %d, status %v and title %q", kind, status, fields["status"], fields["title"])
	case hasCode != (kind == "login-failed"):
		return fmt.Errorf("%s has a code: %t, want %t", kind, hasCode, !hasCode)
	case kind == "login-failed" && !hasSnapshot, (kind == "unauthorized" || kind == "foreign-host") && hasSnapshot:
		return fmt.Errorf("%s has a snapshot: %t, want %t", kind, hasSnapshot, !hasSnapshot)
	}
	return nil
}

const problemPrefix = "urn:imreuse:gateway:"

// A judge checks replies against openapi.yaml, and records which it has seen.
// It is safe for concurrent use.
type judge struct {
	operations map[string]bool // such as "GET /healthz 200"
	types      map[string]bool // of problems

	mu   sync.Mutex
	seen map[string]bool
}

var (
	yamlPath    = regexp.MustCompile(`^  (/\S+):$`)
	yamlMethod  = regexp.MustCompile(`^    (get|put|post|delete|x-other-methods):$`)
	yamlStatus  = regexp.MustCompile(`^ +'(\d{3})':`)
	yamlProblem = regexp.MustCompile(`^ +- ` + problemPrefix + `(\S+)$`)
)

// newJudge reads the operations and types from openapi.yaml by its indentation.
func newJudge(t *testing.T) *judge {
	t.Helper()
	file, err := os.ReadFile("../gateway/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{operations: map[string]bool{}, types: map[string]bool{}, seen: map[string]bool{}}
	var path, method string
	for line := range strings.Lines(string(file)) {
		line = strings.TrimRight(line, "\n")
		if m := yamlPath.FindStringSubmatch(line); m != nil {
			path = m[1]
		} else if m := yamlMethod.FindStringSubmatch(line); m != nil {
			method = strings.ToUpper(m[1])
		} else if m := yamlStatus.FindStringSubmatch(line); m != nil {
			j.operations[method+" "+path+" "+m[1]] = true
		} else if m := yamlProblem.FindStringSubmatch(line); m != nil {
			j.types[m[1]] = true
		}
	}
	if len(j.operations) < 30 || len(j.types) != len(problems) {
		t.Fatalf("got %d replies and %d types of problems from openapi.yaml, want about 54 and %d", len(j.operations), len(j.types), len(problems))
	}
	return j
}

var slotInPath = regexp.MustCompile(`^/v1/im/[^/]+`)

// check checks the reply to a request.
func (j *judge) check(method, target string, res *http.Response, body []byte) error {
	path, _, _ := strings.Cut(target, "?")
	path = slotInPath.ReplaceAllString(path, "/v1/im/{slot}")
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("%w in %q", err, body)
	}
	media, check := "application/json", snapshotRule(path)
	if res.StatusCode != http.StatusOK {
		media, check = "application/problem+json", func(value any) error { return checkProblem(res.StatusCode, value) }
	}
	if err := check(value); err != nil {
		return fmt.Errorf("%w in %s", err, body)
	}
	if h := res.Header; h.Get("Content-Type") != media || h.Get("Cache-Control") != "no-store" || h.Get("Access-Control-Allow-Origin") != "" {
		return fmt.Errorf("header %v, want %s, no-store and no CORS headers", h, media)
	}
	return j.note(method, path, res.StatusCode, value.(map[string]any)["type"])
}

func snapshotRule(path string) rule {
	if path == "/healthz" {
		return healthShape.check
	}
	return checkSnapshot
}

// note records a reply. It fails if the contract does not have it.
func (j *judge) note(method, path string, status int, problem any) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	kind, _ := problem.(string)
	kind = strings.TrimPrefix(kind, problemPrefix)
	operation := fmt.Sprintf("%s %s %d", method, path, status)
	if status == http.StatusMethodNotAllowed {
		operation = fmt.Sprintf("X-OTHER-METHODS %s %d", path, status)
	}
	if kind != "no-such-path" && !j.operations[operation] {
		if kind != "unauthorized" && kind != "foreign-host" { // which the gateway checks before the path
			return fmt.Errorf("the contract has no %s", operation)
		}
	}
	j.seen[operation], j.seen[kind] = true, true
	return nil
}

// unseen returns the operations and types that no reply had.
func (j *judge) unseen() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var left []string
	for _, all := range []map[string]bool{j.operations, j.types} {
		for what := range all {
			if !j.seen[what] && what != "internal" { // would be a bug in the gateway
				left = append(left, what)
			}
		}
	}
	slices.Sort(left)
	return left
}
