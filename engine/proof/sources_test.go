package proof_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// What the sources of tokens do.
const (
	sourceWorks byte = iota
	sourceFails
	sourceStale // returns a token that nobody knows
	sourceSame  // returns the token that was refused
	sourceWaits // for a release
	sourceKinds
)

// hostTokens are a host's two sources of tokens, and the accounts with the
// tokens that the cloud knows.
type hostTokens struct {
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
func (f *hostTokens) set(kind byte) (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kind = kind; kind != sourceWaits {
		return nil
	}
	released := make(chan struct{})
	f.released = released
	return func() { close(released) }
}

func (f *hostTokens) next() (kind byte, token string, released <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serial++
	return f.kind, fmt.Sprintf("%s-%d", secret, f.serial), f.released
}

func (f *hostTokens) fetch(ctx context.Context, refused string, register func(token string)) (string, error) {
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

func (f *hostTokens) kitToken(ctx context.Context, userUUID, refused string) (string, error) {
	return f.fetch(ctx, refused, func(token string) {
		_, accid, _ := f.cloud.FindKit(userUUID)
		f.cloud.Bind(engine.KitAccount{UserUUID: userUUID, Token: token}, accid)
	})
}

func (f *hostTokens) imToken(ctx context.Context, accid, refused string) (string, error) {
	return f.fetch(ctx, refused, func(token string) { f.cloud.AddIM(engine.IMAccount{Accid: accid, Token: token}) })
}

// renew gives the first accounts new tokens, for the login after all.
func (f *hostTokens) renew() {
	f.set(sourceWorks)
	_, token, _ := f.next()
	f.im = engine.IMAccount{Accid: imAccount.Accid, Token: token}
	f.kit = engine.KitAccount{UserUUID: kitAccount.UserUUID, Token: token}
	f.cloud.AddIM(f.im)
	f.cloud.Bind(f.kit, f.im.Accid)
}
