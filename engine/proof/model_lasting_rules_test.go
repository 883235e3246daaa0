package proof_test

// These are the rules for KeepKit, sources and renewals.

// logoutIsNeverOverridden: a KeepKit that was running when a logout was called
// takes no further step up.
func logoutIsNeverOverridden(_ *model, from *modelState, v *modelMove, to *modelState) bool {
	if v.who == nobody {
		return true
	}
	before, after := *from.actor(v.who), *to.actor(v.who)
	return !before.loggedOut || before.at == after.at || !after.climbs()
}

// keepKitKeepsTrying: KeepKit returns only if it must stop, after a logout, or
// for a reason that another try cannot help.
func keepKitKeepsTrying(_ *model, from *modelState, v *modelMove, _ *modelState) bool {
	if v.answered == 0 || v.wish != wishKeepKit || from.closing {
		return true
	}
	a := from.actor(v.who)
	return a.stop || a.final || a.kept == loggedOutLogin || a.kept == lostLogin && v.choice
}

// askedTwiceAtMost: for one call that needs a token, a source is asked once,
// and once more if the token is refused.
func askedTwiceAtMost(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	for _, a := range s.actors {
		if a.asked > 2 {
			return false
		}
	}
	return true
}

// oneRenewal: a login has at most one renewal at a time.
func oneRenewal(_ *model, _ *modelState, _ *modelMove, s *modelState) bool { return s.renewals <= 1 }

// renewalIsNeeded: the engine's own renewal calls RenewKit only for the login
// that it was started for, and only while its token has run out.
func renewalIsNeeded(_ *model, from *modelState, v *modelMove, to *modelState) bool {
	if v.who != renewer || from.actor(renewer).at == inRenewKit {
		return true
	}
	r := to.actor(renewer)
	return r.at != inRenewKit || r.mine && (to.stale || to.session != linkedSession)
}

// expiredIsTrue: Status.Expired is set only while the kit is logged in, its
// token has run out, and a renewal runs. A loss that is not settled yet, and a
// step that is under way, may leave it set for a moment.
func expiredIsTrue(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	if !s.expired {
		return true
	}
	kit, at := s.login[ofKit], s.holder().at
	switch {
	case s.rung < kitLoggedIn:
		return false
	case s.closing || kit.lost || s.session != linkedSession || at == atRenewed:
		return true
	}
	return s.stale && kit.expired && kit.renewing && s.actor(renewer).mine
}

// closeWaitsForRenewals: once Close has returned, no goroutine of the engine
// runs.
func closeWaitsForRenewals(_ *model, _ *modelState, _ *modelMove, s *modelState) bool {
	return !s.done || s.actor(renewer).at == atIdle && !s.hanging
}
