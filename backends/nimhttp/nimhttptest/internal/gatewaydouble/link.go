package gatewaydouble

import (
	"cmp"
	"context"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// An imLogin is a session of a slot.
type imLogin struct {
	account engine.IMAccount // with the token, because the SDK reconnects by itself
	owner   string
	session int64
	link    *imLink // nil while the connection is down
}

// An imLink is the connection under a login: one device of the world.
type imLink struct {
	slot   *slot
	device *mockim.Device
	cause  error // why it ended; guarded by gateway.mu
}

// connect makes a login. While the account's connection is down it waits, at
// most until ctx ends.
func (s *slot) connect(ctx context.Context, r loginRequest) (snapshot, error) {
	g := s.run.gateway
	g.mu.Lock()
	l := &imLogin{account: engine.IMAccount{AppKey: s.setup.appKey, Accid: r.accid, Token: r.token, Dynamic: r.dynamic}, owner: r.owner}
	s.publishLocked("logging_in", "connecting")
	g.mu.Unlock()
	for {
		if err := s.run.untilUp(ctx, r.accid); err != nil {
			return snapshot{}, err
		}
		link, err := s.dial(l.account)
		if err != nil {
			return snapshot{}, loginFailed(codeOf(err), shorten(err.Error()))
		}
		if err := s.run.stopReason(ctx); err != nil {
			link.cut()
			return snapshot{}, err
		}
		if now, decided, err := s.hold(l, link); decided {
			return now, err
		}
		link.cut()
	}
}

// hold makes l the slot's login. It does nothing, and decided is false, if the
// connection has gone down meanwhile.
func (s *slot) hold(l *imLogin, link *imLink) (now snapshot, decided bool, err error) {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.run.gateway.isDownLocked(l.account.Accid) {
		return snapshot{}, false, nil
	}
	s.run.sessions++
	l.session = s.run.sessions
	s.login = l
	s.upLocked(link)
	if s.login != l {
		return snapshot{}, true, loginFailed(cmp.Or(nimcodes.Of(link.cause), nimcodes.Cancelled), "the login ended as soon as it was made")
	}
	return s.published, true, nil
}

// upLocked connects the slot's login with link. If the link has already ended,
// it is handled as lost.
func (s *slot) upLocked(link *imLink) {
	s.login.link = link
	if link.cause != nil {
		s.lostLocked(link.cause)
		return
	}
	s.publishLocked("logged_in", "up")
}

// lostLocked handles the end of the link like the SDK: it reconnects by itself,
// unless the cause rules that out.
func (s *slot) lostLocked(cause error) {
	if e := endOf(s.login.session, cause); e != nil {
		s.endLocked(e)
		return
	}
	s.login.link = nil
	s.publishLocked("logging_in", "waiting")
	s.run.goLocked(s.reconnect)
}

// hangUp takes the link down.
func (s *slot) hangUp() {
	s.run.gateway.mu.Lock()
	l := s.login
	if l == nil || l.link == nil && s.question == nil {
		s.run.gateway.mu.Unlock()
		return
	}
	link := l.link
	l.link = nil
	s.closeQuestionLocked()
	s.publishLocked("logging_in", "waiting")
	s.run.gateway.mu.Unlock()
	if link != nil {
		link.cut()
	}
}

// reconnect brings the link back up if it is down. It waits for the slot's
// earlier calls. With a dynamic token it asks for a fresh one, and the answer
// brings the link up.
func (s *slot) reconnect() {
	if s.takeTurn() != nil {
		return
	}
	defer s.endTurn()
	l := s.loginToReconnect()
	switch {
	case l == nil:
	case l.account.Dynamic:
		s.askFor(l)
	default:
		s.logInAgain(l, l.account)
	}
}

// logInAgain takes the link up again, in the turn of the slot.
func (s *slot) logInAgain(l *imLogin, a engine.IMAccount) {
	link, err := s.dial(a)
	s.run.gateway.mu.Lock()
	down := s.run.gateway.isDownLocked(l.account.Accid)
	switch {
	case err != nil:
		s.endLocked(&ended{Session: l.session, Error: &sdkError{Code: codeOf(err), Message: shorten(err.Error())}})
	case !down:
		s.upLocked(link)
	}
	s.run.gateway.mu.Unlock()
	if err == nil && down {
		link.cut()
	}
}

// loginToReconnect returns the slot's login if its link is down and its
// connection is up again, or nil.
func (s *slot) loginToReconnect() *imLogin {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	return s.loginToReconnectLocked()
}

func (s *slot) loginToReconnectLocked() *imLogin {
	if l := s.login; l != nil && l.link == nil && !s.run.gateway.isDownLocked(l.account.Accid) {
		return l
	}
	return nil
}

// dial logs a new device in. It does not fail if the world logs the device out
// again at once: then the link has a cause.
func (s *slot) dial(a engine.IMAccount) (*imLink, error) {
	k := &imLink{slot: s, device: s.run.gateway.world.Device()}
	ctx := context.Background() // the world answers at once
	a, err := s.run.gateway.inWorld(a)
	if err != nil {
		return nil, err
	}
	if err := k.device.InitIM(ctx, a.AppKey); err != nil {
		return nil, err
	}
	err = k.device.LoginIM(ctx, a, engine.Notify{Lost: k.lost})
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if err != nil && k.cause == nil {
		return nil, err
	}
	return k, nil
}

// lost is called by the world, under the world's lock.
func (k *imLink) lost(cause error) {
	s := k.slot
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	k.cause = cause
	if s.login != nil && s.login.link == k {
		s.lostLocked(cause)
	}
}

// cut ends the connection. The world logs the device out, as an IM server does
// when a connection breaks.
func (k *imLink) cut() {
	_ = k.device.LogoutIM(context.Background()) // cannot fail: no fault was set on this device
}
