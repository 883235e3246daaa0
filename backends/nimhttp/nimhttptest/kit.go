package nimhttptest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/imreuse/imreuse/engine"
)

// The kit server's codes (docs/vendor/http.md#error-codes).
const (
	codeOK               = 0
	codeMissingHeader    = 401
	codeWrongToken       = 402
	codeForbidden        = 403
	codeUnknownApp       = 404
	codeUnknownIMAccount = 701
	codeNoIMAccount      = 1021
	codeExpired          = 1026
)

var messages = map[int]string{
	codeWrongToken:       "token is not correct",
	codeForbidden:        "temporary accounts are not allowed",
	codeUnknownApp:       "app not found",
	codeUnknownIMAccount: "IM account does not exist",
	codeNoIMAccount:      "IM account is not bound",
	codeExpired:          "token has expired",
}

// A refusal is an error reply of the kit server.
type refusal struct {
	status int
	code   int
	text   string
}

func (r *refusal) Error() string { return r.text }

// refuse returns a failure that only the envelope reports; the HTTP status is
// 200.
func refuse(code int) *refusal { return &refusal{http.StatusOK, code, messages[code]} }

// refuseHTTP returns a failure whose HTTP status is also the envelope's code.
func refuseHTTP(status int) *refusal {
	return &refusal{status, status, strings.ToLower(http.StatusText(status))}
}

// refusalOf translates an error of the world.
func refusalOf(err error) *refusal {
	switch {
	case errors.Is(err, engine.ErrTokenRejected):
		return refuse(codeWrongToken)
	case errors.Is(err, engine.ErrTokenExpired):
		return refuse(codeExpired)
	case errors.Is(err, engine.ErrNoIMAccount):
		return refuse(codeNoIMAccount)
	case errors.Is(err, errors.ErrUnsupported):
		return refuse(codeForbidden)
	}
	return refuseHTTP(http.StatusInternalServerError)
}

// A route is one of the server's calls.
type route struct {
	method  string
	needs   []string // required headers
	respond func(s *Server, ctx context.Context, c call) (data any, err error)
}

// A call is a request whose route is known. The account is in its headers.
type call struct {
	appKey string
	header http.Header
}

var (
	authorized = []string{"AppKey", "user", "token"}

	// The keys are the paths below /scene/, without the AppKey.
	routes = map[string]route{
		"apps/v1/login":           {http.MethodPost, authorized, (*Server).login},
		"apps/v1/checkToken":      {http.MethodPost, authorized, (*Server).checkToken},
		"apps/v1/anonymous/login": {http.MethodPost, []string{"AppKey"}, (*Server).anonymous},
		"apps/v1/skuEnv":          {http.MethodGet, nil, (*Server).environment},
		"meeting/v1/account/info": {http.MethodGet, authorized, (*Server).accountInfo},
		"meeting/v1/config":       {http.MethodGet, nil, (*Server).config},
	}

	scene = regexp.MustCompile(`/scene/(apps|meeting)/([^/]+)/(.+)$`)
)

// answer carries r out. Its error is a *refusal.
func (s *Server) answer(r *http.Request) (data any, err error) {
	parts := scene.FindStringSubmatch(r.URL.EscapedPath())
	if parts == nil {
		return nil, refuseHTTP(http.StatusNotFound)
	}
	to, known := routes[parts[1]+"/"+parts[3]]
	if !known {
		return nil, refuseHTTP(http.StatusNotFound)
	}
	if r.Method != to.method {
		return nil, refuseHTTP(http.StatusMethodNotAllowed)
	}
	appKey, _ := url.PathUnescape(parts[2]) // net/http has checked the escapes
	if s.appKey != "" && appKey != s.appKey || cmp.Or(r.Header.Get("AppKey"), appKey) != appKey {
		return nil, refuse(codeUnknownApp)
	}
	for _, name := range to.needs {
		if r.Header.Get(name) == "" {
			return nil, &refusal{http.StatusOK, codeMissingHeader, fmt.Sprintf("header %s is missing", name)}
		}
	}
	// The call takes effect even if the client disconnects before the reply.
	return to.respond(s, context.WithoutCancel(r.Context()), call{appKey, r.Header})
}

func (c call) claim() claim {
	return claim{
		KitAccount: engine.KitAccount{UserUUID: c.header.Get("user"), Token: c.header.Get("token")},
		appKey:     c.appKey,
		dynamic:    c.header.Get("authType") == "1", // the web kit also sends "undefined"
	}
}

func (c call) deviceID() string { return c.header.Get("deviceId") }

// loginData is the reply to a login. The vendor's kits log in to IM with the
// first three fields (docs/vendor/http.md#kit-login); imAccid is our addition.
type loginData struct {
	UserUUID  string `json:"userUuid"`
	IMKey     string `json:"imKey"`
	IMToken   string `json:"imToken,omitempty"` // not of a login with a dynamic token, which is IM's own
	IMAccid   string `json:"imAccid"`
	RTCKey    string `json:"rtcKey"`
	UserToken string `json:"userToken,omitempty"` // only in the reply to an anonymous login
}

func loginDataOf(appKey string, a claim, im engine.IMAccount) loginData {
	if a.dynamic {
		im.Token = ""
	}
	return loginData{
		UserUUID: strings.ToLower(a.UserUUID),
		IMKey:    cmp.Or(im.AppKey, appKey),
		IMToken:  im.Token,
		IMAccid:  im.Accid,
		RTCKey:   appKey,
	}
}

func (s *Server) login(ctx context.Context, c call) (any, error) {
	a := c.claim()
	im, err := s.verify(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, a, c.deviceID()); err != nil {
		return nil, err
	}
	return loginDataOf(c.appKey, a, im), nil
}

func (s *Server) checkToken(ctx context.Context, c call) (any, error) {
	if _, err := s.verify(ctx, c.claim()); err != nil {
		return nil, err
	}
	return nil, s.resume(ctx, c.claim(), c.deviceID())
}

// anonymous makes a new guest for each call. It does not log the guest in.
func (s *Server) anonymous(ctx context.Context, c call) (any, error) {
	added, err := s.guests.add(ctx, s.world)
	if err != nil {
		return nil, err
	}
	guest := claim{KitAccount: added}
	im, err := s.verify(ctx, guest)
	if err != nil {
		return nil, err
	}
	data := loginDataOf(c.appKey, guest, im)
	data.UserToken = guest.Token
	return data, nil
}

type object = map[string]any

// environment names only this server, so that no client in a test looks for IM
// in the public cloud.
func (s *Server) environment(context.Context, call) (any, error) {
	return object{
		"im": object{
			"weblbsUrl":      s.url + "/lbs/webconf",
			"link_web":       strings.TrimPrefix(s.url, "http://"),
			"websdkSsl":      false,
			"https_enabled":  false,
			"nos_lbs":        s.url + "/lbs/nos",
			"nos_uploader":   s.url,
			"nos_downloader": s.url,
		},
		"rtc":        object{},
		"whiteboard": object{},
	}, nil
}

func (s *Server) accountInfo(ctx context.Context, c call) (any, error) {
	a := c.claim()
	im, err := s.verify(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := s.resume(ctx, a, c.deviceID()); err != nil {
		return nil, err
	}
	user := strings.ToLower(a.UserUUID)
	return object{
		"userUuid":          user,
		"userToken":         a.Token,
		"nickname":          cmp.Or(s.profileOf(user, im.Accid).name, user),
		"privateMeetingNum": "",
		"shortMeetingNum":   "",
		"settings":          object{},
	}, nil
}

func (s *Server) config(context.Context, call) (any, error) {
	return object{"appConfig": object{}}, nil
}
