package chain_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/backendtest"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/engine"
)

// The conformance suite of backends, over the whole chain. The host is another
// client of the gateway, in the same slot.
func TestChainConformance(t *testing.T) {
	run := func(t *testing.T, node *nimhttp.Gateway) {
		backendtest.Run(t, func(t *testing.T) *backendtest.Harness {
			c := newChain(t, node)
			slot := uuid.NewString()
			host := c.im(slot)
			return &backendtest.Harness{
				Backend: c.backend(slot),
				AppKey:  "app1",
				IM:      alice,
				Kit:     kitAlice,
				Other:   kitBob,
				Kick:    func() { c.world.Kick(alice.Accid, engine.KickedByServer) },
				Link:    func(online bool) { c.link(alice.Accid, online) },
				HostLogin: func(ctx context.Context, a engine.IMAccount) error {
					return errors.Join(host.InitIM(ctx, "app1"), host.LoginIM(ctx, a, engine.Notify{}))
				},
				HostLogout: host.LogoutIM,
			}
		})
	}
	t.Run("fake", func(t *testing.T) { run(t, nil) })
	t.Run("real", func(t *testing.T) { run(t, startNode(t, nimhttp.GatewayOptions{})) })
}

// Everything that a host does, and that can happen to it, in every mode.
func TestChain(t *testing.T) {
	rows := []struct {
		name string
		run  func(*testing.T, *chain)
	}{
		{"auto login", chainAutoLogin},
		{"reuse", chainReuse},
		{"auto detect", chainAutoDetect},
		{"mismatch", chainMismatch},
		{"not logged in", chainNotLoggedIn},
		{"anonymous", chainAnonymous},
		{"wrong token", chainWrongToken},
		{"upper case", chainUpperCase},
		{"adopted", chainAdopted},
		{"adopted login ends", chainAdoptedEnds},
		{"two engines", chainTwoEngines},
		{"kicked", chainKicked},
		{"link drops and returns", chainLink},
		{"token revoked during an outage", chainRevoked},
		{"logout behind the back", chainLogoutBehind},
		{"interrupted", chainInterrupted},
		{"gateway started again", chainRestarted},
	}
	run := func(t *testing.T, node func() *nimhttp.Gateway) {
		g := node()
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) { row.run(t, newChain(t, g)) })
		}
	}
	t.Run("fake", func(t *testing.T) { run(t, func() *nimhttp.Gateway { return nil }) })
	t.Run("real", func(t *testing.T) {
		var said gatewaytest.Buffer
		node := startNode(t, nimhttp.GatewayOptions{Stderr: &said})
		run(t, func() *nimhttp.Gateway { return node })
		noTokens(t, said.String())
	})
}

func chainAutoLogin(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.AutoLogin)
	h := record(t, e)
	for range 2 {
		must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
		wantStatus(t, e, engine.KitLoggedIn, "alice", false)
		c.wantOnline([]string{"a"}, "alice")
		must(t, "LogoutKit", e.LogoutKit(t.Context()))
		wantStatus(t, e, engine.IMInitialized, "", false)
		c.wantOnline([]string{"a"})
	}
	h.closeAndWant(engine.TriggerInitIM, engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerLogoutKit, engine.TriggerLogoutIM,
		engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerLogoutKit, engine.TriggerLogoutIM, engine.TriggerClose)
	if got := c.slots(); got != 0 {
		t.Errorf("after Close: got %d slots, want 0", got)
	}
}

func chainReuse(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.ReuseIM)
	must(t, "InitIM", e.InitIM(t.Context()))
	must(t, "LoginIM", e.LoginIM(t.Context(), alice))
	session := e.Status().Session
	for range 2 {
		must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
		wantStatus(t, e, engine.KitLoggedIn, "alice", true)
		must(t, "LogoutKit", e.LogoutKit(t.Context()))
		wantStatus(t, e, engine.IMLoggedIn, "alice", false)
	}
	if got := e.Status().Session; got != session {
		t.Errorf("session: got %v, want %v", got, session)
	}
	c.wantOnline([]string{"a"}, "alice")
	must(t, "LogoutIM", e.LogoutIM(t.Context()))
	c.wantOnline([]string{"a"})
}

func chainAutoDetect(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.AutoDetect)
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	wantStatus(t, e, engine.KitLoggedIn, "alice", false)
	must(t, "LogoutKit", e.LogoutKit(t.Context()))
	c.wantOnline([]string{"a"})
	must(t, "LoginIM", e.LoginIM(t.Context(), alice))
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	wantStatus(t, e, engine.KitLoggedIn, "alice", true)
	must(t, "LogoutKit", e.LogoutKit(t.Context()))
	c.wantOnline([]string{"a"}, "alice")
	must(t, "Close", e.Close())
	c.wantOnline(nil)
}

func chainMismatch(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.ReuseIM)
	must(t, "InitIM", e.InitIM(t.Context()))
	must(t, "LoginIM", e.LoginIM(t.Context(), alice))
	wantError(t, "LoginKit as bob", e.LoginKit(t.Context(), kitBob), engine.ErrIMAccountMismatch)
	wantStatus(t, e, engine.IMLoggedIn, "alice", false)
	wantError(t, "LoginIM as bob", e.LoginIM(t.Context(), bob), engine.ErrIMInUse)
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	c.wantOnline([]string{"a"}, "alice")
}

func chainNotLoggedIn(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.ReuseIM)
	wantError(t, "LoginKit", e.LoginKit(t.Context(), kitAlice), engine.ErrIMNotLoggedIn)
	must(t, "InitIM", e.InitIM(t.Context()))
	wantError(t, "LoginKit", e.LoginKit(t.Context(), kitAlice), engine.ErrIMNotLoggedIn)
	wantStatus(t, e, engine.IMInitialized, "", false)
	c.wantOnline([]string{"a"})
}

func chainAnonymous(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.AutoDetect)
	must(t, "LoginAnonymous", e.LoginAnonymous(t.Context()))
	guest := e.Status()
	if guest.State != engine.KitLoggedIn || !guest.Anonymous || guest.Accid == "" {
		t.Errorf("got %+v, want an anonymous login", guest)
	}
	c.wantOnline([]string{"a"}, guest.Accid)
	must(t, "LogoutKit", e.LogoutKit(t.Context()))
	must(t, "LoginIM", e.LoginIM(t.Context(), alice))
	wantError(t, "LoginAnonymous over the host's login", e.LoginAnonymous(t.Context()), engine.ErrReuseNoAnonymous)
	c.wantOnline([]string{"a"}, "alice")
}

func chainWrongToken(t *testing.T, c *chain) {
	e := c.engine(c.backend("a"), engine.AutoDetect)
	wrong := engine.KitAccount{UserUUID: kitAlice.UserUUID, Token: "kit-token-astray"}
	wantError(t, "LoginKit with a wrong token", e.LoginKit(t.Context(), wrong), engine.ErrTokenRejected)
	must(t, "InitIM", e.InitIM(t.Context()))
	err := e.LoginIM(t.Context(), engine.IMAccount{Accid: alice.Accid, Token: "im-token-astray"})
	wantError(t, "LoginIM with a wrong token", err, engine.ErrTokenRejected)
	var sdk *nimhttp.ServerError
	if !errors.As(err, &sdk) || sdk.Code != 102302 {
		t.Errorf("got %v, want the SDK's 102302 in the chain", err)
	}
	wantStatus(t, e, engine.IMInitialized, "", false)
	c.wantOnline([]string{"a"})
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	c.wantOnline([]string{"a"}, "alice")
}

func chainUpperCase(t *testing.T, c *chain) {
	e := c.engine(c.backend("A"), engine.ReuseIM)
	must(t, "InitIM", e.InitIM(t.Context()))
	must(t, "LoginIM", e.LoginIM(t.Context(), engine.IMAccount{Accid: "ALICE", Token: alice.Token}))
	wantStatus(t, e, engine.IMLoggedIn, "alice", false)
	must(t, "LoginIM again", e.LoginIM(t.Context(), engine.IMAccount{Accid: "aLiCe", Token: alice.Token}))
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	wantStatus(t, e, engine.KitLoggedIn, "alice", true)
	c.wantOnline([]string{"A"}, "alice")
}

func chainAdopted(t *testing.T, c *chain) {
	host := c.im("shared")
	must(t, "the host's InitIM", host.InitIM(t.Context(), "app1"))
	must(t, "the host's LoginIM", host.LoginIM(t.Context(), alice, engine.Notify{}))
	e := c.engine(c.backend("shared"), engine.ReuseIM)
	h := record(t, e)
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	wantStatus(t, e, engine.KitLoggedIn, "alice", true)
	wantError(t, "LoginIM as bob", e.LoginIM(t.Context(), bob), engine.ErrIMInUse)
	h.closeAndWant(engine.TriggerInitIM, engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerClose)
	c.wantOnline([]string{"shared"}, "alice")
	again := c.engine(c.backend("shared"), engine.AutoLogin)
	wantError(t, "LoginKit with reuse off", again.LoginKit(t.Context(), kitAlice), engine.ErrIMInUse)
	must(t, "Close", again.Close())
	c.wantOnline([]string{"shared"}, "alice")
	must(t, "the host's LogoutIM", host.LogoutIM(t.Context()))
	c.wantOnline([]string{"shared"})
}

// Behind the engine's back, the host logs out and then logs another account in.
func chainAdoptedEnds(t *testing.T, c *chain) {
	host := c.im("shared")
	must(t, "the host's InitIM", host.InitIM(t.Context(), "app1"))
	must(t, "the host's LoginIM", host.LoginIM(t.Context(), alice, engine.Notify{}))
	e := c.engine(c.backend("shared"), engine.AutoDetect)
	h := record(t, e)
	must(t, "LoginKit", e.LoginKit(t.Context(), kitAlice))
	must(t, "the host's LogoutIM", host.LogoutIM(t.Context()))
	lost := await(t, e, "the loss", func(s engine.Status) bool { return s.State == engine.IMInitialized })
	wantError(t, "the cause", lost[len(lost)-1].Cause, engine.ErrIMLoggedOut)
	must(t, "the host's LoginIM", host.LoginIM(t.Context(), bob, engine.Notify{}))
	wantError(t, "LoginKit as alice", e.LoginKit(t.Context(), kitAlice), engine.ErrIMAccountMismatch)
	must(t, "LoginKit as bob", e.LoginKit(t.Context(), kitBob))
	wantStatus(t, e, engine.KitLoggedIn, "bob", true)
	h.closeAndWant(engine.TriggerInitIM, engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerIMLost,
		engine.TriggerLoginIM, engine.TriggerLoginKit, engine.TriggerClose)
	c.wantOnline([]string{"shared"}, "bob")
}

func chainTwoEngines(t *testing.T, c *chain) {
	first, second := c.engine(c.backend("a"), engine.AutoLogin), c.engine(c.backend("b"), engine.AutoLogin)
	must(t, "LoginKit as alice", first.LoginKit(t.Context(), kitAlice))
	must(t, "LoginKit as bob", second.LoginKit(t.Context(), kitBob))
	c.wantOnline([]string{"a", "b"}, "alice", "bob")
	c.world.Kick("alice", engine.KickedByServer)
	await(t, first, "the kick", func(s engine.Status) bool { return s.State == engine.IMInitialized })
	wantStatus(t, second, engine.KitLoggedIn, "bob", false)
	c.wantOnline([]string{"a", "b"}, "bob")
	must(t, "LoginKit as alice again", first.LoginKit(t.Context(), kitAlice))
	must(t, "the second's Close", second.Close())
	c.wantOnline([]string{"a"}, "alice")
}
