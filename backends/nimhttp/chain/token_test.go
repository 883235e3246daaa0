package chain_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

// Logins with dynamic tokens, by the chain's own clock.

const appSecret = "secret-of-app1"

// sign makes a dynamic token for alice, which lives for 5 s.
func (c *chain) sign() string {
	return provision.DynamicToken("app1", appSecret, "alice", c.now(), 5*time.Second)
}

// A signer is an IMToken that signs a fresh token each time.
type signer struct {
	c *chain

	mu      sync.Mutex
	refused []string
}

func (s *signer) token(_ context.Context, accid, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if accid != "alice" {
		s.c.t.Errorf("asked for a token of %q, want alice", accid)
	}
	s.refused = append(s.refused, refused)
	return s.c.sign(), nil
}

// wantRefused wants the source to have been asked once, with that token.
func (s *signer) wantRefused(token string) {
	s.c.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refused) != 1 || s.refused[0] != token {
		s.c.t.Errorf("the source was asked %d times, want once, with the token that ran out", len(s.refused))
	}
}

func (c *chain) dynamicEngine(imToken func(context.Context, string, string) (string, error)) *engine.Engine {
	c.t.Helper()
	b := c.backend("dynamic", func(o *nimhttp.Options) { o.AuthType = nimhttp.AuthDynamic })
	e, err := engine.New(b, "app1", &engine.Options{Mode: engine.AutoLogin, IMToken: imToken})
	must(c.t, "New", err)
	c.t.Cleanup(func() { e.Close() })
	must(c.t, "InitIM", e.InitIM(c.t.Context()))
	return e
}

// cutLink cuts alice's link 10 s later, and lets it come back.
func (c *chain) cutLink(e *engine.Engine) {
	c.t.Helper()
	c.advance(10 * time.Second)
	c.link("alice", false)
	await(c.t, e, "the link to go down", func(s engine.Status) bool { return !s.Online })
	c.link("alice", true)
}

func chainFreshToken(t *testing.T, c *chain) {
	source := &signer{c: c}
	e := c.dynamicEngine(source.token)
	first := c.sign()
	must(t, "LoginIM", e.LoginIM(t.Context(), engine.IMAccount{Accid: "alice", Token: first, Dynamic: true}))
	session := e.Status().Session
	c.cutLink(e)
	await(t, e, "the link to come back", func(s engine.Status) bool { return s.Online })
	if s := e.Status(); s.State != engine.IMLoggedIn || s.Session != session {
		t.Errorf("got %+v, want the session to hold", s)
	}
	source.wantRefused(first)
	c.wantOnline([]string{"dynamic"}, "alice")
}

func chainNoSource(t *testing.T, c *chain) {
	e := c.dynamicEngine(nil)
	must(t, "LoginIM", e.LoginIM(t.Context(), engine.IMAccount{Accid: "alice", Token: c.sign(), Dynamic: true}))
	c.cutLink(e)
	seen := await(t, e, "the loss", func(s engine.Status) bool { return s.State < engine.IMLoggedIn })
	wantError(t, "the cause", seen[len(seen)-1].Cause, engine.ErrTokenRejected)
	c.wantOnline([]string{"dynamic"})
}

// Without a source, a token that is still good brings the link back.
func chainNoSourceNeeded(t *testing.T, c *chain) {
	e := c.dynamicEngine(nil)
	must(t, "LoginIM", e.LoginIM(t.Context(), engine.IMAccount{Accid: "alice", Token: c.sign(), Dynamic: true}))
	c.link("alice", false)
	await(t, e, "the link to go down", func(s engine.Status) bool { return !s.Online })
	c.link("alice", true)
	await(t, e, "the link to come back", func(s engine.Status) bool { return s.Online && s.State == engine.IMLoggedIn })
}

// One dynamic token logs the kit and IM in (loginByIM).
func chainLoginByIM(t *testing.T, c *chain) {
	source := &signer{c: c}
	e := c.dynamicEngine(source.token)
	first := c.sign()
	must(t, "LoginKit", e.LoginKit(t.Context(), engine.KitAccount{UserUUID: kitAlice.UserUUID, Token: first}))
	wantStatus(t, e, engine.KitLoggedIn, "alice", false)
	c.wantOnline([]string{"dynamic"}, "alice")
	c.cutLink(e)
	await(t, e, "the link to come back", func(s engine.Status) bool { return s.Online && s.State == engine.KitLoggedIn })
	source.wantRefused(first)
}

func TestChainTokens(t *testing.T) {
	rows := []struct {
		name string
		run  func(*testing.T, *chain)
	}{
		{"fresh token", chainFreshToken},
		{"no source", chainNoSource},
		{"no source, and none needed", chainNoSourceNeeded},
		{"login by IM", chainLoginByIM},
	}
	run := func(t *testing.T, node *nimhttp.Gateway) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) { row.run(t, newChain(t, node)) })
		}
	}
	t.Run("fake", func(t *testing.T) { run(t, nil) })
	t.Run("real", func(t *testing.T) { run(t, startNode(t, nimhttp.GatewayOptions{})) })
}
