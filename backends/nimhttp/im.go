package nimhttp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewayclient"
	"github.com/imreuse/imreuse/engine"
)

// IM is a client of one slot of an IM gateway. It is an engine.IM, an
// engine.IMAdopter and an io.Closer. Make one with NewIM. It is safe for
// concurrent use: its calls take turns.
//
// A login with a dynamic token needs a fresh one each time the SDK reconnects.
// Notify.Token supplies it, within 15 s. If it fails, the login holds, offline,
// and the SDK asks again. Without a Notify.Token the SDK gets the login's token
// once more, and if that has expired, the login is lost with
// engine.ErrTokenRejected. A login that AdoptIM returned gets its tokens from the
// client that made it.
//
// A goroutine watches each login with one blocking read after another. The
// login is lost in two cases. If the gateway reports that the session ended,
// the cause is the gateway's reason. If the gateway is gone, was started again,
// or has not answered for 15 s, the cause is engine.ErrUnavailable. Nothing
// else is a loss: while the SDK reconnects, Notify.Link reports that the link
// is down.
//
// The gateway may end and be started again at the same address with the same
// secret; the next login then works.
//
// If GatewaySecret is not the gateway's secret, every call fails at once with
// engine.ErrArgument, and the secret is not sent. If another program listens at
// GatewayURL, every call fails with engine.ErrUnavailable. See the package
// comment.
type IM struct {
	slot          *gatewayclient.Slot
	owner         string                      // sent with each login, to tell it from the logins of the slot's other clients
	configuration gatewayclient.Configuration // without the AppKey
	ownAppKey     string
	limits        limits
	closeIdle     func()

	turn     chan struct{} // has room for one: the call that has sent may use the fields below
	life     context.Context
	endCalls context.CancelCauseFunc // ends life, and with it every call

	appKey   string // that IM was initialised with; empty before that
	prepared bool   // this IM initialised the slot, so it also releases it
	asked    bool   // this IM made the last login, so LogoutIM ends only that one; if false, it logs out whoever is logged in
	closed   bool

	watches sync.WaitGroup

	mu      sync.Mutex // protects watched
	watched *watch     // the present login; nil if nobody is logged in
}

// limits says how long IM waits. Tests shorten the times.
type limits struct {
	silence time.Duration // without an answer from the gateway, before a login is lost
	wait    time.Duration // of one blocking read; silence has room for two, because net/http repeats a read whose connection was cut
	retry   time.Duration // after a failed read
	login   time.Duration // for a login, if the caller has no deadline
	giveUp  time.Duration // to log out a login whose outcome is unknown
	answer  time.Duration // for Notify.Token; the gateway waits just as long
}

var usualLimits = limits{
	silence: 15 * time.Second,
	wait:    7 * time.Second,
	retry:   100 * time.Millisecond,
	login:   time.Minute,
	giveUp:  5 * time.Second,
	answer:  15 * time.Second,
}

// longestLogin is the longest time-out that the gateway accepts for a login.
const longestLogin = 2 * time.Minute

// NewIM makes a client of an IM gateway. It sends nothing. If an option is
// invalid, it fails with an engine.ErrArgument that names the option.
func NewIM(o Options) (*IM, error) {
	im, err := newIM(o)
	if err != nil {
		return nil, fmt.Errorf("nimhttp: NewIM: %w", err)
	}
	return im, nil
}

func newIM(o Options) (*IM, error) {
	if call.InPage {
		return nil, errInPage
	}
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if err := o.checkIM(); err != nil {
		return nil, err
	}
	s, closeIdle, err := gatewayclient.New(gatewayclient.Options{
		GatewayURL: o.GatewayURL, GatewaySecret: o.GatewaySecret, Slot: o.Slot,
		PlainHTTP: o.PlainHTTP, HTTPClient: o.HTTPClient, Logger: o.Logger, Patience: usualLimits.silence,
	})
	if err != nil {
		return nil, err
	}
	life, endCalls := context.WithCancelCause(context.Background())
	return &IM{
		slot:          s,
		owner:         uuid.NewString(),
		configuration: gatewayclient.Configuration{LBSURL: o.LBSURL, LinkAddr: o.LinkAddr, LinkPlain: o.LinkPlain},
		ownAppKey:     o.AppKey,
		limits:        usualLimits,
		closeIdle:     closeIdle,
		turn:          make(chan struct{}, 1),
		life:          life,
		endCalls:      endCalls,
	}, nil
}

// enter waits for this call's turn. It returns a ctx that also ends when IM is
// closed, and a func that ends the turn. Once Close has begun, it fails with
// engine.ErrClosed.
func (im *IM) enter(ctx context.Context) (context.Context, func(), error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(im.life, func() { cancel(engine.ErrClosed) })
	leave := func() { stop(); cancel(nil) }
	select {
	case im.turn <- struct{}{}:
	case <-ctx.Done():
		defer leave()
		return nil, nil, context.Cause(ctx)
	}
	err := context.Cause(ctx)
	if im.life.Err() != nil { // AfterFunc may not have cancelled ctx yet
		err = engine.ErrClosed
	}
	if err != nil {
		<-im.turn
		leave()
		return nil, nil, err
	}
	return ctx, func() { <-im.turn; leave() }, nil
}

// InitIM implements engine.IM: it initialises the SDK in the slot. If the slot
// is already initialised, by this client or another, InitIM does nothing; with
// another AppKey it fails with engine.ErrAppKeyMismatch.
func (im *IM) InitIM(ctx context.Context, appKey string) error {
	if err := call.CheckHeader("appKey", appKey, call.MaxField); err != nil {
		return err
	}
	ctx, leave, err := im.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if im.appKey != "" && im.appKey != appKey {
		return mismatch(im.appKey, appKey)
	}
	now, err := im.slot.Read(ctx)
	switch {
	case gatewayclient.IsProblem(err, gatewayclient.NoSuchSlot):
		_, err = im.prepare(ctx, appKey)
		return err
	case err != nil:
		return err
	case now.AppKey != appKey:
		return mismatch(now.AppKey, appKey)
	}
	im.appKey = appKey
	return nil
}

func mismatch(present, wanted string) error {
	return fmt.Errorf("%w: IM is initialised with %q, not %q", engine.ErrAppKeyMismatch, call.Clean(present), wanted)
}

// prepare initialises the slot and remembers its AppKey.
func (im *IM) prepare(ctx context.Context, appKey string) (gatewayclient.Snapshot, error) {
	c := im.configuration
	c.AppKey = appKey
	now, err := im.slot.Init(ctx, c)
	if err == nil {
		im.appKey, im.prepared = appKey, true
	}
	return now, err
}

// LoginIM implements engine.IM. It initialises the slot again, because the
// gateway may have been started again. If ctx has no deadline, a login may take
// a minute. If the outcome of a login is unknown, LoginIM logs it out.
//
// It fails with engine.ErrIMInUse if the slot already has a login, and with
// engine.ErrState before InitIM. If the SDK reports a failure, the chain has a
// *ServerError with the SDK's own number, and engine.ErrTokenRejected,
// engine.ErrAccountBanned or engine.ErrUnavailable if one of them applies.
// Numbers without a Code, such as 417, appear only in the *ServerError.
func (im *IM) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	if err := call.CheckHeader("accid", a.Accid, call.MaxField); err != nil {
		return err
	}
	if err := call.CheckHeader("token", a.Token, call.MaxToken); err != nil {
		return err
	}
	ctx, leave, err := im.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if im.appKey == "" {
		return fmt.Errorf("%w: InitIM first", engine.ErrState)
	}
	if a.AppKey != "" && a.AppKey != im.appKey {
		return mismatch(im.appKey, a.AppKey)
	}
	if err := im.clear(ctx); err != nil {
		return err
	}
	im.asked = true
	now, err := im.login(ctx, a)
	if err != nil {
		return err
	}
	im.watch(now, n, &a)
	return nil
}

// clear initialises the slot and makes sure that nobody is logged in there. It
// logs out a login that this IM gave up; any other login is an error.
func (im *IM) clear(ctx context.Context) error {
	now, err := im.prepare(ctx, im.appKey)
	switch {
	case err != nil:
		return err
	case now.Session == 0:
		return nil
	case now.Owner != im.owner:
		return gatewayclient.InUse(&now)
	case im.holds(now):
		return fmt.Errorf("%w: as %s", engine.ErrIMInUse, call.Clean(now.Accid))
	}
	return im.slot.Logout(ctx, im.owner)
}

// login asks the gateway for a login. It does not repeat the request, because
// the SDK itself tries again if that makes sense.
func (im *IM) login(ctx context.Context, a engine.IMAccount) (gatewayclient.Snapshot, error) {
	timeout := im.limits.login
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(max(time.Until(deadline), time.Millisecond), longestLogin)
	}
	accid := strings.ToLower(a.Accid)
	now, err := im.slot.Login(ctx, gatewayclient.LoginRequest{Accid: accid, Token: a.Token, Dynamic: a.Dynamic, Owner: im.owner, TimeoutMs: timeout.Milliseconds()})
	switch {
	case err == nil && now.Session == 0, err == nil && now.Accid != accid:
		err = im.slot.Malformed("a login of another account than requested")
	case err == nil && now.Owner != im.owner:
		return now, gatewayclient.InUse(&now)
	case err == nil, gatewayclient.IsProblem(err, gatewayclient.LoginFailed, gatewayclient.OtherAccount, gatewayclient.NotInitialised):
		return now, err
	}
	return now, im.giveUp(ctx, err)
}

// giveUp logs out a login whose request failed with err, so that its outcome is
// unknown. It returns err. The gateway logs the login out itself if it sees
// that no one is waiting for the reply; the logout here covers a gateway that
// had already replied. If neither succeeds, the next call finds the login and
// logs it out.
func (im *IM) giveUp(ctx context.Context, err error) error {
	if call.Refused(err) || gatewayclient.IsStranger(err) {
		return err // the request was not sent
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), im.limits.giveUp)
	defer cancel()
	_ = im.slot.Logout(ctx, im.owner)
	return err
}

// LogoutIM implements engine.IM. After a LoginIM it logs out only the login
// that this IM made; a login that another client of the slot has made since
// stays. Otherwise, for example after AdoptIM, it logs out whoever is logged
// in. It does so even if ctx has ended.
//
// It succeeds if the gateway does not run or does not know the slot, because
// nobody is logged in then. A login that could not be logged out is logged out
// before the next login, or by the gateway after a minute without a request for
// the slot.
func (im *IM) LogoutIM(ctx context.Context) error {
	if ctx.Err() != nil {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), im.limits.giveUp)
		defer cancel()
		ctx = bounded
	}
	ctx, leave, err := im.enter(ctx)
	if errors.Is(err, engine.ErrClosed) {
		return nil // Close logs out
	}
	if err != nil {
		return err
	}
	defer leave()
	im.unwatch()
	owner := ""
	if im.asked {
		owner = im.owner
	}
	err = im.slot.Logout(ctx, owner)
	if gatewayclient.IsProblem(err, gatewayclient.NoSuchSlot) || call.Refused(err) {
		err = nil
	}
	if err == nil {
		im.asked = false
	}
	return err
}

// AdoptIM implements engine.IMAdopter: it returns the account of a login that
// another client of the gateway made in the slot, with an empty token. It waits
// for a login that is still being made. If the login is one that this IM made
// and gave up, AdoptIM logs it out and returns no account.
func (im *IM) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	ctx, leave, err := im.enter(ctx)
	if err != nil {
		return engine.IMAccount{}, err
	}
	defer leave()
	now, err := im.slot.Read(ctx)
	for err == nil && now.Session == 0 && !now.IsFree() {
		now, err = im.next(ctx, now.Seq, im.limits.silence)
	}
	switch {
	case gatewayclient.IsProblem(err, gatewayclient.NoSuchSlot):
		return engine.IMAccount{}, nil
	case err != nil:
		return engine.IMAccount{}, err
	case now.Session == 0:
		return engine.IMAccount{}, nil
	case now.Owner == im.owner:
		if !im.holds(now) {
			err = im.slot.Logout(ctx, im.owner)
		}
		return engine.IMAccount{}, err
	}
	if im.appKey == "" {
		im.appKey = im.ownAppKey // the slot is initialised, so LoginIM needs no InitIM
	}
	im.asked = false
	im.watch(now, n, nil)
	return engine.IMAccount{AppKey: now.AppKey, Accid: now.Accid}, nil
}

// Close logs out the login that this IM made and releases the slot, unless
// another client is logged in there or is logging in. It ends calls in
// progress, waits for the goroutine that watches the login, and closes the
// connections. Every later call except LogoutIM fails with engine.ErrClosed.
// Calling Close again has no effect.
func (im *IM) Close() error {
	im.endCalls(engine.ErrClosed)
	im.turn <- struct{}{}
	defer func() { <-im.turn }()
	if im.closed {
		return nil
	}
	im.closed = true
	im.unwatch()
	im.watches.Wait()
	defer im.closeIdle()
	if !im.prepared {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), im.limits.giveUp)
	defer cancel()
	err := im.release(ctx)
	if gatewayclient.IsProblem(err, gatewayclient.NoSuchSlot) || call.Refused(err) {
		return nil
	}
	return err
}

// release releases the slot, unless another client is logged in there or is
// logging in. It reads the slot first, because the gateway would queue the
// release behind a login in progress.
func (im *IM) release(ctx context.Context) error {
	now, err := im.slot.Read(ctx)
	if err != nil || now.Owner != im.owner && !now.IsFree() {
		return err
	}
	return im.slot.Release(ctx, im.owner)
}
