package backendtest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/imreuse/imreuse/backends/backendtest"
	"github.com/imreuse/imreuse/engine"
)

// broken lists backends that each break one rule, with the case that must fail.
var broken = []struct {
	name  string
	open  func() *backendtest.Harness
	fails string
}{
	{"stays logged in after a wrong token", harnessOf(func(m *memory) engine.Backend { return &lenient{m} }), "failed-login"},
	{"replaces its own login silently", harnessOf(func(m *memory) engine.Backend { return &replacing{memory: m} }), "in-use"},
	{"ignores ctx", harnessOf(func(m *memory) engine.Backend { return ctxBlind{m} }), "ended-ctx"},
	{"keeps the login if LogoutIM fails", harnessOf(func(m *memory) engine.Backend { return clinging{m} }), "offline-logout"},
	{"calls Lost twice", harnessOf(func(m *memory) engine.Backend { return stuttering{m} }), "lost-once"},
	{"calls Lost for a LogoutIM", harnessOf(func(m *memory) engine.Backend { return &talkative{memory: m} }), "quiet-logout"},
	{"reports to a new login what happened to the old one", harnessOf(func(m *memory) engine.Backend { return &late{memory: m} }), "old-news"},
	{"puts the token in errors", harnessOf(func(m *memory) engine.Backend { return leaking{m} }), "no-token-in-errors"},
	{"adopts its own login", harnessOf(func(m *memory) engine.Backend { return &selfish{memory: m} }), "adopt-own"},
	{"adopts without Link(false)", harnessOf(func(m *memory) engine.Backend { return optimistic{m} }), "adopt-offline"},
	{"hides AdoptIM in a wrapper", harnessOf(func(m *memory) engine.Backend { return struct{ engine.Backend }{m} }), "adopter"},
	{"does not call Lost if nobody renews", harnessOf(func(m *memory) engine.Backend { return endless{m} }), "kit-expired-lost"},
	{"accepts any token in RenewKit", harnessOf(func(m *memory) engine.Backend { return credulous{m} }), "kit-renew-wrong-token"},
	{"ends the session of a token that is refused", harnessOf(func(m *memory) engine.Backend { return touchy{m} }), "kit-renew-wrong-token"},
	{"forgets the new token", harnessOf(func(m *memory) engine.Backend { return forgetful{m} }), "kit-renewed-expires"},
}

// Each embeds the correct backend and gets one thing wrong. The hooks of the
// host and the service are the correct backend's.

type lenient struct{ *memory }

func (b *lenient) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	err := b.memory.LoginIM(ctx, a, n)
	if errors.Is(err, engine.ErrTokenRejected) && imTokens[a.Accid] != "" {
		a.Token = imTokens[a.Accid]
		b.memory.LoginIM(ctx, a, n)
	}
	return err
}

type replacing struct {
	*memory
	mine bool
}

func (b *replacing) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	if b.mine {
		b.memory.LogoutIM(ctx)
	}
	err := b.memory.LoginIM(ctx, a, n)
	b.mine = err == nil
	return err
}

type ctxBlind struct{ *memory }

func (b ctxBlind) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	return b.memory.LoginIM(context.WithoutCancel(ctx), a, n)
}

type clinging struct{ *memory }

func (b clinging) LogoutIM(ctx context.Context) error {
	if b.im != nil && b.im.offline {
		return engine.ErrUnavailable
	}
	return b.memory.LogoutIM(ctx)
}

type stuttering struct{ *memory }

func (b stuttering) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	lost := n.Lost
	n.Lost = func(cause error) { lost(cause); lost(cause) }
	return b.memory.LoginIM(ctx, a, n)
}

type talkative struct {
	*memory
	last engine.Notify
}

func (b *talkative) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	b.last = n
	return b.memory.LoginIM(ctx, a, n)
}

func (b *talkative) LogoutIM(ctx context.Context) error {
	if b.im != nil && !b.im.host {
		b.last.Lost(engine.ErrIMLoggedOut)
	}
	return b.memory.LogoutIM(ctx)
}

type late struct {
	*memory
	lost bool // by a kick; the next login gets a report of it
}

func (b *late) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	if b.lost {
		n.Link(false)
	}
	lost := n.Lost
	n.Lost = func(cause error) {
		b.lost = errors.Is(cause, engine.ErrKicked)
		lost(cause)
	}
	return b.memory.LoginIM(ctx, a, n)
}

type leaking struct{ *memory }

func (b leaking) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	if err := b.memory.LoginIM(ctx, a, n); err != nil {
		return fmt.Errorf("%w (token %s)", err, a.Token)
	}
	return nil
}

type selfish struct {
	*memory
	own engine.IMAccount
}

func (b *selfish) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	b.own = a
	return b.memory.LoginIM(ctx, a, n)
}

func (b *selfish) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	if b.im != nil && !b.im.host {
		return b.own, nil
	}
	return b.memory.AdoptIM(ctx, n)
}

type optimistic struct{ *memory }

func (b optimistic) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	adopted := false
	defer func() { adopted = true }()
	return b.memory.AdoptIM(ctx, engine.Notify{Lost: n.Lost, Link: func(online bool) {
		if adopted {
			n.Link(online)
		}
	}})
}

// An abrupt backend asks nobody whether the token will be renewed.
type abrupt struct{ *memory }

func (b abrupt) LoginKit(ctx context.Context, a engine.KitAccount, n engine.Notify) error {
	n.Expired = func(error) bool { return false }
	return b.memory.LoginKit(ctx, a, n)
}

type endless struct{ *memory }

func (b endless) LoginKit(ctx context.Context, a engine.KitAccount, n engine.Notify) error {
	n.Lost = func(error) {}
	return b.memory.LoginKit(ctx, a, n)
}

type credulous struct{ *memory }

func (b credulous) RenewKit(ctx context.Context, a engine.KitAccount) error {
	if err := b.memory.RenewKit(ctx, a); ctx.Err() != nil {
		return err
	}
	return nil
}

type touchy struct{ *memory }

func (b touchy) RenewKit(ctx context.Context, a engine.KitAccount) error {
	err := b.memory.RenewKit(ctx, a)
	if errors.Is(err, engine.ErrTokenRejected) {
		b.session.notify.Lost(err)
	}
	return err
}

// A forgetful backend goes on checking the token that LoginKit had.
type forgetful struct{ *memory }

func (b forgetful) RenewKit(ctx context.Context, a engine.KitAccount) error {
	s := b.session
	if s == nil {
		return b.memory.RenewKit(ctx, a)
	}
	old := s.account
	err := b.memory.RenewKit(ctx, a)
	s.account = old
	return err
}
