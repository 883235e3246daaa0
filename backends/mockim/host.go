package mockim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// The host's calls, which drive the SDK behind the engine's back.

// HostInit initialises the SDK for the service's AppKey. If the host or the
// engine has initialised it already, HostInit has no effect.
func (d *Device) HostInit(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.service.mu.Lock()
	appKey := d.service.options.AppKey
	if d.initialized {
		appKey = d.appKey
	}
	d.service.mu.Unlock()
	return d.sdkInit(ctx, appKey)
}

// HostLogin logs a in. If a is logged in already, it does nothing. Any other
// account is logged out first, no matter whether the engine or the host logged
// it in, and even if HostLogin then fails. It fails with engine.ErrState before
// HostInit or InitIM, with engine.ErrTokenRejected for an unknown account or a
// wrong token, and with engine.ErrAppKeyMismatch if a.AppKey is another app's.
// If ctx has ended already, HostLogin fails and logs nobody out.
func (d *Device) HostLogin(ctx context.Context, a engine.IMAccount) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.beginHostLogin(a)
	err := d.applyFaults(ctx, "HostLogin")
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.hostLogins--
	if err == nil && !d.isLoggedInLocked(a) {
		d.endIMLocked(nil)
		err = d.loginLocked(a)
	}
	if err != nil && d.accid == "" && d.hostLogins == 0 {
		d.im.LoggedOut(err) // so that AdoptIM stops waiting
	}
	return err
}

// beginHostLogin logs out any other account. AdoptIM waits from here on.
func (d *Device) beginHostLogin(a engine.IMAccount) {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.hostLogins++
	if d.initialized && !d.isLoggedInLocked(a) {
		d.endIMLocked(nil)
		d.im.LoggingIn()
	}
}

func (d *Device) isLoggedInLocked(a engine.IMAccount) bool {
	return d.accid != "" && d.accid == fold(a.Accid)
}

// HostLogout logs out whoever is logged in, even if ctx has ended.
func (d *Device) HostLogout(ctx context.Context) error { return d.sdkLogout(ctx) }

// LoggedIn returns the accid that is logged in to IM on this device, or "".
func (d *Device) LoggedIn() string {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	return d.accid
}

// The test's calls.

// Calls returns the engine's calls in order. Each has the method and, if the
// call takes an account, its id in lower case, as in "LoginIM myaccid".
// AdoptIM, Close and the host's calls are left out. A device that gets many
// calls remembers only the last ones, 10,000 or more.
func (d *Device) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// record notes a call. A host in another language may use a device for weeks and
// cannot ask for its calls, so the notes must not grow forever.
func (d *Device) record(call string) {
	const enough = 10_000
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.calls) == 2*enough {
		d.calls = slices.Delete(d.calls, 0, enough)
	}
	d.calls = append(d.calls, call)
}

// callNames lists the calls that Fail and Block accept.
var callNames = []string{"InitIM", "LoginIM", "LogoutIM", "AdoptIM", "Authenticate", "Anonymous", "LoginKit", "RenewKit", "LogoutKit", "HostLogin"}

// mustBeCallName panics if there is no such call. Otherwise a test with a
// misspelt name would pass without its fault.
func mustBeCallName(call string) {
	if !slices.Contains(callNames, call) {
		panic(fmt.Sprintf("mockim: there is no call %q; there are %s", call, strings.Join(callNames, ", ")))
	}
}

// Fail makes the next call of that name fail with err. Calling it twice makes
// the next two calls fail. The name is a method of engine.IM, engine.Kit,
// engine.KitRenewer or engine.IMAdopter, or "HostLogin"; Fail panics if it is
// none of them. A logout that fails still logs out.
func (d *Device) Fail(call string, err error) {
	mustBeCallName(call)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults[call] = append(d.faults[call], err)
}

// Block makes calls of that name wait until release is called or their ctx
// ends. It takes the same names as Fail, and panics if call is none of them.
// AdoptIM also waits for a blocked HostLogin. Calling release again has no
// effect.
func (d *Device) Block(call string) (release func()) {
	mustBeCallName(call)
	block := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blocks[call] = append(d.blocks[call], block)
	return sync.OnceFunc(func() {
		close(block)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.blocks[call] = slices.DeleteFunc(d.blocks[call], func(b <-chan struct{}) bool { return b == block })
	})
}

// enter records a call by the engine, and applies Block and Fail to it.
func (d *Device) enter(ctx context.Context, call, id string) error {
	if id != "" {
		d.record(call + " " + fold(id))
	} else {
		d.record(call)
	}
	return d.applyFaults(ctx, call)
}

// applyFaults waits for the blocks on a call, and returns the error that Fail
// has set for it.
func (d *Device) applyFaults(ctx context.Context, call string) error {
	d.mu.Lock()
	blocks := slices.Clone(d.blocks[call])
	d.mu.Unlock()
	for _, block := range blocks {
		select {
		case <-block:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	faults := d.faults[call]
	if len(faults) == 0 {
		return nil
	}
	d.faults[call] = faults[1:]
	return faults[0]
}
