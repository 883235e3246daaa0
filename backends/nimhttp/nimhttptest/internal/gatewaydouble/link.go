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
	account engine.IMAccount // with its token: the SDK comes back by itself
	owner   string
	session int64
	link    *imLink // nil: it is down
}

// An imLink is the connection under a login: one device of the world.
type imLink struct {
	slot   *slot
	device *mockim.Device
	cause  error // guarded by gateway.mu; of its end
}

// connect makes a login. While the connection of its account is down it waits,
// up to the end of ctx.
func (s *slot) connect(ctx context.Context, r loginRequest) (snapshot, error) {
	g := s.run.gateway
	g.mu.Lock()
	l := &imLogin{account: engine.IMAccount{AppKey: s.setup.appKey, Accid: r.accid, Token: r.token}, owner: r.owner}
	s.publishLocked("logging_in", "connecting")
	g.mu.Unlock()
	for {
		if err := s.run.untilUp(ctx, r.accid); err != nil {
			return snapshot{}, err
		}
		link, err := s.dial(l.account)
		if err != nil {
			return snapshot{}, loginFailed(nimcodes.Of(err), shorten(err.Error()))
		}
		if err := s.run.stopped(ctx); err != nil {
			link.cut()
			return snapshot{}, err
		}
		if now, decided, err := s.hold(l, link); decided {
			return now, err
		}
		link.cut()
	}
}

// hold makes l the login that holds, unless the connection has gone down.
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

// upLocked puts the link under the login that holds, unless it has ended
// already.
func (s *slot) upLocked(link *imLink) {
	s.login.link = link
	if link.cause != nil {
		s.lostLocked(link.cause)
		return
	}
	s.publishLocked("logged_in", "up")
}

// lostLocked is what the SDK does where its link ends: it comes back by itself,
// unless that is pointless.
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
	if l == nil || l.link == nil {
		s.run.gateway.mu.Unlock()
		return
	}
	link := l.link
	l.link = nil
	s.publishLocked("logging_in", "waiting")
	s.run.gateway.mu.Unlock()
	link.cut()
}

// reconnect takes the link up again, where it is down. It waits for the calls
// before.
func (s *slot) reconnect() {
	if s.takeTurn() != nil {
		return
	}
	defer s.endTurn()
	l := s.broken()
	if l == nil {
		return
	}
	link, err := s.dial(l.account)
	s.run.gateway.mu.Lock()
	down := s.run.gateway.isDownLocked(l.account.Accid)
	switch {
	case err != nil:
		s.endLocked(&ended{Session: l.session, Error: &sdkError{Code: nimcodes.Of(err), Message: shorten(err.Error())}})
	case !down:
		s.upLocked(link)
	}
	s.run.gateway.mu.Unlock()
	if err == nil && down {
		link.cut()
	}
}

// broken returns the login that waits for its link, if it has no longer to.
func (s *slot) broken() *imLogin {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if l := s.login; l != nil && l.link == nil && !s.run.gateway.isDownLocked(l.account.Accid) {
		return l
	}
	return nil
}

// dial logs a new device in. One that the world has logged out again at once is
// no failure: the link says so.
func (s *slot) dial(a engine.IMAccount) (*imLink, error) {
	k := &imLink{slot: s, device: s.run.gateway.world.Device()}
	ctx := context.Background() // it takes no time
	if err := k.device.InitIM(ctx, a.AppKey); err != nil {
		return nil, err
	}
	err := k.device.LoginIM(ctx, a, engine.Notify{Lost: k.lost})
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if err != nil && k.cause == nil {
		return nil, err
	}
	return k, nil
}

// lost is called by the world, which holds its locks.
func (k *imLink) lost(cause error) {
	s := k.slot
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	k.cause = cause
	if s.login != nil && s.login.link == k {
		s.lostLocked(cause)
	}
}

// cut ends the connection, as a network does: the world logs the device out.
func (k *imLink) cut() {
	_ = k.device.LogoutIM(context.Background()) // it cannot fail: nothing was told to
}
