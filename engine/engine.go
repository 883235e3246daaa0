package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// This file has what a host calls: New and the operations, each with the
// conditions that it checks before it takes a step.

// Options are what a host may choose. The zero value is useful.
type Options struct {
	Mode   Mode         // who logs IM in; AutoDetect
	Logger *slog.Logger // an Info line per transition, a Warn per failed operation; nil: silent

	// Trace is called around each call of the backend, with the name of its
	// method; the context it returns is what the backend gets, and the
	// function is called with what the backend returned. nil: none.
	//
	// Trace and Logger are called in the middle of operations: they may call
	// Status, but no operation, which would wait for itself.
	//
	// If Trace, the function that it returned, Logger, or a method of the ctx
	// of an operation panics, the engine goes on as if it had returned: a call
	// whose Trace panicked is made without it, a login stands or is undone by
	// its own result, and Close closes everything. (A ctx whose Done or Err
	// panics counts as canceled.) The operation then panics with the first such
	// value, as its last act. A loss that is applied while no operation runs
	// has no caller, so the panic is logged as an Error and goes no further.
	// After runtime.Goexit in Trace or Logger, a login is undone, and a logout
	// or Close is completed, without calling them again.
	Trace func(ctx context.Context, call string) (context.Context, func(error))

	// RequireOnline refuses to reuse an IM login whose link is down, with
	// ErrIMNotLoggedIn, as the vendor's web kit does. Without it such a login
	// is reused, and Status.Online is false.
	RequireOnline bool

	// SecondaryProcess says that this is not the app's main process, the only
	// one in which IM may be initialised (guides.md G17). InitIM, LoginIM and
	// the kit logins are refused with ErrSecondaryProcess; New, Status, Watch,
	// the logouts and Close work.
	SecondaryProcess bool
}

// An Engine takes one IM login and one kit login through their lifecycle. Make
// one with New, and Close it. It is safe for concurrent use: operations take
// turns, in the order in which they were called; Status and Watch wait for
// nobody.
//
// Every error of an operation is an *Error. Operations name the state that the
// host wants: what is so already succeeds and does nothing. A bad argument is
// ErrArgument, before anything was sent.
//
// An operation ends with its ctx; undoing what it did may then take 5 s more for
// each step. If a deadline ended it, the error is ErrUnavailable as well as
// context.DeadlineExceeded, and says what it was waiting for. A cancellation has
// no Code. In both cases the cause of the ctx is in the chain.
//
// The host may also log its IM SDK in and out itself, behind the engine's back,
// if the backend is an IMAdopter. The engine does not see such a login until an
// operation looks for one: InitIM, LoginIM, LoginKit and LoginAnonymous do,
// while no IM login is known. Until then Status does not show it. From then on,
// the host's own logout arrives at once, as TriggerIMLost.
type Engine struct {
	// Constant after New.
	backend       Backend
	adopter       IMAdopter // nil where the backend is none
	appKey        string
	mode          Mode
	log           *slog.Logger
	trace         traceFunc
	requireOnline bool
	secondary     bool

	// op has one slot. Its holder alone calls the backend and touches the
	// following fields and Status.Floor. A channel, so that waiting for it
	// honours ctx.
	op            chan struct{}
	machine       machine
	im, kit       *login // nil: nobody is logged in
	backendClosed bool   // Close was called

	status   atomic.Pointer[Status] // stored under mu
	applying sync.WaitGroup         // the goroutine that applies a loss

	// mu protects the following fields. It is taken after op; lostLocked only
	// tries to take op under mu, and does not wait for it. It is held across no
	// call out of this package.
	mu         sync.Mutex
	watchers   []chan *Status
	losses     []*login      // reported, and not dealt with
	climbing   []*operation  // that wait or run, and can be interrupted
	running    *operation    // the one of them that holds op
	descending []*operation  // logouts that wait for their turn
	closing    chan struct{} // not nil: nothing climbs any more; closed when Close is done
	closed     bool          // nothing changes any more
}

type traceFunc = func(ctx context.Context, call string) (context.Context, func(error))

// New makes an engine over b, for the app that appKey names. It calls nothing of b but
// finds out whether b is an IMAdopter. The engine owns b from here on, and
// closes it. It fails with ErrArgument where b is nil, appKey is empty or
// o.Mode is no mode. A nil o means the zero Options.
func New(b Backend, appKey string, o *Options) (*Engine, error) {
	if o == nil {
		o = &Options{}
	}
	if err := checkNew(b, appKey, o); err != nil {
		return nil, &Error{Op: "New", Err: err}
	}
	e := &Engine{
		backend: b, appKey: appKey, mode: o.Mode, log: o.Logger, trace: o.Trace,
		requireOnline: o.RequireOnline, secondary: o.SecondaryProcess,
		op: make(chan struct{}, 1), machine: newMachine(engineEvents()),
	}
	e.adopter, _ = b.(IMAdopter)
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

// InitIM initialises IM. If the host has logged IM in behind the engine's back,
// InitIM takes that login over, and the state is IMLoggedIn: call it to let
// Status and Watch show a login that the host has just made. A ctx that ends
// in the middle fails the call, but IM may stay initialised: that is never
// undone, except by Close.
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
// If a is logged in already, through the engine or behind its back, it succeeds.
// Errors: ErrIMInUse where another account is logged in, or the kit is logged in
// over an IM login that the engine made; ErrState before InitIM;
// ErrAppKeyMismatch; and what the backend's LoginIM fails with.
func (e *Engine) LoginIM(ctx context.Context, a IMAccount) error {
	return e.climb(ctx, "LoginIM", IMLoggedIn, a.Token, a.check(), func(o *operation) error {
		if k := e.appKeyOf(a); k != e.appKey {
			return fmt.Errorf("%w: the engine is for %q, the account of %q", ErrAppKeyMismatch, e.appKey, k)
		}
		if err := o.adopt(); err != nil {
			return err
		}
		switch s := e.Status(); {
		case s.State >= IMLoggedIn && (e.im.accid != fold(a.Accid) || e.im.appKey != e.appKey):
			return fmt.Errorf("%w: as %s", ErrIMInUse, s.Accid)
		case s.State == KitLoggedIn && s.Floor < IMLoggedIn:
			return fmt.Errorf("%w: by the engine, for the kit", ErrIMInUse)
		case s.State >= IMLoggedIn:
			return nil
		case s.State == Uninitialized:
			return fmt.Errorf("%w: IM is not initialised; call InitIM first", ErrState)
		}
		return o.loginIM(a)
	})
}

// LoginKit logs the kit in as a, and IM first where the mode and the state of
// things ask for it. If it fails, what it did is undone, and what it found is
// left alone. The same account again succeeds, and its token is not looked at.
//
// Errors: ErrIMNotLoggedIn (100004), ErrIMAccountMismatch (100005, a
// *MismatchError) and ErrIMInUse by mode; ErrKitInUse where another account is
// logged in; ErrTokenRejected, ErrTokenExpired and ErrNoIMAccount from the kit
// server; ErrAppKeyMismatch (a *MismatchError); ErrInterrupted by a logout or
// Close; the cause of the loss, where IM is lost meanwhile; and what
// the backend fails with.
func (e *Engine) LoginKit(ctx context.Context, a KitAccount) error {
	return e.climb(ctx, "LoginKit", KitLoggedIn, a.Token, a.check(), func(o *operation) error {
		if s := e.Status(); s.State == KitLoggedIn {
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
		return o.climbToKit(a, reuse, false)
	})
}

// LoginAnonymous logs the kit in with a temporary account, over a temporary IM
// login. Errors: ErrReuseNoAnonymous (112001) in ReuseIM, and in AutoDetect
// where the host has logged IM in; ErrKitInUse over a login with an account;
// errors.ErrUnsupported where the backend has no temporary accounts; and those
// of LoginKit.
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
			return fmt.Errorf("%w: the kit server made a temporary account without a userUuid", ErrUnavailable)
		}
		return o.climbToKit(a, false, true)
	})
}

func (e *Engine) hostLoggedIn() bool { return e.Status().Floor >= IMLoggedIn }

// LogoutKit logs the kit out, and IM where the engine logged it in. It ends
// a kit login in flight, which then fails with ErrInterrupted. It always
// takes effect: an error of the backend is returned, but holds nothing up, and ctx
// bounds only the waiting for its turn. Each call of the backend may take 5 s.
func (e *Engine) LogoutKit(ctx context.Context) error {
	return e.logout(ctx, "LogoutKit", KitLoggedIn, func() State { return e.Status().Floor })
}

// LogoutIM logs IM out, whoever logged it in, and the kit before it. It ends
// an IM or kit login in flight, and is like LogoutKit in all else.
func (e *Engine) LogoutIM(ctx context.Context) error {
	return e.logout(ctx, "LogoutIM", IMLoggedIn, func() State { return IMInitialized })
}

// Close logs out the kit and IM, but not an IM login that the host made behind
// the engine's back, and closes the backend. It ends every login in flight,
// waits for a backend that does not return, and for the engine's goroutine.
// Errors of the backend are returned and hold nothing up. A second Close waits
// for the first and returns nil.
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
	defer o.e.applying.Wait()
	o.e.op <- struct{}{}
	return o.hold(func() error {
		o.began = o.e.state()
		return o.shutDown()
	}, func() { _ = o.shutDown() })
}
