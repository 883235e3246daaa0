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

// A dialect is how one of the vendor's servers replies: its envelope, and its
// numbers for what all of them refuse (http-api.md 1.3 and 5).
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
	kitDialect     = &dialect{wrap: func(e envelope) any { return e }} // it has no numbers in common with the API
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
	// The keys end in a slash where an id follows.
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

// findResource returns what is at that path, which has its escapes, and the id
// in it, folded. What no server of the API has is the kit server's to refuse.
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

// An apiCall is a request to the server API that is signed as it should be.
type apiCall struct {
	*dialect
	appKey string
	id     string // of the path, folded
	query  url.Values
	body   []byte
}

// answerAPI does what r asks for. It fails with a *refusal.
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

// read decodes the body. Fields that it does not know may be there.
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
	maxIDs  = 100 // of a query
)

// fold returns an id as the servers keep it, or refuses it.
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

// ids are those that a query names, folded, each once.
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

// A text is a field with the number of characters that it may have.
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
