package mockim

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/engine"
)

// A Device is one process with an IM SDK and a kit. It is an engine.Backend and
// an engine.IMAdopter: the engine drives its SDK, and so can the host, behind
// the engine's back. It is safe for concurrent use and keeps no goroutine
// between calls. It stays usable after an engine has closed it, so a new engine
// can use it.
//
// Its kit works with another IM too: engine.Join(im, device).
type Device struct {
	service *Service
	im      *hostim.IM // between the engine and the SDK

	// The SDK and the kit, guarded by service.mu.
	appKey      string
	initialized bool
	accid       string    // logged in to IM; "": nobody
	reconnect   reconnect // of the IM login
	session     *session  // of the kit; nil: none
	hostLogins  int       // calls of HostLogin in flight

	mu     sync.Mutex // protects the following fields; not held with service.mu
	calls  []string
	faults map[string][]error
	blocks map[string][]<-chan struct{}
}

type session struct {
	userUUID string
	notify   engine.Notify
}

// Device makes a device whose IM is not initialised.
func (s *Service) Device() *Device {
	d := &Device{service: s, faults: map[string][]error{}, blocks: map[string][]<-chan struct{}{}}
	d.im = hostim.Wrap(hostim.Client{Init: d.sdkInit, Login: d.sdkLogin, Logout: d.sdkLogout})
	return d
}

// The SDK's own calls, which the engine and the host both use.

func (d *Device) sdkInit(_ context.Context, appKey string) error {
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

func (d *Device) sdkLogin(_ context.Context, a engine.IMAccount) error {
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
	known, err := s.verifyIMLocked(a.Accid, a.Token)
	if err != nil {
		return err
	}
	if known.appKey != "" && known.appKey != d.appKey {
		return fmt.Errorf("IM account %s is not of this app: %w", known.accid, engine.ErrTokenRejected)
	}
	if !s.options.MultiDevice {
		s.endIMLocked(known.accid, &engine.KickError{Reason: engine.KickedByClient})
	}
	d.accid = known.accid
	d.updateActiveLocked()
	d.im.LoggedIn(engine.IMAccount{AppKey: d.appKey, Accid: d.accid})
	return nil
}

func (d *Device) sdkLogout(context.Context) error {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.endIMLocked(nil)
	return nil
}

// endIMLocked ends the IM login, and the kit session on top of it.
func (d *Device) endIMLocked(cause error) {
	if d.accid == "" {
		return
	}
	d.accid, d.session = "", nil
	d.reconnect.endLocked()
	d.updateActiveLocked()
	d.im.LoggedOut(cause)
}

func (d *Device) updateActiveLocked() {
	if d.accid == "" && d.session == nil {
		delete(d.service.active, d)
	} else {
		d.service.active[d] = struct{}{}
	}
}

// The engine's calls. Each is recorded, and Block and Fail apply to it.

// InitIM implements engine.IM. It fails with engine.ErrAppKeyMismatch if the
// service serves another AppKey, or if IM was initialised for another one.
func (d *Device) InitIM(ctx context.Context, appKey string) error {
	if err := d.enter(ctx, "InitIM", ""); err != nil {
		return err
	}
	return d.im.InitIM(ctx, appKey)
}

// LoginIM implements engine.IM. It fails with engine.ErrState before InitIM or
// HostInit, with engine.ErrIMInUse while anybody is logged in, and with
// engine.ErrTokenRejected for an unknown account or a wrong token.
func (d *Device) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	if err := d.enter(ctx, "LoginIM", a.Accid); err != nil {
		return err
	}
	err := d.im.LoginIM(ctx, a, n)
	if err == nil {
		d.keepAsk(a.Accid, n)
	}
	return err
}

// LogoutIM implements engine.IM. It logs out even if it fails because of Fail
// or because ctx has ended.
func (d *Device) LogoutIM(ctx context.Context) error {
	err := d.enter(ctx, "LogoutIM", "")
	if out := d.im.LogoutIM(context.WithoutCancel(ctx)); err == nil {
		err = out
	}
	return err
}

// AdoptIM implements engine.IMAdopter: it returns the login that HostLogin
// made. It waits for a HostLogin in flight.
func (d *Device) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	if err := d.applyFaults(ctx, "AdoptIM"); err != nil {
		return engine.IMAccount{}, err
	}
	a, err := d.im.AdoptIM(ctx, n)
	if err == nil {
		d.keepAsk(a.Accid, n)
	}
	return a, err
}

// Authenticate implements engine.Kit. It fails with engine.ErrTokenRejected for
// an unknown account or a wrong token, and with engine.ErrNoIMAccount for a kit
// account that is bound to no IM account.
func (d *Device) Authenticate(ctx context.Context, a engine.KitAccount) (engine.IMAccount, error) {
	if err := d.enter(ctx, "Authenticate", a.UserUUID); err != nil {
		return engine.IMAccount{}, err
	}
	return d.service.authenticate(a)
}

// Anonymous implements engine.Kit. It makes a temporary kit account, bound to a
// new IM account. It fails with errors.ErrUnsupported if
// ServiceOptions.NoAnonymous is set.
func (d *Device) Anonymous(ctx context.Context) (engine.KitAccount, error) {
	if err := d.enter(ctx, "Anonymous", ""); err != nil {
		return engine.KitAccount{}, err
	}
	if d.service.options.NoAnonymous {
		return engine.KitAccount{}, fmt.Errorf("temporary accounts: %w", errors.ErrUnsupported)
	}
	return d.service.CreateKitAccount("", "")
}

// LoginKit implements engine.Kit. It replaces an open session.
func (d *Device) LoginKit(ctx context.Context, a engine.KitAccount, n engine.Notify) error {
	if err := d.enter(ctx, "LoginKit", a.UserUUID); err != nil {
		return err
	}
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	if _, err := d.service.verifyKitLocked(a); err != nil {
		return err
	}
	d.session = &session{fold(a.UserUUID), n}
	d.updateActiveLocked()
	return nil
}

// RenewKit implements engine.KitRenewer. It fails with engine.ErrState if no
// session of that account is open, with engine.ErrTokenRejected if the token is
// wrong, and with engine.ErrTokenExpired if it has run out.
func (d *Device) RenewKit(ctx context.Context, a engine.KitAccount) error {
	if err := d.enter(ctx, "RenewKit", a.UserUUID); err != nil {
		return err
	}
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	if d.session == nil || d.session.userUUID != fold(a.UserUUID) {
		return fmt.Errorf("%w: no kit session of %s is open", engine.ErrState, fold(a.UserUUID))
	}
	_, err := d.service.verifyKitLocked(a)
	return err
}

// LogoutKit implements engine.Kit. It ends the session even if it fails because
// of Fail or because ctx has ended.
func (d *Device) LogoutKit(ctx context.Context) error {
	err := d.enter(ctx, "LogoutKit", "")
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.session = nil
	d.updateActiveLocked()
	return err
}

// Close implements io.Closer. It logs out only an IM login that the engine gave
// up on and that succeeded nevertheless; the host's login stays.
func (d *Device) Close() error { return d.im.Close() }
