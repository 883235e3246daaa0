package play

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// An act is one thing that a visitor can do. Its fields are the body of the
// request.
type act interface {
	// check refuses fields that make no sense. Nothing has happened then.
	check() error
	do(ctx context.Context, s *Session, w *world) outcome
}

// An outcome is what came of an act.
type outcome struct {
	err  error // of the operation
	loss error // why a login ended, if the act ended one
	note *Text // on what cannot be seen
	idle bool  // there was nothing to do
}

func idle(why *Text) outcome { return outcome{note: why, idle: true} }

// acts has every act by the last segment of its path.
var acts = map[string]func() act{
	"host_init":   func() act { return new(hostInit) },
	"host_login":  func() act { return new(hostLogin) },
	"host_logout": func() act { return new(hostLogout) },

	"init_im":         func() act { return new(initIM) },
	"login_im":        func() act { return new(loginIM) },
	"logout_im":       func() act { return new(logoutIM) },
	"login_kit":       func() act { return new(loginKit) },
	"login_anonymous": func() act { return new(loginAnonymous) },
	"logout_kit":      func() act { return new(logoutKit) },

	"setup":              func() act { return new(newSetup) },
	"reset":              func() act { return new(reset) },
	"fetch_tokens":       func() act { return new(fetchTokens) },
	"create_kit_account": func() act { return new(createKitAccount) },

	"kick":    func() act { return new(kick) },
	"link":    func() act { return new(link) },
	"expire":  func() act { return new(expire) },
	"fail":    func() act { return new(failCall) },
	"hang":    func() act { return new(hangCall) },
	"release": func() act { return new(release) },
}

// The accounts that an act can name, besides the IM accounts alice and bob.
const (
	boundAccount = "bound"
	otherAccount = "other"
	wrongToken   = "wrong_token"
)

func oneOf(field, value string, choices ...string) error {
	if slices.Contains(choices, value) {
		return nil
	}
	return fmt.Errorf("%s must be one of %s", field, strings.Join(choices, ", "))
}

// none is for acts without fields.
type none struct{}

func (none) check() error { return nil }

// What the app does with its own IM client, behind the engine's back.

type hostInit struct{ none }

func (*hostInit) do(ctx context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.device.HostInit(ctx)}
}

type imChoice struct {
	Account string `json:"account"`
}

func (c *imChoice) check() error { return oneOf("account", c.Account, alice, bob, wrongToken) }

type hostLogin struct{ imChoice }

func (a *hostLogin) do(ctx context.Context, s *Session, w *world) outcome {
	login := func() error {
		err := w.device.HostLogin(ctx, w.imAccount(a.Account))
		s.noteFault(err) // the engine traces its own calls only
		return err
	}
	return w.report(ctx, &foundLater, login,
		func(before, now engine.Status) bool {
			return w.device.LoggedIn() == before.Accid || imEnded(before, now)
		})
}

type hostLogout struct{ none }

func (*hostLogout) do(ctx context.Context, _ *Session, w *world) outcome {
	if w.device.LoggedIn() == "" {
		return idle(&nobodyLoggedIn)
	}
	return w.report(ctx, &engineUnaware, func() error { return w.device.HostLogout(ctx) }, imEnded)
}

// What the app does through the engine.

type initIM struct{ none }

func (*initIM) do(ctx context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.now().InitIM(ctx)}
}

type loginIM struct{ imChoice }

func (a *loginIM) do(ctx context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.now().LoginIM(ctx, w.imAccount(a.Account))}
}

type logoutIM struct{ none }

func (*logoutIM) do(ctx context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.now().LogoutIM(ctx)}
}

type loginKit struct {
	Account string `json:"account"`
}

func (a *loginKit) check() error {
	return oneOf("account", a.Account, boundAccount, otherAccount, wrongToken)
}

func (a *loginKit) do(ctx context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.now().LoginKit(ctx, w.kitAccount(a.Account))}
}

type loginAnonymous struct{ none }

func (*loginAnonymous) do(ctx context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.now().LoginAnonymous(ctx)}
}

type logoutKit struct{ none }

func (*logoutKit) do(ctx context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.now().LogoutKit(ctx)}
}

// What changes the engine, and what the app server does.

// A newSetup closes the engine and makes another. A missing field leaves that
// part of the setup as it is.
type newSetup struct {
	Mode    *engine.Mode `json:"mode"`
	Renewal *bool        `json:"renewal"`
}

func (*newSetup) check() error { return nil }

func (a *newSetup) of(w *world) setup {
	w.mu.Lock()
	at := w.setup
	w.mu.Unlock()
	if a.Mode != nil {
		at.mode = *a.Mode
	}
	if a.Renewal != nil {
		at.renewal = *a.Renewal
	}
	return at
}

func (a *newSetup) do(_ context.Context, s *Session, w *world) outcome {
	return outcome{err: s.restart(a.of(w))}
}

// A reset starts over: a new cloud, a new device and a new engine.
type reset struct{ newSetup }

func (a *reset) do(_ context.Context, s *Session, w *world) outcome {
	return outcome{err: s.replace(a.of(w))}
}

type fetchTokens struct{ none }

func (*fetchTokens) do(_ context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.freshTokens()}
}

type createKitAccount struct {
	Account string `json:"account"`
}

func (a *createKitAccount) check() error { return oneOf("account", a.Account, alice, bob) }

func (a *createKitAccount) do(_ context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.createKitAccount(a.Account)}
}

// What the service does.

type kick struct {
	Reason engine.KickReason `json:"reason"`
}

func (a *kick) check() error {
	if a.Reason < engine.KickedByClient || a.Reason > engine.KickedQuietly {
		return fmt.Errorf("reason must be 1 (%v), 2 (%v), 3 (%v) or 4 (%v)",
			engine.KickedByClient, engine.KickedByServer, engine.KickedByOther, engine.KickedQuietly)
	}
	return nil
}

func (a *kick) do(ctx context.Context, _ *Session, w *world) outcome {
	accid := w.device.LoggedIn()
	if accid == "" {
		return idle(&nobodyLoggedIn)
	}
	return w.report(ctx, &engineUnaware, func() error {
		w.cloud.Kick(accid, a.Reason)
		return nil
	}, imEnded)
}

type link struct {
	Up *bool `json:"up"`
}

func (a *link) check() error {
	if a.Up == nil {
		return fmt.Errorf("up is missing: it must be true or false")
	}
	return nil
}

func (a *link) do(ctx context.Context, _ *Session, w *world) outcome {
	if w.device.LoggedIn() == "" {
		return idle(&nobodyLoggedIn)
	}
	return w.report(ctx, &engineUnaware, func() error {
		w.device.Link(*a.Up)
		return nil
	}, func(before, now engine.Status) bool { return now.Online == *a.Up || imEnded(before, now) })
}

// An expire lets the token of the kit login, or of the IM login, run out.
type expire struct {
	Token string `json:"token"`
}

func (a *expire) check() error { return oneOf("token", a.Token, "kit", "im") }

func (a *expire) do(ctx context.Context, _ *Session, w *world) outcome {
	if a.Token == "im" {
		accid := w.device.LoggedIn()
		if accid == "" {
			return idle(&nobodyLoggedIn)
		}
		w.cloud.ExpireIM(accid)
		return outcome{note: &noticedLater}
	}
	now := w.status()
	if now.State < engine.KitLoggedIn {
		return idle(&kitLoggedOut)
	}
	return w.report(ctx, &engineUnaware, func() error {
		w.cloud.ExpireKit(now.UserUUID)
		return nil
	}, func(before, now engine.Status) bool { return now.Seq > before.Seq && !now.Expired })
}

type failCall struct {
	Call string      `json:"call"`
	Code engine.Code `json:"code"`
}

func (a *failCall) check() error {
	if !slices.Contains(failures, a.Code) {
		return fmt.Errorf("code must be one of %d", failures)
	}
	return oneOf("call", a.Call, calls...)
}

func (a *failCall) do(_ context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.failNext(a.Call, a.Code)}
}

type hangCall struct {
	Call string `json:"call"`
}

func (a *hangCall) check() error { return oneOf("call", a.Call, calls...) }

func (a *hangCall) do(_ context.Context, _ *Session, w *world) outcome {
	return outcome{err: w.hang(a.Call)}
}

// A release lets the calls of one hang go on, or all if there is no id.
type release struct {
	ID int `json:"id"`
}

func (*release) check() error { return nil }

func (a *release) do(_ context.Context, _ *Session, w *world) outcome {
	if !w.release(a.ID) {
		return idle(&nothingHangs)
	}
	return outcome{}
}

// settling bounds how long an act waits until the engine has applied a report.
// An engine in the middle of a call applies it later.
const settling = 2 * time.Second

// report does something that the device reports to the engine, and waits until
// the engine has settled. If the engine knows of no IM login, there is nothing
// to wait for, and unaware says so.
func (w *world) report(ctx context.Context, unaware *Text, f func() error, settled func(before, now engine.Status) bool) outcome {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	next, stop := iter.Pull(w.now().Watch(ctx))
	defer stop()
	before, watching := next()
	out := outcome{err: f()}
	if before.State < engine.IMLoggedIn {
		if out.err == nil {
			out.note = unaware
		}
		return out
	}
	for now := before; watching; now, watching = next() {
		if !settled(before, now) {
			continue
		}
		if now.State < before.State {
			out.loss = now.Cause
		}
		return out
	}
	out.note = &appliedLater
	return out
}

// imEnded is settled once the IM login has ended.
func imEnded(before, now engine.Status) bool { return now.Session != before.Session }
