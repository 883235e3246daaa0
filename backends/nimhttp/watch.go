package nimhttp

import (
	"context"
	"fmt"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewayclient"
	"github.com/imreuse/imreuse/engine"
)

// A watch follows one login until the login ends or unwatch stops it. It has
// one goroutine. unwatch waits for it; if the login ended by itself, Close
// does.
type watch struct {
	im      *IM
	boot    string // names the run of the gateway
	session uint64 // the login in that run
	tokens  *tokens
	notify  engine.Notify
	stop    context.CancelFunc
	stopped chan struct{}

	// Only the goroutine uses these.
	seq    uint64
	online bool
	heard  time.Time // when the gateway last answered
}

// watch follows the login in the snapshot now: of account a, or of another client
// if a is nil. If it replaced a login whose end was never reported, that loss is
// reported first.
func (im *IM) watch(now gatewayclient.Snapshot, n engine.Notify, a *engine.IMAccount) {
	if before := im.unwatch(); before != nil {
		if cause := before.lossIn(now); cause != nil && before.notify.Lost != nil {
			before.notify.Lost(cause)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &watch{
		im: im, boot: now.Boot, session: now.Session,
		tokens: newTokens(im, n, a),
		notify: n, stop: stop, stopped: make(chan struct{}),
		seq: now.Seq, online: true, heard: time.Now(),
	}
	w.link(now.Online())
	im.mu.Lock()
	im.watched = w
	im.mu.Unlock()
	im.watches.Go(func() {
		defer close(w.stopped)
		defer stop()
		w.run(ctx)
	})
}

// unwatch stops the watch, if there is one, and waits for its goroutine. After
// that, the watch reports nothing.
func (im *IM) unwatch() *watch {
	im.mu.Lock()
	w := im.watched
	im.watched = nil
	im.mu.Unlock()
	if w != nil {
		w.stop()
		<-w.stopped
	}
	return w
}

// holds reports whether this IM still watches the login in the snapshot now. A
// login of ours that is not watched was given up.
func (im *IM) holds(now gatewayclient.Snapshot) bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	w := im.watched
	return w != nil && w.boot == now.Boot && w.session == now.Session
}

// forget lets the watch stop itself, and reports whether it was still active.
func (w *watch) forget() bool {
	w.im.mu.Lock()
	defer w.im.mu.Unlock()
	if w.im.watched != w {
		return false
	}
	w.im.watched = nil
	return true
}

// link reports the state of the link, if it has changed.
func (w *watch) link(online bool) {
	if w.online == online {
		return
	}
	w.online = online
	if w.notify.Link != nil {
		w.notify.Link(online)
	}
}

func (w *watch) run(ctx context.Context) {
	for {
		now, err := w.im.next(ctx, w.seq, w.im.limits.silence-time.Since(w.heard))
		cause := w.judge(ctx, now, err)
		if ctx.Err() != nil {
			return
		}
		if cause == nil {
			continue
		}
		if w.forget() && w.notify.Lost != nil {
			w.notify.Lost(cause)
		}
		return
	}
}

// judge returns the reason that the login has ended, or nil if it has not. now
// and err are the outcome of a read.
func (w *watch) judge(ctx context.Context, now gatewayclient.Snapshot, err error) error {
	switch {
	case gatewayclient.IsProblem(err, gatewayclient.NoSuchSlot):
		return w.released(ctx)
	case call.Refused(err):
		return fmt.Errorf("%w: the IM gateway has ended", engine.ErrUnavailable)
	case gatewayclient.IsStranger(err): // %v, because err may wrap ErrArgument, which is not the cause of a loss
		return fmt.Errorf("%w: the IM gateway has ended, and another program listens at its address: %v", engine.ErrUnavailable, err)
	case err != nil && time.Since(w.heard) >= w.im.limits.silence:
		return fmt.Errorf("%w: the IM gateway has not answered for %v; the last error was: %w", engine.ErrUnavailable, w.im.limits.silence, err)
	case err != nil:
		return nil
	}
	w.heard = time.Now()
	if now.Boot == w.boot && now.Seq < w.seq {
		return nil // older than what we have seen
	}
	if cause := w.lossIn(now); cause != nil {
		return cause
	}
	w.seq = now.Seq
	w.link(now.Online())
	w.tokens.answer(ctx, now.Asks)
	return nil
}

// lossIn returns the reason that the login has ended by the snapshot now, or
// nil if it has not.
func (w *watch) lossIn(now gatewayclient.Snapshot) error {
	switch {
	case now.Boot != w.boot:
		return errRestarted
	case now.Session != w.session:
		return now.Cause(w.session, append(w.tokens.secrets(), w.im.slot.Secret()))
	}
	return nil
}

var errRestarted = fmt.Errorf("%w: the IM gateway was started again", engine.ErrUnavailable)

// released returns the reason that the gateway does not know the slot any more:
// another client released it, or the gateway was started again.
func (w *watch) released(ctx context.Context) error {
	if h, err := w.im.slot.Health(ctx); err != nil || h.Boot != w.boot {
		return errRestarted
	}
	return fmt.Errorf("%w: the slot was released", engine.ErrIMLoggedOut)
}

// next waits for a snapshot after the one with the number after, for at most
// patience. If the gateway answers early with nothing new, next pauses, so that
// its caller does not spin.
func (im *IM) next(ctx context.Context, after uint64, patience time.Duration) (gatewayclient.Snapshot, error) {
	asked, wait := time.Now(), im.limits.wait
	if patience < wait+wait/4 {
		wait = patience / 2 // little is left after a failure; let an idle gateway answer in time
	}
	now, err := im.slot.Next(ctx, after, max(wait, 0), patience)
	if err == nil && now.Seq > after || call.Refused(err) || gatewayclient.IsStranger(err) || gatewayclient.IsProblem(err, gatewayclient.NoSuchSlot) || time.Since(asked) >= im.limits.retry {
		return now, err
	}
	timer := time.NewTimer(im.limits.retry)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return now, err
}
