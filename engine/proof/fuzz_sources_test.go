package proof_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/imreuse/imreuse/engine"
)

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
	w.tokens.set(sourceWorks)
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
