package hostim

import (
	"strings"

	"github.com/imreuse/imreuse/engine"
)

// The reports. The host calls them from its SDK's callbacks, in the order in
// which those come, whoever asked for the login; from any goroutine. They never
// block, and call nothing of the host.

// LoggingIn says that a login has begun; say it before each login of the host's
// own. From here on AdoptIM waits for its outcome, which is LoggedIn or LoggedOut. While somebody is logged in it is
// nothing: SDKs report it when they reconnect, too.
func (im *IM) LoggingIn() {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.ghost = "" // what comes true now is new
	if im.login == nil && im.asked == nil && im.landing == nil {
		im.landing = make(chan struct{})
	}
}

// LoggedIn says that a is logged in, and online. Said again of the same account it is
// nothing; of another, the first login has ended (engine.ErrIMLoggedOut). An
// empty accid is nothing. The token may be left out, and is not kept.
func (im *IM) LoggedIn(a engine.IMAccount) {
	accid := strings.ToLower(a.Accid)
	if accid == "" {
		return
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	defer im.landLocked()
	im.owed = false // reports come in order: that one does not come any more
	switch l := im.presentLocked(); {
	case l != nil && l.accid == accid:
		if !l.seen {
			l.seen, im.confirms = true, true
			l.link(true)
		}
		return
	case l != nil:
		im.endLocked(l, engine.ErrIMLoggedOut)
	case im.asked != nil && im.asked.accid == accid, im.ghost == accid:
		im.ghost, im.stray = "", true // the engine's, and it has given it up
		return
	}
	im.login = &login{appKey: a.AppKey, accid: accid, seen: true}
	im.stray = false
}

// LoggedOut says that nobody is logged in any more: cause nil says that the
// host did it; else it is engine.ErrKicked or an *engine.KickError,
// engine.ErrTokenRejected, …, and is what the engine's Status.Cause will be.
// Where nobody was logged in it is nothing. Do not say it of a link that is
// down, or of an attempt that the SDK will repeat: those are Link.
func (im *IM) LoggedOut(cause error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	defer im.landLocked()
	im.stray = false
	l := im.presentLocked()
	switch {
	case im.leaving != nil && !im.leaving.out && l == nil:
		im.leaving.out = true
	case im.owed && (l == nil || !l.seen && (im.confirms || cause == nil)):
		im.owed = false
	case l == nil:
	case l == im.asked && !l.seen && cause == nil:
		// It has not begun: what Client.Login returns will tell.
	case cause == nil:
		im.endLocked(l, engine.ErrIMLoggedOut)
	default:
		im.endLocked(l, cause)
	}
}

// Link says whether the connection under the login is up. SDKs repair it
// themselves: a link that is down is not a logout. Where nobody is logged in it
// is nothing; a new login is online.
func (im *IM) Link(online bool) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if l := im.presentLocked(); l != nil {
		l.link(online)
	}
}

// presentLocked returns the login that holds, or that the engine is asking for.
func (im *IM) presentLocked() *login {
	if im.asked != nil && im.asked.cause == nil {
		return im.asked
	}
	return im.login
}

// endLocked ends l, and tells whoever asked to be told.
func (im *IM) endLocked(l *login, cause error) {
	l.cause = cause
	if im.login == l {
		im.login = nil
	}
	if l.notify.Lost != nil {
		l.notify.Lost(cause)
	}
}

func (l *login) link(online bool) {
	if l.offline == !online {
		return
	}
	l.offline = !online
	if l.notify.Link != nil {
		l.notify.Link(online)
	}
}

// landLocked wakes those who wait for the outcome of a login in flight.
func (im *IM) landLocked() {
	if im.landing != nil {
		close(im.landing)
		im.landing = nil
	}
}
