package hostim

import (
	"context"
	"errors"

	"github.com/imreuse/imreuse/engine"
)

// A call is one call of the client for an engine, on a goroutine of its own,
// until it is settled. IM.mu guards it; err and panicked no longer change once
// settled is closed.
type call struct {
	accid, appKey string        // the account that reports are matched with; "" if there is none
	what          string        // what its caller waits for, for the error if ctx ends
	settled       chan struct{} // closed at the end
	err           error         // for its caller
	panicked      any
	abandoned     bool // its caller gave up
	undoing       bool // it logs out

	// The reports about its login.
	announced bool
	loggedIn  bool
	loss      error // nil: no loss was reported, or a newer login was reported since
	offline   bool
}

// errExited is the error of a call until the call has returned. It stays if the
// client calls runtime.Goexit.
var errExited = errors.New("the host's IM client ended the goroutine that it was called on")

func (im *IM) beginLocked(accid, what string) *call {
	im.call = &call{accid: accid, what: what, settled: make(chan struct{}), err: errExited}
	return im.call
}

// run calls f on a new goroutine that settles c, and waits for that within ctx.
func (im *IM) run(ctx context.Context, c *call, f func()) error {
	go func() {
		defer im.finish(c)
		f()
	}()
	if err := await(ctx, c.settled, c.what); err != nil && im.abandon(c) {
		return err
	}
	<-c.settled
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}

// ask calls a function of the client.
func (c *call) ask(f func() error) {
	defer func() {
		if c.panicked = recover(); c.panicked != nil {
			c.err = nil // nobody knows what the client did, so it is undone
		}
	}()
	c.err = f()
}

// abandon gives up c, and reports whether c was still in progress.
func (im *IM) abandon(c *call) bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	c.abandoned = im.call == c
	return c.abandoned
}

// finish settles c. It closes settled last, without mu, because whoever waits
// for it may then read the IM without a lock, as fmt does.
func (im *IM) finish(c *call) {
	im.mu.Lock()
	if im.call == c {
		im.call = nil
		if c.err == errExited {
			im.unsure = im.login == nil
		}
	}
	im.mu.Unlock()
	close(c.settled)
}

// decide handles the outcome of Client.Login, and reports whether there may be
// an unwanted login. If not, no call is in progress any more.
func (im *IM) decide(ctx context.Context, c *call, n engine.Notify) (unwanted bool) {
	im.mu.Lock()
	defer im.mu.Unlock()
	c.undoing = true
	switch {
	case c.panicked != nil:
		return true
	case errors.Is(c.err, engine.ErrIMInUse):
		im.leaveToHostLocked(c)
	case c.err != nil:
		if unwanted = c.loggedIn || isCtxErr(ctx, c.err); unwanted {
			return true
		}
	case ctx.Err() != nil:
		c.err = context.Cause(ctx)
		return true
	case c.loss != nil:
		c.err = c.loss
		return true
	default:
		im.login = &login{appKey: c.appKey, accid: c.accid, byEngine: true, offline: c.offline, notify: []engine.Notify{n}}
		im.closeOpeningLocked() // the SDK reconnected meanwhile
		if c.offline && n.Link != nil {
			n.Link(false)
		}
	}
	im.call = nil
	return false
}

// isCtxErr reports whether err may just mean that ctx ended, so that the login
// can still succeed.
func isCtxErr(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
}

// leaveToHostLocked takes the reports about c to be about the host's login,
// because that login came first.
func (im *IM) leaveToHostLocked(c *call) {
	switch {
	case im.occupiedLocked():
	case c.loggedIn:
		im.login = &login{appKey: c.appKey, accid: c.accid, offline: c.offline}
	case c.announced && c.loss == nil:
		im.opening = make(chan struct{})
	}
}

// occupiedLocked reports whether somebody is logged in, or the host has
// announced a login.
func (im *IM) occupiedLocked() bool { return im.login != nil || im.opening != nil }

// undo logs out an unwanted login, unless the host has a login or has announced
// one: a logout would end the host's, as the SDK holds only one.
func (im *IM) undo(ctx context.Context) {
	im.mu.Lock()
	occupied := im.occupiedLocked()
	im.unsure = !occupied
	im.mu.Unlock()
	if !occupied {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		im.logout(ctx, new(call))
	}
}

// logoutLocked unlocks mu, calls Client.Logout, and waits for it within ctx.
func (im *IM) logoutLocked(ctx context.Context) error {
	l := im.login
	if im.client.Logout == nil && l != nil && !l.byEngine {
		im.mu.Unlock()
		return errMissing("log IM out")
	}
	c := im.beginLocked("", "the host's IM client to log out")
	c.undoing, c.announced = true, true
	if l != nil {
		c.accid = l.accid
	}
	im.login = nil
	im.closeOpeningLocked()
	im.mu.Unlock()
	return im.run(ctx, c, func() {
		im.logout(ctx, c)
		if l != nil && len(l.notify) > 1 { // the engine that asked ignores the report
			im.mu.Lock()
			defer im.mu.Unlock()
			l.lose(engine.ErrIMLoggedOut)
		}
	})
}

// logout calls Client.Logout for c, to log out whoever is logged in, or to undo
// an abandoned login. If it fails, the login may still be there, and the next
// operation tries again.
func (im *IM) logout(ctx context.Context, c *call) {
	c.ask(func() error {
		if im.client.Logout == nil {
			return errMissing("log IM out")
		}
		return im.client.Logout(ctx)
	})
	im.mu.Lock()
	defer im.mu.Unlock()
	im.unsure = im.login == nil && (c.err != nil || c.panicked != nil)
}
