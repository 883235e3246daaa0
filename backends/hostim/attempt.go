package hostim

import (
	"context"
	"errors"

	"github.com/imreuse/imreuse/engine"
)

// A call is one call of Client.Login or Client.Logout for an engine, until it
// is settled. IM.mu guards its fields; err and panicked no longer change once
// settled is closed.
type call struct {
	accid, appKey string        // the login that it is about
	what          string        // what somebody who waits for it waits for
	settled       chan struct{} // closed when it is over
	err           error         // what the caller is told
	panicked      any
	left          bool // the caller gave up
	decided       bool // Client.Login has returned, or this is a logout
	out           bool // LoggedOut was reported since

	// What was reported about the login.
	last    report
	loss    error // the cause, while last is lost
	came    bool  // it was in
	offline bool
}

// A report is what was reported last about a login that is not settled.
type report uint8

const (
	nothing report = iota
	announced
	in
	lost
)

// errExited is the outcome until there is another one: it stays if the client
// calls runtime.Goexit.
var errExited = errors.New("the host's IM client ended the goroutine that called it")

func (im *IM) beginLocked(accid, what string) *call {
	im.call = &call{accid: accid, what: what, settled: make(chan struct{}), err: errExited}
	return im.call
}

// finish settles c. It closes settled last, without mu: whoever waits may then
// look at the IM in any way, as fmt does.
func (im *IM) finish(c *call) {
	im.mu.Lock()
	im.releaseLocked(c)
	im.mu.Unlock()
	close(c.settled)
}

func (im *IM) releaseLocked(c *call) {
	if im.call != c {
		return
	}
	if c.err == errExited && c.panicked == nil {
		im.unsure = im.login == nil
	}
	im.call = nil
}

// wait returns what came of c, or the cause of ctx if that ends first.
func (im *IM) wait(ctx context.Context, c *call) error {
	select {
	case <-c.settled:
	case <-ctx.Done():
		if im.leave(c) {
			return gaveUp(ctx, c.what)
		}
		<-c.settled
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}

// leave gives up c, and reports whether it was still unsettled.
func (im *IM) leave(c *call) bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	c.left = im.call == c
	return c.left
}

// attempt runs Client.Login, and Client.Logout if it must be undone. It ends
// when the login is settled.
func (im *IM) attempt(ctx context.Context, c *call, a engine.IMAccount, n engine.Notify) {
	defer im.finish(c)
	panicked, err := guard(func() error { return im.client.Login(ctx, a) })
	if im.decide(ctx, c, err, panicked, n) {
		im.undo(ctx)
	}
}

// guard calls f, and returns the value of its panic.
func guard(f func() error) (panicked any, err error) {
	defer func() { panicked = recover() }()
	return nil, f()
}

// decide takes what Client.Login returned, and reports whether a login that
// nobody wants may be there. If not, c is settled.
func (im *IM) decide(ctx context.Context, c *call, err error, panicked any, n engine.Notify) (undo bool) {
	im.mu.Lock()
	defer im.mu.Unlock()
	c.panicked, c.decided = panicked, true
	switch over := ctx.Err() != nil; {
	case panicked != nil:
		undo = true
	case errors.Is(err, engine.ErrIMInUse):
		im.hostsLocked(c)
	case err != nil:
		undo = c.last == in || isCtxErr(ctx, err)
		if over && isCtxErr(ctx, err) {
			err = gaveUp(ctx, c.what)
		}
	case over:
		err, undo = gaveUp(ctx, c.what), true
	case c.last == lost:
		err, undo = c.loss, true
	default:
		im.holdLocked(c, n)
	}
	if c.err = err; !undo {
		im.releaseLocked(c)
	}
	return undo
}

// isCtxErr reports whether err may say no more than that ctx ended.
func isCtxErr(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
}

// holdLocked makes c the login that is there.
func (im *IM) holdLocked(c *call, n engine.Notify) {
	im.login = &login{appKey: c.appKey, accid: c.accid, mine: true, offline: c.offline, notify: []engine.Notify{n}}
	im.landLocked() // the SDK reconnected meanwhile
	if c.offline && n.Link != nil {
		n.Link(false)
	}
}

// hostsLocked makes what was reported about c the host's: its login was first.
func (im *IM) hostsLocked(c *call) {
	switch {
	case im.login != nil || im.opening != nil:
	case c.last == in:
		im.login = &login{appKey: c.appKey, accid: c.accid, offline: c.offline}
	case c.last == announced:
		im.opening = make(chan struct{})
	}
}

// undo logs out a login that nobody wants, unless the host is logged in: the
// SDK holds one account. A login that the host has announced gets 5 s to open.
func (im *IM) undo(ctx context.Context) {
	patience, cancel := undoing(ctx)
	defer cancel()
	for {
		opening, there := im.hostsLogin()
		switch {
		case there:
			return
		case opening == nil:
			ctx, cancel := undoing(ctx)
			defer cancel()
			_, _ = im.logout(ctx)
			return
		}
		if err := waitOpening(patience, opening); err != nil {
			im.keepUnsure(true)
			return
		}
	}
}

func undoing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
}

// hostsLogin returns what is in the way of a logout: a login of the host's that
// is opening or there.
func (im *IM) hostsLogin() (opening <-chan struct{}, there bool) {
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.opening, im.login != nil
}

// logout calls Client.Logout. If that fails, a login that nobody wants may
// still be there, and the next operation tries again.
func (im *IM) logout(ctx context.Context) (panicked any, err error) {
	err = mustDo("log IM out")
	if im.client.Logout != nil {
		panicked, err = guard(func() error { return im.client.Logout(ctx) })
	}
	im.keepUnsure(err != nil || panicked != nil)
	return panicked, err
}

func (im *IM) keepUnsure(unsure bool) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.unsure = unsure && im.login == nil
}
