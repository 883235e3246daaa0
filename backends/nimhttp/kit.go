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
	"github.com/imreuse/imreuse/internal/hide"
)

// roomKitVersion is the version of the vendor's web kit whose requests Kit
// sends.
const roomKitVersion = "1.31.0"

// Kit is a client of a kit server. It is an engine.Kit, an engine.KitRenewer and
// an io.Closer. Make one with NewKit. It is safe for concurrent use.
//
// A kit login is one round trip: Authenticate makes it, and LoginKit then opens
// the session without another request. HTTP has no push, so the client learns
// that a session has ended only from the reply to a call: see CheckToken.
type Kit struct {
	authType  AuthType
	base      *url.URL            // the server's
	urls      map[string]*url.URL // by the name of the call
	common    http.Header         // sent with every request
	server    *call.Caller
	closeIdle func()

	mu      sync.Mutex
	guest   *session // of the latest temporary account; nil: there was none
	checked *session // accepted by Authenticate, not yet opened by LoginKit
	open    *session
	closed  bool
}

// A session is a kit login with the token that it has now. It does not change: a
// renewal replaces it by another session of the same login.
type session struct {
	login *kitLogin
	token func() string // a func, because fmt does not print its result
}

type kitLogin struct {
	user    string
	dynamic bool // its tokens are dynamic ones
	notify  engine.Notify
}

func (l *kitLogin) with(token string) *session {
	return &session{l, func() string { return token }}
}

// NewKit makes a client of a kit server. It sends nothing. If an option is
// invalid, it fails with an engine.ErrArgument that names the option.
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
	root.Path, root.RawPath = base.Path+"/", base.EscapedPath()+"/" // JoinPath turns an empty path into a relative one
	client, closeIdle, err := call.NewDoer(o.HTTPClient)
	if err != nil {
		return nil, err
	}
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

// loginReply is the data in the reply to a kit login.
type loginReply struct {
	UserUUID  string `json:"userUuid"`
	UserToken string `json:"userToken"` // anonymous login only
	IMKey     string `json:"imKey"`
	IMToken   string `json:"imToken"`
	IMAccid   string `json:"imAccid"` // our extension: the bound accid, if it differs from the userUuid
}

// Authenticate implements engine.Kit: it logs a in at the kit server. The bound
// IM account has the accid in the reply's imAccid, or else in its userUuid, and
// the AppKey in its imKey. With AuthDynamic its token is a's own, as a dynamic
// one, unless a is a temporary account: the server makes static tokens for those.
func (k *Kit) Authenticate(ctx context.Context, a engine.KitAccount) (engine.IMAccount, error) {
	if err := checkAccount(a); err != nil {
		return engine.IMAccount{}, err
	}
	s := (&kitLogin{user: a.UserUUID, dynamic: k.authType == AuthDynamic && !k.isGuest(a)}).with(a.Token)
	var reply loginReply
	if err := k.call(ctx, callLogin, s, &reply); err != nil {
		return engine.IMAccount{}, err
	}
	if s.login.dynamic {
		// A dynamic token is also the IM token, so the reply may leave it out:
		// docs/vendor/kits.md#what-the-web-kit-does.
		reply.IMToken = a.Token
	}
	if err := k.check(reply, a); err != nil {
		return engine.IMAccount{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checked = s
	return engine.IMAccount{AppKey: reply.IMKey, Accid: reply.accid(), Token: reply.IMToken, Dynamic: s.login.dynamic}, nil
}

// accid returns the accid of the bound IM account.
func (l loginReply) accid() string { return cmp.Or(l.IMAccid, l.UserUUID) }

// check refuses a reply to a's login if a field is missing, or has a value that
// would be refused as an argument from the host. It also refuses an id that
// contains a's token, because every error that names the account would then
// show the token.
func (k *Kit) check(l loginReply, a engine.KitAccount) error {
	const shortest = 8 // a shorter token may occur in an id by chance
	for _, field := range []struct{ name, value, flaw string }{
		{"userUuid", l.UserUUID, call.Flaw(l.UserUUID, call.MaxID)},
		{"accid", l.accid(), call.AccidFlaw(l.accid())},
		{"imKey", l.IMKey, call.Flaw(l.IMKey, call.MaxField)},
		{"imToken", "", call.Flaw(l.IMToken, call.MaxToken)},
	} {
		if field.flaw == "" && len(a.Token) >= shortest && !strings.EqualFold(field.value, a.UserUUID) && hide.Shows(field.value, a.Token) {
			field.flaw = "contains the token"
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

// Anonymous implements engine.Kit. Each request makes a new guest, so it is
// repeated only if the first one was never written. A server without temporary
// accounts answers 403; the error is then errors.ErrUnsupported.
func (k *Kit) Anonymous(ctx context.Context) (engine.KitAccount, error) {
	var reply loginReply
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
	k.mu.Lock()
	defer k.mu.Unlock()
	k.guest = (&kitLogin{user: reply.UserUUID}).with(reply.UserToken)
	return engine.KitAccount{UserUUID: reply.UserUUID, Token: reply.UserToken}, nil
}

// isGuest reports whether a is the latest temporary account.
func (k *Kit) isGuest(a engine.KitAccount) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.guest
	return g != nil && strings.EqualFold(g.login.user, a.UserUUID) && g.token() == a.Token
}

// LoginKit implements engine.Kit: it opens the session that Authenticate made.
// It sends nothing. It fails with engine.ErrState if the last Authenticate was
// not for a.
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
	case s == nil || !strings.EqualFold(s.login.user, a.UserUUID) || s.token() != a.Token:
		return fmt.Errorf("%w: call Authenticate for this account first", engine.ErrState)
	}
	s.login.notify = n
	k.checked, k.open = nil, s
	return nil
}

// LogoutKit implements engine.Kit. It forgets the session and sends nothing,
// like the vendor's kits: docs/vendor/http.md#kit-login.
func (k *Kit) LogoutKit(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checked, k.open = nil, nil
	return nil
}

// RenewKit implements engine.KitRenewer. It has the kit server check a's token,
// and only then puts it in the place of the old one; CheckToken and Authorize use
// it from then on. If it fails, the session keeps the old token.
//
// It fails with engine.ErrState if no session of a is open, also if the session
// ended during the check; with engine.ErrTokenRejected or engine.ErrTokenExpired
// if the server refuses the token; and with engine.ErrUnavailable if the server
// cannot be reached.
func (k *Kit) RenewKit(ctx context.Context, a engine.KitAccount) error {
	if err := checkAccount(a); err != nil {
		return err
	}
	old, err := k.session()
	if err != nil {
		return err
	}
	if !strings.EqualFold(old.login.user, a.UserUUID) {
		return fmt.Errorf("%w: the kit is logged in as another account", engine.ErrState)
	}
	renewed := old.login.with(a.Token)
	if err := k.call(ctx, callCheckToken, renewed, nil); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return engine.ErrClosed
	case k.open == nil || k.open.login != old.login:
		return fmt.Errorf("%w: the kit session ended before it was renewed", engine.ErrState)
	}
	k.open = renewed
	return nil
}

// CheckToken asks the kit server whether the token of the account that is
// logged in is still valid. If the server refuses it, CheckToken reports that
// and returns the cause: engine.ErrTokenExpired or engine.ErrTokenRejected. It
// reports an expired token by Notify.Expired, so that it can be renewed. If
// nobody renews it, or if the token was rejected, it reports the login as lost.
// It reports nothing about a token that RenewKit has replaced meanwhile. A server
// that cannot be reached does not end the login. If nobody is logged in,
// CheckToken fails with engine.ErrState.
//
// Call it if the server refuses one of your own requests, or from time to time.
func (k *Kit) CheckToken(ctx context.Context) error {
	s, err := k.session()
	if err != nil {
		return err
	}
	err = k.call(ctx, callCheckToken, s, nil)
	if errors.Is(err, engine.ErrTokenRejected) || errors.Is(err, engine.ErrTokenExpired) {
		k.report(s, err)
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

// report reports that the server refuses the token of s, if s is still open and
// has that token.
func (k *Kit) report(s *session, cause error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open != s {
		return
	}
	n := s.login.notify
	if errors.Is(cause, engine.ErrTokenExpired) && n.Expired != nil && n.Expired(cause) {
		return
	}
	k.open = nil
	if n.Lost != nil {
		n.Lost(cause)
	}
}

// commonHeader returns the headers that the vendor's web kit sends with every
// request: docs/vendor/kits.md#what-the-web-kit-does.
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

// header returns the headers of a request on behalf of s, which may be nil.
func (k *Kit) header(s *session) http.Header {
	h := maps.Clone(k.common) // a shallow copy will do: no value is changed in place
	if s != nil {
		h.Set("user", s.login.user)
		h.Set("token", s.token())
		if s.login.dynamic {
			h.Set("authType", "1")
		}
	}
	return h
}

// call makes the named call on behalf of s, which may be nil.
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

// Close forgets the session and closes the connections, except those of
// Options.HTTPClient. Every later call except LogoutKit fails with
// engine.ErrClosed. Close always returns nil.
func (k *Kit) Close() error {
	k.mu.Lock()
	k.closed, k.checked, k.open = true, nil, nil
	k.mu.Unlock()
	k.closeIdle()
	return nil
}
