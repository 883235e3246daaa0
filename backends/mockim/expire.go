package mockim

import (
	"context"
	"fmt"

	"github.com/imreuse/imreuse/engine"
)

// Tokens that run out, and the reconnect at which IM notices it.

// ExpireKit lets the token of a kit account run out. Logins with it, and
// RenewKit, fail with engine.ErrTokenExpired until Bind gives the account
// another token. Its sessions are told with Notify.Expired; if nobody renews the
// token, the session ends with engine.ErrTokenExpired.
func (s *Service) ExpireKit(userUUID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.kits[fold(userUUID)]
	if a == nil {
		return
	}
	a.expired = true
	for d := range s.active {
		if k := d.session; k != nil && k.userUUID == fold(userUUID) {
			d.expireSessionLocked(engine.ErrTokenExpired)
		}
	}
}

func (d *Device) expireSessionLocked(cause error) {
	n := d.session.notify
	if n.Expired != nil && n.Expired(cause) {
		return
	}
	d.session = nil
	d.updateActiveLocked()
	if n.Lost != nil {
		n.Lost(cause)
	}
}

// ExpireIM lets the token of an IM account run out. Logins with it fail with
// engine.ErrTokenRejected, since IM does not tell the two apart, until AddIM
// gives the account another token. A login that is there holds until it
// reconnects (Device.Link): then it asks Notify.Token for a fresh token, and
// ends with engine.ErrTokenRejected if it gets none that IM accepts.
func (s *Service) ExpireIM(accid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.im[fold(accid)]
	if a == nil {
		return
	}
	a.expired = true
	for d := range s.active {
		if d.accid == a.accid {
			d.reconnect.expired = true
		}
	}
}

// A reconnect is what the IM login of a device needs to reconnect. It is guarded
// by Service.mu.
type reconnect struct {
	down    bool
	expired bool                                      // the login's token has run out
	ask     func(ctx context.Context) (string, error) // fetches another; nil: nobody has one
	stop    context.CancelFunc                        // ends a call of ask; nil: there is none
}

func (r *reconnect) endLocked() {
	if r.stop != nil {
		r.stop()
	}
	*r = reconnect{}
}

// keepAsk lets the login that is there ask n for a token when it reconnects.
func (d *Device) keepAsk(accid string, n engine.Notify) {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	if d.accid != "" && d.accid == fold(accid) {
		d.reconnect.ask = n.Token
	}
}

// Link takes the connection of this device's IM login down, or back up. Without
// a login it does nothing; a new login is online. If the login's token has run
// out, Link(true) first asks Notify.Token for another, and returns when that is
// decided.
func (d *Device) Link(online bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ask, refused := d.setLink(online, cancel)
	if !refused {
		return
	}
	token, err := "", error(engine.ErrTokenRejected)
	if ask != nil {
		token, err = ask(ctx)
	}
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	if ctx.Err() != nil {
		return // that login has ended
	}
	d.reconnect.stop = nil
	if err == nil {
		_, err = d.service.verifyIMLocked(d.accid, token)
	}
	if err != nil {
		d.endIMLocked(fmt.Errorf("IM account %s, when it reconnected: %w", d.accid, engine.ErrTokenRejected))
		return
	}
	d.reconnect.expired = false
	d.im.Link(!d.reconnect.down)
}

// setLink notes whether the connection is up. It reports whether IM refuses the
// token of a login that reconnects, and returns what fetches another.
func (d *Device) setLink(online bool, stop context.CancelFunc) (ask func(context.Context) (string, error), refused bool) {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	if d.accid == "" {
		return nil, false
	}
	r := &d.reconnect
	wasDown := r.down
	r.down = !online
	switch {
	case online && r.stop != nil: // it is being asked already
	case online && wasDown && r.expired:
		r.stop = stop
		return r.ask, true
	default:
		d.im.Link(online)
	}
	return nil, false
}
