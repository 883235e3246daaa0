package proof_test

import (
	"context"
	"errors"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/imreuse/imreuse/engine"
)

// A rapidOperation is one call of an engine, with its expected outcome.
type rapidOperation struct {
	name    string // what is printed
	op      string
	call    func(context.Context, *engine.Engine) error
	specify func(*rapidSpec) rapidResult
}

func (o rapidOperation) String() string { return o.name }

// GoString is for rapid, which prints it.
func (o rapidOperation) GoString() string { return o.name }

// climbs reports whether the operation is one that a ctx which has ended fails.
func (o rapidOperation) climbs() bool { return climbsTo[o.op] > 0 }

// The accounts of the logins.
var (
	rapidIMs = []engine.IMAccount{imAccount, otherIM, {Accid: "MyAccid", Token: imAccount.Token},
		{Accid: "myaccid", Token: "wrong"}, {Accid: "no.such", Token: "any"}, {AppKey: "another", Accid: "myaccid", Token: imAccount.Token}}
	rapidBadIMs = []engine.IMAccount{{Token: "any"}, {Accid: "myaccid"}, {Accid: "two words", Token: "any"}, {Accid: strings.Repeat("x", 33), Token: "any"}}

	rapidKits = []engine.KitAccount{kitAccount, otherKit, rapidTwin, {UserUUID: "USER1", Token: kitAccount.Token},
		{UserUUID: "user1", Token: "wrong"}, rapidUnbound, rapidNowhere, rapidForeign}
	rapidBadKits = []engine.KitAccount{{Token: "any"}, {UserUUID: "user1"}}
)

func rapidInitIM() rapidOperation {
	return rapidOperation{"InitIM", "InitIM", func(ctx context.Context, e *engine.Engine) error { return e.InitIM(ctx) },
		func(s *rapidSpec) rapidResult {
			return s.climb("InitIM", false, func() error {
				if s.now.State >= imInitialized {
					return nil
				}
				if err := s.adopt(); err != nil || s.now.State >= imInitialized {
					return err
				}
				return s.initialise(true)
			})
		}}
}

func rapidLoginIM(a engine.IMAccount) rapidOperation {
	return rapidOperation{"LoginIM " + a.Accid, "LoginIM", func(ctx context.Context, e *engine.Engine) error { return e.LoginIM(ctx, a) },
		func(s *rapidSpec) rapidResult {
			return s.climb("LoginIM", s.isBad(slices.Contains(rapidBadIMs, a), a.Token), func() error {
				if a.AppKey != "" {
					return engine.ErrAppKeyMismatch
				}
				if err := s.adopt(); err != nil {
					return err
				}
				switch n := s.now; {
				case n.State == uninitialized:
					return engine.ErrState
				case n.State == imInitialized:
					return s.loginIM(a, true, a.Token != "")
				case n.Accid != strings.ToLower(a.Accid), n.Floor < imLoggedIn:
					return engine.ErrIMInUse
				}
				return nil
			})
		}}
}

func rapidLoginKit(a engine.KitAccount) rapidOperation {
	user := strings.ToLower(a.UserUUID)
	return rapidOperation{"LoginKit " + a.UserUUID, "LoginKit", func(ctx context.Context, e *engine.Engine) error { return e.LoginKit(ctx, a) },
		func(s *rapidSpec) rapidResult {
			return s.climb("LoginKit", s.isBad(slices.Contains(rapidBadKits, a), a.Token), func() error {
				if n := s.now; n.State == kitLoggedIn {
					if n.Anonymous || n.UserUUID != user {
						return engine.ErrKitInUse
					}
					return nil
				}
				if err := s.adopt(); err != nil {
					return err
				}
				hosts := s.now.Floor == imLoggedIn
				switch {
				case s.options.Mode == engine.ReuseIM && !hosts:
					return engine.ErrIMNotLoggedIn
				case s.options.Mode == engine.AutoLogin && hosts:
					return engine.ErrIMInUse
				}
				return s.climbKit(user, a.Token, hosts, false)
			})
		}}
}

func rapidAnonymous() rapidOperation {
	return rapidOperation{"LoginAnonymous", "LoginAnonymous",
		func(ctx context.Context, e *engine.Engine) error { return e.LoginAnonymous(ctx) },
		func(s *rapidSpec) rapidResult { return s.climb("LoginAnonymous", false, s.loginAnonymous) }}
}

func (s *rapidSpec) loginAnonymous() error {
	if n := s.now; n.State == kitLoggedIn {
		if !n.Anonymous {
			return engine.ErrKitInUse
		}
		return nil
	}
	if err := s.adopt(); err != nil {
		return err
	}
	hosts := s.now.Floor == imLoggedIn
	switch {
	case s.options.Mode == engine.ReuseIM, s.options.Mode == engine.AutoDetect && hosts:
		return engine.ErrReuseNoAnonymous
	case s.options.Mode == engine.AutoLogin && hosts:
		return engine.ErrIMInUse
	}
	if _, err := s.call("Anonymous", "", func() error {
		if s.rules.noAnonymous {
			return errors.ErrUnsupported
		}
		return nil
	}); err != nil {
		return err
	}
	s.imTokens[rapidTemporary] = secret // of a new account
	return s.climbKit(rapidTemporary, secret, false, true)
}

func rapidLogoutKit() rapidOperation {
	return rapidOperation{"LogoutKit", "LogoutKit", func(ctx context.Context, e *engine.Engine) error { return e.LogoutKit(ctx) },
		func(s *rapidSpec) rapidResult {
			return s.logout("LogoutKit", func() []error { return s.descend(s.now.Floor, nil) })
		}}
}

func rapidLogoutIM() rapidOperation {
	return rapidOperation{"LogoutIM", "LogoutIM", func(ctx context.Context, e *engine.Engine) error { return e.LogoutIM(ctx) },
		func(s *rapidSpec) rapidResult {
			return s.logout("LogoutIM", func() []error { return s.descend(imInitialized, nil) })
		}}
}

func rapidClose() rapidOperation {
	return rapidOperation{"Close", "Close", func(_ context.Context, e *engine.Engine) error { return e.Close() }, (*rapidSpec).close}
}

// climb is an operation that climbs. If it fails, it leaves what it found and
// what belongs to the host.
func (s *rapidSpec) climb(op string, bad bool, run func() error) rapidResult {
	r := s.begin(op)
	over := s.over()
	switch {
	case bad:
		return r.with(engine.ErrArgument)
	case s.closed && over != engine.ErrInterrupted:
		return r.with(engine.ErrClosed)
	case over != engine.ErrInterrupted && s.options.SecondaryProcess:
		return r.with(engine.ErrSecondaryProcess)
	case over != nil:
		return r.with(over)
	}
	err := run()
	if err == nil {
		return r
	}
	if r.call = s.failed; r.state < kitLoggedIn {
		s.descend(s.now.Floor, err)
	}
	return r.with(err)
}

// logout is an operation that descends. Only while it waits for its turn can
// its ctx end it.
func (s *rapidSpec) logout(op string, descend func() []error) rapidResult {
	r := s.begin(op)
	if over := s.over(); over != nil {
		return r.with(over)
	}
	if s.closed {
		return r.with(engine.ErrClosed)
	}
	r.errs = descend()
	r.call = s.failed
	return r
}

func (s *rapidSpec) close() rapidResult {
	r := s.begin("Close")
	if s.closed {
		return r
	}
	var errs []error
	if s.now.State == kitLoggedIn {
		errs = append(errs, s.step("LogoutKit"))
	}
	if s.now.State >= imLoggedIn && !s.adopted {
		errs = append(errs, s.step("LogoutIM"))
	}
	if s.now.State > uninitialized {
		s.to(uninitialized, engine.TriggerClose, nil, false)
	}
	s.closed = true
	errs = append(errs, s.logoutStray())
	if errs[len(errs)-1] != nil && s.failed == "" {
		s.failed = "Close"
	}
	r.errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	r.call = s.failed
	return r
}

func (s *rapidSpec) begin(op string) rapidResult {
	s.moment, s.failed = 0, ""
	return rapidResult{op: op, state: s.now.State}
}

func (r rapidResult) with(err error) rapidResult {
	r.errs = []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		r.errs = joined.Unwrap()
	}
	return r
}

// rapidOperationAmongOthers draws one, more often than not one of user1's.
func rapidOperationAmongOthers(t *rapid.T) rapidOperation {
	return rapid.OneOf(
		rapid.SampledFrom([]rapidOperation{rapidLoginKit(kitAccount), rapidLoginIM(imAccount), rapidLogoutKit(), rapidLogoutIM()}),
		rapid.SampledFrom([]rapidOperation{rapidLoginKit(kitAccount), rapidInitIM(), rapidAnonymous(), rapidClose()}),
		rapid.SampledFrom([]rapidOperation{rapidRenewKit(kitAccount), rapidRenewKit(rapidTokenless), rapidLoginKit(rapidTokenless)}),
		rapid.Map(rapid.SampledFrom(rapidIMs), rapidLoginIM),
		rapid.Map(rapid.SampledFrom(rapidKits), rapidLoginKit),
	).Draw(t, "operation")
}
