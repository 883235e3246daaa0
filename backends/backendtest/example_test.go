package backendtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// memory is a complete backend: an IM SDK and a kit in memory, with the
// accounts of one app. It is an engine.IMAdopter, because its host can log in
// as well, and an engine.KitRenewer.
type memory struct {
	mu      sync.Mutex
	appKey  string // "": IM is not initialised
	im      *login // nil: nobody is logged in
	session *session
	expired map[string]bool // kit tokens that have run out
	fresh   string          // user-a's kit token, once the first has run out
}

// A session of the kit has a token, which RenewKit replaces.
type session struct {
	account engine.KitAccount
	notify  engine.Notify
}

// A login keeps its own Notify, so that reports about it never reach another
// login.
type login struct {
	accid   string
	notify  engine.Notify
	host    bool // the host made it
	offline bool
}

var (
	imTokens  = map[string]string{"alice": "im-secret-a", "bob": "im-secret-b"}
	kitTokens = map[string]string{"user-a": "kit-secret-a", "user-b": "kit-secret-b"}
	bindings  = map[string]string{"user-a": "alice", "user-b": "bob"}
)

func (m *memory) InitIM(_ context.Context, appKey string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.appKey != "" && m.appKey != appKey {
		return fmt.Errorf("%w: IM is initialised with %q", engine.ErrAppKeyMismatch, m.appKey)
	}
	m.appKey = appKey
	return nil
}

func (m *memory) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.im != nil {
		return fmt.Errorf("%w: as %s", engine.ErrIMInUse, m.im.accid)
	}
	return m.loginLocked(ctx, a, &login{notify: n})
}

// loginLocked changes nothing if it fails.
func (m *memory) loginLocked(ctx context.Context, a engine.IMAccount, l *login) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	l.accid = strings.ToLower(a.Accid)
	if token, ok := imTokens[l.accid]; !ok || token != a.Token {
		return fmt.Errorf("%w: %v", engine.ErrTokenRejected, a) // a prints as its accid
	}
	m.im = l
	return nil
}

func (m *memory) LogoutIM(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.im, m.session = nil, nil // no call of Lost: the engine asked for it
	return nil
}

func (m *memory) AdoptIM(_ context.Context, n engine.Notify) (engine.IMAccount, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.im == nil || !m.im.host {
		return engine.IMAccount{}, nil
	}
	m.im.notify = n
	if m.im.offline {
		n.Link(false)
	}
	return engine.IMAccount{AppKey: m.appKey, Accid: m.im.accid}, nil
}

func (m *memory) Authenticate(ctx context.Context, a engine.KitAccount) (engine.IMAccount, error) {
	if err := ctx.Err(); err != nil {
		return engine.IMAccount{}, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkLocked(a); err != nil {
		return engine.IMAccount{}, err
	}
	accid := bindings[a.UserUUID]
	return engine.IMAccount{Accid: accid, Token: imTokens[accid]}, nil
}

func (m *memory) checkLocked(a engine.KitAccount) error {
	token := kitTokens[a.UserUUID]
	if m.fresh != "" && a.UserUUID == "user-a" {
		token = m.fresh
	}
	switch {
	case m.expired[a.Token]:
		return fmt.Errorf("%w: %v", engine.ErrTokenExpired, a)
	case token == "" || token != a.Token:
		return fmt.Errorf("%w: %v", engine.ErrTokenRejected, a)
	}
	return nil
}

func (m *memory) Anonymous(context.Context) (engine.KitAccount, error) {
	return engine.KitAccount{}, errors.ErrUnsupported
}

func (m *memory) LoginKit(ctx context.Context, a engine.KitAccount, n engine.Notify) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if m.im == nil {
		return fmt.Errorf("%w: the IM login of %v is gone", engine.ErrState, a)
	}
	m.session = &session{a, n}
	return nil
}

func (m *memory) RenewKit(ctx context.Context, a engine.KitAccount) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if m.session == nil || m.session.account.UserUUID != a.UserUUID {
		return fmt.Errorf("%w: no session of %v is open", engine.ErrState, a)
	}
	if err := m.checkLocked(a); err != nil {
		return err // the session keeps its token
	}
	m.session.account = a
	return nil
}

func (m *memory) LogoutKit(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session = nil
	return nil
}

func (m *memory) Close() error { return nil }

// The service and the host act behind the engine's back.

// endLocked ends the current login, and reports cause to it. Lost may be called
// with a lock held.
func (m *memory) endLocked(cause error) {
	l := m.im
	m.im, m.session = nil, nil
	if l != nil && l.notify.Lost != nil { // a login that nobody adopted has no Notify
		l.notify.Lost(cause)
	}
}

func (m *memory) kick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endLocked(&engine.KickError{Reason: engine.KickedByServer})
}

func (m *memory) link(online bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.im == nil || m.im.offline == !online {
		return
	}
	m.im.offline = !online
	if m.im.notify.Link != nil {
		m.im.notify.Link(online)
	}
}

// expire lets the kit token of user-a run out, and returns a new one.
func (m *memory) expire() (fresh string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := kitTokens["user-a"]
	if m.fresh != "" {
		old = m.fresh
	}
	if m.expired == nil {
		m.expired = map[string]bool{}
	}
	m.expired[old] = true
	m.fresh = fmt.Sprintf("kit-secret-a%d", len(m.expired))
	if s := m.session; s != nil && s.account.Token == old && !s.notify.Expired(engine.ErrTokenExpired) {
		m.session = nil
		s.notify.Lost(engine.ErrTokenExpired)
	}
	return m.fresh
}

func (m *memory) hostLogin(ctx context.Context, a engine.IMAccount) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endLocked(engine.ErrIMLoggedOut)
	return m.loginLocked(ctx, a, &login{host: true})
}

func (m *memory) hostLogout(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endLocked(engine.ErrIMLoggedOut)
	return nil
}

// An engine runs over a backend of your own.
func Example() {
	ctx := context.Background()
	e, err := engine.New(&memory{}, "myAppKey", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()

	err = e.LoginKit(ctx, engine.KitAccount{UserUUID: "user-a", Token: "kit-secret-a"})
	fmt.Println(err, e.Status().State, e.Status().Accid)
	err = e.LogoutKit(ctx)
	fmt.Println(err, e.Status().State)
	// Output:
	// <nil> kit_logged_in alice
	// <nil> im_initialized
}
