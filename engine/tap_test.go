package engine_test

import (
	"context"
	"errors"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// A tap is between the engine and its backend. It keeps the Notify of the
// latest logins, and can act before and after the effect of a call.
type tap struct {
	engine.Backend
	engine.IMAdopter

	mu            sync.Mutex // protects the following fields
	before, after map[string]func(context.Context)
	deaf          bool // what is below never learns that a ctx has ended
	im, kit       engine.Notify
	closing       error // what Close says
}

func newTap(b engine.Backend) *tap {
	return &tap{Backend: b, IMAdopter: b.(engine.IMAdopter),
		before: map[string]func(context.Context){}, after: map[string]func(context.Context){}}
}

// on runs act once, during the next such call.
func (p *tap) on(hooks map[string]func(context.Context), call string, act func(context.Context)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hooks[call] = act
}

func (p *tap) setDeaf(deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = deaf
}

func (p *tap) notifies() (im, kit engine.Notify) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.im, p.kit
}

func (p *tap) keep(at *engine.Notify, n engine.Notify) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*at = n
}

func (p *tap) act(hooks map[string]func(context.Context), ctx context.Context, call string) {
	p.mu.Lock()
	act := hooks[call]
	delete(hooks, call)
	p.mu.Unlock()
	if act != nil {
		act(ctx)
	}
}

func (p *tap) around(ctx context.Context, call string, effect func(context.Context) error) error {
	p.mu.Lock()
	below := ctx
	if p.deaf {
		below = context.WithoutCancel(ctx)
	}
	p.mu.Unlock()
	p.act(p.before, ctx, call)
	err := effect(below)
	p.act(p.after, ctx, call)
	return err
}

func (p *tap) InitIM(ctx context.Context, appKey string) error {
	return p.around(ctx, "InitIM", func(ctx context.Context) error { return p.Backend.InitIM(ctx, appKey) })
}

func (p *tap) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	p.keep(&p.im, n)
	return p.around(ctx, "LoginIM", func(ctx context.Context) error { return p.Backend.LoginIM(ctx, a, n) })
}

func (p *tap) LogoutIM(ctx context.Context) error {
	return p.around(ctx, "LogoutIM", p.Backend.LogoutIM)
}

func (p *tap) AdoptIM(ctx context.Context, n engine.Notify) (a engine.IMAccount, err error) {
	p.keep(&p.im, n)
	err = p.around(ctx, "AdoptIM", func(ctx context.Context) error {
		a, err = p.IMAdopter.AdoptIM(ctx, n)
		return err
	})
	return a, err
}

func (p *tap) Authenticate(ctx context.Context, k engine.KitAccount) (a engine.IMAccount, err error) {
	err = p.around(ctx, "Authenticate", func(ctx context.Context) error {
		a, err = p.Backend.Authenticate(ctx, k)
		return err
	})
	return a, err
}

func (p *tap) Anonymous(ctx context.Context) (k engine.KitAccount, err error) {
	err = p.around(ctx, "Anonymous", func(ctx context.Context) error {
		k, err = p.Backend.Anonymous(ctx)
		return err
	})
	return k, err
}

func (p *tap) LoginKit(ctx context.Context, k engine.KitAccount, n engine.Notify) error {
	p.keep(&p.kit, n)
	return p.around(ctx, "LoginKit", func(ctx context.Context) error { return p.Backend.LoginKit(ctx, k, n) })
}

func (p *tap) LogoutKit(ctx context.Context) error {
	return p.around(ctx, "LogoutKit", p.Backend.LogoutKit)
}

func (p *tap) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.Backend.Close(), p.closing)
}
