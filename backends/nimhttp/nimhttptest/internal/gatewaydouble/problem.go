package gatewaydouble

import (
	"fmt"
	"net/http"
)

// A problem is an error reply in the form of RFC 9457.
type problem struct {
	kind   kind
	detail string
	code   *int      // the SDK's code; only of failedLogin
	now    *snapshot // of the slot; nil if it is not initialised, or not filled in yet
}

func (p *problem) Error() string { return p.detail }

type kind string

const (
	badRequest         kind = "bad-request"
	unauthorized       kind = "unauthorized"
	noSuchPath         kind = "no-such-path"
	noSuchSlot         kind = "no-such-slot"
	noSuchQuestion     kind = "no-such-question"
	methodNotAllowed   kind = "method-not-allowed"
	notInitialised     kind = "not-initialised"
	otherAccount       kind = "other-account"
	otherConfiguration kind = "other-configuration"
	tooLarge           kind = "too-large"
	wrongMediaType     kind = "wrong-media-type"
	foreignHost        kind = "foreign-host"
	failedLogin        kind = "login-failed"
	closing            kind = "closing"
)

var kinds = map[kind]struct {
	status int
	title  string
}{
	badRequest:         {http.StatusBadRequest, "The request breaks the contract"},
	unauthorized:       {http.StatusUnauthorized, "The secret is missing or wrong"},
	noSuchPath:         {http.StatusNotFound, "There is nothing at this path"},
	noSuchSlot:         {http.StatusNotFound, "The slot is not initialised or was released"},
	noSuchQuestion:     {http.StatusConflict, "The SDK does not wait for this answer"},
	methodNotAllowed:   {http.StatusMethodNotAllowed, "This path has no such method"},
	notInitialised:     {http.StatusConflict, "The slot is not initialised"},
	otherAccount:       {http.StatusConflict, "Another account is logged in"},
	otherConfiguration: {http.StatusConflict, "The slot is logged in under another configuration"},
	tooLarge:           {http.StatusRequestEntityTooLarge, "The body is too large"},
	wrongMediaType:     {http.StatusUnsupportedMediaType, "The body is not application/json"},
	foreignHost:        {http.StatusMisdirectedRequest, "The Host is not a loopback name"},
	failedLogin:        {http.StatusUnprocessableEntity, "The login failed"},
	closing:            {http.StatusServiceUnavailable, "The gateway is shutting down"},
}

func newProblem(k kind, format string, args ...any) *problem {
	return &problem{kind: k, detail: fmt.Sprintf(format, args...)}
}

func loginFailed(code int, why string) *problem {
	return &problem{kind: failedLogin, detail: why, code: &code}
}

// problemBody is the JSON of a problem.
type problemBody struct {
	Type     string    `json:"type"`
	Title    string    `json:"title"`
	Status   int       `json:"status"`
	Detail   string    `json:"detail"`
	Code     *int      `json:"code,omitempty"`
	Snapshot *snapshot `json:"snapshot,omitempty"`
}

func (p *problem) body() problemBody {
	k := kinds[p.kind]
	return problemBody{"urn:imreuse:gateway:" + string(p.kind), k.title, k.status, p.detail, p.code, p.now}
}
