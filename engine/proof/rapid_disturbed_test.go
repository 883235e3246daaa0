package proof_test

import (
	"context"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/imreuse/imreuse/engine"
)

// disturbances are the actions of host and service behind the engine's back.
func (c *rapidCrowd) disturbances() map[string]func(*rapid.T) {
	ctx := context.Background()
	return map[string]func(*rapid.T){
		"host logs in": c.maybe(c.hostBegins),
		"host logs out": c.maybe(func(*rapid.T) {
			c.must(c.device.HostLogout(ctx))
		}),
		"service kicks": c.maybe(func(t *rapid.T) {
			c.cloud.Kick(c.device.LoggedIn(), engine.KickedByServer)
		}),
		"kit ends": c.maybe(func(t *rapid.T) {
			c.cloud.EndKit(rapid.SampledFrom(rapidKits[:2]).Draw(t, "account").UserUUID, rapid.SampledFrom(rapidCauses).Draw(t, "cause"))
		}),
		"second device": c.maybe(func(t *rapid.T) {
			_ = c.second.HostLogin(ctx, rapid.SampledFrom(rapidIMs[:2]).Draw(t, "account")) // its token may have run out
		}),
		"link":               c.maybe(func(t *rapid.T) { c.device.Link(rapid.Bool().Draw(t, "online")) }),
		"kit token runs out": c.maybe(func(*rapid.T) { c.cloud.ExpireKit(kitAccount.UserUUID) }),
		"IM token runs out":  c.maybe(func(*rapid.T) { c.cloud.ExpireIM(imAccount.Accid) }),
		"host is held up": func(*rapid.T) {
			c.releases = append(c.releases, c.device.Block("HostLogin"))
		},
	}
}

// maybe runs the action, and may wait until everything is at rest.
func (c *rapidCrowd) maybe(action func(*rapid.T)) func(*rapid.T) {
	return func(t *rapid.T) {
		action(t)
		if rapid.Bool().Draw(t, "rest") {
			c.atRest()
		}
	}
}

// A rapidHostLogin is a login of the host's, which may be held up.
type rapidHostLogin struct {
	accid string
	done  chan struct{}
	err   error // after done
}

func (c *rapidCrowd) hostBegins(t *rapid.T) {
	a := rapid.SampledFrom(rapidHostIMs).Draw(t, "account")
	h := &rapidHostLogin{accid: strings.ToLower(a.Accid), done: make(chan struct{})}
	c.hosts = append(c.hosts, h)
	c.must(c.device.HostInit(context.Background()))
	go func() {
		defer close(h.done)
		h.err = c.device.HostLogin(context.Background(), a)
	}()
}

// hostMay reports whether the host may have logged accid in.
func (c *rapidCrowd) hostMay(accid string) bool {
	return c.spec.byHost && c.spec.on == accid ||
		slices.ContainsFunc(c.hosts, func(h *rapidHostLogin) bool { return h.err == nil && h.accid == accid })
}
