package mockim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// The host's side: it drives the SDK itself, behind the engine's back.

// HostInit initialises the SDK, for the service's AppKey. Again is nothing.
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
	return d.init(ctx, appKey)
}

// HostLogin logs a in. Where a is logged in already it succeeds and does
// nothing; anybody else is logged out first, whoever logged them in, also if
// the login then fails. It fails with engine.ErrState before an init, and
// otherwise as LoginIM. With an ended ctx nothing happens.
func (d *Device) HostLogin(ctx context.Context, a engine.IMAccount) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.beginHostLogin(a)
	err := d.gate(ctx, "HostLogin")
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.hostLogins--
	if err == nil && !d.isLocked(a) {
		d.endLocked(nil)
		err = d.loginLocked(a)
	}
	if err != nil && d.accid == "" && d.hostLogins == 0 {
		d.im.LoggedOut(err) // nobody need wait any more
	}
	return err
}

// beginHostLogin is what happens at once: AdoptIM waits from here on.
func (d *Device) beginHostLogin(a engine.IMAccount) {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.hostLogins++
	if d.initialized && !d.isLocked(a) {
		d.endLocked(nil)
		d.im.LoggingIn()
	}
}

// isLocked reports whether a is who is logged in.
func (d *Device) isLocked(a engine.IMAccount) bool { return d.accid != "" && d.accid == fold(a.Accid) }

// HostLogout logs out whoever is logged in. It does so even if ctx has ended.
func (d *Device) HostLogout(ctx context.Context) error { return d.logout(ctx) }

// Link takes the connection of this device's IM login down, or back up. Without
// a login it does nothing; a new login is online.
func (d *Device) Link(online bool) {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	if d.accid != "" {
		d.im.Link(online)
	}
}

// LoggedIn returns the accid that is logged in to IM here, "" for none.
func (d *Device) LoggedIn() string {
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	return d.accid
}

// The test's side.

// Calls returns what the engine called, in order: the method, and the id that
// it is about, as "LoginIM myaccid". AdoptIM and Close are left out, and so is
// what the host does.
func (d *Device) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// callNames are the calls that Fail and Block know.
var callNames = []string{"InitIM", "LoginIM", "LogoutIM", "AdoptIM", "Authenticate", "Anonymous", "LoginKit", "LogoutKit", "HostLogin"}

// mustKnow panics if there is no such call: a test that misspells it would
// otherwise pass without its fault.
func mustKnow(call string) {
	if !slices.Contains(callNames, call) {
		panic(fmt.Sprintf("mockim: there is no call %q; there are %s", call, strings.Join(callNames, ", ")))
	}
}

// Fail makes the next such call fail with err. Used twice, it also makes the
// call after that fail. The call is a method of engine.IM, engine.Kit or
// engine.IMAdopter, or "HostLogin"; Fail panics if it is none of them. A logout
// that fails logs out all the same.
func (d *Device) Fail(call string, err error) {
	mustKnow(call)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults[call] = append(d.faults[call], err)
}

// Block makes such calls wait until release is called or their ctx ends. It
// takes the same names as Fail, and panics if call is none of them. AdoptIM
// waits for a blocked HostLogin. Calling release again has no effect.
func (d *Device) Block(call string) (release func()) {
	mustKnow(call)
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

// enter notes a call of the engine, and lets it wait or fail.
func (d *Device) enter(ctx context.Context, call, id string) error {
	d.mu.Lock()
	if id != "" {
		d.calls = append(d.calls, call+" "+fold(id))
	} else {
		d.calls = append(d.calls, call)
	}
	d.mu.Unlock()
	return d.gate(ctx, call)
}

func (d *Device) gate(ctx context.Context, call string) error {
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
