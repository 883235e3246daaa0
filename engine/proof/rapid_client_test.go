package proof_test

import (
	"context"
	"strings"
	"sync"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// rapidReport is when a host's SDK reports a login or logout that it was asked
// for by the engine.
type rapidReport int

const (
	rapidBefore rapidReport = iota // the call returns
	rapidAfter                     // the call returned
	rapidNever
)

// A rapidClient is a host's IM SDK, and the host that reports to a hostim.IM.
type rapidClient struct {
	device *mockim.Device
	im     *hostim.IM
	report rapidReport

	mu      sync.Mutex // protects the following fields
	byHost  bool       // the host made the login
	pending []func()   // reports that come after the call
}

func newRapidClient(d *mockim.Device, report rapidReport) *rapidClient {
	c := &rapidClient{device: d, report: report}
	c.im = hostim.Wrap(hostim.Client{Init: d.InitIM, Login: c.login, Logout: c.logout})
	return c
}

func (c *rapidClient) callbacks() engine.Notify {
	return engine.Notify{Lost: c.im.LoggedOut, Link: c.im.Link}
}

func (c *rapidClient) login(ctx context.Context, a engine.IMAccount) error {
	if err := c.device.LoginIM(ctx, a, c.callbacks()); err != nil {
		return err
	}
	c.setByHost(false)
	c.say(func() { c.im.LoggedIn(engine.IMAccount{Accid: a.Accid}) })
	return nil
}

func (c *rapidClient) logout(ctx context.Context) error {
	was := c.device.LoggedIn()
	byHost := c.setByHost(false)
	err := c.device.LogoutIM(ctx)
	switch {
	case was == "": // SDKs say nothing then
	case byHost && c.report == rapidNever: // of its own logins the host reports everything
		c.im.LoggedOut(nil)
	default:
		c.say(func() { c.im.LoggedOut(nil) })
	}
	return err
}

func (c *rapidClient) setByHost(byHost bool) (was bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, c.byHost = c.byHost, byHost
	return was
}

func (c *rapidClient) say(report func()) {
	switch c.report {
	case rapidBefore:
		report()
	case rapidAfter:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.pending = append(c.pending, report)
	}
}

// settle delivers the reports that come after a call.
func (c *rapidClient) settle() {
	c.mu.Lock()
	pending := c.pending
	c.pending = nil
	c.mu.Unlock()
	for _, report := range pending {
		report()
	}
}

// hostLogin is a login by the host behind the engine's back.
func (c *rapidClient) hostLogin(ctx context.Context, a engine.IMAccount) error {
	on := c.device.LoggedIn()
	if on == strings.ToLower(a.Accid) {
		return nil
	}
	if on != "" {
		if err := c.device.HostLogout(ctx); err != nil {
			return err
		}
	}
	c.im.LoggingIn()
	err := c.device.HostLogin(ctx, a)
	if err == nil {
		_, err = c.device.AdoptIM(ctx, c.callbacks())
	}
	if err != nil {
		c.im.LoggedOut(err)
		return err
	}
	c.setByHost(true)
	c.im.LoggedIn(a)
	return nil
}
