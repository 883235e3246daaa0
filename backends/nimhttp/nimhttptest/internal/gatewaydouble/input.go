package gatewaydouble

import (
	"encoding/json"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/imreuse/imreuse/internal/loopback"
)

// fields are the parameters of a request. Each call takes out the ones that it
// knows; the rest are unknown.
type fields struct {
	given   map[string]any
	problem *problem // the first one found
}

func (f *fields) fail(format string, args ...any) {
	if f.problem == nil {
		f.problem = newProblem(badRequest, format, args...)
	}
}

// err returns the first problem. Fields that nobody has taken are unknown, and
// so a problem.
func (f *fields) err() error {
	for _, name := range slices.Sorted(maps.Keys(f.given)) {
		f.fail("unknown name %.64q", name)
	}
	if f.problem == nil {
		return nil
	}
	return f.problem
}

func (f *fields) take(name string) (value any, there bool) {
	value, there = f.given[name]
	delete(f.given, name)
	return value, there
}

func (f *fields) text(name string, longest int) string {
	value, _ := f.take(name)
	text, _ := value.(string)
	if n := utf8.RuneCountInString(text); n == 0 || n > longest {
		f.fail("%s must be a string of 1 to %d characters", name, longest)
	}
	return text
}

// optionalText returns "" if the field is absent.
func (f *fields) optionalText(name string, longest int) string {
	if _, there := f.given[name]; !there {
		return ""
	}
	return f.text(name, longest)
}

func (f *fields) flag(name string) bool {
	value, there := f.take(name)
	flag, ok := value.(bool)
	if there && !ok {
		f.fail("%s must be true or false", name)
	}
	return flag
}

const maxInteger = 1<<53 - 1 // the largest that every JSON library keeps exact

func (f *fields) integer(name string, least, most, otherwise int64) int64 {
	value, there := f.take(name)
	if !there {
		return otherwise
	}
	number, ok := value.(float64)
	if !ok || number != math.Trunc(number) || number < float64(least) || number > float64(most) {
		f.fail("%s must be an integer from %d to %d", name, least, most)
		return otherwise
	}
	return int64(number)
}

// required is like integer, for a field that must not be missing.
func (f *fields) required(name string, least int64) int64 {
	if _, there := f.given[name]; !there {
		f.fail("%s is missing", name)
	}
	return f.integer(name, least, maxInteger, least)
}

// number is like integer, for a query, whose values are all text.
func (f *fields) number(name string, least, most, otherwise int64) int64 {
	if text, _ := f.given[name].(string); decimal.MatchString(text) {
		f.given[name], _ = strconv.ParseFloat(text, 64)
	}
	return f.integer(name, least, most, otherwise)
}

// matching returns "" if the field is absent.
func (f *fields) matching(name string, want *regexp.Regexp) string {
	value, there := f.take(name)
	text, _ := value.(string)
	if there && !want.MatchString(text) {
		f.fail("%s must match %s", name, want)
	}
	return text
}

func (f *fields) milliseconds(name string, least, most, otherwise time.Duration) time.Duration {
	return time.Duration(f.integer(name, least.Milliseconds(), most.Milliseconds(), otherwise.Milliseconds())) * time.Millisecond
}

var decimal = regexp.MustCompile(`^\d{1,16}$`)

// parseQuery parses the query of a URL.
func parseQuery(search string) fields {
	f := fields{given: map[string]any{}}
	query, err := url.ParseQuery(search)
	if err != nil {
		f.fail("the query cannot be parsed")
	}
	for name, values := range query {
		if len(values) > 1 {
			f.fail("a query parameter is repeated")
		}
		f.given[name] = values[0]
	}
	return f
}

// A payload is the body of a request.
type payload struct {
	bytes []byte // at most maxBody
	size  int64  // of the whole body
}

// receive reads the body. It also reads a body that is somewhat too large,
// because a client that is still writing would not see the answer.
func receive(w http.ResponseWriter, r *http.Request) payload {
	const readOn = 4 << 20
	begin, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	rest, errRest := io.CopyN(io.Discard, r.Body, readOn)
	if err != nil || errRest != nil && errRest != io.EOF {
		panic(http.ErrAbortHandler) // the client has gone
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{}) // the client may now wait for long
	return payload{begin, int64(len(begin)) + rest}
}

// parseBody parses a JSON object. Without a body it returns an empty one.
func parseBody(sent payload, contentType string) fields {
	f := fields{given: map[string]any{}}
	media, _, _ := strings.Cut(contentType, ";")
	switch {
	case sent.size == 0 && contentType == "":
	case sent.size > maxBody:
		f.problem = newProblem(tooLarge, "a body may have at most %d bytes", maxBody)
	case !strings.EqualFold(strings.TrimSpace(media), "application/json"):
		f.problem = newProblem(wrongMediaType, "send Content-Type: application/json")
	case !utf8.Valid(sent.bytes) || json.Unmarshal(sent.bytes, &f.given) != nil || f.given == nil:
		f.fail("the body must be a JSON object") // not quoted: it may contain a token
	}
	return f
}

// checkServers returns what is wrong with the addresses, or "". The contract
// keeps a token from reaching the wrong server; this gateway calls no server at
// all.
func checkServers(to setup) string {
	if (to.lbsURL == "") != (to.linkAddr == "") {
		return "send both lbsUrl and linkAddr, or neither"
	}
	if to.lbsURL == "" {
		if to.linkPlain {
			return "linkPlain needs lbsUrl and linkAddr"
		}
		return ""
	}
	lbs, err := url.Parse(to.lbsURL)
	if err != nil || lbs.Scheme != "http" && lbs.Scheme != "https" || lbs.Hostname() == "" || lbs.User != nil {
		return "lbsUrl must be an http or https URL without credentials"
	}
	link, ok := hostOf(to.linkAddr)
	switch here := loopback.Is(lbs.Hostname()); {
	case !ok:
		return "linkAddr must be host:port"
	case lbs.Scheme == "http" && !here:
		return "lbsUrl may be plain http only if its host is loopback"
	case to.linkPlain && !(here && loopback.Is(link)):
		return "linkPlain needs lbsUrl and linkAddr on loopback"
	}
	return ""
}

var hostPort = regexp.MustCompile(`^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$`)

// hostOf returns the host of "host:port" or "[v6]:port".
func hostOf(address string) (host string, ok bool) {
	parts := hostPort.FindStringSubmatch(address)
	if parts == nil {
		return "", false
	}
	port, err := strconv.ParseUint(parts[3], 10, 16)
	if err != nil || port == 0 {
		return "", false
	}
	if v6 := parts[1]; v6 != "" {
		return v6, net.ParseIP(v6) != nil && strings.Contains(v6, ":")
	}
	return parts[2], true
}
