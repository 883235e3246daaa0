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

// maxSessions bounds the sessions that are kept. There is no HTTP call for a
// logout, so the server never learns that a device has gone; the oldest session
// makes room for a new one.
const maxSessions = 1000

type sessionKey struct{ user, deviceID string }

// A session is the kit login of one user on one device. It has its own device
// in the world, so that the world can end it.
type session struct {
	device *mockim.Device
	opened uint64
	token  string
	ended  *refusal // guarded by Server.mu; nil while the session is valid
}

func keyOf(a claim, deviceID string) sessionKey {
	return sessionKey{strings.ToLower(a.UserUUID), deviceID}
}

// verify checks a against the world and the expired tokens. It returns the IM
// account that a is bound to, with the IM token that the kit server has on
// file. Its error is a *refusal.
func (s *Server) verify(ctx context.Context, a claim) (engine.IMAccount, error) {
	known, err := s.accountOf(a)
	if err != nil {
		return engine.IMAccount{}, err
	}
	im, err := s.world.Device().Authenticate(ctx, known) // on a new device, because a device counts its calls
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

// hasExpired reports whether the token of a has expired. The world has already
// accepted the account. So if a static token is not among the expired ones, the
// account has got it since, and the list of old ones is dropped.
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

// open begins a session of a on a device. It replaces the device's earlier
// session of that user.
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

// place stores fresh, and returns the sessions that it displaced.
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

// lose records that the world ended lost, and remembers its token if it
// expired.
func (s *Server) lose(user string, lost *session, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(cause, engine.ErrTokenExpired) {
		lost.ended = refuse(codeWrongToken)
		return
	}
	lost.ended = refuse(codeExpired)
	if !s.hasExpiredLocked(user, lost.token) {
		s.expired[user] = append(s.expired[user], lost)
	}
}

// resume checks the session of a, whose token is valid. It refuses a session
// that was ended, and opens a new one if the token has changed.
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
