package sharedim_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// TestGateway is TestSameAccount and TestFailureDoesNotAffectOthers with the
// vendor's own SDK in the gateway, the kits over HTTP, and an IM cloud that
// sees who is online.
func TestGateway(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20 and imreuse gateway install")
	}
	node := startNode(t)
	for _, row := range []struct {
		name string
		run  func(*testing.T, *gatewayWorld)
	}{
		{"same account", gatewaySameAccount},
		{"gives up", gatewayGivesUp},
		{"fails", gatewayFails},
	} {
		t.Run(row.name, func(t *testing.T) { row.run(t, newGatewayWorld(t, node)) })
	}
}

func startNode(t *testing.T) *nimhttp.Gateway {
	t.Helper()
	t.Setenv("NIM_SDK", "")
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before the cleanup
	g, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		cancel()
	})
	return g
}

// A gatewayWorld is one slot of the gateway, shared by several engines.
type gatewayWorld struct {
	t      *testing.T
	cloud  *nimcloud.Cloud
	kitURL string
	logins *loginCounter
	shared *sharedim.IM
}

// A loginCounter counts the calls that reach the gateway's client.
type loginCounter struct {
	*nimhttp.IM
	mu            sync.Mutex
	inits, logins int
}

func (c *loginCounter) InitIM(ctx context.Context, appKey string) error {
	c.mu.Lock()
	c.inits++
	c.mu.Unlock()
	return c.IM.InitIM(ctx, appKey)
}

func (c *loginCounter) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	c.mu.Lock()
	c.logins++
	c.mu.Unlock()
	return c.IM.LoginIM(ctx, a, n)
}

func (c *loginCounter) wantCalls(t *testing.T, inits, logins int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inits != inits || c.logins != logins {
		t.Errorf("got %d InitIM and %d LoginIM, want %d and %d", c.inits, c.logins, inits, logins)
	}
}

func (c *loginCounter) loginBegun() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logins > 0
}

func newGatewayWorld(t *testing.T, node *nimhttp.Gateway) *gatewayWorld {
	t.Helper()
	accounts := newCloud()
	server := nimhttptest.New(t, nimhttptest.Options{World: accounts, AppKey: appKey, NoGateway: true})
	cloud, err := nimcloud.Start(nimcloud.Options{World: accounts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	im, err := nimhttp.NewIM(nimhttp.Options{
		AppKey: appKey, GatewayURL: node.URL(), GatewaySecret: node.Secret(),
		LBSURL: cloud.LBSURL(), LinkAddr: cloud.LinkAddr(), LinkPlain: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &gatewayWorld{t: t, cloud: cloud, kitURL: server.KitURL(), logins: &loginCounter{IM: im}}
	w.shared = sharedim.New(w.logins)
	t.Cleanup(func() {
		if err := errors.Join(w.shared.Close(), im.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *gatewayWorld) engine() *engine.Engine {
	w.t.Helper()
	kit, err := nimhttp.NewKit(nimhttp.Options{AppKey: appKey, KitURL: w.kitURL})
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := engine.New(engine.Join(w.shared.Seat(), kit), appKey, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { e.Close() })
	return e
}

// waitOnline waits until the cloud sees exactly these accounts online.
func (w *gatewayWorld) waitOnline(want ...string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%q online", want), func() bool {
		var got []string
		for _, c := range w.cloud.Clients() {
			got = append(got, c.Accid)
		}
		return slices.Equal(got, want)
	})
}

func (w *gatewayWorld) until(what string, done func() bool) {
	w.t.Helper()
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

func gatewaySameAccount(t *testing.T, w *gatewayWorld) {
	const n = 4
	var engines []*engine.Engine
	var logins sync.WaitGroup
	for i := range n {
		e := w.engine()
		engines = append(engines, e)
		logins.Go(func() {
			if err := e.LoginKit(t.Context(), []engine.KitAccount{meetingAlice, roomAlice}[i%2]); err != nil {
				t.Errorf("LoginKit %d: %v", i, err)
			}
		})
	}
	logins.Wait()
	w.logins.wantCalls(t, 1, 1)
	w.waitOnline("alice")
	for _, e := range engines {
		w.waitOnline("alice")
		if err := e.LogoutKit(t.Context()); err != nil {
			t.Error(err)
		}
	}
	w.waitOnline()
}

// The cloud does not answer the first login, and its caller gives up.
func gatewayGivesUp(t *testing.T, w *gatewayWorld) {
	first, second := w.engine(), w.engine()
	w.cloud.MuteLogin(true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	one, two := make(chan error, 1), make(chan error, 1)
	go func() { one <- first.LoginKit(ctx, meetingAlice) }()
	w.until("the first login", w.logins.loginBegun)
	go func() { two <- second.LoginKit(t.Context(), roomAlice) }()
	cancel()
	wantError(t, "the first", <-one, context.Canceled)
	w.cloud.MuteLogin(false)
	wantError(t, "the second", <-two, nil)
	w.waitOnline("alice")
	w.logins.wantCalls(t, 1, 2)
	wantError(t, "LogoutKit", second.LogoutKit(t.Context()), nil)
	w.waitOnline()
}

// The IM service refuses the first login, which has a wrong token.
func gatewayFails(t *testing.T, w *gatewayWorld) {
	first, second := w.engine(), w.engine()
	wantError(t, "InitIM", first.InitIM(t.Context()), nil)
	one, two := make(chan error, 1), make(chan error, 1)
	wrong := engine.IMAccount{Accid: alice.Accid, Token: strings.ToUpper(alice.Token)}
	go func() { one <- first.LoginIM(t.Context(), wrong) }()
	w.until("the first login", w.logins.loginBegun)
	go func() { two <- second.LoginKit(t.Context(), roomAlice) }()
	wantError(t, "the first", <-one, engine.ErrTokenRejected)
	wantError(t, "the second", <-two, nil)
	w.waitOnline("alice")
	w.logins.wantCalls(t, 1, 2)
}
