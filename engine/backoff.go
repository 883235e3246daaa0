package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	minPause = time.Second
	maxPause = time.Minute
)

// A backoff draws the pauses between tries: each from 0 to a limit that doubles
// from minPause to maxPause. The zero value starts with minPause.
type backoff struct{ limit time.Duration }

// wait pauses, or returns earlier when ctx ends.
func (b *backoff) wait(ctx context.Context) {
	t := time.NewTimer(b.next())
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (b *backoff) next() time.Duration {
	limit := max(b.limit, minPause)
	b.limit = min(2*limit, maxPause)
	return rand.N(limit + 1)
}

// reset starts over if what was tried has held for as long as the next pause
// may be.
func (b *backoff) reset(held time.Duration) {
	if held >= b.limit {
		b.limit = 0
	}
}
