package proof_test

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/imreuse/imreuse/engine"
)

// A rapidSpec specifies the engine, the SDK under it and the service for
// histories in which one thing happens after the other. It follows the contract,
// and shares no code with the engine.
type rapidSpec struct {
	options engine.Options
	rules   rapidRules

	// The SDK, and the service.
	ready  bool               // IM is initialised
	on     string             // the accid that is logged in to IM, or ""
	byHost bool               // the host logged it in behind the engine's back
	down   bool               // its link is down
	second string             // the accid that is logged in on the second device
	faults map[string][]error // of the next calls
	stray  bool               // a logout has failed, and hostim makes it once more

	// The tokens that the service knows, and which of them have run out.
	imTokens, kitTokens   map[string]string
	imExpired, kitExpired map[string]bool
	loginExpired          bool // that of the IM login has run out
	source                byte // what the host's sources do, if it has some
	fetched               int

	// The engine.
	now     rapidStatus
	logins  int // how many IM logins it has published
	adopted bool
	closed  bool
	renewal rapidRenewal

	// What happened since the last start.
	calls     []string
	published []rapidStatus

	// The current operation.
	doom   *rapidDoom
	moment int
	failed string
}

// rapidRules say how the cloud and the SDK behave, and what the host has.
type rapidRules struct {
	multiDevice, noAnonymous bool
	sources                  bool // the host has both

	hostim bool // the engine uses the SDK through hostim
	report rapidReport
}

// A rapidStatus has the number of the login in place of the random Session.
type rapidStatus struct {
	engine.Status
	login int
}

// A rapidDoom ends an operation with cause at one of its moments. Moment 0 is
// before it begins; the others are before, in and after each of its calls.
type rapidDoom struct {
	cause error
	at    int
}

// A rapidResult is the result of an operation: success if errs is empty.
type rapidResult struct {
	op    string
	state engine.State // in which the operation began
	call  string
	errs  []error // errors.Is must find each; CodeOf finds the first that has a Code
}

const rapidTemporary = "temporary" // stands for the random id of a temporary account

var (
	rapidNowhere = engine.KitAccount{UserUUID: "nowhere", Token: secret} // bound to an account that does not exist
	rapidForeign = engine.KitAccount{UserUUID: "foreign", Token: secret} // bound to an account of another app
	rapidUnbound = engine.KitAccount{UserUUID: "unbound", Token: secret}
	rapidTwin    = engine.KitAccount{UserUUID: "user1b", Token: secret} // bound to the account of user1
	rapidOfOther = engine.IMAccount{AppKey: "another", Accid: "faraway", Token: secret}
)

// The tokens of the cloud's accounts, and the IM accounts that the kit accounts
// are bound to.
var (
	rapidIMTokens  = map[string]string{"myaccid": imAccount.Token, "other": otherIM.Token, rapidTemporary: secret}
	rapidKitTokens = map[string]string{"user1": kitAccount.Token, "user2": otherKit.Token, "user1b": secret,
		"unbound": secret, "nowhere": secret, "foreign": secret, rapidTemporary: secret}
	rapidBound = map[string]string{"user1": "myaccid", "user2": "other", "user1b": "myaccid",
		"nowhere": "no.such", "foreign": "faraway", rapidTemporary: rapidTemporary}
)

func (s *rapidSpec) clone() *rapidSpec {
	c := *s
	c.faults = maps.Clone(s.faults)
	c.imTokens, c.kitTokens = maps.Clone(s.imTokens), maps.Clone(s.kitTokens)
	c.imExpired, c.kitExpired = maps.Clone(s.imExpired), maps.Clone(s.kitExpired)
	c.calls, c.published = slices.Clone(s.calls), slices.Clone(s.published)
	return &c
}

func (s *rapidSpec) start() {
	s.calls, s.published = nil, nil
	if s.rules.report == rapidAfter {
		s.stray = false // by now the SDK has reported that nobody is logged in
	}
}

func (s *rapidSpec) publish() { s.now.Seq++; s.published = append(s.published, s.now) }

// to takes an edge. host means that the rung is the host's own.
func (s *rapidSpec) to(state engine.State, via engine.Trigger, cause error, host bool) {
	n := &s.now
	n.State, n.Via, n.Cause, n.Floor = state, via, cause, min(n.Floor, state)
	if host {
		n.Floor = state
	}
	if state < kitLoggedIn {
		n.UserUUID, n.Anonymous, n.Expired, s.renewal = "", false, false, rapidRenewal{}
	}
	if state < imLoggedIn {
		n.Accid, n.Online, n.login, s.adopted = "", false, 0, false
	}
	s.publish()
}

// over begins the next moment of an operation. It returns the cause if the
// operation ends there.
func (s *rapidSpec) over() error {
	s.moment++
	if s.doom != nil && s.moment > s.doom.at {
		return s.doom.cause
	}
	return nil
}

func (s *rapidSpec) note(call, id string) {
	if id != "" {
		call += " " + id
	}
	s.calls = append(s.calls, call)
}

func (s *rapidSpec) fault(call string) error {
	errs := s.faults[call]
	if len(errs) == 0 {
		return nil
	}
	s.faults[call] = errs[1:]
	return errs[0]
}

// call is one call of the backend within the caller's ctx. done reports that the
// backend succeeded, perhaps too late.
func (s *rapidSpec) call(call, id string, effect func() error) (done bool, err error) {
	defer func() {
		if err != nil && s.failed == "" {
			s.failed = call
		}
	}()
	if err := s.over(); err != nil {
		return false, err
	}
	if call != "AdoptIM" && call != "KitToken" && call != "IMToken" {
		s.note(call, id)
	}
	if err := s.over(); err != nil {
		return false, err
	}
	if err = s.fault(call); err == nil && effect != nil {
		err = effect()
	}
	done = err == nil
	if over := s.over(); over != nil {
		return done, over
	}
	return done, err
}

// step is a logout call, which takes effect even if it fails.
func (s *rapidSpec) step(call string) error {
	s.note(call, "")
	err := s.fault(call)
	if call == "LogoutIM" {
		s.on, s.stray = "", s.rules.hostim && err != nil
	}
	if err != nil && s.failed == "" {
		s.failed = call
	}
	return err
}

func (s *rapidSpec) descend(to engine.State, cause error) (errs []error) {
	if s.now.State == kitLoggedIn && to < kitLoggedIn {
		errs = append(errs, s.step("LogoutKit"))
		s.to(imLoggedIn, engine.TriggerLogoutKit, cause, false)
	}
	if s.now.State == imLoggedIn && to < imLoggedIn {
		errs = append(errs, s.step("LogoutIM"))
		s.to(imInitialized, engine.TriggerLogoutIM, cause, false)
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// The rungs.

func (s *rapidSpec) adopt() error {
	if s.now.State >= imLoggedIn {
		return nil
	}
	done, err := s.call("AdoptIM", "", s.logoutStray)
	if !done || s.on == "" || !s.byHost {
		return err
	}
	if s.now.State == uninitialized {
		s.to(imInitialized, engine.TriggerInitIM, nil, true)
	}
	s.openIM(true)
	s.adopted = true
	return err
}

func (s *rapidSpec) logoutStray() error {
	if !s.stray {
		return nil
	}
	s.note("LogoutIM", "")
	err := s.fault("LogoutIM")
	s.stray = err != nil
	return err
}

func (s *rapidSpec) openIM(host bool) {
	s.logins++
	s.now.Accid, s.now.Online, s.now.login = s.on, !s.down, s.logins
	s.to(imLoggedIn, engine.TriggerLoginIM, nil, host)
}

func (s *rapidSpec) initialise(host bool) error {
	done, err := s.call("InitIM", "", nil)
	if done {
		s.ready = true
		s.to(imInitialized, engine.TriggerInitIM, nil, host)
	}
	return err
}

func (s *rapidSpec) attemptIM(a engine.IMAccount, host bool) error {
	accid := strings.ToLower(a.Accid)
	done, err := s.call("LoginIM", accid, func() error { return s.sdkLogin(accid, a.Token, false) })
	switch {
	case err == nil:
		s.openIM(host)
	case done:
		s.step("LogoutIM")
	}
	return err
}

func (s *rapidSpec) sdkLogin(accid, token string, byHost bool) error {
	if token == "" || s.imTokens[accid] != token || s.imExpired[accid] {
		return engine.ErrTokenRejected // IM does not tell the two apart
	}
	if s.second == accid && !s.rules.multiDevice {
		s.second = ""
	}
	s.on, s.byHost, s.down, s.loginExpired, s.stray = accid, byHost, false, false, false
	return nil
}

func (s *rapidSpec) loginKit(user, token string, anonymous bool) error {
	done, err := s.call("LoginKit", user, func() error { return s.verifyKit(user, token) })
	switch {
	case err == nil:
		s.now.UserUUID, s.now.Anonymous = user, anonymous
		s.to(kitLoggedIn, engine.TriggerLoginKit, nil, false)
	case done:
		s.step("LogoutKit")
	}
	return err
}

// climbKit does the rest of a kit login that the mode allows.
func (s *rapidSpec) climbKit(user, token string, reuse, anonymous bool) error {
	if reuse && s.options.RequireOnline && !s.now.Online {
		return errors.Join(engine.ErrIMNotLoggedIn, engine.ErrUnavailable)
	}
	accid := rapidBound[user]
	if err := s.authenticate(user, &token, accid); err != nil {
		return err
	}
	switch {
	case accid == "faraway":
		return engine.ErrAppKeyMismatch
	case reuse && accid != s.now.Accid:
		return engine.ErrIMAccountMismatch
	}
	if s.now.State == uninitialized {
		if err := s.initialise(false); err != nil {
			return err
		}
	}
	if s.now.State == imInitialized {
		if err := s.loginIM(engine.IMAccount{Accid: accid, Token: s.imTokens[accid]}, false, false); err != nil {
			return err
		}
	}
	return s.loginKit(user, token, anonymous)
}

// authenticate fetches a token if *token is empty.
func (s *rapidSpec) authenticate(user string, token *string, accid string) error {
	call := func(t string) error {
		*token = t
		_, err := s.call("Authenticate", user, func() error {
			err := s.verifyKit(user, t)
			if err == nil && accid == "" {
				err = engine.ErrNoIMAccount
			}
			return err
		})
		return err
	}
	if *token == "" {
		return s.withFetched("KitToken", user, call)
	}
	return call(*token)
}

// is reports whether got matches want.
func (want rapidResult) is(got error, inState bool) bool {
	if len(want.errs) == 0 || got == nil {
		return len(want.errs) == 0 && got == nil
	}
	e, ok := got.(*engine.Error)
	if !ok || e.Op != want.op || e.Call != want.call || inState && e.State != want.state {
		return false
	}
	code := engine.Code(0)
	for _, err := range want.errs {
		if code == 0 {
			code = engine.CodeOf(err)
		}
		if !errors.Is(got, err) {
			return false
		}
	}
	return engine.CodeOf(got) == code
}
