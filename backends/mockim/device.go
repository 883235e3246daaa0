package mockim

import (
	"context"
	"fmt"
	"sync"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/engine"
)

// A Device is one process with an IM SDK and a kit. It is an engine.Backend
// and an engine.IMAdopter: its SDK can be driven by the engine, and by the host
// behind the engine's back. It is safe for concurrent use, has no goroutine at
// rest, and outlives the engine that closes it: another may follow.
//
// Its kit works with another IM too: engine.Join(im, device).
type Device struct {
	service *Service
	im      *hostim.IM // the engine's view of the SDK, which reports to it

	// Guarded by service.mu: the SDK and the kit.
	appKey      string
	initialized bool
	accid       string // who is logged in to IM; "": nobody
	session     *session
	hostLogins  int // in flight

	mu     sync.Mutex // protects the following fields; taken after no other
	calls  []string
	faults map[string][]error
	blocks map[string][]<-chan struct{}
}

type session struct {
	userUUID string
	lost     func(error)
}

// Device makes a process on which nothing is initialised.
func (s *Service) Device() *Device {
	d := &Device{service: s, faults: map[string][]error{}, blocks: map[string][]<-chan struct{}{}}
	d.im = hostim.Wrap(hostim.Client{Init: d.init, Login: d.login, Logout: d.logout})
	return d
}

// The SDK, as whoever drives it sees it.

func (d *Device) init(_ context.Context, appKey string) error {
	s := d.service
	s.mu.Lock()
	defer s.mu.Unlock()
	want := s.options.AppKey
	if d.initialized {
		want = d.appKey
	}
	if want != "" && appKey != want {
		return fmt.Errorf("%w: IM is for %q, not %q", engine.ErrAppKeyMismatch, want, appKey)
	}
	d.appKey, d.initialized = appKey, true
	return nil
}

func (d *Device) login(_ context.Context, a engine.IMAccount) error {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	if d.accid != "" {
		return fmt.Errorf("%w: as %s", engine.ErrIMInUse, d.accid)
	}
	return d.loginLocked(a)
}

func (d *Device) loginLocked(a engine.IMAccount) error {
	s := d.service
	if !d.initialized {
		return fmt.Errorf("%w: IM is not initialised", engine.ErrState)
	}
	if a.AppKey != "" && a.AppKey != d.appKey {
		return fmt.Errorf("%w: IM is for %q, the account of %q", engine.ErrAppKeyMismatch, d.appKey, a.AppKey)
	}
	known, err := s.verifyLocked(a.Accid, a.Token)
	if err != nil {
		return err
	}
	if known.appKey != "" && known.appKey != d.appKey {
		return fmt.Errorf("IM account %s is not of this app: %w", known.accid, engine.ErrTokenRejected)
	}
	if !s.options.MultiDevice {
		s.endLocked(known.accid, &engine.KickError{Reason: engine.KickedByClient})
	}
	d.accid = known.accid
	d.trackLocked()
	d.im.LoggedIn(engine.IMAccount{AppKey: d.appKey, Accid: d.accid})
	return nil
}

func (d *Device) logout(context.Context) error {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.endLocked(nil)
	return nil
}

// endLocked ends the IM login, and the kit session on it.
func (d *Device) endLocked(cause error) {
	if d.accid == "" {
		return
	}
	d.accid, d.session = "", nil
	d.trackLocked()
	d.im.LoggedOut(cause)
}

func (d *Device) trackLocked() {
	if d.accid == "" && d.session == nil {
		delete(d.service.active, d)
	} else {
		d.service.active[d] = struct{}{}
	}
}

// The engine's side: every call is noted, and may be made to wait and to fail.

// InitIM implements engine.IM. It fails with engine.ErrAppKeyMismatch where the
// service or the host has another AppKey.
func (d *Device) InitIM(ctx context.Context, appKey string) error {
	if err := d.enter(ctx, "InitIM", ""); err != nil {
		return err
	}
	return d.im.InitIM(ctx, appKey)
}

// LoginIM implements engine.IM. It fails with engine.ErrState before InitIM or
// HostInit, engine.ErrIMInUse while anybody is logged in, and
// engine.ErrTokenRejected for an unknown account or a wrong token.
func (d *Device) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	if err := d.enter(ctx, "LoginIM", a.Accid); err != nil {
		return err
	}
	return d.im.LoginIM(ctx, a, n)
}

// LogoutIM implements engine.IM. Nobody is logged in afterwards, even if it was
// made to fail, or its ctx ended.
func (d *Device) LogoutIM(ctx context.Context) error {
	err := d.enter(ctx, "LogoutIM", "")
	if out := d.im.LogoutIM(context.WithoutCancel(ctx)); err == nil {
		err = out
	}
	return err
}

// AdoptIM implements engine.IMAdopter: it reports the login that HostLogin
// made, and waits for one that is in flight.
func (d *Device) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	if err := d.gate(ctx, "AdoptIM"); err != nil {
		return engine.IMAccount{}, err
	}
	return d.im.AdoptIM(ctx, n)
}

// Authenticate implements engine.Kit. It fails with engine.ErrTokenRejected for
// an unknown account or a wrong token, and with engine.ErrNoIMAccount for one
// that is bound to none.
func (d *Device) Authenticate(ctx context.Context, a engine.KitAccount) (engine.IMAccount, error) {
	if err := d.enter(ctx, "Authenticate", a.UserUUID); err != nil {
		return engine.IMAccount{}, err
	}
	return d.service.authenticate(a)
}

// Anonymous implements engine.Kit. It makes a kit account and an IM account.
func (d *Device) Anonymous(ctx context.Context) (engine.KitAccount, error) {
	if err := d.enter(ctx, "Anonymous", ""); err != nil {
		return engine.KitAccount{}, err
	}
	return d.service.anonymous()
}

// LoginKit implements engine.Kit. A session that was open is replaced.
func (d *Device) LoginKit(ctx context.Context, a engine.KitAccount, n engine.Notify) error {
	if err := d.enter(ctx, "LoginKit", a.UserUUID); err != nil {
		return err
	}
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	if _, err := d.service.verifyKitLocked(a); err != nil {
		return err
	}
	d.session = &session{fold(a.UserUUID), n.Lost}
	d.trackLocked()
	return nil
}

// LogoutKit implements engine.Kit. No session is open afterwards, even if it
// was made to fail, or its ctx ended.
func (d *Device) LogoutKit(ctx context.Context) error {
	err := d.enter(ctx, "LogoutKit", "")
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.session = nil
	d.trackLocked()
	return err
}

// Close implements io.Closer. An IM login that is there is the host's, and stays,
// unless it is one that the engine gave up and that came true all the same.
func (d *Device) Close() error { return d.im.Close() }
