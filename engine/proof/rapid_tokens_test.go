package proof_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// This file has the operations and events of the random histories that are
// about tokens, with their specification: RenewKit, KeepKit, sources, and
// tokens that run out.

var (
	rapidTokenless = engine.KitAccount{UserUUID: kitAccount.UserUUID} // fine if the host has sources
	errRapidKept   = errors.New("the history goes on without KeepKit")
)

func rapidRenewKit(a engine.KitAccount) rapidOperation {
	user := strings.ToLower(a.UserUUID)
	return rapidOperation{"RenewKit " + a.UserUUID, "RenewKit", func(ctx context.Context, e *engine.Engine) error { return e.RenewKit(ctx, a) },
		func(s *rapidSpec) rapidResult {
			return s.climb("RenewKit", s.isBad(slices.Contains(rapidBadKits, a), a.Token), func() error {
				switch n := s.now; {
				case n.State < kitLoggedIn:
					return engine.ErrState
				case n.Anonymous || n.UserUUID != user:
					return engine.ErrKitInUse
				case a.Token != "":
					return s.renewKit(user, a.Token)
				}
				return s.withFetched("KitToken", user, func(token string) error { return s.renewKit(user, token) })
			})
		}}
}

// rapidKeepKit is a KeepKit whose caller gives up as soon as it waits, either
// for the end of a login or in a pause. The result is nil if it had logged in.
func rapidKeepKit(a engine.KitAccount) rapidOperation {
	login := rapidLoginKit(a)
	return rapidOperation{"KeepKit " + a.UserUUID, "KeepKit",
		func(ctx context.Context, e *engine.Engine) error {
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			k := begin(func() error { return e.KeepKit(ctx, a) })
			holds := e.Status().State == kitLoggedIn
			cancel(errRapidKept)
			if err := k.wait(); !holds || !errors.Is(err, errRapidKept) {
				return err
			}
			return nil
		},
		func(s *rapidSpec) rapidResult {
			r := login.specify(s)
			r.op = "KeepKit"
			if s.passes(r) {
				r.errs, r.call = []error{errRapidKept}, ""
			}
			return r
		}}
}

// passes reports whether KeepKit tries again after a try with that result.
func (s *rapidSpec) passes(r rapidResult) bool {
	if len(r.errs) == 0 {
		return false
	}
	if slices.Contains(r.errs, error(engine.ErrUnavailable)) {
		return true
	}
	switch engine.CodeOf(r.errs[0]) {
	case engine.ErrTokenExpired:
		return s.rules.sources
	case 0:
		return r.call == "KitToken" || r.call == "IMToken"
	}
	return false
}

// isBad reports whether an account is a bad argument. One without a token is
// not bad if there are sources.
func (s *rapidSpec) isBad(listed bool, token string) bool {
	return listed && (token != "" || !s.rules.sources)
}

// The sources.

func refusesToken(err error) bool {
	code := engine.CodeOf(err)
	return code == engine.ErrTokenRejected || code == engine.ErrTokenExpired
}

// ask is the host's source. Only with sourceWorks does the service know the
// token.
func (s *rapidSpec) ask(source, id string) (string, error) {
	s.fetched++
	token := fmt.Sprintf("fetched-%d", s.fetched)
	switch {
	case s.source == sourceFails:
		return "", errSource
	case s.source == sourceStale:
	case source == "KitToken":
		s.kitTokens[id], s.kitExpired[id] = token, false
	default:
		s.imTokens[id], s.imExpired[id] = token, false
	}
	return token, nil
}

func (s *rapidSpec) fetch(source, id string) (token string, err error) {
	s.failed = ""
	_, err = s.call(source, "", func() (err error) {
		token, err = s.ask(source, id)
		return err
	})
	return token, err
}

func (s *rapidSpec) withFetched(source, id string, call func(token string) error) error {
	token, err := s.fetch(source, id)
	if err != nil {
		return err
	}
	return s.orWithAnother(source, id, call(token), call)
}

// orWithAnother makes a call once more if the first answer refused its token.
func (s *rapidSpec) orWithAnother(source, id string, answer error, call func(token string) error) error {
	if !refusesToken(answer) || s.over() != nil {
		return answer
	}
	token, err := s.fetch(source, id)
	if err != nil {
		return err
	}
	return call(token)
}

// loginIM logs a in. If its token is not the host's own, a source may replace
// it.
func (s *rapidSpec) loginIM(a engine.IMAccount, host, given bool) error {
	accid := strings.ToLower(a.Accid)
	call := func(token string) error {
		a.Token = token
		s.failed = ""
		return s.attemptIM(a, host)
	}
	switch {
	case given || !s.rules.sources:
		return s.attemptIM(a, host)
	case a.Token == "":
		return s.withFetched("IMToken", accid, call)
	}
	return s.orWithAnother("IMToken", accid, call(a.Token), call)
}

func (s *rapidSpec) verifyKit(user, token string) error {
	switch {
	case s.kitTokens[user] != token:
		return engine.ErrTokenRejected
	case s.kitExpired[user]:
		return engine.ErrTokenExpired
	}
	return nil
}

// reconnects reports whether an IM login whose token has run out gets another.
func (s *rapidSpec) reconnects() bool {
	if s.now.State < imLoggedIn || !s.rules.sources || s.rules.hostim {
		return false // nobody asks the engine
	}
	token, err := s.ask("IMToken", s.on)
	s.loginExpired = err != nil || s.imTokens[s.on] != token
	return !s.loginExpired
}

// Renewals.

// A rapidRenewal is what the engine's own renewal remembers.
type rapidRenewal struct {
	runs   bool
	answer error // with which the server refused a fetched token
}

func (s *rapidSpec) renewKit(user, token string) error {
	done, err := s.call("RenewKit", user, func() error { return s.verifyKit(user, token) })
	if done {
		s.renewed()
	}
	return err
}

func (s *rapidSpec) renewed() {
	s.renewal = rapidRenewal{}
	if s.now.Expired {
		s.now.Expired = false
		s.publish()
	}
}

func (s *rapidSpec) expireKit(user string) {
	s.kitExpired[user] = true
	switch n := &s.now; {
	case n.State < kitLoggedIn || n.UserUUID != user:
	case !s.rules.sources:
		s.kitLost(engine.ErrTokenExpired)
	case !s.renewal.runs:
		s.renewal.runs = true
		n.Expired = true
		s.publish()
		s.renew()
	}
}

// renew is what a renewal does up to its next pause.
func (s *rapidSpec) renew() {
	user := s.now.UserUUID
	for s.renewal.runs {
		token, err := s.ask("KitToken", user)
		if err != nil {
			return
		}
		s.note("RenewKit", user)
		if err = s.fault("RenewKit"); err == nil {
			err = s.verifyKit(user, token)
		}
		switch {
		case err == nil:
			s.renewed()
		case errors.Is(err, engine.ErrUnavailable), engine.CodeOf(err) == 0:
			return
		case s.renewal.answer == nil && refusesToken(err):
			s.renewal.answer = err
		default:
			s.step("LogoutKit")
			s.kitLost(err)
		}
	}
}

// The events.

func (w *rapidWorld) expiresKit(a engine.KitAccount) {
	w.happens(func() {
		w.spec.expireKit(a.UserUUID)
		w.cloud.ExpireKit(a.UserUUID)
	})
}

func (w *rapidWorld) expiresIM(a engine.IMAccount) {
	w.happens(func() {
		w.spec.imExpired[a.Accid] = true
		w.spec.loginExpired = w.spec.loginExpired || w.spec.on == a.Accid
		w.cloud.ExpireIM(a.Accid)
	})
}

// newTokens lets the service give the first accounts their first tokens again.
// Those that have run out stay so.
func (w *rapidWorld) newTokens() {
	w.happens(func() {
		s := w.spec
		s.imExpired["myaccid"] = s.imExpired["myaccid"] && s.imTokens["myaccid"] == imAccount.Token
		s.kitExpired["user1"] = s.kitExpired["user1"] && s.kitTokens["user1"] == kitAccount.Token
		s.imTokens["myaccid"], s.kitTokens["user1"] = imAccount.Token, kitAccount.Token
		w.cloud.AddIM(imAccount)
		w.cloud.Bind(kitAccount, imAccount.Accid)
	})
}

func (w *rapidWorld) sourcesBecome(kind byte) {
	w.spec.source = kind
	w.tokens.set(kind)
}

// timePasses lets a renewal go on until it has succeeded, or was refused. How
// often one that fails is tried is left to chance, so the sources work.
func (w *rapidWorld) timePasses() {
	w.sourcesBecome(sourceWorks)
	w.happens(func() {
		for range 1 + len(w.spec.faults["RenewKit"]) {
			w.spec.renew()
			<-time.After(61 * time.Second) // longer than any pause
		}
	})
}
