package proof_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/imreuse/imreuse/engine"
)

// TestRapidSequential does one thing after the other to an engine, and holds
// what comes of each against the specification: the error, each published
// Status, the calls of the backend, and who is logged in.
//
//	go test ./engine/proof -run Rapid -rapid.checks=20000
func TestRapidSequential(t *testing.T) {
	t.Run("mockim", func(t *testing.T) { checkRapidSequential(t, false) })
	t.Run("hostim", func(t *testing.T) { checkRapidSequential(t, true) })
}

func checkRapidSequential(t *testing.T, hostim bool) {
	inEachMode(t, func(t *rapid.T, mode engine.Mode) {
		w := newRapidWorld(t, rapidOptions(t, mode), rapidAnyRules(t, hostim))
		actions := w.actions()
		actions[""] = func(*rapid.T) { w.emptyNotices() }
		t.Repeat(actions)
	})
}

// inEachMode has rapid check prop in each mode, every check in its own bubble.
func inEachMode(t *testing.T, prop func(*rapid.T, engine.Mode)) {
	for _, mode := range []engine.Mode{engine.AutoDetect, engine.ReuseIM, engine.AutoLogin} {
		t.Run(mode.String(), rapid.MakeCheck(func(t *rapid.T) {
			rapid.SyncTest(t, func(t *rapid.T) { prop(t, mode) })
		}))
	}
}

func rapidOptions(t *rapid.T, mode engine.Mode) engine.Options {
	return engine.Options{Mode: mode, RequireOnline: rapid.Bool().Draw(t, "RequireOnline"), SecondaryProcess: rarely(t, "secondary")}
}

// rarely draws true once in forty times.
func rarely(t *rapid.T, label string) bool { return rapid.IntRange(0, 39).Draw(t, label) == 17 }

func rapidAnyRules(t *rapid.T, hostim bool) rapidRules {
	r := rapidRules{multiDevice: rapid.Bool().Draw(t, "multiDevice"), noAnonymous: rarely(t, "noAnonymous"), hostim: hostim,
		sources: rapid.Bool().Draw(t, "sources")}
	if hostim {
		r.report = rapid.SampledFrom([]rapidReport{rapidBefore, rapidAfter, rapidNever}).Draw(t, "the SDK reports")
	}
	return r
}

var errRapidGaveUp = errors.New("the caller gave up")

// operate makes one call of the engine, and compares the outcome.
func (w *rapidWorld) operate(o rapidOperation, ended bool) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	w.spec.doom = nil
	if ended {
		cancel(errRapidGaveUp)
		if o.climbs() { // a logout whose turn has come needs no live ctx
			w.spec.doom = &rapidDoom{errRapidGaveUp, 0}
		}
	}
	w.happens(func() {
		want := o.specify(w.spec)
		w.spec.doom = nil
		if err := o.call(ctx, w.e); !want.is(err, true) {
			w.t.Fatalf("%v: got %v, want %v of %s", o, err, want.errs, want.call)
		}
	})
}

// happens does one thing, and then compares everything visible.
func (w *rapidWorld) happens(what func()) {
	w.spec.start()
	what()
	w.rest()
	w.agrees()
}

// actions are all the things that can happen, one at a time.
func (w *rapidWorld) actions() map[string]func(*rapid.T) {
	operation := func(draw func(*rapid.T) rapidOperation) func(*rapid.T) {
		return func(t *rapid.T) {
			o := draw(t)
			w.operate(o, rarely(t, "ended"))
		}
	}
	just := func(o rapidOperation) func(*rapid.T) rapidOperation {
		return func(*rapid.T) rapidOperation { return o }
	}
	return map[string]func(*rapid.T){
		"InitIM":         operation(just(rapidInitIM())),
		"LoginIM":        operation(func(t *rapid.T) rapidOperation { return rapidLoginIM(rapid.SampledFrom(rapidIMs).Draw(t, "account")) }),
		"LoginKit":       operation(func(t *rapid.T) rapidOperation { return rapidLoginKit(rapid.SampledFrom(rapidKits).Draw(t, "account")) }),
		"LoginKit again": operation(just(rapidLoginKit(kitAccount))),
		"LoginAnonymous": operation(just(rapidAnonymous())),
		"LogoutKit":      operation(just(rapidLogoutKit())),
		"LogoutIM":       operation(just(rapidLogoutIM())),
		"bad argument":   operation(rapidBadOperation),
		"Close":          w.closes,
		"host inits":     func(*rapid.T) { w.hostInits() },
		"host logs in": func(t *rapid.T) {
			if rapid.SampledFrom([]bool{true, true, true, false}).Draw(t, "init") {
				w.hostInits()
			}
			w.hostLogsIn(rapid.SampledFrom(rapidHostIMs).Draw(t, "account"))
		},
		"host logs in again": func(*rapid.T) { w.hostLogsIn(imAccount) },
		"LoginIM again":      operation(just(rapidLoginIM(imAccount))),
		"host logs out":      func(*rapid.T) { w.hostLogsOut() },
		"second device":      func(t *rapid.T) { w.secondLogsIn(rapid.SampledFrom(rapidIMs[:2]).Draw(t, "account")) },
		"service kicks":      func(t *rapid.T) { w.kicks(rapid.SampledFrom([]engine.KickReason{1, 2, 3, 4}).Draw(t, "reason")) },
		"service ends":       func(t *rapid.T) { w.endsIM(rapid.SampledFrom(rapidCauses).Draw(t, "cause")) },
		"kit ends":           func(t *rapid.T) { w.endsKit(rapid.SampledFrom(rapidCauses).Draw(t, "cause")) },
		"link":               func(t *rapid.T) { w.links(rapid.Bool().Draw(t, "online")) },
		"next call fails":    w.fails,

		"RenewKit":             operation(func(t *rapid.T) rapidOperation { return rapidRenewKit(rapid.SampledFrom(rapidKits).Draw(t, "account")) }),
		"RenewKit from source": operation(just(rapidRenewKit(rapidTokenless))),
		"LoginKit from source": operation(just(rapidLoginKit(rapidTokenless))),
		"LoginIM from source":  operation(just(rapidLoginIM(engine.IMAccount{Accid: imAccount.Accid}))),
		"KeepKit": func(t *rapid.T) {
			w.operate(rapidKeepKit(rapid.SampledFrom(append([]engine.KitAccount{rapidTokenless}, rapidKits...)).Draw(t, "account")), rarely(t, "ended"))
		},
		"kit token runs out": func(t *rapid.T) { w.expiresKit(rapid.SampledFrom(rapidKits[:3]).Draw(t, "account")) },
		"IM token runs out":  func(t *rapid.T) { w.expiresIM(rapid.SampledFrom(rapidIMs[:2]).Draw(t, "account")) },
		"new tokens":         func(*rapid.T) { w.newTokens() },
		"the sources change": func(t *rapid.T) {
			w.sourcesBecome(rapid.SampledFrom([]byte{sourceWorks, sourceFails, sourceStale}).Draw(t, "kind"))
		},
		"time passes": func(*rapid.T) { w.timePasses() },
	}
}

func rapidBadOperation(t *rapid.T) rapidOperation {
	if rapid.Bool().Draw(t, "kit") {
		return rapidLoginKit(rapid.SampledFrom(rapidBadKits).Draw(t, "account"))
	}
	return rapidLoginIM(rapid.SampledFrom(rapidBadIMs).Draw(t, "account"))
}

// closes closes the engine, and sometimes another follows on the same device.
func (w *rapidWorld) closes(t *rapid.T) {
	if rapid.Bool().Draw(t, "once more") {
		w.operate(rapidClose(), false)
	}
	w.operate(rapidClose(), false)
	if rapid.SampledFrom([]bool{true, true, true, false}).Draw(t, "another engine") {
		w.spec.start()
		w.open()
	}
}

// The host, behind the engine's back.

var rapidHostIMs = []engine.IMAccount{imAccount, otherIM, {Accid: "MYACCID", Token: imAccount.Token}, {Accid: "other", Token: "wrong"}}

func (w *rapidWorld) hostInits() {
	w.happens(func() {
		w.spec.ready = true
		w.must(w.device.HostInit(context.Background()))
	})
}

func (w *rapidWorld) hostLogsIn(a engine.IMAccount) {
	w.happens(func() {
		want, login := w.spec.hostLogin(a), w.device.HostLogin
		if w.client != nil {
			login = w.client.hostLogin
		}
		if err := login(context.Background(), a); !errors.Is(err, want) {
			w.t.Fatalf("HostLogin of %v: got %v, want %v", a, err, want)
		}
	})
}

func (w *rapidWorld) hostLogsOut() {
	w.happens(func() {
		w.spec.lost(engine.ErrIMLoggedOut)
		w.must(w.device.HostLogout(context.Background()))
	})
}

// The service.

var rapidCauses = []error{engine.ErrTokenExpired, engine.ErrAccountBanned, engine.ErrUnavailable, errForeignCause, nil}

var errForeignCause = errors.New("a cause of the service's own")

func (w *rapidWorld) secondLogsIn(a engine.IMAccount) {
	if s := w.spec; s.imTokens[a.Accid] != a.Token || s.imExpired[a.Accid] {
		return
	}
	w.happens(func() {
		if w.spec.second != a.Accid && w.spec.on == a.Accid && !w.spec.rules.multiDevice {
			w.spec.lost(&engine.KickError{Reason: engine.KickedByClient})
		}
		w.spec.second = a.Accid
		w.must(w.second.HostLogin(context.Background(), a))
	})
}

func (w *rapidWorld) kicks(r engine.KickReason) {
	w.happens(func() {
		w.spec.ended(&engine.KickError{Reason: r})
		w.cloud.Kick(w.device.LoggedIn(), r)
	})
}

func (w *rapidWorld) endsIM(cause error) {
	w.happens(func() {
		w.spec.ended(orUnavailable(cause))
		w.cloud.EndIM(w.device.LoggedIn(), cause)
	})
}

func (w *rapidWorld) endsKit(cause error) {
	w.happens(func() {
		w.spec.kitLost(orUnavailable(cause))
		w.cloud.EndKit(w.e.Status().UserUUID, cause)
	})
}

func orUnavailable(cause error) error {
	if cause == nil {
		return engine.ErrUnavailable
	}
	return cause
}

func (w *rapidWorld) links(online bool) {
	w.happens(func() {
		w.spec.link(online)
		w.device.Link(online)
	})
}

func (w *rapidWorld) fails(t *rapid.T) {
	calls := []string{"LoginKit", "LoginIM", "LogoutIM", "LogoutKit", "Authenticate", "InitIM", "Anonymous", "HostLogin", "RenewKit", "AdoptIM"}
	if w.client != nil {
		calls = calls[:9] // the engine asks hostim that
	}
	call := rapid.SampledFrom(calls).Draw(t, "call")
	err := rapid.SampledFrom([]error{engine.ErrUnavailable, engine.ErrTokenExpired, errForeignCause}).Draw(t, "error")
	w.spec.faults[call] = append(w.spec.faults[call], err)
	w.device.Fail(call, err)
}

// The specification of all these actions.

func (s *rapidSpec) hostLogin(a engine.IMAccount) error {
	accid := strings.ToLower(a.Accid)
	if s.on == accid {
		if s.rules.hostim {
			return nil
		}
		return s.fault("HostLogin")
	}
	if s.ready {
		s.lost(engine.ErrIMLoggedOut)
	}
	err := s.fault("HostLogin")
	if err == nil && !s.ready {
		err = engine.ErrState
	}
	if err == nil {
		err = s.sdkLogin(accid, a.Token, true)
	}
	s.stray = false // the host has reported how it stands
	return err
}

// ended: the service ends the account that is logged in, on all its devices.
func (s *rapidSpec) ended(cause error) {
	if s.on != "" && s.second == s.on {
		s.second = ""
	}
	s.lost(cause)
}

// lost: the IM login ends, and the engine did not ask for it.
func (s *rapidSpec) lost(cause error) {
	if s.on == "" {
		return
	}
	s.on, s.stray = "", false
	if s.now.State >= imLoggedIn {
		s.to(imInitialized, engine.TriggerIMLost, cause, false)
	}
}

// kitLost: the engine does not need its own IM login without the kit.
func (s *rapidSpec) kitLost(cause error) {
	if s.now.State == kitLoggedIn {
		s.to(imLoggedIn, engine.TriggerKitLost, cause, false)
		s.descend(s.now.Floor, cause)
	}
}

func (s *rapidSpec) link(online bool) {
	if s.on == "" || s.down == !online {
		return
	}
	if online && s.loginExpired && !s.reconnects() {
		s.lost(engine.ErrTokenRejected)
		return
	}
	s.down = !online
	if s.now.State >= imLoggedIn {
		s.now.Online = online
		s.publish()
	}
}
