package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// This file has the methods that a host calls: New and the operations, each
// with the conditions that it checks before its first step.

// Options configure an Engine. The zero value is ready to use.
type Options struct {
	Mode   Mode         // who logs IM in; the default is AutoDetect
	Logger *slog.Logger // gets an Info line per transition and a Warn per failed operation; nil logs nothing

	// Trace is called before each call of the backend, with the name of the
	// method. The backend gets the context that Trace returns; the function
	// that Trace returns is called with the backend's result. nil disables
	// tracing. Calls of KitToken and IMToken are traced in the same way.
	//
	// Trace and Logger are called in the middle of operations. They may
	// call Status, but must not call an operation: it would wait for
	// itself. With KitToken or IMToken, they may be called from several
	// goroutines at once.
	//
	// If Trace, the function it returned, Logger, or a method of an
	// operation's ctx panics, the engine finishes the operation as if that
	// call had returned. If Trace panicked, the backend is called without
	// it. A ctx whose Done or Err panics counts as canceled. Once its work
	// is done or undone, the operation panics with the value of the first
	// panic. If a hook panics while the engine applies a loss by itself,
	// there is no caller to panic in, so the engine only logs the panic, at
	// level Error.
	//
	// If Trace or Logger calls runtime.Goexit, a login is undone, and a
	// logout or Close is completed, without calling either of them again.
	Trace func(ctx context.Context, call string) (context.Context, func(error))

	// RequireOnline makes kit logins fail with ErrIMNotLoggedIn if the link
	// of the IM login that they would reuse is down, as the vendor's web
	// kit does. Without it such a login is reused, and Status.Online is
	// false.
	RequireOnline bool

	// SecondaryProcess says that this is not the app's main process. IM may
	// be initialised only in the main process (docs/vendor/guides.md, G17),
	// so InitIM, LoginIM and the kit logins fail with ErrSecondaryProcess.
	// New, Status, Watch, the logouts and Close work.
	SecondaryProcess bool

	// KitToken and IMToken fetch a token, for example from the app server,
	// a keyring or a file. If KitToken is set, a KitAccount needs no Token;
	// if IMToken is set, an IMAccount needs none. A token that the host gave
	// is used as it is: if the server refuses it, no other is fetched.
	// IMToken is also called if the kit server has no token for the bound
	// IM account, or one that IM refuses.
	//
	// refused is the token that was refused or has run out, or "". If the
	// server refuses a fetched token, the engine fetches one more. The ctx
	// is the operation's, and an error is in the chain of the operation's
	// error. If the function panics or returns no usable token, the
	// operation fails.
	//
	// KitToken also renews a token that runs out during a login, if the
	// backend is a KitRenewer, whoever gave that token. Then it is called on
	// a goroutine of the engine, with a ctx that ends only with the login,
	// so it must limit its own time. If it fails, it is called again after
	// a pause: up to 1 s at first, up to 60 s later. IMToken is also called
	// on a goroutine of the backend, for an IM SDK that asks for a token
	// when it reconnects. So both must be safe for concurrent use. They may
	// call Status, but no operation.
	KitToken func(ctx context.Context, userUUID, refused string) (string, error)
	IMToken  func(ctx context.Context, accid, refused string) (string, error)
}

// An Engine takes one IM login and one kit login through their lifecycle. Make
// one with New, and call Close when you are done with it. It is safe for
// concurrent use: operations take turns in the order in which they were called,
// and Status never waits.
//
// The operations are InitIM, LoginIM, LoginKit, LoginAnonymous, RenewKit,
// KeepKit, LogoutKit, LogoutIM and Close. An operation names the state that the
// host wants; if the engine is already there, it does nothing and succeeds.
// Every error is an *Error. A bad argument fails with ErrArgument before
// anything is sent.
//
// InitIM and the logins stop when their ctx ends; undoing what they did can
// then take up to 5 s for each step. The ctx of a logout only limits how long
// it waits for its turn. If a deadline stopped an operation, the error matches
// both ErrUnavailable and context.DeadlineExceeded, and says what the operation
// was waiting for. The error of a cancellation has no Code. In both cases the
// cause of the ctx is in the error's chain.
//
// If the backend is an IMAdopter, the host may also log its IM SDK in and out
// itself, behind the engine's back. The engine finds such a login only when an
// operation looks for one: LoginIM, LoginKit and LoginAnonymous look unless the
// engine already knows of an IM login, and InitIM looks only in Uninitialized.
// Until then Status does not show the login. Once it has found the login, the
// engine learns of the host's own logout at once, as TriggerIMLost.
type Engine struct {
	// Constant after New.
	backend       Backend
	appKey        string
	log           *slog.Logger
	trace         traceFunc
	kitToken      tokenFunc // nil if the host has none
	imToken       tokenFunc // the same
	mode          Mode
	requireOnline bool
	secondary     bool

	// op has one slot. Only its holder calls the backend and touches
	// Status.Floor and the fields that follow. It is a channel so that
	// waiting for it can end with a ctx.
	op            chan struct{}
	machine       machine
	im, kit       *login // nil: nobody is logged in
	backendClosed bool   // the backend's Close was called

	lossWaits  atomic.Bool            // losses has an entry; stored under mu
	status     atomic.Pointer[Status] // stored under mu
	background sync.WaitGroup         // the goroutines that apply a loss or renew a token

	// mu protects the fields that follow. It is taken after op; lostLocked
	// tries to take op while it holds mu, but does not wait for it. mu is
	// never held during a call out of this package.
	mu         sync.Mutex
	watchers   []chan *Status
	losses     []*login      // reported, but not applied yet
	line       *waiter       // the first of those that wait for op
	climbing   []*operation  // operations that wait or run, and can be interrupted
	running    *operation    // the one of them that holds op
	descending []*operation  // logouts that wait for their turn
	kept       *kept         // the account that KeepKit keeps logged in; nil: none
	closing    chan struct{} // set once Close was called, so nothing climbs any more; closed when Close is done
	closed     bool          // the status no longer changes
}

type traceFunc = func(ctx context.Context, call string) (context.Context, func(error))

// New makes an engine over b, for the app that appKey names. It calls no method
// of b. If New succeeds, the engine owns b and closes it. A nil o means the
// zero Options. New fails with ErrArgument if b is nil, appKey is empty, not
// UTF-8 or has a control character, or o.Mode is not a mode.
func New(b Backend, appKey string, o *Options) (*Engine, error) {
	if o == nil {
		o = &Options{}
	}
	if err := checkNew(b, appKey, o); err != nil {
		return nil, &Error{Op: "New", Err: err}
	}
	e := &Engine{
		backend: b, appKey: appKey, mode: o.Mode, log: o.Logger, trace: o.Trace,
		kitToken: o.KitToken, imToken: o.IMToken, requireOnline: o.RequireOnline, secondary: o.SecondaryProcess,
		op: make(chan struct{}, 1), machine: newMachine(engineEvents()),
	}
	if e.log == nil {
		e.log = silent
	}
	e.status.Store(zeroStatus)
	return e, nil
}

var silent = slog.New(slog.DiscardHandler)

func checkNew(b Backend, appKey string, o *Options) error {
	if b == nil {
		return argument("backend is nil")
	}
	if err := checkText("appKey", appKey); err != nil {
		return err
	}
	if _, err := o.Mode.MarshalText(); err != nil {
		return err
	}
	return nil
}

// InitIM initialises IM. If the engine is Uninitialized and the host has logged
// IM in behind its back, InitIM adopts that login, and the state is IMLoggedIn.
// From IMInitialized up, InitIM does nothing.
//
// If ctx ends during the call, InitIM fails, but IM may stay initialised. Only
// Close undoes that.
func (e *Engine) InitIM(ctx context.Context) error {
	return e.climb(ctx, "InitIM", IMInitialized, "", nil, func(o *operation) error {
		if e.state() >= IMInitialized {
			return nil
		}
		if err := o.adopt(); err != nil || e.state() >= IMInitialized {
			return err
		}
		return o.initIM()
	})
}

// LoginIM logs IM in as a, for the host: a kit logout leaves that login alone.
// If a is already logged in, through the engine or behind its back, LoginIM
// succeeds.
//
// It fails with ErrIMInUse if another account is logged in, or if the kit is
// logged in over an IM login that the engine made for it; with ErrState before
// InitIM; with ErrAppKeyMismatch if a belongs to another app; and with the
// errors of Options.IMToken and of the backend's LoginIM.
func (e *Engine) LoginIM(ctx context.Context, a IMAccount) error {
	return e.climb(ctx, "LoginIM", IMLoggedIn, a.Token, a.check(e.imToken != nil), func(o *operation) error {
		if k := e.appKeyOf(a); k != e.appKey {
			return fmt.Errorf("%w: the engine uses %q, the account belongs to %q", ErrAppKeyMismatch, e.appKey, k)
		}
		if err := o.adopt(); err != nil {
			return err
		}
		switch s := e.Status(); {
		case s.State >= IMLoggedIn && (fold(e.im.id) != fold(a.Accid) || e.im.appKey != e.appKey):
			return fmt.Errorf("%w: as %s", ErrIMInUse, s.Accid)
		case s.State == KitLoggedIn && s.Floor < IMLoggedIn:
			return fmt.Errorf("%w: by the engine, for the kit", ErrIMInUse)
		case s.State >= IMLoggedIn:
			return nil
		case s.State == Uninitialized:
			return fmt.Errorf("%w: IM is not initialised; call InitIM first", ErrState)
		}
		return o.loginIM(a, a.Token != "")
	})
}

// LoginKit logs the kit in as a. It logs IM in first if the mode asks for that.
// If LoginKit fails, it undoes what it did and leaves what it found. If a is
// already logged in, LoginKit succeeds without checking its token.
//
// Depending on the mode, it fails with ErrIMNotLoggedIn (100004),
// ErrIMAccountMismatch (100005, a *MismatchError) or ErrIMInUse. It fails with
// ErrKitInUse if another account is logged in to the kit; with
// ErrTokenRejected, ErrTokenExpired or ErrNoIMAccount if the kit server says
// so; with ErrAppKeyMismatch (a *MismatchError) if the bound IM account belongs
// to another app; with ErrInterrupted if a logout or Close ends it; with the
// cause of the loss if the IM login is lost meanwhile; and with the other
// errors of the backend, of Options.KitToken and of IMToken.
func (e *Engine) LoginKit(ctx context.Context, a KitAccount) error {
	return e.climb(ctx, "LoginKit", KitLoggedIn, a.Token, a.check(e.kitToken != nil), func(o *operation) error {
		return o.loginKitAs(a, "")
	})
}

// loginKitAs does the work of LoginKit, and of one try of KeepKit, once the turn
// has come. refused is a token of a that has run out.
func (o *operation) loginKitAs(a KitAccount, refused string) error {
	e := o.e
	if s := e.status.Load(); s.State == KitLoggedIn {
		if s.Anonymous || s.UserUUID != fold(a.UserUUID) {
			return ErrKitInUse
		}
		return nil
	}
	if err := o.adopt(); err != nil {
		return err
	}
	reuse, err := e.mode.reuse(e.hostLoggedIn())
	if err != nil {
		return err
	}
	return o.climbToKit(a, refused, reuse, false)
}

// LoginAnonymous logs the kit in with a temporary account, over a temporary IM
// login. If an anonymous login is already there, it succeeds.
//
// It fails with ErrReuseNoAnonymous (112001) in ReuseIM, and in AutoDetect if
// the host has logged IM in; with ErrIMInUse in AutoLogin if the host has
// logged IM in; with ErrKitInUse if the kit is logged in with an account; with
// errors.ErrUnsupported if the backend has no temporary accounts; and otherwise
// like LoginKit.
func (e *Engine) LoginAnonymous(ctx context.Context) error {
	return e.climb(ctx, "LoginAnonymous", KitLoggedIn, "", nil, func(o *operation) error {
		if s := e.Status(); s.State == KitLoggedIn {
			if !s.Anonymous {
				return ErrKitInUse
			}
			return nil
		}
		if err := o.adopt(); err != nil {
			return err
		}
		if err := e.mode.anonymous(e.hostLoggedIn()); err != nil {
			return err
		}
		var a KitAccount
		err := o.try("Anonymous", func(ctx context.Context) (err error) {
			a, err = e.backend.Anonymous(ctx)
			return err
		})
		o.keepSecret(a.Token)
		if err := o.outcome("Anonymous", err); err != nil {
			return err
		}
		if a.UserUUID == "" {
			return fmt.Errorf("%w: the kit server returned a temporary account without a userUuid", ErrUnavailable)
		}
		return o.climbToKit(a, "", false, true)
	})
}

func (e *Engine) hostLoggedIn() bool { return e.floor() >= IMLoggedIn }

// LogoutKit logs the kit out, and also IM if the engine logged it in. It ends a
// kit login in progress, which then fails with ErrInterrupted.
//
// Once its turn has come, LogoutKit always takes effect: an error of the
// backend is returned, but the engine steps down all the same. ctx only limits
// how long LogoutKit waits for its turn. Each call of the backend then has 5
// seconds.
func (e *Engine) LogoutKit(ctx context.Context) error {
	return e.logout(ctx, "LogoutKit", KitLoggedIn, e.floor)
}

// LogoutIM logs the kit out, and then IM, no matter who logged IM in. It ends
// an IM or kit login in progress. Otherwise it works like LogoutKit.
func (e *Engine) LogoutIM(ctx context.Context) error {
	return e.logout(ctx, "LogoutIM", IMLoggedIn, func() State { return IMInitialized })
}

// Close logs out the kit and IM, and closes the backend. An IM login that the
// host made behind the engine's back stays. Close ends every login in progress.
// It waits for the backend call in progress, however long that takes, and for
// the engine's goroutines. Errors of the backend are returned, but do not stop
// Close. A second Close waits for the first and returns nil.
func (e *Engine) Close() error {
	e.mu.Lock()
	if done := e.closing; done != nil {
		e.mu.Unlock()
		<-done
		return nil
	}
	done := make(chan struct{})
	e.closing = done
	climbing := slices.Clone(e.climbing)
	e.mu.Unlock()
	interrupt(climbing, IMInitialized)
	o := e.newOperation(context.Background(), "Close", Uninitialized)
	return o.start(nil, func() error { return o.close(done) })
}

func (o *operation) close(done chan<- struct{}) error {
	defer close(done)
	defer o.e.background.Wait()
	_ = o.acquire() // its ctx never ends
	return o.hold(func() error {
		o.began = o.e.state()
		return o.shutDown()
	}, func() { _ = o.shutDown() })
}
