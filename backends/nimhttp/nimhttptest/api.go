package nimhttptest

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A dialect describes how one of the vendor's servers replies: its envelope,
// and its codes for the refusals that all servers have
// (docs/vendor/http.md#error-codes).
type dialect struct {
	success    int
	signature  int
	unknownApp int
	method     int
	mediaType  int
	parameter  int
	wrap       func(envelope) any
}

var (
	kitDialect     = &dialect{wrap: func(e envelope) any { return e }} // has its own codes, in kit.go
	imDialect      = &dialect{200, 403, 101303, 414, 414, 414, func(e envelope) any { return imEnvelope{e.Code, e.Msg, e.Data} }}
	roomDialect    = &dialect{0, 401, 401, 405, 415, 400, func(e envelope) any { return roomEnvelope(e) }}
	meetingDialect = &dialect{0, 401, 401, 405, 415, 400, func(e envelope) any { return e }}
)

type imEnvelope struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
	Data any    `json:"data"`
}

type roomEnvelope struct {
	Code      int    `json:"code"`
	Msg       string `json:"msg"`
	RequestID string `json:"request_id"`
	TS        int64  `json:"ts"`
	Cost      string `json:"cost"`
	Data      any    `json:"data"`
}

// A resource is a path of the server API.
type resource struct {
	*dialect
	calls calls // by method
}

type calls map[string]func(s *Server, c apiCall) (data any, err error)

var (
	// The keys end in a slash if an id follows.
	resources = map[string]resource{
		"im/v2/accounts":                      {imDialect, calls{"POST": (*Server).createIM, "GET": (*Server).listIM}},
		"im/v2/accounts/":                     {imDialect, calls{"GET": (*Server).showIM, "PATCH": (*Server).updateIM}},
		"neroom/v3/users":                     {roomDialect, calls{"POST": (*Server).createRoomUser, "GET": (*Server).listRoomUsers}},
		"neroom/v3/users/":                    {roomDialect, calls{"GET": (*Server).showRoomUser, "PATCH": (*Server).updateUser}},
		"scene/meeting/api/v2/add-user":       {meetingDialect, calls{"POST": (*Server).createMeetingUser}},
		"scene/meeting/api/v2/batch-get-user": {meetingDialect, calls{"GET": (*Server).listMeetingUsers}},
	}

	resourcePath = regexp.MustCompile(`/(im/v2/accounts|neroom/v3/users|scene/meeting/api/v2/[^/]+)(?:(/)([^/]+))?$`)
)

// findResource returns the resource at an escaped path, and the folded id in
// it. If the API has no such path, ok is false, and the kit server answers.
func findResource(path string) (found resource, id string, ok bool) {
	parts := resourcePath.FindStringSubmatch(path)
	if parts == nil {
		return resource{dialect: kitDialect}, "", false
	}
	found, ok = resources[parts[1]+parts[2]]
	if !ok {
		return resource{dialect: kitDialect}, "", false
	}
	id, _ = url.PathUnescape(parts[3]) // net/http has checked the escapes
	return found, strings.ToLower(id), true
}

// An apiCall is a request to the server API whose signature is valid.
type apiCall struct {
	*dialect
	appKey string
	id     string // the id in the path, folded
	query  url.Values
	body   []byte
}

// answerAPI carries r out. Its error is a *refusal.
func (s *Server) answerAPI(r *http.Request, of resource, id string, body []byte) (data any, err error) {
	appKey, err := s.checkSignature(of.dialect, r.Header)
	if err != nil {
		return nil, err
	}
	call, known := of.calls[r.Method]
	if !known {
		return nil, refuseCall(of.method, "method %s is not supported", r.Method)
	}
	if len(body) > 0 && !isJSON(r.Header.Get("Content-Type")) {
		return nil, refuseCall(of.mediaType, "Content-Type is not application/json in UTF-8")
	}
	s.api.Lock()
	defer s.api.Unlock()
	return call(s, apiCall{of.dialect, appKey, id, r.URL.Query(), body})
}

func isJSON(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	charset, has := params["charset"]
	return err == nil && media == "application/json" && (!has || strings.EqualFold(charset, "utf-8"))
}

// read decodes the body. It ignores unknown fields.
func (c apiCall) read(v any) error {
	err := json.Unmarshal(c.body, v)
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		return refuseCall(c.parameter, "%s has the wrong type", kind.Field)
	}
	return refuseCall(c.parameter, "the body is not a JSON object")
}

const (
	maxID   = 32
	idRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@.-"
	maxIDs  = 100 // in a query
)

// fold checks an id and returns it in the form that the servers keep.
func (c apiCall) fold(field, id string) (string, error) {
	switch {
	case id == "":
		return "", refuseCall(c.parameter, "%s is missing", field)
	case len(id) > maxID:
		return "", refuseCall(c.parameter, "%s has more than %d characters", field, maxID)
	case strings.Trim(id, idRunes) != "":
		return "", refuseCall(c.parameter, "%s has a character other than letters, digits and _ @ . -", field)
	}
	return strings.ToLower(id), nil
}

// ids returns the ids that a query names, folded and without duplicates.
func (c apiCall) ids(field string) ([]string, error) {
	var all []string
	for id := range strings.SplitSeq(c.query.Get(field), ",") {
		if id = strings.ToLower(strings.TrimSpace(id)); id != "" && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	switch {
	case len(all) == 0:
		return nil, refuseCall(c.parameter, "%s is missing", field)
	case len(all) > maxIDs:
		return nil, refuseCall(c.parameter, "%s has more than %d ids", field, maxIDs)
	}
	return all, nil
}

// A text is a field and its maximum length in characters.
type text struct {
	field, value string
	longest      int
}

func (c apiCall) checkTexts(all ...text) error {
	for _, t := range all {
		if utf8.RuneCountInString(t.value) > t.longest {
			return refuseCall(c.parameter, "%s has more than %d characters", t.field, t.longest)
		}
	}
	return nil
}
