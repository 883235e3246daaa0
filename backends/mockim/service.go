// Package mockim is an IM cloud and a kit server in memory, with the vendor's
// rules: an SDK holds one account, devices kick each other, accids are folded
// to lower case, a kit account is bound to one IM account. It is the embedded
// default: demos, examples and hosts' tests run on it, with no account and no
// network.
//
//	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
//	cloud.AddIM(engine.IMAccount{Accid: "myAccid", Token: "myToken"})
//	kit, err := cloud.CreateKitAccount("myAccid", "myToken")
//	e, err := engine.New(cloud.Device(), "app1", nil)
package mockim

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/engine"
)

// ServiceOptions are the rules of one cloud. The zero value is useful.
type ServiceOptions struct {
	AppKey      string // the only one it serves; "": any
	MultiDevice bool   // several devices may be logged in with one account; else a login kicks the device before it (engine.KickedByClient)
	NoAnonymous bool   // there are no temporary accounts: Anonymous fails with errors.ErrUnsupported
}

// A Service is the cloud: accounts, and who is logged in. It is safe for
// concurrent use. All its methods take effect at once, and tell the engines of
// the devices that they concern before they return.
type Service struct {
	options ServiceOptions

	mu     sync.Mutex
	im     map[string]*imAccount
	kits   map[string]*kitAccount
	active map[*Device]struct{} // with an IM or kit login
}

type imAccount struct {
	appKey, accid string
	token         secret
}

type kitAccount struct {
	token secret
	accid string // of the IM account that it is bound to
}

// A secret does not print: fmt looks into pointers and maps, but not into
// functions.
type secret func() string

func keep(token string) secret { return func() string { return token } }

// is takes the same time wherever they differ: servers stand on this.
func (s secret) is(token string) bool {
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

// AddIM registers an IM account, or gives one a new token; whoever is logged in
// stays so. An empty a.AppKey means the service's own.
func (s *Service) AddIM(a engine.IMAccount) {
	if a.AppKey == "" {
		a.AppKey = s.options.AppKey
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.im[fold(a.Accid)] = &imAccount{a.AppKey, fold(a.Accid), keep(a.Token)}
}

// Bind makes k a kit account that is bound to accid, or binds it anew. An empty
// accid makes one without an IM account, which Authenticate refuses with
// engine.ErrNoIMAccount.
func (s *Service) Bind(k engine.KitAccount, accid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kits[fold(k.UserUUID)] = &kitAccount{keep(k.Token), fold(accid)}
}

// FindIM returns the IM account accid, with its token, and whether there is one.
func (s *Service) FindIM(accid string) (engine.IMAccount, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.im[fold(accid)]
	if a == nil {
		return engine.IMAccount{}, false
	}
	return engine.IMAccount{AppKey: a.appKey, Accid: a.accid, Token: a.token()}, true
}

// FindKit returns the kit account userUUID, with its token, the accid that it is
// bound to, which is empty where Bind had none, and whether there is one.
func (s *Service) FindKit(userUUID string) (k engine.KitAccount, accid string, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.kits[fold(userUUID)]
	if a == nil {
		return engine.KitAccount{}, "", false
	}
	return engine.KitAccount{UserUUID: fold(userUUID), Token: a.token()}, a.accid, true
}

// CreateKitAccount makes a new kit account that is bound to an IM account, as
// the vendor's server API does (guides.md G09, G10). An empty imAccid makes the
// IM account too (G11); else imToken must be its token: a wrong one, or an
// unknown account, is engine.ErrTokenRejected.
func (s *Service) CreateKitAccount(imAccid, imToken string) (engine.KitAccount, error) {
	k := engine.KitAccount{UserUUID: newID(), Token: newID()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if imAccid == "" {
		imAccid = k.UserUUID
		s.im[imAccid] = &imAccount{s.options.AppKey, imAccid, keep(newID())}
	} else if _, err := s.verifyLocked(imAccid, imToken); err != nil {
		return engine.KitAccount{}, err
	}
	s.kits[k.UserUUID] = &kitAccount{keep(k.Token), fold(imAccid)}
	return k, nil
}

// newID makes an id as the vendor's are: 32 characters of 0-9 a-f.
func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

func (s *Service) verifyLocked(accid, token string) (*imAccount, error) {
	a := s.im[fold(accid)]
	if a == nil || !a.token.is(token) {
		return nil, fmt.Errorf("IM account %s: %w", fold(accid), engine.ErrTokenRejected)
	}
	return a, nil
}

func (s *Service) verifyKitLocked(k engine.KitAccount) (*kitAccount, error) {
	a := s.kits[fold(k.UserUUID)]
	if a == nil || !a.token.is(k.Token) {
		return nil, fmt.Errorf("kit account %s: %w", fold(k.UserUUID), engine.ErrTokenRejected)
	}
	return a, nil
}

// Kick ends the IM login of every device of that account with an
// *engine.KickError.
func (s *Service) Kick(accid string, r engine.KickReason) {
	s.EndIM(accid, &engine.KickError{Reason: r})
}

// EndIM ends the IM login of every device of that account with cause, such as
// engine.ErrAccountBanned or engine.ErrTokenRejected. The account itself stays
// as it is. A nil cause is engine.ErrUnavailable.
func (s *Service) EndIM(accid string, cause error) {
	if cause == nil {
		cause = engine.ErrUnavailable // nil would say that the host did it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(fold(accid), cause)
}

func (s *Service) endLocked(accid string, cause error) {
	for d := range s.active {
		if d.accid == accid {
			d.endLocked(cause)
		}
	}
}

// EndKit ends the kit sessions of that account with cause, such as
// engine.ErrTokenExpired. The IM logins beneath them stay.
func (s *Service) EndKit(userUUID string, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endKitLocked(fold(userUUID), cause)
}

func (s *Service) endKitLocked(userUUID string, cause error) {
	for d := range s.active {
		if k := d.session; k != nil && k.userUUID == userUUID {
			d.session = nil
			d.trackLocked()
			if k.lost != nil {
				k.lost(cause)
			}
		}
	}
}

// RemoveKit removes a kit account and the IM account that it is bound to, and
// reports whether they are gone: it does nothing while that IM account is
// logged in anywhere. Kit sessions of the account end with
// engine.ErrTokenRejected.
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
	if im == nil { // bound to an IM account that nobody registered: IM will refuse it
		return engine.IMAccount{AppKey: s.options.AppKey, Accid: a.accid}, nil
	}
	return engine.IMAccount{AppKey: im.appKey, Accid: im.accid, Token: im.token()}, nil
}

func (s *Service) anonymous() (engine.KitAccount, error) {
	if s.options.NoAnonymous {
		return engine.KitAccount{}, fmt.Errorf("temporary accounts: %w", errors.ErrUnsupported)
	}
	return s.CreateKitAccount("", "")
}
