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

// IM is one slot of an IM gateway as an engine.IM, an engine.IMAdopter and an
// io.Closer. Make one with NewIM. It is safe for concurrent use: its calls take
// turns.
//
// Each login is watched by a goroutine of its own, with one blocking read after
// the other. It is lost when the gateway says that its session has ended, with
// the reason; and with engine.ErrUnavailable when the gateway is gone, was
// started again, or has not answered for 15 s. Nothing else is a loss: while the
// SDK reconnects, Notify.Link says that the link is down.
//
// The gateway may end and be started again, on the same address and with the
// same secret: the next login works.
//
// If GatewaySecret is not the gateway's, every call fails with engine.ErrArgument,
// at once and without having sent it. If something else than a gateway listens at
// GatewayURL, every call fails with engine.ErrUnavailable. See the package comment.
type IM struct {
	slot          *gatewayclient.Slot
	owner         string                      // tells our logins from those of other clients of the slot
	configuration gatewayclient.Configuration // without the AppKey
	ownAppKey     string
	limits        limits
	closeIdle     func()

	turn chan struct{} // one slot: the call that has it may touch the fields below
	life context.Context
	end  context.CancelCauseFunc // ends every call, when IM is closed

	appKey   string // IM is initialised with; "": not yet
	prepared bool   // by us: the slot is ours to release
	asked    bool   // for a login, which a logout is to end; false: a logout is of whoever is logged in
	closed   bool

	watches sync.WaitGroup

	mu      sync.Mutex // protects the following field
	watched *watch     // the login that holds; nil: nobody is logged in
}

// limits are how long IM waits. Tests shorten them.
type limits struct {
	silence time.Duration // of the gateway, before a login is lost
	wait    time.Duration // of a blocking read; two fit into silence, for net/http repeats one whose connection is cut
	retry   time.Duration // after a read that failed
	login   time.Duration // where the caller has no deadline
	giveUp  time.Duration // to log out a login whose outcome is not known
}

var usualLimits = limits{
	silence: 15 * time.Second,
	wait:    7 * time.Second,
	retry:   100 * time.Millisecond,
	login:   time.Minute,
	giveUp:  5 * time.Second,
}

// longestLogin is what the gateway allows.
const longestLogin = 2 * time.Minute

// NewIM makes a client of an IM gateway. It sends nothing. It fails with
// engine.ErrArgument, naming the option.
func NewIM(o Options) (*IM, error) {
	im, err := newIM(o)
	if err != nil {
		return nil, fmt.Errorf("nimhttp: NewIM: %w", err)
	}
	return im, nil
}

func newIM(o Options) (*IM, error) {
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
	life, end := context.WithCancelCause(context.Background())
	return &IM{
		slot:          s,
		owner:         uuid.NewString(),
		configuration: gatewayclient.Configuration{LBSURL: o.LBSURL, LinkAddr: o.LinkAddr, LinkPlain: o.LinkPlain},
		ownAppKey:     o.AppKey,
		limits:        usualLimits,
		closeIdle:     closeIdle,
		turn:          make(chan struct{}, 1),
		life:          life,
		end:           end,
	}, nil
}

// enter waits for the turn of a call, and returns its ctx, which ends with IM,
// and what ends it. It fails with engine.ErrClosed from the beginning of Close on.
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
	if im.life.Err() != nil { // of which ctx may hear a moment later
		err = engine.ErrClosed
	}
	if err != nil {
		<-im.turn
		leave()
		return nil, nil, err
	}
	return ctx, func() { <-im.turn; leave() }, nil
}

// InitIM implements engine.IM: it initialises the SDK in the slot. Where that is
// done, by whomever, it does nothing, or fails with engine.ErrAppKeyMismatch if
// that was with another AppKey.
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
	there, err := im.slot.Read(ctx)
	switch {
	case gatewayclient.IsProblem(err, gatewayclient.NoSuchSlot):
		_, err = im.prepare(ctx, appKey)
		return err
	case err != nil:
		return err
	case there.AppKey != appKey:
		return mismatch(there.AppKey, appKey)
	}
	im.appKey = appKey
	return nil
}

func mismatch(there, wanted string) error {
	return fmt.Errorf("%w: IM is initialised with %q, not %q", engine.ErrAppKeyMismatch, call.Clean(there), wanted)
}

// prepare initialises the slot, and remembers with what.
func (im *IM) prepare(ctx context.Context, appKey string) (gatewayclient.Snapshot, error) {
	c := im.configuration
	c.AppKey = appKey
	now, err := im.slot.Init(ctx, c)
	if err == nil {
		im.appKey, im.prepared = appKey, true
	}
	return now, err
}

// LoginIM implements engine.IM. It initialises the slot once more, since the
// gateway may have been started again. Where ctx has no deadline, a login may
// take a minute. A login whose outcome is not known is logged out.
//
// Errors: engine.ErrIMInUse where anybody is logged in in the slot;
// engine.ErrState before InitIM; engine.ErrTokenRejected,
// engine.ErrAccountBanned and engine.ErrUnavailable, with a *ServerError that has
// the SDK's own number; one that has no Code, such as 417, keeps it there.
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
	im.watch(now, n, a.Token)
	return nil
}

// clear makes sure that nobody is logged in in the slot, which it initialises.
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
	return im.slot.Logout(ctx, im.owner) // one that we gave up
}

// login asks the gateway for a login, once: the SDK has already tried again
// where that makes sense.
func (im *IM) login(ctx context.Context, a engine.IMAccount) (gatewayclient.Snapshot, error) {
	timeout := im.limits.login
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(max(time.Until(deadline), time.Millisecond), longestLogin)
	}
	accid := strings.ToLower(a.Accid)
	now, err := im.slot.Login(ctx, gatewayclient.LoginRequest{Accid: accid, Token: a.Token, Owner: im.owner, TimeoutMs: timeout.Milliseconds()})
	switch {
	case err == nil && now.Session == 0, err == nil && now.Accid != accid:
		err = im.slot.Malformed("a login that is not the one that was asked for")
	case err == nil && now.Owner != im.owner:
		return now, gatewayclient.InUse(&now)
	case err == nil, gatewayclient.IsProblem(err, gatewayclient.LoginFailed, gatewayclient.OtherAccount, gatewayclient.NotInitialised):
		return now, err
	}
	return now, im.giveUp(ctx, err)
}

// giveUp makes sure of a login that failed with err, and whose outcome is not
// known. The gateway logs it out where it sees that nobody waits for its reply; if it
// was faster than that, it is logged out here. If neither succeeds, the next call
// finds that login, and logs it out.
func (im *IM) giveUp(ctx context.Context, err error) error {
	if call.Refused(err) || gatewayclient.IsStranger(err) {
		return err // nobody has seen the token
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), im.limits.giveUp)
	defer cancel()
	_ = im.slot.Logout(ctx, im.owner)
	return err
}

// LogoutIM implements engine.IM. After a LoginIM it logs out the login that this
// IM made, and if another client of the slot has logged in since, that login stays.
// Otherwise, as after AdoptIM, it logs out whoever is logged in. It does so even if
// ctx has ended. A gateway that does not run, or does not know the slot, has nobody logged
// in. A login that could not be logged out is logged out before the next one, or by
// the gateway when nobody has asked it for a minute.
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

// AdoptIM implements engine.IMAdopter: it reports the login that another client
// of the gateway made in the slot, with an empty token, and waits for one in
// flight. One that this IM made and gave up is logged out first.
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
		im.appKey = im.ownAppKey // of the next login: that IM is initialised
	}
	im.asked = false
	im.watch(now, n, "")
	return engine.IMAccount{AppKey: now.AppKey, Accid: now.Accid}, nil
}

// Close logs out the login that this IM made and releases the slot, unless
// another client has logged in there or is about to. It ends every call, waits
// for the goroutine that watches, and closes the connections. Every later call
// but a logout fails with engine.ErrClosed. Again is nothing.
func (im *IM) Close() error {
	im.end(engine.ErrClosed)
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

// release leaves a slot alone in which another client's login holds or is being
// made. Without the look at it, it would have to wait for that one.
func (im *IM) release(ctx context.Context) error {
	now, err := im.slot.Read(ctx)
	if err != nil || now.Owner != im.owner && !now.IsFree() {
		return err
	}
	return im.slot.Release(ctx, im.owner)
}
