package proof_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// A rapidGate is between the engine and its backend. It keeps the Notify of
// every login, sees that calls come one at a time and in an order that the
// table allows, and can hold back what a login has done.
type rapidGate struct {
	engine.Backend
	engine.IMAdopter

	mu       sync.Mutex // protects the following fields
	e        *engine.Engine
	im, kit  []engine.Notify
	inside   context.Context // of the call that goes on; nil: none does
	call     string          // that call, or the one before
	lingers  chan struct{}   // logins do not return before it is closed; nil: they do at once
	held     bool            // one does not
	findings []string
}

func newRapidGate(b engine.Backend) *rapidGate {
	return &rapidGate{Backend: b, IMAdopter: b.(engine.IMAdopter)}
}

func (g *rapidGate) reopen(e *engine.Engine) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.e, g.call = e, ""
}

func (g *rapidGate) broken() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.findings)
}

// linger lets logins not return before release, whatever becomes of their ctx.
func (g *rapidGate) linger() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lingers == nil {
		g.lingers = make(chan struct{})
	}
}

func (g *rapidGate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lingers != nil {
		close(g.lingers)
		g.lingers = nil
	}
}

// now returns the call that goes on and its ctx, nil for none, and whether the
// call has had its effect already.
func (g *rapidGate) now() (call string, ctx context.Context, held bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.call, g.inside, g.held
}

// notices returns the Notify of each login: of those that are over, and of
// those that hold in that state, which are the latest.
func (g *rapidGate) notices(at engine.State) (old, im, kit []engine.Notify) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i, k := len(g.im), len(g.kit)
	if at >= imLoggedIn {
		i = max(i-1, 0)
	}
	if at == kitLoggedIn {
		k = max(k-1, 0)
	}
	return slices.Concat(g.im[:i], g.kit[:k]), slices.Clone(g.im[i:]), slices.Clone(g.kit[k:])
}

// around wraps each call. The order of calls follows the fuzz target's rules.
func (g *rapidGate) around(ctx context.Context, call string, effect func() error) error {
	g.mu.Lock()
	at := g.e.Status().State
	before, allowed := allowedCalls[callAt{call, at}]
	switch {
	case g.inside != nil:
		g.findings = append(g.findings, fmt.Sprintf("%s is called during %s", call, g.call))
	case !allowed, before != "" && !slices.Contains(strings.Fields(before), g.call), g.call == "Close":
		g.findings = append(g.findings, fmt.Sprintf("%s is called in %v after %s", call, at, g.call))
	}
	g.inside, g.call = ctx, call
	g.mu.Unlock()
	err := effect()
	if strings.HasPrefix(call, "Login") {
		g.hold()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside = nil
	return err
}

func (g *rapidGate) hold() {
	g.mu.Lock()
	lingers := g.lingers
	g.held = lingers != nil
	g.mu.Unlock()
	if lingers != nil {
		<-lingers
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = false
}

func (g *rapidGate) keep(to *[]engine.Notify, n engine.Notify) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*to = append(*to, n)
}

func (g *rapidGate) InitIM(ctx context.Context, appKey string) error {
	return g.around(ctx, "InitIM", func() error { return g.Backend.InitIM(ctx, appKey) })
}

func (g *rapidGate) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	g.keep(&g.im, n)
	return g.around(ctx, "LoginIM", func() error { return g.Backend.LoginIM(ctx, a, n) })
}

func (g *rapidGate) LogoutIM(ctx context.Context) error {
	return g.around(ctx, "LogoutIM", func() error { return g.Backend.LogoutIM(ctx) })
}

func (g *rapidGate) AdoptIM(ctx context.Context, n engine.Notify) (a engine.IMAccount, err error) {
	g.keep(&g.im, n)
	err = g.around(ctx, "AdoptIM", func() error {
		a, err = g.IMAdopter.AdoptIM(ctx, n)
		return err
	})
	return a, err
}

func (g *rapidGate) Authenticate(ctx context.Context, k engine.KitAccount) (a engine.IMAccount, err error) {
	err = g.around(ctx, "Authenticate", func() error {
		a, err = g.Backend.Authenticate(ctx, k)
		return err
	})
	return a, err
}

func (g *rapidGate) Anonymous(ctx context.Context) (k engine.KitAccount, err error) {
	err = g.around(ctx, "Anonymous", func() error {
		k, err = g.Backend.Anonymous(ctx)
		return err
	})
	return k, err
}

func (g *rapidGate) LoginKit(ctx context.Context, k engine.KitAccount, n engine.Notify) error {
	g.keep(&g.kit, n)
	return g.around(ctx, "LoginKit", func() error { return g.Backend.LoginKit(ctx, k, n) })
}

// RenewKit implements engine.KitRenewer, as every backend below the gate does.
func (g *rapidGate) RenewKit(ctx context.Context, k engine.KitAccount) error {
	return g.around(ctx, "RenewKit", func() error { return g.Backend.(engine.KitRenewer).RenewKit(ctx, k) })
}

func (g *rapidGate) LogoutKit(ctx context.Context) error {
	return g.around(ctx, "LogoutKit", func() error { return g.Backend.LogoutKit(ctx) })
}

func (g *rapidGate) Close() error {
	return g.around(context.Background(), "Close", g.Backend.Close)
}
