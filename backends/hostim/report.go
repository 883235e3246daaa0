package hostim

import (
	"strings"

	"github.com/imreuse/imreuse/engine"
)

// This file has the host's reports. They never block, and never call the host.
// The IM relies on LoggingIn, and on reports in the order of the SDK's
// callbacks. They may come from any goroutine.

// LoggingIn reports that a login has begun. Call it before each login of the
// host's own; the host may call it for the engine's logins, too. Until LoggedIn
// or LoggedOut is called, AdoptIM waits, and the IM does not log out a login
// that an engine gave up. LoggingIn has no effect while somebody is logged in,
// because SDKs also report it when they reconnect.
//
// LoggingIn, LoggedIn, LoggedOut and Link never block, and may be called from
// any goroutine, in the order in which the SDK calls back.
func (im *IM) LoggingIn() {
	im.mu.Lock()
	defer im.mu.Unlock()
	switch c := im.call; {
	case im.occupiedLocked():
	case c != nil && c.accid != "" && !c.announced:
		c.announced, c.loss = true, nil
	default:
		im.opening = make(chan struct{})
	}
}

// LoggedIn reports that a is logged in and online. Repeating it for the same
// account has no effect; for another account it ends the first login, with
// engine.ErrIMLoggedOut as the cause. A report with an empty accid is ignored.
// The token may be left out, and is not kept.
func (im *IM) LoggedIn(a engine.IMAccount) {
	accid := strings.ToLower(a.Accid)
	if accid == "" {
		return
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	defer im.closeOpeningLocked()
	l, c := im.login, im.call
	if l != nil && l.accid == accid {
		return
	}
	// While a logout is in progress, an announced login is the host's.
	about := c != nil && c.accid == accid && !(c.undoing && im.occupiedLocked())
	im.endLocked(engine.ErrIMLoggedOut)
	if about {
		c.loggedIn, c.loss, c.offline = true, nil, false
		return
	}
	im.login = &login{appKey: a.AppKey, accid: accid}
	im.unsure = false
}

// LoggedOut reports that nobody is logged in any more, or that the login which
// LoggingIn announced has failed. Pass nil if the host logged out. Otherwise
// pass the reason, such as an *engine.KickError or engine.ErrTokenRejected; it
// becomes the engine's Status.Cause. LoggedOut has no effect if nobody was
// logged in. If only the link is down, or the SDK will try again, call Link
// instead.
func (im *IM) LoggedOut(cause error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	asked := cause == nil || im.opening == nil // otherwise the announced login has failed
	if c := im.call; c != nil && c.undoing && c.accid != "" && im.login == nil && asked {
		c.accid = "" // it is logged out; later reports are about a new login
		return
	}
	if cause == nil {
		cause = engine.ErrIMLoggedOut
	}
	im.endLocked(cause)
	im.unsure = false
	im.closeOpeningLocked()
}

// Link reports whether the connection under the login is up. A link that is
// down is not a logout, because SDKs reconnect by themselves. Link has no
// effect if nobody is logged in. A new login starts online.
func (im *IM) Link(online bool) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if l := im.login; l != nil {
		l.link(online)
	} else if c := im.call; c != nil {
		c.offline = !online
	}
}

// endLocked ends the current login, or the one that an engine is opening.
func (im *IM) endLocked(cause error) {
	if l := im.login; l != nil {
		im.login = nil
		l.lose(cause)
	} else if c := im.call; c != nil {
		c.loggedIn, c.announced = false, c.loggedIn // a login that never succeeded may be tried, and announced, again
		if c.loss == nil {
			c.loss = cause
		}
	}
}

func (l *login) lose(cause error) {
	for _, n := range l.notify {
		if n.Lost != nil {
			n.Lost(cause)
		}
	}
}

func (l *login) link(online bool) {
	if l.offline == !online {
		return
	}
	l.offline = !online
	for _, n := range l.notify {
		if n.Link != nil {
			n.Link(online)
		}
	}
}

// closeOpeningLocked wakes the callers that wait for the login that the host
// announced.
func (im *IM) closeOpeningLocked() {
	if im.opening != nil {
		close(im.opening)
		im.opening = nil
	}
}
