// Package hostim makes the host's own IM client the IM role of an engine. Use
// it in an app that drives its IM SDK itself and wants the kit to reuse that
// login: what reuseIM(NIM) and im: nim do on the Web, in Go.
//
//	im := hostim.Wrap(hostim.Client{Init: …, Login: …, Logout: …})
//	e, err := engine.New(engine.Join(im, kit), appKey, &engine.Options{Mode: engine.ReuseIM})
//
// The host keeps its SDK and its callbacks. In reuse the engine calls nothing
// of the SDK, so an app that only reuses passes the zero [Client].
//
// # What the host reports
//
// From its SDK's callbacks the host calls LoggedIn, LoggedOut and Link, in the
// order in which the SDK calls back, whoever asked for the login. Before each
// login of its own it also calls LoggingIn, so that the engine waits for that
// login and does not log out while it is opening. It may call LoggingIn for the
// engine's logins too, or never. To call it for every login protects the host's
// best: if the host announces only its own, and one of them begins while
// a login of the engine's is still open, the IM cannot tell whose it is.
//
// The engine does not notice the host's own login by itself. It finds the login
// in the next operation that looks: LoginIM and the kit logins do, and InitIM
// does if IM is not initialised yet. If the host logs its SDK out, the engine
// publishes im_lost with engine.ErrIMLoggedOut as the cause.
//
// # What the client owes
//
// Three rules let an [IM] tell the host's logins from the engine's without
// guessing. An SDK that calls back one at a time and in order, completions
// included, keeps them as a matter of course; the example of an adapter shows
// how.
//
//   - Client.Login returns when the login is decided: nil means that the account
//     is logged in, an error that it is not and will not be. If ctx ends first,
//     Login may return the error of ctx at once, or go on until the SDK has
//     decided; many SDKs cannot cancel.
//   - Client.Logout returns when nobody is logged in and nothing that was asked
//     for before can still succeed. It also ends a login that is opening.
//   - Whatever these calls led to is reported before they return, or not at all.
//     If Login returned early, its reports come before the next Logout returns.
//
// # Whose a login is
//
// While a login of the engine's is not settled, reports about its account, and
// the first LoggingIn, are about that login, and what Client.Login returns
// decides. Everything else that is reported is the host's.
//
// The engine's caller never waits for longer than its ctx. The login that it
// gave up is settled in the background: where it may have succeeded, by one
// Client.Logout, unless the host has reported or announced a login of its own.
// The next LoginIM, AdoptIM, LogoutIM or Close waits for that, within its ctx.
// Otherwise only [engine.Engine.LogoutIM] ends a login of the host's.
package hostim

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// Client is what a host's IM SDK must be able to do; the package comment has
// the rules. An IM calls one of its functions at a time, Login and Logout on
// goroutines of their own.
type Client struct {
	// Init initialises the SDK. If it is nil, the host does that itself, and
	// InitIM succeeds at once.
	Init func(ctx context.Context, appKey string) error

	// Login logs a in, and returns when that is decided. It returns
	// engine.ErrIMInUse if the host is logged in or about to be. If it is nil,
	// LoginIM fails with engine.ErrState.
	Login func(ctx context.Context, a engine.IMAccount) error

	// Logout logs out whoever is logged in or logging in, and returns when
	// nobody is. It succeeds if nobody was. If it fails, it is called again
	// before the next login or adoption. If it is nil, what needs it fails with
	// engine.ErrState.
	Logout func(ctx context.Context) error
}

// IM is an engine.IM, an engine.IMAdopter and an io.Closer over a host's
// client. Make one with Wrap. It is safe for concurrent use, and several
// engines may share it: each hears of the loss and the link of the login that
// it made or adopted.
type IM struct {
	client Client

	mu      sync.Mutex
	login   *login        // who is logged in; nil: nobody
	call    *call         // the client's function that is not settled; nil: none
	opening chan struct{} // closed when the login that the host announced is decided; nil: none
	unsure  bool          // a login that nobody holds may be there, because it was not logged out
}

// A login is one that is there.
type login struct {
	appKey, accid string
	byEngine      bool // the engine made it
	offline       bool
	notify        []engine.Notify // of everyone who made or adopted it
}

// undoTimeout bounds each step that undoes a login, as no caller's ctx does.
const undoTimeout = 5 * time.Second

// Wrap makes an IM of a client in which nobody is logged in. For one that is
// logged in already, call LoggedIn right after. Wrap calls nothing of c.
func Wrap(c Client) *IM { return &IM{client: c} }

func errMissing(what string) error {
	return fmt.Errorf("%w: the host must %s, its hostim.Client cannot", engine.ErrState, what)
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
// of its own, the SDK decides which comes first. If the login was lost before
// Client.Login returned nil, the error is the cause of the loss. If ctx ends,
// LoginIM returns at once, with an error that wraps the cause of ctx and says
// what it was waiting for.
//
// A panic of Client.Login is LoginIM's, unless its ctx has ended by then.
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

// LogoutIM implements engine.IM with Client.Logout, which it does not call if
// nobody is logged in or about to be. Other engines that have adopted the login
// lose it with engine.ErrIMLoggedOut.
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

// AdoptIM implements engine.IMAdopter: it returns the login that the host
// reported, with an empty token, or nobody. It waits for a login that the host
// has announced. If ctx ends first, the error wraps its cause and says what
// AdoptIM was waiting for.
//
// The IM keeps n until the login ends, as it cannot tell when an engine has
// closed. That costs some hundred bytes for each engine that adopts the same
// login, and what the engine itself holds; an engine adopts a login once.
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
		if err := await(ctx, opening, "the host's IM login that is in flight"); err != nil {
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

// Close waits at most 5 s until a login or logout that an engine gave up is
// settled. It touches no other login, and the IM can be used afterwards.
//
// If Close fails because the client's function has not returned, the goroutine
// that runs it is left. It settles the login when the function returns.
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

// hasWaiter reports whether the call in flight has a caller who waits for it.
func (im *IM) hasWaiter() bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.call != nil && !im.call.abandoned
}

// await waits for c to be closed, or fails when ctx ends first.
func await(ctx context.Context, c <-chan struct{}, what string) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
	}
}

// lockIdle locks mu once no call of the client is in flight. If it fails, mu is
// not locked.
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

// lockReady locks mu once it is clear who is logged in: the client is idle, and
// no login is left that nobody holds.
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
