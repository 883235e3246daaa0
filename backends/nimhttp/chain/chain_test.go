package chain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

var (
	alice    = engine.IMAccount{Accid: "Alice", Token: "im-alice"}
	bob      = engine.IMAccount{Accid: "bob", Token: "im-bob"}
	kitAlice = engine.KitAccount{UserUUID: "user1", Token: "kit-token-1"}
	kitBob   = engine.KitAccount{UserUUID: "user2", Token: "kit-token-2"}
	unbound  = engine.KitAccount{UserUUID: "user3", Token: "kit-token-3"}
)

// A chain is everything below an engine: a kit server, a gateway and an IM
// cloud, which share one world of accounts. The gateway is the double in Go, or
// the real one with the vendor's SDK.
type chain struct {
	t       *testing.T
	world   *mockim.Service
	server  *nimhttptest.Server
	options nimhttp.Options // of a client, without the Slot
	before  int             // logins that had reached the double when it was muted
	ahead   atomic.Int64    // nanoseconds by which the servers' clock is ahead

	// Only with the real gateway.
	cloud *nimcloud.Cloud
	node  *nimhttp.Gateway
}

// newChain makes a chain over that gateway, or over the double if node is nil.
func newChain(t *testing.T, node *nimhttp.Gateway) *chain {
	t.Helper()
	world := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	world.AddIM(alice)
	world.AddIM(bob)
	world.Bind(kitAlice, alice.Accid)
	world.Bind(kitBob, bob.Accid)
	world.Bind(unbound, "")
	c := &chain{t: t, world: world, node: node}
	c.server = nimhttptest.New(t, nimhttptest.Options{World: world, AppKey: "app1", AppSecret: appSecret, NoGateway: node != nil, Now: c.now})
	c.options = nimhttp.Options{AppKey: "app1", KitURL: c.server.KitURL(), GatewayURL: c.server.GatewayURL(), GatewaySecret: c.server.GatewaySecret()}
	if node == nil {
		return c
	}
	cloud, err := nimcloud.Start(nimcloud.Options{World: world, AppSecret: appSecret, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	c.cloud = cloud
	c.options.GatewayURL, c.options.GatewaySecret = node.URL(), node.Secret()
	c.options.LBSURL, c.options.LinkAddr, c.options.LinkPlain = cloud.LBSURL(), cloud.LinkAddr(), true
	return c
}

// now is the clock of the servers, by which dynamic tokens run out.
func (c *chain) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *chain) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// startNode starts the installed gateway.
func startNode(t *testing.T, o nimhttp.GatewayOptions) *nimhttp.Gateway {
	t.Helper()
	gatewaytest.SkipWithoutVendor(t)
	t.Setenv("NIM_SDK", "")
	dir, err := gateway.Dir()
	if err != nil {
		t.Fatal(err)
	}
	o.Dir = dir
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before the cleanup
	g, err := nimhttp.StartGateway(ctx, o)
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

// backend makes a backend for the kit server and a slot of the gateway.
func (c *chain) backend(slot string, change ...func(*nimhttp.Options)) *nimhttp.Backend {
	c.t.Helper()
	o := c.options
	o.Slot = slot
	for _, f := range change {
		f(&o)
	}
	b, err := nimhttp.New(o)
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// im makes a client of the gateway alone, as another program would.
func (c *chain) im(slot string) *nimhttp.IM {
	c.t.Helper()
	o := c.options
	o.Slot = slot
	im, err := nimhttp.NewIM(o)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { im.Close() })
	return im
}

func (c *chain) engine(b engine.Backend, mode engine.Mode) *engine.Engine {
	c.t.Helper()
	e, err := engine.New(b, "app1", &engine.Options{Mode: mode})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { e.Close() })
	return e
}

// link takes the account's connection down, or lets it come back.
func (c *chain) link(accid string, online bool) {
	switch {
	case c.node == nil:
		c.server.Link(accid, online)
	case online:
		c.cloud.FailLink(0)
	default:
		c.cloud.FailLink(http.StatusServiceUnavailable)
		c.cloud.Drop(accid)
	}
}

// online returns the accounts that are logged in to IM, as the cloud sees them.
// With the double, it asks these slots instead.
func (c *chain) online(slots ...string) []string {
	accids := []string{}
	if c.node != nil {
		for _, client := range c.cloud.Clients() {
			accids = append(accids, client.Accid)
		}
	} else {
		for _, slot := range slots {
			if accid := c.holder(slot); accid != "" {
				accids = append(accids, accid)
			}
		}
	}
	slices.Sort(accids)
	return accids
}

func (c *chain) holder(slot string) string {
	var now struct{ Accid string }
	c.get("/v1/im/"+slot, &now)
	return now.Accid
}

func (c *chain) slots() int {
	var health struct{ Slots int }
	c.get("/healthz", &health)
	return health.Slots
}

func (c *chain) get(path string, reply any) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, c.options.GatewayURL+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.options.GatewaySecret)
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(reply); err != nil {
		c.t.Fatal(err)
	}
}

// wantOnline waits until exactly those accounts are logged in to IM.
func (c *chain) wantOnline(slots []string, want ...string) {
	c.t.Helper()
	got := []string{}
	if !gatewaytest.Poll(func() bool { got = c.online(slots...); return slices.Equal(got, want) }) {
		c.t.Errorf("online: got %q, want %q", got, want)
	}
}

// chainPatience is the time to wait for something that must happen. The SDK
// waits 5 s before its second attempt to reconnect.
const chainPatience = 20 * time.Second

// await waits for a status, and returns all statuses up to it.
func await(t *testing.T, e *engine.Engine, what string, done func(engine.Status) bool) []engine.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), chainPatience)
	defer cancel()
	var seen []engine.Status
	for s := range e.Watch(ctx) {
		seen = append(seen, s)
		if done(s) {
			return seen
		}
	}
	t.Fatalf("waiting for %s: got %+v", what, seen)
	return nil
}

// A history records the statuses of an engine from the start.
type history struct {
	t    *testing.T
	e    *engine.Engine
	all  []engine.Status
	done chan struct{}
}

func record(t *testing.T, e *engine.Engine) *history {
	h := &history{t: t, e: e, done: make(chan struct{})}
	began := make(chan struct{})
	go func() {
		defer close(h.done)
		for s := range e.Watch(context.Background()) {
			if len(h.all) == 0 {
				close(began)
			}
			h.all = append(h.all, s)
		}
	}()
	<-began
	return h
}

// closeAndWant closes the engine and checks all of its transitions.
func (h *history) closeAndWant(want ...engine.Trigger) {
	h.t.Helper()
	if err := h.e.Close(); err != nil {
		h.t.Errorf("Close: %v", err)
	}
	<-h.done
	var got []engine.Trigger
	state := engine.Uninitialized
	for _, s := range h.all {
		if s.State != state {
			got = append(got, s.Via)
		}
		state = s.State
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("transitions: got %v, want %v", got, want)
	}
}

func wantStatus(t *testing.T, e *engine.Engine, state engine.State, accid string, reused bool) {
	t.Helper()
	if s := e.Status(); s.State != state || s.Accid != accid || s.Reused() != reused {
		t.Errorf("got %+v, want %v as %q, reused %v", s, state, accid, reused)
	}
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
	noTokens(t, fmt.Sprint(got))
}

func noTokens(t *testing.T, text string) {
	t.Helper()
	for _, token := range []string{alice.Token, bob.Token, kitAlice.Token, kitBob.Token} {
		if strings.Contains(text, token) {
			t.Errorf("a token appears in %q", text)
		}
	}
}
