// Package hostim makes the host's own IM client the IM role of an engine. It is
// for an app that drives its IM SDK itself, and wants the kit to reuse that
// login: what reuseIM(NIM) and im: nim are on the Web, in Go.
//
//	im := hostim.Wrap(hostim.Client{Init: …, Login: …, Logout: …})
//	e, err := engine.New(engine.Join(im, kit), appKey, &engine.Options{Mode: engine.ReuseIM})
//
// The host keeps its callbacks. In each, it also tells the [IM] what happened:
// LoggingIn, LoggedIn, LoggedOut, Link. It does so whoever asked for the login,
// the host or the engine: the IM tells them apart. In reuse nothing of the
// host's SDK is called, so an app that only reuses may pass the zero Client.
//
// Reports have no number that says which login they are about. What the IM goes
// by is their order, which is the SDK's, and LoggingIn: a login of the engine's
// that was given up may come true late, and what tells such a report from
// a login of the host's is that the host said LoggingIn first. Where reports
// stay in doubt, the engine's own login is never taken for the host's.
package hostim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// Client is what a host's IM SDK must be able to do. Each function returns when
// ctx ends. A nil one means that the host alone does it: what needs it then
// fails with engine.ErrState.
type Client struct {
	Init   func(ctx context.Context, appKey string) error
	Login  func(ctx context.Context, a engine.IMAccount) error // on failure, nobody is logged in; engine.ErrIMInUse: but somebody else is
	Logout func(ctx context.Context) error                     // nobody being logged in is fine
}

// IM is an engine.IM, an engine.IMAdopter and an io.Closer over a host's client. Make one
// with Wrap. It is safe for concurrent use.
type IM struct {
	client Client

	mu      sync.Mutex
	login   *login        // who is logged in; nil: nobody
	asked   *login        // the engine's, while Client.Login has not returned
	leaving *login        // the engine's, while Client.Logout has not returned
	landing chan struct{} // closed when the login that LoggingIn announced is decided; nil: none is in flight
	stray   bool          // somebody may be logged in whom neither host nor engine wants
	ghost   string        // the accid of a login that the engine gave up, which may come true all the same

	confirms bool // the SDK was seen to report what the engine asked for
	owed     bool // so it will report a logout that it has not reported yet
}

type login struct {
	appKey, accid string
	mine          bool // the engine asked for it
	seen          bool // the SDK has reported it
	confirmed     bool // IM.confirms, before it was asked for
	offline       bool
	out           bool  // while leaving: LoggedOut was reported
	cause         error // of its end; nil while it holds
	notify        engine.Notify
}

// Wrap makes an IM of a client in which nobody is logged in. For one that is
// logged in already, call LoggedIn right after. It calls nothing of c.
func Wrap(c Client) *IM { return &IM{client: c} }

func mustDo(what string) error {
	return fmt.Errorf("%w: the host must %s, its hostim.Client cannot", engine.ErrState, what)
}

func inUse(accid string) error { return fmt.Errorf("%w: as %s", engine.ErrIMInUse, accid) }

// InitIM implements engine.IM with Client.Init.
func (im *IM) InitIM(ctx context.Context, appKey string) error {
	if im.client.Init == nil {
		return mustDo("initialise IM, or log it in,")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return im.client.Init(ctx, appKey)
}

// LoginIM implements engine.IM with Client.Login. What Client.Login returns
// counts, whether or not the SDK reports anything. If the login is lost before
// that, the error is why. If it fails because ctx ended, its outcome is not known,
// and Client.Logout is called.
func (im *IM) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	if im.client.Login == nil {
		return mustDo("log IM in")
	}
	if err := im.dropStray(ctx); err != nil {
		return err
	}
	l := &login{appKey: a.AppKey, accid: strings.ToLower(a.Accid), mine: true, notify: n}
	im.mu.Lock()
	if im.login != nil {
		defer im.mu.Unlock()
		return inUse(im.login.accid)
	}
	im.asked, im.ghost, l.confirmed = l, "", im.confirms
	im.mu.Unlock()

	defer im.forget(l)
	err, unwanted := im.decide(ctx, l, im.client.Login(ctx, a))
	if unwanted {
		im.logoutUnwanted(ctx)
	}
	return err
}

// decide settles l, of which Client.Login returned err, and reports whether
// somebody has to be logged out: the outcome is not known, or the SDK has
// a login that failed.
func (im *IM) decide(ctx context.Context, l *login, err error) (_ error, unwanted bool) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if l.cause != nil {
		return l.cause, im.stray
	}
	if err == nil {
		im.login, im.asked = l, nil
		return nil, false
	}
	l.cause = err
	if errors.Is(err, engine.ErrIMInUse) { // the host was faster
		if l.seen { // and what was reported is its login
			im.login = &login{appKey: l.appKey, accid: l.accid, seen: true, offline: l.offline}
			im.confirms = l.confirmed
		}
		return err, false
	}
	gaveUp := ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if gaveUp {
		im.ghost = l.accid
	}
	im.stray = gaveUp || l.seen
	return err, im.stray
}

// forget ends the asking for l. If nothing was decided, Client.Login panicked,
// and nobody knows.
func (im *IM) forget(l *login) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.asked == l {
		im.asked = nil
		im.stray = im.stray || l.cause == nil
	}
}

// LogoutIM implements engine.IM with Client.Logout, which it does not call
// where nobody is logged in. If Client.Logout fails, it is called once more
// before the next login or adoption.
func (im *IM) LogoutIM(ctx context.Context) error { return im.logout(ctx, false) }

// logout logs out who is there, or only one whom nobody wants.
func (im *IM) logout(ctx context.Context, onlyStray bool) error {
	im.mu.Lock()
	l := im.login
	if l == nil && !im.stray || l != nil && onlyStray {
		im.mu.Unlock()
		return nil
	}
	if im.client.Logout == nil {
		defer im.mu.Unlock()
		if l != nil && l.mine {
			im.login, im.stray = nil, true // the next login says so again
		}
		return mustDo("log IM out")
	}
	im.login, im.leaving = nil, l
	im.mu.Unlock()

	err := errLogoutPanicked
	defer func() { im.left(l, err) }()
	err = im.client.Logout(ctx)
	return err
}

var errLogoutPanicked = errors.New("the host's Logout panicked")

// left settles what Client.Logout returned.
func (im *IM) left(l *login, err error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.leaving = nil
	im.stray = err != nil && im.login == nil
	if l == nil {
		return
	}
	im.owed = !l.out && (im.confirms || l.seen)
	if l.mine && !l.seen && im.confirms {
		im.ghost = l.accid // its own report is still to come
	}
}

// logoutTimeout bounds the logout after a login whose caller gave up.
const logoutTimeout = 5 * time.Second

// logoutUnwanted logs out after a login that failed. If that fails too, it is
// tried again before the next login.
func (im *IM) logoutUnwanted(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutTimeout)
	defer cancel()
	_ = im.logout(ctx, true)
}

// dropStray logs out whom nobody wants.
func (im *IM) dropStray(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return im.logout(ctx, true)
}

// Close logs out a login that the engine gave up, if it has come true all the
// same. Who else is logged in stays so.
func (im *IM) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), logoutTimeout)
	defer cancel()
	return im.logout(ctx, true)
}

// AdoptIM implements engine.IMAdopter: the login that the host reported, with
// an empty token, or nobody. It waits for one that LoggingIn announced.
func (im *IM) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	if err := im.dropStray(ctx); err != nil {
		return engine.IMAccount{}, err
	}
	for {
		a, landing := im.adopt(n)
		if landing == nil {
			return a, nil
		}
		select {
		case <-landing:
		case <-ctx.Done():
			return engine.IMAccount{}, context.Cause(ctx)
		}
	}
}

// adopt returns the host's login, or what to wait for.
func (im *IM) adopt(n engine.Notify) (engine.IMAccount, <-chan struct{}) {
	im.mu.Lock()
	defer im.mu.Unlock()
	l := im.login
	if l == nil {
		return engine.IMAccount{}, im.landing
	}
	if l.mine {
		return engine.IMAccount{}, nil
	}
	l.notify = n
	if l.offline && n.Link != nil {
		n.Link(false)
	}
	return engine.IMAccount{AppKey: l.appKey, Accid: l.accid}, nil
}
