package flat

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/hide"
)

// A Request is what the host was asked for, and has to answer with Done, Fail or
// Token. Only the first answer counts. A nil Request ignores its answer. All
// methods may be called from any goroutine, and never block.
type Request struct {
	answered atomic.Bool
	answer   chan answer   // has room for the one answer
	token    func() string // the token that was passed to the host; no error may show it
}

type answer struct {
	token string
	err   error
}

func newRequest(token string) *Request {
	return &Request{answer: make(chan answer, 1), token: func() string { return token }}
}

// Done answers that the host has done it.
func (r *Request) Done() { r.settle(answer{}) }

// Token answers with a token.
func (r *Request) Token(token string) { r.settle(answer{token: token}) }

// Fail answers that it failed, because of err: see [Cause]. If err is nil, the
// failure has no Code.
func (r *Request) Fail(err error) {
	if err == nil {
		err = errors.New("the host gave no reason")
	}
	r.settle(answer{err: err})
}

func (r *Request) settle(a answer) {
	if r == nil || !r.claim() {
		return
	}
	a.err = withoutTokens(a.err, r.token())
	r.answer <- a
}

// claim reports whether nobody has answered r or given it up.
func (r *Request) claim() bool { return r.answered.CompareAndSwap(false, true) }

// withoutTokens returns err without its text if the text shows one of the tokens,
// plain or escaped.
func withoutTokens(err error, tokens ...string) error {
	if err == nil || !slices.ContainsFunc(tokens, func(t string) bool { return hide.Shows(err.Error(), t) }) {
		return err
	}
	var kick *engine.KickError
	if errors.As(err, &kick) {
		return &engine.KickError{Reason: kick.Reason, ClientType: kick.ClientType}
	}
	if code := engine.CodeOf(err); code != 0 {
		return code
	}
	return errors.New("the host failed; its message is not shown, because it contains the token")
}

// An Ask starts what the host was asked for, and returns. The host answers the
// Request now or later. The function that it returned is called once, when
// nobody waits for the answer any more; gaveUp tells that the host has not
// answered, and should stop. It may be nil.
type Ask func(*Request) (end func(gaveUp bool))

// wait asks the host, and waits for the answer within ctx.
func wait(ctx context.Context, l *lane, r *Request, ask Ask) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	var end func(bool)
	if !l.run(func() { end = ask(r) }) {
		return "", engine.ErrClosed
	}
	if end == nil {
		end = func(bool) {}
	}
	select {
	case a := <-r.answer:
		end(false)
		return a.token, a.err
	case <-ctx.Done():
	}
	if !r.claim() { // the answer came first
		a := <-r.answer
		end(false)
		return a.token, a.err
	}
	if !l.run(func() { end(true) }) {
		end(false)
	}
	return "", context.Cause(ctx)
}
