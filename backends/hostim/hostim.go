// Package hostim lets an engine use the host's own IM client. Use it in an app
// that drives its IM SDK itself and wants the kit to reuse that login, as
// reuseIM(NIM) and im: nim do on the Web (docs/vendor/guides.md, G12 and G14).
//
//	im := hostim.Wrap(hostim.Client{Init: …, Login: …, Logout: …})
//	e, err := engine.New(engine.Join(im, kit), appKey, &engine.Options{Mode: engine.ReuseIM})
//
// The host keeps its SDK and its callbacks. In ReuseIM, kit logins and kit
// logouts never call the SDK. An app that initialises IM and logs it in and out
// by itself can therefore pass the zero [Client].
//
// # What the host reports
//
// The host calls LoggedIn, LoggedOut and Link from its SDK's callbacks, in the
// order in which the SDK calls back, no matter who asked for the login. Before
// each login of its own it also calls LoggingIn. While that login is in
// progress, an operation that looks for a login waits for it, and the IM undoes
// no login of the engine's, because that would end the host's.
//
// The host may also call LoggingIn for the engine's logins, but need not.
// Calling it for every login protects the host's logins best. If the host
// announces only its own, and one of them begins while a login of the engine's
// is in progress, the IM cannot tell which of the two was announced.
//
// The engine does not notice the host's login at once. The next operation that
// looks for a login finds it: LoginIM and the kit logins look, and InitIM does
// if IM is not initialised yet. If the host logs its SDK out, the engine
// publishes im_lost with engine.ErrIMLoggedOut as the cause.
//
// # Rules for the client
//
// If the client keeps three rules, an [IM] can tell the host's logins from the
// engine's without guessing. An SDK that delivers its callbacks and completions
// one at a time and in order keeps the rules by itself; the Adapter example
// shows how.
//
//   - Client.Login returns once the outcome is certain: nil means that the
//     account is logged in; an error means that it is not, and will not be. If
//     ctx ends first, Login may return the error of ctx at once, or go on until
//     the SDK has decided, since many SDKs cannot cancel.
//   - Client.Logout returns once nobody is logged in and no earlier login can
//     still succeed. It also ends a login in progress.
//   - The host reports the results of these calls before they return, or not at
//     all. If Login returned early because ctx ended, the reports of that login
//     come before the next Logout returns.
//
// # Whose login it is
//
// While a login of the engine's is in progress, the IM counts the first
// LoggingIn, and every report about the same account, as reports about that
// login. If Client.Login then returns engine.ErrIMInUse, they were about the
// host's login after all. All other reports are about the host's logins. When
// in doubt, the IM never takes a login of the engine's for the host's.
//
// The engine's caller never waits longer than its ctx allows. If it gives up a
// login, the IM settles that login in the background: if the login may have
// succeeded, the IM calls Client.Logout, unless the host has reported or
// announced a login of its own. The next call of one of the IM's methods waits
// until the login is settled, or until its own ctx ends. Otherwise only
// [engine.Engine.LogoutIM] ends a login of the host's.
package hostim

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// Client has the functions of a host's IM SDK. The package comment has the
// rules for them. An IM calls one of them at a time, each on a goroutine of its
// own.
type Client struct {
	// Init initialises the SDK. If it is nil, the host does that itself,
	// and IM.InitIM succeeds at once.
	Init func(ctx context.Context, appKey string) error

	// Login logs a in, and returns once the outcome is certain. It returns
	// engine.ErrIMInUse if the host is logged in or about to be. If Login
	// is nil, IM.LoginIM fails with engine.ErrState.
	Login func(ctx context.Context, a engine.IMAccount) error

	// Logout logs out whoever is logged in or logging in, and returns once
	// nobody is. It succeeds if nobody was. If it fails, it is called again
	// before the next login or adoption. If Logout is nil, the calls that
	// need it fail with engine.ErrState.
	Logout func(ctx context.Context) error
}

// IM implements engine.IM, engine.IMAdopter and io.Closer with a host's client.
// Make one with Wrap. It is safe for concurrent use. Several engines may share
// one; each gets the reports about the login that it made or adopted.
type IM struct {
	client Client

	mu      sync.Mutex
	login   *login        // the current login; nil if nobody is logged in
	call    *call         // the call of the client in progress; nil if there is none
	opening chan struct{} // closed once the login that the host announced has succeeded or failed; nil if there is none
	unsure  bool          // an abandoned login may still be there, because its logout failed
}

// A login is the current IM login, the engine's or the host's.
type login struct {
	appKey, accid string
	byEngine      bool // the engine made it
	offline       bool
	notify        []engine.Notify // one from each engine that made or adopted it
}

// undoTimeout limits each step that undoes a login, since no caller's ctx does.
const undoTimeout = 5 * time.Second

// Wrap makes an IM from c, in which nobody is logged in. If somebody is, call
// LoggedIn right after Wrap. Wrap calls no function of c.
func Wrap(c Client) *IM { return &IM{client: c} }

func errMissing(what string) error {
	return fmt.Errorf("%w: the host must %s itself, because its hostim.Client has no function for it", engine.ErrState, what)
}

// InitIM implements engine.IM with Client.Init.
func (im *IM) InitIM(ctx context.Context, appKey string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if im.client.Init == nil {
		return nil
	}
	if err := im.lockIdle(ctx); err != nil {
		return err
	}
	c := im.beginLocked("", "the host's IM client to initialise")
	im.mu.Unlock()
	return im.run(ctx, c, func() { c.ask(func() error { return im.client.Init(ctx, appKey) }) })
}

// LoginIM implements engine.IM with Client.Login. It fails with
// engine.ErrIMInUse if somebody is logged in. If the host has announced a login
// of its own, the SDK decides which of the two comes first. If the login is
// lost before Client.Login returns nil, LoginIM fails with the cause of the
// loss. If ctx ends, LoginIM returns at once; its error wraps the cause of ctx
// and says what LoginIM was waiting for.
//
// If Client.Login panics, LoginIM panics with the same value, unless it has
// already returned because its ctx ended.
func (im *IM) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	if im.client.Login == nil {
		return errMissing("log IM in")
	}
	if err := im.lockReady(ctx); err != nil {
		return err
	}
	if l := im.login; l != nil {
		im.mu.Unlock()
		return fmt.Errorf("%w: as %s", engine.ErrIMInUse, l.accid)
	}
	c := im.beginLocked(strings.ToLower(a.Accid), "the host's IM client to log in")
	c.appKey = a.AppKey
	im.mu.Unlock()
	return im.run(ctx, c, func() {
		c.ask(func() error { return im.client.Login(ctx, a) })
		if im.decide(ctx, c, n) {
			im.undo(ctx)
		}
	})
}

// LogoutIM implements engine.IM with Client.Logout. It does not call
// Client.Logout if nobody is logged in or about to be. Other engines that have
// adopted the login lose it, with engine.ErrIMLoggedOut as the cause.
func (im *IM) LogoutIM(ctx context.Context) error {
	if err := im.lockIdle(ctx); err != nil {
		return err
	}
	if im.login == nil && im.opening == nil && !im.unsure {
		im.mu.Unlock()
		return nil
	}
	return im.logoutLocked(ctx)
}

// AdoptIM implements engine.IMAdopter. It returns the account that the host
// reported as logged in, without a token, or an empty account if there is none.
// If the host has announced a login, AdoptIM waits for it. If ctx ends first,
// the error wraps its cause and says what AdoptIM was waiting for.
//
// The IM keeps n until the login ends, because it cannot tell when an engine
// was closed. So a closed engine stays in memory as long as the login that it
// adopted.
func (im *IM) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	for {
		if err := im.lockReady(ctx); err != nil {
			return engine.IMAccount{}, err
		}
		opening := im.opening
		if opening == nil {
			break
		}
		im.mu.Unlock()
		if err := await(ctx, opening, "the host's own IM login to finish"); err != nil {
			return engine.IMAccount{}, err
		}
	}
	defer im.mu.Unlock()
	l := im.login
	if l == nil || l.byEngine {
		return engine.IMAccount{}, nil
	}
	l.notify = append(l.notify, n)
	if l.offline && n.Link != nil {
		n.Link(false)
	}
	return engine.IMAccount{AppKey: l.appKey, Accid: l.accid}, nil
}

// Close waits up to 5 s for a login or logout that an engine gave up. It does
// not touch any other login, and the IM remains usable afterwards.
//
// If a function of the client has not returned by then, Close fails. The
// goroutine that runs the function stays, and settles the login once the
// function returns.
func (im *IM) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), undoTimeout)
	defer cancel()
	if im.hasWaiter() {
		return nil
	}
	err := im.lockReady(ctx)
	if err == nil {
		im.mu.Unlock()
	}
	return err
}

// hasWaiter reports whether a caller is waiting for the call in progress.
func (im *IM) hasWaiter() bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.call != nil && !im.call.abandoned
}

// await waits until c is closed, and fails if ctx ends first.
func await(ctx context.Context, c <-chan struct{}, what string) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
	}
}

// lockIdle locks mu once no call of the client is in progress. If it fails, mu
// is not locked.
func (im *IM) lockIdle(ctx context.Context) error {
	for {
		im.mu.Lock()
		c := im.call
		if c == nil {
			return nil
		}
		im.mu.Unlock()
		if err := await(ctx, c.settled, c.what); err != nil {
			return err
		}
	}
}

// lockReady locks mu once it is certain who is logged in: the client is idle,
// and no abandoned login is left. If it fails, mu is not locked.
func (im *IM) lockReady(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := im.lockIdle(ctx); err != nil {
			return err
		}
		if !im.unsure || im.occupiedLocked() {
			return nil
		}
		if err := im.logoutLocked(ctx); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}
