package nimhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/engine"
)

// roomKitVersion is the web kit whose requests these are.
const roomKitVersion = "1.31.0"

// Kit is the kit server as an engine.Kit and an io.Closer. Make one with
// NewKit. It is safe for concurrent use.
//
// A kit login is one round trip: Authenticate makes it, LoginKit opens the
// session without another. HTTP has no push, so the session ends only by what
// a call is told: see CheckToken.
type Kit struct {
	authType  AuthType
	base      *url.URL            // of the server
	urls      map[string]*url.URL // of the calls, by name
	common    http.Header         // of every request
	server    *call.Caller
	closeIdle func()

	mu      sync.Mutex
	checked *session // by Authenticate, and not opened yet
	open    *session
	closed  bool
}

type session struct {
	user  string
	token func() string // fmt does not look into functions
	lost  func(error)
}

// NewKit makes a client of a kit server. It sends nothing. It fails with
// engine.ErrArgument, naming the option.
func NewKit(o Options) (*Kit, error) {
	k, err := newKit(o)
	if err != nil {
		return nil, fmt.Errorf("nimhttp: NewKit: %w", err)
	}
	return k, nil
}

func newKit(o Options) (*Kit, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	base, err := call.CheckURL("KitURL", o.KitURL, o.PlainHTTP)
	if err != nil {
		return nil, err
	}
	root := *base
	root.Path, root.RawPath = base.Path+"/", base.EscapedPath()+"/" // JoinPath makes a relative path of an empty one
	client, closeIdle := call.HTTPClient(o.HTTPClient)
	urls := map[string]*url.URL{}
	for _, name := range []string{callLogin, callCheckToken, callAnonymous} {
		urls[name] = root.JoinPath("scene", "apps", url.PathEscape(o.AppKey), "v1", name)
	}
	return &Kit{
		authType:  o.AuthType,
		base:      base,
		urls:      urls,
		common:    commonHeader(o),
		server:    &call.Caller{Domain: call.DomainKit, Client: client, Log: o.Logger},
		closeIdle: closeIdle,
	}, nil
}

// The calls of the kit server.
const (
	callLogin      = "login"
	callCheckToken = "checkToken"
	callAnonymous  = "anonymous/login"
)

// login is the data of a kit login's reply.
type login struct {
	UserUUID  string `json:"userUuid"`
	UserToken string `json:"userToken"` // of an anonymous login only
	IMKey     string `json:"imKey"`
	IMToken   string `json:"imToken"`
	IMAccid   string `json:"imAccid"` // our extension: where the bound accid is not the userUuid
}

// Authenticate implements engine.Kit: it logs a in at the kit server. The bound
// account is the reply's userUuid, or its imAccid where a server sends one, with
// its imKey as AppKey.
func (k *Kit) Authenticate(ctx context.Context, a engine.KitAccount) (engine.IMAccount, error) {
	if err := checkAccount(a); err != nil {
		return engine.IMAccount{}, err
	}
	s := &session{user: a.UserUUID, token: func() string { return a.Token }}
	var reply login
	if err := k.call(ctx, callLogin, s, &reply); err != nil {
		return engine.IMAccount{}, err
	}
	if reply.IMToken == "" && k.authType == AuthDynamic {
		reply.IMToken = a.Token // it is IM's own, and not repeated (vendor-oracle.md 1)
	}
	if err := k.check(reply, a); err != nil {
		return engine.IMAccount{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checked = s
	return engine.IMAccount{AppKey: reply.IMKey, Accid: reply.accid(), Token: reply.IMToken}, nil
}

// accid is that of the bound account.
func (l login) accid() string { return cmp.Or(l.IMAccid, l.UserUUID) }

// check refuses a reply to the login of a that has not all that it should, or
// what a host could not have said itself. An id that repeats a's token would
// have it in every error that names the account.
func (k *Kit) check(l login, a engine.KitAccount) error {
	const shortest = 8 // of a token that is in an id by no accident
	for _, field := range []struct{ name, value, flaw string }{
		{"userUuid", l.UserUUID, call.Flaw(l.UserUUID, call.MaxID)},
		{"accid", l.accid(), call.AccidFlaw(l.accid())},
		{"imKey", l.IMKey, call.Flaw(l.IMKey, call.MaxField)},
		{"imToken", "", call.Flaw(l.IMToken, call.MaxToken)},
	} {
		if field.flaw == "" && len(a.Token) >= shortest && !strings.EqualFold(field.value, a.UserUUID) && call.Tells(field.value, a.Token) {
			field.flaw = "repeats the token"
		}
		if field.flaw != "" {
			return k.server.Malformed("a login whose %s %s", field.name, field.flaw)
		}
	}
	return nil
}

func checkAccount(a engine.KitAccount) error {
	if err := call.CheckHeader("userUuid", a.UserUUID, call.MaxField); err != nil {
		return err
	}
	return call.CheckHeader("token", a.Token, call.MaxToken)
}

// Anonymous implements engine.Kit. Each call makes a new guest, so it is
// repeated only if the request was never written. A server that has none
// answers 403, which is errors.ErrUnsupported.
func (k *Kit) Anonymous(ctx context.Context) (engine.KitAccount, error) {
	var reply login
	err := k.call(ctx, callAnonymous, nil, &reply)
	var refused *ServerError
	if errors.As(err, &refused) && (refused.Code == http.StatusForbidden || refused.Code == 0 && refused.Status == http.StatusForbidden) {
		return engine.KitAccount{}, fmt.Errorf("temporary accounts: %w: %w", errors.ErrUnsupported, err)
	}
	if err != nil {
		return engine.KitAccount{}, err
	}
	if flaw := call.AccidFlaw(reply.UserUUID); flaw != "" {
		return engine.KitAccount{}, k.server.Malformed("a temporary account whose userUuid %s", flaw)
	}
	if flaw := call.Flaw(reply.UserToken, call.MaxToken); flaw != "" {
		return engine.KitAccount{}, k.server.Malformed("a temporary account whose userToken %s", flaw)
	}
	return engine.KitAccount{UserUUID: reply.UserUUID, Token: reply.UserToken}, nil
}

// LoginKit implements engine.Kit: it opens the session that Authenticate
// made, and sends nothing. It fails with engine.ErrState where there is none
// of a.
func (k *Kit) LoginKit(ctx context.Context, a engine.KitAccount, n engine.Notify) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.checked
	switch {
	case k.closed:
		return engine.ErrClosed
	case s == nil || !strings.EqualFold(s.user, a.UserUUID) || s.token() != a.Token:
		return fmt.Errorf("%w: Authenticate the account first", engine.ErrState)
	}
	s.lost = n.Lost
	k.checked, k.open = nil, s
	return nil
}

// LogoutKit implements engine.Kit. It forgets the session: the vendor's kits
// send nothing either.
func (k *Kit) LogoutKit(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checked, k.open = nil, nil
	return nil
}

// CheckToken asks the kit server whether the token of the account that is
// logged in is still good. If it is refused, that login is lost, with the
// error that is returned: engine.ErrTokenRejected or engine.ErrTokenExpired. A server that
// cannot be reached ends nothing. It fails with engine.ErrState where nobody is
// logged in. Call it when the server refuses a request of your own, or now and then.
func (k *Kit) CheckToken(ctx context.Context) error {
	s, err := k.session()
	if err != nil {
		return err
	}
	err = k.call(ctx, callCheckToken, s, nil)
	if errors.Is(err, engine.ErrTokenRejected) || errors.Is(err, engine.ErrTokenExpired) {
		k.end(s, err)
	}
	return err
}

func (k *Kit) session() (*session, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return nil, engine.ErrClosed
	case k.open == nil:
		return nil, fmt.Errorf("%w: the kit is not logged in", engine.ErrState)
	}
	return k.open, nil
}

// end ends s, if it is still the one that is open.
func (k *Kit) end(s *session, cause error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open != s {
		return
	}
	k.open = nil
	if s.lost != nil {
		s.lost(cause)
	}
}

// commonHeader is the common set of the vendor's web kit (vendor-oracle.md 1).
func commonHeader(o Options) http.Header {
	h := http.Header{}
	h.Set("Accept", "application/json, text/plain, */*")
	h.Set("AppKey", o.AppKey)
	h.Set("clientType", o.ClientType)
	h.Set("deviceId", o.DeviceID)
	h.Set("accept-language", o.Language)
	h.Set("versionCode", roomKitVersion)
	h.Set("roomKitVer", roomKitVersion)
	return h
}

// header is what a request on behalf of s has, or of nobody.
func (k *Kit) header(s *session) http.Header {
	h := maps.Clone(k.common) // no value of it is ever changed
	if s != nil {
		h.Set("user", s.user)
		h.Set("token", s.token())
		if k.authType == AuthDynamic {
			h.Set("authType", "1")
		}
	}
	return h
}

// call posts one of the kit's calls, on behalf of s or of nobody.
func (k *Kit) call(ctx context.Context, name string, s *session, data any) error {
	k.mu.Lock()
	closed := k.closed
	k.mu.Unlock()
	if closed {
		return engine.ErrClosed
	}
	r := call.Request{
		Method: http.MethodPost,
		URL:    k.urls[name],
		Header: k.header(s),
	}
	if s != nil {
		r.Repeatable, r.Secrets = true, []string{s.token()}
	}
	_, err := k.server.Do(ctx, r, data)
	return err
}

// Close forgets the session and closes the connections that it made. Every
// later call but a logout fails with engine.ErrClosed. It always returns nil.
func (k *Kit) Close() error {
	k.mu.Lock()
	k.closed, k.checked, k.open = true, nil, nil
	k.mu.Unlock()
	k.closeIdle()
	return nil
}
