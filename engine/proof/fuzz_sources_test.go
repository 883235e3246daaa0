package proof_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// What the sources of a script do: the target of stepSource.
const (
	sourceWorks byte = iota
	sourceFails
	sourceStale // returns a token that nobody knows
	sourceSame  // returns the token that was refused
	sourceWaits // for a release
	sourceKinds
)

// fuzzTokens are the two sources of tokens of a script, and the accounts with
// the tokens that the cloud knows.
type fuzzTokens struct {
	cloud *mockim.Service
	im    engine.IMAccount  // set by renew
	kit   engine.KitAccount // the same

	mu       sync.Mutex // protects the following fields
	kind     byte
	serial   int
	released chan struct{} // closed to let a source go on that waits
}

// set changes what the sources do, and returns what ends the waiting, if
// anything.
func (f *fuzzTokens) set(kind byte) (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kind = kind; kind != sourceWaits {
		return nil
	}
	released := make(chan struct{})
	f.released = released
	return func() { close(released) }
}

func (f *fuzzTokens) next() (kind byte, token string, released <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serial++
	return f.kind, fmt.Sprintf("%s-%d", secret, f.serial), f.released
}

func (f *fuzzTokens) fetch(ctx context.Context, refused string, register func(token string)) (string, error) {
	kind, token, released := f.next()
	switch {
	case kind == sourceFails:
		return "", errSource
	case kind == sourceStale:
		return token, nil
	case kind == sourceSame && refused != "":
		return refused, nil
	case kind == sourceWaits:
		select {
		case <-released:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
	register(token)
	return token, nil
}

func (f *fuzzTokens) kitToken(ctx context.Context, userUUID, refused string) (string, error) {
	return f.fetch(ctx, refused, func(token string) {
		_, accid, _ := f.cloud.FindKit(userUUID)
		f.cloud.Bind(engine.KitAccount{UserUUID: userUUID, Token: token}, accid)
	})
}

func (f *fuzzTokens) imToken(ctx context.Context, accid, refused string) (string, error) {
	return f.fetch(ctx, refused, func(token string) { f.cloud.AddIM(engine.IMAccount{Accid: accid, Token: token}) })
}

// renew gives the first accounts new tokens, for the login after all.
func (f *fuzzTokens) renew() {
	f.set(sourceWorks)
	_, token, _ := f.next()
	f.im = engine.IMAccount{Accid: imAccount.Accid, Token: token}
	f.kit = engine.KitAccount{UserUUID: kitAccount.UserUUID, Token: token}
	f.cloud.AddIM(f.im)
	f.cloud.Bind(f.kit, f.im.Accid)
}

// imAccount is the account of a target. With sources, the account that has
// a wrong token without them has none.
func (w *fuzzWorld) imAccount(i int) engine.IMAccount {
	a := fuzzIM[i%len(fuzzIM)]
	if w.options.IMToken != nil && strings.HasPrefix(a.Token, "wrong") {
		a.Token = ""
	}
	return a
}

func (w *fuzzWorld) kitAccount(i int) engine.KitAccount {
	a := fuzzKit[i%len(fuzzKit)]
	if w.options.KitToken != nil && strings.HasPrefix(a.Token, "wrong") {
		a.Token = ""
	}
	return a
}

// lastingStep is a step of KeepKit, RenewKit, or a token's.
func (w *fuzzWorld) lastingStep(what, whom byte) {
	i := int(whom &^ ended)
	a := w.kitAccount(i)
	switch what {
	case stepKeepKit:
		w.operate("KeepKit", whom, func(ctx context.Context) error {
			err := w.e.KeepKit(ctx, a)
			if err == nil {
				err = errors.New("KeepKit returned nil")
			}
			return err
		}, func(engine.Status) bool { return false })
	case stepRenewKit:
		w.operate("RenewKit", whom, func(ctx context.Context) error { return w.e.RenewKit(ctx, a) },
			func(s engine.Status) bool { return strings.EqualFold(s.UserUUID, a.UserUUID) && !s.Expired })
	case stepExpireKit:
		w.cloud.ExpireKit(a.UserUUID)
	case stepExpireIM:
		w.expiredIM = true
		w.cloud.ExpireIM(w.accid(i))
	case stepSource:
		if release := w.tokens.set(byte(i) % sourceKinds); release != nil {
			w.blocks = append(w.blocks, release)
		}
	}
}

// link takes the link down or up. Up, it may ask a source, which may wait.
func (w *fuzzWorld) link(up bool) {
	if !up {
		w.device.Link(false)
		return
	}
	if w.expiredIM {
		w.kept = "" // a login with that token does not survive
	}
	go w.device.Link(true)
}

// noteLogout notes which KeepKits a logout that begins now must end.
func (w *fuzzWorld) noteLogout() {
	for _, a := range w.attempts {
		a.loggedOut = a.loggedOut || a.name == "KeepKit" && a.rested
	}
}

// heal lets everything work for a quarter of an hour. By then, a KeepKit that
// has not returned has logged the kit in. A logout ends it.
func (w *fuzzWorld) heal() {
	w.tokens.renew()
	w.rest()
	if w.pending("KeepKit") == 0 {
		return
	}
	w.device.Link(true)
	w.rest()
	<-time.After(15 * time.Minute)
	w.rest()
	if s := w.e.Status(); w.pending("KeepKit") > 0 && (s.State != kitLoggedIn || s.Expired) {
		w.t.Errorf("KeepKit waits, and the engine is at %+v", s)
	}
	w.step(stepLogoutKit, 0)
	w.rest()
}
