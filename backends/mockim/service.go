// Package mockim is an IM cloud and a kit server in memory, with the vendor's
// rules: an SDK holds one account, a login on a second device kicks the first,
// accids are folded to lower case, and a kit account is bound to one IM
// account. Demos, examples and the tests of apps run on it without an account
// or a network.
//
//	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
//	cloud.AddIM(engine.IMAccount{Accid: "myAccid", Token: "myToken"})
//	kit, err := cloud.CreateKitAccount("myAccid", "myToken")
//	e, err := engine.New(cloud.Device(), "app1", nil)
package mockim

import (
	"crypto/subtle"
	"fmt"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/engine"
)

// ServiceOptions are the rules of one cloud. The zero value is ready to use.
type ServiceOptions struct {
	// AppKey is the only AppKey that the cloud serves. If it is empty, the
	// cloud serves every AppKey.
	AppKey string

	// MultiDevice lets one account be logged in on several devices.
	// Otherwise a login kicks the device that was logged in
	// (engine.KickedByClient).
	MultiDevice bool

	// NoAnonymous makes Anonymous fail with errors.ErrUnsupported.
	NoAnonymous bool
}

// A Service is the cloud: it has the accounts, and knows which of them are
// logged in on which device. It is safe for concurrent use. Its methods take
// effect at once: before they return, they have reported to each engine that
// they affect.
type Service struct {
	options ServiceOptions

	mu     sync.Mutex
	im     map[string]*imAccount
	kits   map[string]*kitAccount
	active map[*Device]struct{} // the devices that have an IM or kit login
}

type imAccount struct {
	appKey, accid string
	token         secret
	expired       bool // the token
}

type kitAccount struct {
	token   secret
	expired bool   // the token has run out
	accid   string // the IM account that it is bound to; "": none
}

// A secret holds a token that fmt cannot print: fmt looks into pointers and
// maps, but not into functions.
type secret func() string

func newSecret(token string) secret { return func() string { return token } }

// equal compares in constant time, because servers rely on it.
func (s secret) equal(token string) bool {
	return subtle.ConstantTimeCompare([]byte(s()), []byte(token)) == 1
}

// NewService makes a cloud with no accounts.
func NewService(o ServiceOptions) *Service {
	return &Service{
		options: o,
		im:      map[string]*imAccount{},
		kits:    map[string]*kitAccount{},
		active:  map[*Device]struct{}{},
	}
}

func fold(id string) string { return strings.ToLower(id) }

// AddIM registers an IM account, or gives a registered one a new token. A new
// token ends no login. An empty a.AppKey means the service's own.
func (s *Service) AddIM(a engine.IMAccount) {
	if a.AppKey == "" {
		a.AppKey = s.options.AppKey
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.im[fold(a.Accid)]
	s.im[fold(a.Accid)] = &imAccount{appKey: a.AppKey, accid: fold(a.Accid), token: newSecret(a.Token),
		expired: old != nil && old.expired && old.token.equal(a.Token)}
}

// Bind registers the kit account k and binds it to accid. If k is registered
// already, Bind replaces its token and its binding. If accid is empty, k has no
// IM account, and Authenticate refuses it with engine.ErrNoIMAccount.
func (s *Service) Bind(k engine.KitAccount, accid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.kits[fold(k.UserUUID)]
	s.kits[fold(k.UserUUID)] = &kitAccount{token: newSecret(k.Token), accid: fold(accid),
		expired: old != nil && old.expired && old.token.equal(k.Token)}
}

// FindIM returns the IM account accid with its token, and whether it exists.
func (s *Service) FindIM(accid string) (engine.IMAccount, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.im[fold(accid)]
	if a == nil {
		return engine.IMAccount{}, false
	}
	return engine.IMAccount{AppKey: a.appKey, Accid: a.accid, Token: a.token()}, true
}

// FindKit returns the kit account userUUID with its token, the accid that it is
// bound to, and whether it exists. The accid is empty if it is bound to none.
func (s *Service) FindKit(userUUID string) (k engine.KitAccount, accid string, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.kits[fold(userUUID)]
	if a == nil {
		return engine.KitAccount{}, "", false
	}
	return engine.KitAccount{UserUUID: fold(userUUID), Token: a.token()}, a.accid, true
}

// CreateKitAccount makes a new kit account and binds it to an IM account, as
// the vendor's server API does (docs/vendor/guides.md, G09 and G10). If imAccid
// is empty, it makes the IM account too (G11). Otherwise imToken must be that
// account's token: CreateKitAccount fails with engine.ErrTokenRejected for a
// wrong token or an unknown account.
func (s *Service) CreateKitAccount(imAccid, imToken string) (engine.KitAccount, error) {
	k := engine.KitAccount{UserUUID: newID(), Token: newID()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if imAccid == "" {
		imAccid = k.UserUUID
		s.im[imAccid] = &imAccount{appKey: s.options.AppKey, accid: imAccid, token: newSecret(newID())}
	} else if _, err := s.verifyIMLocked(imAccid, imToken); err != nil {
		return engine.KitAccount{}, err
	}
	s.kits[k.UserUUID] = &kitAccount{token: newSecret(k.Token), accid: fold(imAccid)}
	return k, nil
}

// newID makes an id of the vendor's form: 32 characters of 0-9 a-f.
func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

func (s *Service) verifyIMLocked(accid, token string) (*imAccount, error) {
	a := s.im[fold(accid)]
	if a == nil || !a.token.equal(token) || a.expired {
		return nil, fmt.Errorf("IM account %s: %w", fold(accid), engine.ErrTokenRejected)
	}
	return a, nil
}

func (s *Service) verifyKitLocked(k engine.KitAccount) (*kitAccount, error) {
	a := s.kits[fold(k.UserUUID)]
	if a == nil || !a.token.equal(k.Token) {
		return nil, fmt.Errorf("kit account %s: %w", fold(k.UserUUID), engine.ErrTokenRejected)
	}
	if a.expired {
		return nil, fmt.Errorf("kit account %s: %w", fold(k.UserUUID), engine.ErrTokenExpired)
	}
	return a, nil
}

// Kick ends the IM login of accid on every device, with an *engine.KickError as
// the cause.
func (s *Service) Kick(accid string, r engine.KickReason) {
	s.EndIM(accid, &engine.KickError{Reason: r})
}

// EndIM ends the IM login of accid on every device. cause can be an error such
// as engine.ErrAccountBanned or engine.ErrTokenRejected. It does not change the
// account. A nil cause means engine.ErrUnavailable.
func (s *Service) EndIM(accid string, cause error) {
	if cause == nil {
		cause = engine.ErrUnavailable // nil would mean that the host logged out
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endIMLocked(fold(accid), cause)
}

func (s *Service) endIMLocked(accid string, cause error) {
	for d := range s.active {
		if d.accid == accid {
			d.endIMLocked(cause)
		}
	}
}

// EndKit ends every kit session of userUUID. cause can be an error such as
// engine.ErrTokenExpired. The IM logins beneath the sessions stay.
func (s *Service) EndKit(userUUID string, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endKitLocked(fold(userUUID), cause)
}

func (s *Service) endKitLocked(userUUID string, cause error) {
	for d := range s.active {
		if k := d.session; k != nil && k.userUUID == userUUID {
			d.session = nil
			d.updateActiveLocked()
			if k.notify.Lost != nil {
				k.notify.Lost(cause)
			}
		}
	}
}

// RemoveKit removes a kit account and the IM account that it is bound to, and
// reports whether they are gone. While that IM account is logged in on any
// device, it removes nothing and returns false. Kit sessions of the account end
// with engine.ErrTokenRejected.
func (s *Service) RemoveKit(userUUID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.kits[fold(userUUID)]
	if a == nil {
		return true
	}
	for d := range s.active {
		if d.accid != "" && d.accid == a.accid {
			return false
		}
	}
	delete(s.kits, fold(userUUID))
	delete(s.im, a.accid)
	s.endKitLocked(fold(userUUID), engine.ErrTokenRejected)
	return true
}

func (s *Service) authenticate(k engine.KitAccount) (engine.IMAccount, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.verifyKitLocked(k)
	if err != nil {
		return engine.IMAccount{}, err
	}
	if a.accid == "" {
		return engine.IMAccount{}, fmt.Errorf("kit account %s: %w", fold(k.UserUUID), engine.ErrNoIMAccount)
	}
	im := s.im[a.accid]
	if im == nil { // not registered: LoginIM will refuse it
		return engine.IMAccount{AppKey: s.options.AppKey, Accid: a.accid}, nil
	}
	return engine.IMAccount{AppKey: im.appKey, Accid: im.accid, Token: im.token()}, nil
}
