package engine

import (
	"context"
	"errors"
)

// This file fetches the tokens that the host did not give, from Options.KitToken
// and Options.IMToken. To an operation, a source is like a call of the backend.

type tokenFunc = func(ctx context.Context, id, refused string) (string, error)

// A tokenSource is one of the two functions, with its name.
type tokenSource struct {
	name  string
	fetch tokenFunc
}

func (e *Engine) kitTokens() tokenSource { return tokenSource{"KitToken", e.kitToken} }
func (e *Engine) imTokens() tokenSource  { return tokenSource{"IMToken", e.imToken} }

// fetch asks s for a token of the account id.
func (o *operation) fetch(s tokenSource, id, refused string) (string, error) {
	o.failed = "" // the server may have refused a call before
	var token string
	err := o.try(s.name, func(ctx context.Context) (err error) {
		token, err = s.fetch(ctx, id, refused)
		return err
	})
	o.keepSecret(token)
	if err = o.outcome(s.name, err); err == nil {
		err = checkText("the token from Options."+s.name, token)
	}
	if err != nil {
		o.failed = s.name
		return "", err
	}
	return token, nil
}

// withFetched makes a call with a token from s, and with a second one if the
// call refuses the first.
func (o *operation) withFetched(s tokenSource, id, refused string, call func(token string) error) error {
	token, err := o.fetch(s, id, refused)
	if err != nil {
		return err
	}
	return o.orWithAnother(s, id, token, call(token), call)
}

// orWithAnother returns answer. If answer refuses token, orWithAnother instead
// repeats the call with another token from s.
func (o *operation) orWithAnother(s tokenSource, id, token string, answer error, call func(token string) error) error {
	if !refusesToken(answer) || o.ctx.Err() != nil {
		return answer
	}
	refusedBy := o.failed
	another, err := o.fetch(s, id, token)
	switch {
	case err != nil:
		return err
	case another == token:
		o.failed = refusedBy
		return answer
	}
	return call(another)
}

func refusesToken(err error) bool {
	code := CodeOf(err)
	return code == ErrTokenRejected || code == ErrTokenExpired
}

// authenticate returns the IM account that a is bound to. If fetches is true, a
// has no token yet: authenticate fetches one, and stores it in a.
func (o *operation) authenticate(a *KitAccount, refused string, fetches bool) (IMAccount, error) {
	var bound IMAccount
	call := func(token string) error {
		a.Token = token
		err := o.try("Authenticate", func(ctx context.Context) (err error) {
			bound, err = o.e.backend.Authenticate(ctx, *a)
			return err
		})
		o.keepSecret(bound.Token)
		return o.outcome("Authenticate", err)
	}
	var err error
	if fetches {
		err = o.withFetched(o.e.kitTokens(), a.UserUUID, refused, call)
	} else {
		err = call(a.Token)
	}
	return bound, err
}

// loginIM logs a in. The token is the host's own if given is true; otherwise
// IMToken, if there is one, may replace it.
func (o *operation) loginIM(a IMAccount, given bool) error {
	if given || o.e.imToken == nil {
		return o.attemptIM(a, o.tryLoginIM)
	}
	call := func(token string) error {
		a.Token = token
		return o.attemptIM(a, o.tryRefusableLoginIM)
	}
	if a.Token == "" {
		return o.withFetched(o.e.imTokens(), a.Accid, "", call)
	}
	return o.orWithAnother(o.e.imTokens(), a.Accid, a.Token, call(a.Token), call)
}

// tryRefusableLoginIM is tryLoginIM for an attempt that may be followed by
// another. An SDK can refuse the token by reporting a loss while the call is in
// flight. That ends only the attempt, not the operation.
func (o *operation) tryRefusableLoginIM(l *login, a IMAccount) error {
	ctx, cancel := context.WithCancelCause(o.ctx)
	defer cancel(nil)
	l.stop = cancel
	err := o.stopReason(waits["LoginIM"])
	if err == nil {
		err = o.callLoginIM(ctx, l, a)
	}
	if lost := o.e.endAttempt(l); lost != nil {
		o.failed = "LoginIM"
		return lost
	}
	return err
}

// endAttempt makes a later loss of l end the operation, too, and returns the
// cause of a loss that was reported earlier.
func (e *Engine) endAttempt(l *login) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.stop = nil
	return l.cause
}

var errIMLoginEnded = errors.New("the IM login has ended")

// freshIMToken is the Notify.Token of l. It does not take op: the SDK may wait
// for the token in the middle of an operation.
func (e *Engine) freshIMToken(ctx context.Context, l *login) (string, error) {
	o := e.newOperation(ctx, "IMToken", IMLoggedIn)
	defer o.logPanic()
	id, present, err := e.tokenOf(l)
	if err != nil {
		return "", o.failure(err)
	}
	o.keepSecret(present)
	token, err := o.fetch(e.imTokens(), id, present)
	if err == nil {
		err = e.replaceIMToken(l, token)
	}
	if err != nil {
		return "", o.result(err)
	}
	return token, nil
}

// tokenOf returns the accid and the token of an IM login, unless it has ended.
func (e *Engine) tokenOf(l *login) (id, token string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.phase == sought || l.overLocked() {
		return "", "", errIMLoginEnded
	}
	return l.id, l.token, nil
}

func (e *Engine) replaceIMToken(l *login, token string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.overLocked() {
		return errIMLoginEnded
	}
	l.token = token
	return nil
}

func isTokenSource(call string) bool { return call == "KitToken" || call == "IMToken" }
