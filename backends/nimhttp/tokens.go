package nimhttp

import (
	"context"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// This file answers the SDK in the gateway, which asks for a fresh token when it
// reconnects a login with dynamic tokens.

// tokens are those of one login. Its methods may be called concurrently.
type tokens struct {
	im    *IM
	fetch func(context.Context) (string, error) // nil: the answers are not ours to give

	mu       sync.Mutex // protects the following fields
	last     [2]secret  // the last two: the gateway may still name the older one
	open     uint64     // the open question; 0: there is none
	answered uint64     // the last question that was answered
	fetching bool       // a goroutine is at work, and answers the open question
}

type secret func() string // a func, because fmt does not print its result

func newTokens(im *IM, n engine.Notify, a *engine.IMAccount) *tokens {
	t := &tokens{im: im}
	if a == nil {
		return t
	}
	token := a.Token
	t.keep(token)
	t.fetch = n.Token
	if t.fetch == nil { // then nobody has another one
		t.fetch = func(context.Context) (string, error) { return token, nil }
	}
	return t
}

func (t *tokens) keep(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = [2]secret{func() string { return token }, t.last[0]}
}

// secrets are the tokens that no error may repeat.
func (t *tokens) secrets() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for _, token := range t.last {
		if token != nil {
			all = append(all, token())
		}
	}
	return all
}

// answer has a goroutine answer the SDK's open question; 0 means that none is open.
// answer does not wait: the source may be slow, and a kick has to be noticed. ctx
// ends with the login. One goroutine runs at a time, and IM.Close waits for it. If
// the SDK has asked again meanwhile, the goroutine answers the later question.
func (t *tokens) answer(ctx context.Context, question uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = question
	if question <= t.answered || t.fetching || t.fetch == nil {
		return
	}
	t.fetching = true
	t.im.watches.Go(func() { t.fetchAndAnswer(ctx) })
}

func (t *tokens) fetchAndAnswer(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, t.im.limits.answer)
	token, err := t.fetch(bounded)
	cancel()
	if err != nil {
		token = "" // the source has reported its error itself
	} else {
		t.keep(token)
	}
	if question := t.take(); question != 0 && ctx.Err() == nil {
		// If the answer does not arrive, the gateway gives the question up, and the
		// SDK asks again.
		_ = t.im.slot.Answer(ctx, question, token)
	}
}

// take returns the open question, which counts as answered from now on.
func (t *tokens) take() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetching = false
	t.answered = max(t.answered, t.open)
	return t.open
}
