package nimhttptest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// Nobody tells a kit server that a device is gone, so old sessions make room
// for new ones.
const maxSessions = 1000

type sessionKey struct{ user, deviceID string }

// A session is the kit login of one user on one device. It has a device of its
// own in the world, so that the world can end it.
type session struct {
	device *mockim.Device
	opened uint64
	token  string
	ended  *refusal // guarded by Server.mu; nil: it holds
}

func keyOf(a claim, deviceID string) sessionKey {
	return sessionKey{strings.ToLower(a.UserUUID), deviceID}
}

// verify checks a as the world and the expired tokens have it, and returns the
// IM account that it is bound to, with the token that the kit server knows of
// it. It fails with a *refusal.
func (s *Server) verify(ctx context.Context, a claim) (engine.IMAccount, error) {
	known, err := s.accountOf(a)
	if err != nil {
		return engine.IMAccount{}, err
	}
	im, err := s.world.Device().Authenticate(ctx, known) // a new device: an old one would keep count of its calls
	if err != nil {
		return engine.IMAccount{}, refusalOf(err)
	}
	if s.hasExpired(a) {
		return engine.IMAccount{}, refuse(codeExpired)
	}
	if im.Token == "" {
		return engine.IMAccount{}, refuse(codeUnknownIMAccount)
	}
	im.Token = cmp.Or(s.profileOf(strings.ToLower(a.UserUUID), im.Accid).imToken, im.Token)
	return im, nil
}

// hasExpired is asked about tokens that the world finds good: a static one that
// is not among those that have expired is what the account has got since.
func (s *Server) hasExpired(a claim) bool {
	user := strings.ToLower(a.UserUUID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasExpiredLocked(user, a.Token) {
		return true
	}
	if !a.dynamic {
		delete(s.expired, user)
	}
	return false
}

func (s *Server) hasExpiredLocked(user, token string) bool {
	return slices.ContainsFunc(s.expired[user], func(old *session) bool { return old.token == token })
}

// open begins the session of a on a device, in place of the one before it.
func (s *Server) open(ctx context.Context, a claim, deviceID string) error {
	known, err := s.accountOf(a)
	if err != nil {
		return err
	}
	fresh := &session{device: s.world.Device(), token: a.Token}
	key := keyOf(a, deviceID)
	lost := func(cause error) { s.lose(key.user, fresh, cause) }
	if err := fresh.device.LoginKit(ctx, known, engine.Notify{Lost: lost}); err != nil {
		return refusalOf(err)
	}
	for _, old := range s.place(key, fresh) {
		old.device.LogoutKit(ctx)
	}
	return nil
}

// place keeps fresh, and returns those that had to go for it.
func (s *Server) place(key sessionKey, fresh *session) (gone []*session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	fresh.opened = s.opened
	if old := s.sessions[key]; old != nil {
		gone = append(gone, old)
	}
	s.sessions[key] = fresh
	if len(s.sessions) > maxSessions {
		first, oldest := key, fresh
		for k, other := range s.sessions {
			if other.opened < oldest.opened {
				first, oldest = k, other
			}
		}
		delete(s.sessions, first)
		gone = append(gone, oldest)
	}
	return gone
}

func (s *Server) lose(user string, of *session, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(cause, engine.ErrTokenExpired) {
		of.ended = refuse(codeWrongToken)
		return
	}
	of.ended = refuse(codeExpired)
	if !s.hasExpiredLocked(user, of.token) {
		s.expired[user] = append(s.expired[user], of)
	}
}

// resume finds the session of a whose token is good. One that was ended is
// refused; one that has another token is renewed.
func (s *Server) resume(ctx context.Context, a claim, deviceID string) error {
	s.mu.Lock()
	found := s.sessions[keyOf(a, deviceID)]
	renew := found != nil && found.token != a.Token
	var err error
	if found != nil && !renew && found.ended != nil {
		err = found.ended
	}
	s.mu.Unlock()
	if renew {
		return s.open(ctx, a, deviceID)
	}
	return err
}

func (s *Server) endSessions() {
	s.mu.Lock()
	all := s.sessions
	s.sessions = map[sessionKey]*session{}
	s.mu.Unlock()
	for _, one := range all {
		one.device.LogoutKit(context.Background())
	}
}
