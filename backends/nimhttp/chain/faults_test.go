package chain_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

func chainKicked(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.AutoLogin)
	h := record(t, e)
	reasons := []engine.KickReason{engine.KickedByClient, engine.KickedByServer, engine.KickedByOther, engine.KickedQuietly}
	transitions := []engine.Trigger{engine.TriggerInitIM}
	for _, reason := range reasons {
		must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
		c.world.EndIM("alice", &engine.KickError{Reason: reason, ClientType: 32, Text: "says who"})
		seen := await(t, e, "the kick", func(s engine.Status) bool { return s.State == engine.IMInitialized })
		var kick *engine.KickError
		cause := seen[len(seen)-1].Cause
		if want := (engine.KickError{Reason: reason, ClientType: 32, Text: "says who"}); !errors.As(cause, &kick) || *kick != want {
			t.Errorf("got cause %v, want %v", cause, &want)
		}
		c.wantOnline([]string{"a"})
		transitions = append(transitions, engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerIMLost)
	}
	h.closeAndWant(append(transitions, engine.TriggerClose)...)
}

func chainLink(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.AutoLogin)
	h := record(t, e)
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	held := e.Status()
	c.link("alice", false)
	await(t, e, "the link to go", func(s engine.Status) bool { return !s.Online })
	c.link("alice", true)
	await(t, e, "the link to come back", func(s engine.Status) bool { return s.Online })
	now := e.Status()
	if now.Seq -= 2; now != held {
		t.Errorf("got %+v, want %+v", now, held)
	}
	c.wantOnline([]string{"a"}, "alice")
	h.closeAndWant(engine.TriggerInitIM, engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerClose)
}

func chainRevoked(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.AutoLogin)
	h := record(t, e)
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	c.link("alice", false)
	await(t, e, "the link to go", func(s engine.Status) bool { return !s.Online })
	fresh := engine.IMAccount{Accid: alice.Accid, Token: "im-alice-anew"}
	c.world.AddIM(fresh)
	c.link("alice", true)
	seen := await(t, e, "the loss", func(s engine.Status) bool { return s.State == engine.IMInitialized })
	wantError(t, "the cause", seen[len(seen)-1].Cause, engine.ErrTokenRejected)
	c.wantOnline([]string{"a"})
	must(t, "LoginKit with the new token", e.LoginKit(t.Context(), kitAlice))
	c.wantOnline([]string{"a"}, "alice")
	h.closeAndWant(engine.TriggerInitIM, engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerIMLost,
		engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerClose)
}

// Another client logs out the login that the engine made.
func chainLogoutBehind(t *testing.T, c *chain) {
	e := c.engine(c.backend("shared"), engine.AutoLogin)
	h := record(t, e)
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	other := c.im("shared")
	wantError(t, "LoginIM of another client", errors.Join(other.InitIM(t.Context(), "app1"), other.LoginIM(t.Context(), alice, engine.Notify{})), engine.ErrIMInUse)
	must(t, "LogoutIM of another client", other.LogoutIM(t.Context()))
	seen := await(t, e, "the loss", func(s engine.Status) bool { return s.State == engine.IMInitialized })
	wantError(t, "the cause", seen[len(seen)-1].Cause, engine.ErrIMLoggedOut)
	must(t, "LoginKit again", e.LoginKit(t.Context(), kitAlice))
	c.wantOnline([]string{"shared"}, "alice")
	h.closeAndWant(engine.TriggerInitIM, engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerIMLost,
		engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerClose)
}

// The caller, a logout and Close each interrupt a login that the cloud or the
// gateway has not answered.
func chainInterrupted(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.AutoLogin)
	for _, row := range []struct {
		name      string
		interrupt func(cancel context.CancelFunc) error
		want      error
	}{
		{"its caller", func(cancel context.CancelFunc) error { cancel(); return nil }, context.Canceled},
		{"LogoutKit", func(context.CancelFunc) error { return e.LogoutKit(t.Context()) }, engine.ErrInterrupted},
		{"Close", func(context.CancelFunc) error { return e.Close() }, engine.ErrInterrupted},
	} {
		c.wantOnline([]string{"a"})
		c.mute(true)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.LoginKit(ctx, kitAlice) }()
		if !gatewaytest.Poll(c.loginPending) {
			t.Fatal("no login reached the gateway")
		}
		must(t, row.name, row.interrupt(cancel))
		wantError(t, "LoginKit, ended by "+row.name, <-done, row.want)
		cancel()
		c.mute(false)
		c.wantOnline([]string{"a"})
		if row.name != "Close" {
			must(t, "LoginKit after "+row.name, e.LoginKit(t.Context(), kitAlice))
			c.wantOnline([]string{"a"}, "alice")
			must(t, "LogoutKit", e.LogoutKit(t.Context()))
		}
	}
	if got := c.slots(); got != 0 {
		t.Errorf("after Close: got %d slots, want 0", got)
	}
}

// mute makes the cloud, or the double, leave logins unanswered.
func (c *chain) mute(muted bool) {
	switch {
	case c.node != nil:
		c.cloud.MuteLogin(muted)
	case muted:
		c.before = c.gatewayLogins()
		c.server.Fault(nimhttptest.Fault{Path: "/v1/im/a/login", Delay: time.Minute})
	}
}

// loginPending reports whether a login is waiting for its answer.
func (c *chain) loginPending() bool {
	if c.node == nil {
		return c.gatewayLogins() > c.before
	}
	for _, client := range c.cloud.Clients() {
		if client.Account != "" && client.Accid == "" {
			return true
		}
	}
	return false
}

func (c *chain) gatewayLogins() (n int) {
	for _, r := range c.server.Requests() {
		if r.Path == "/v1/im/a/login" {
			n++
		}
	}
	return n
}

// The gateway is killed and started again at the same address.
func chainRestarted(t *testing.T, c *chain) {
	if c.node != nil {
		c.node = startNode(t, nimhttp.GatewayOptions{}) // a gateway that only this row uses, so that it may be killed
		c.options.GatewayURL, c.options.GatewaySecret = c.node.URL(), c.node.Secret()
	}
	for _, climb := range rungs {
		e := c.engine(c.backend("a"), engine.AutoDetect)
		climb(t, e)
		rung := e.Status().State
		c.kill(t)
		c.restart(t)
		if rung >= engine.IMLoggedIn {
			seen := await(t, e, "the loss", func(s engine.Status) bool { return s.State < engine.IMLoggedIn })
			wantError(t, "the cause", seen[len(seen)-1].Cause, engine.ErrUnavailable)
		}
		c.wantLoginWorks(t, e)
	}
}

// rungs has the calls that climb to each rung.
var rungs = []func(*testing.T, *engine.Engine){
	func(*testing.T, *engine.Engine) {},
	func(t *testing.T, e *engine.Engine) { must(t, "InitIM", e.InitIM(t.Context())) },
	func(t *testing.T, e *engine.Engine) {
		must(t, "InitIM", e.InitIM(t.Context()))
		must(t, "LoginIM", e.LoginIM(t.Context(), alice))
	},
	func(t *testing.T, e *engine.Engine) { must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice)) },
}

// wantLoginWorks checks that a new login works, and that the engine and the
// cloud agree on it.
func (c *chain) wantLoginWorks(t *testing.T, e *engine.Engine) {
	t.Helper()
	c.wantOnline([]string{"a"})
	must(t, "LoginKit after all", e.LoginKit(t.Context(), kitAlice))
	wantStatus(t, e, engine.KitLoggedIn, "alice", false)
	c.wantOnline([]string{"a"}, "alice")
	must(t, "Close", e.Close())
	c.wantOnline(nil)
}

func (c *chain) kill(t *testing.T) {
	t.Helper()
	if c.node == nil {
		return // RestartGateway kills and starts
	}
	node, err := os.FindProcess(c.node.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.node.Wait(); err == nil {
		t.Error("Wait of a killed gateway: got no error")
	}
}

func (c *chain) restart(t *testing.T) {
	t.Helper()
	if c.node == nil {
		c.server.RestartGateway()
		return
	}
	addr := c.node.URL()[len("http://"):]
	c.node = startNode(t, nimhttp.GatewayOptions{Addr: addr, Secret: c.node.Secret()})
}

// The gateway is killed and stays away for a while. The engine learns of it at
// once, and refuses logins until the gateway is back.
func TestChainKilled(t *testing.T) {
	c := newChain(t, startNode(t, nimhttp.GatewayOptions{}))
	for _, climb := range rungs {
		e := c.engine(c.backend("a"), engine.AutoDetect)
		h := record(t, e)
		climb(t, e)
		rung := e.Status().State
		c.kill(t)
		if rung >= engine.IMLoggedIn {
			await(t, e, "the loss", func(s engine.Status) bool { return s.State == engine.IMInitialized })
		}
		wantError(t, "LoginKit without a gateway", e.LoginKit(t.Context(), kitAlice), engine.ErrUnavailable)
		if s := e.Status(); s.State > engine.IMInitialized {
			t.Errorf("without a gateway: got %+v", s)
		}
		c.wantOnline(nil)
		c.restart(t)
		c.wantLoginWorks(t, e)
		<-h.done
		lost := 0
		for _, s := range h.all {
			if s.Via == engine.TriggerIMLost {
				lost++
			}
		}
		if want := map[bool]int{true: 1}[rung >= engine.IMLoggedIn]; lost != want {
			t.Errorf("from %v: got %d losses, want %d", rung, lost, want)
		}
	}
}

// A login fails if the gateway is killed in the middle of it.
func TestChainKilledDuringLogin(t *testing.T) {
	c := newChain(t, startNode(t, nimhttp.GatewayOptions{}))
	e := c.engine(c.backend("a"), engine.AutoLogin)
	c.mute(true)
	done := make(chan error, 1)
	go func() { done <- e.LoginKit(t.Context(), kitAlice) }()
	if !gatewaytest.Poll(c.loginPending) {
		t.Fatal("no login reached the gateway")
	}
	c.kill(t)
	wantError(t, "LoginKit", <-done, engine.ErrUnavailable)
	c.mute(false)
	c.restart(t)
	c.wantLoginWorks(t, e)
}
