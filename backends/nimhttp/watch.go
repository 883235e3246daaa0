package nimhttp

import (
	"context"
	"fmt"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewayclient"
	"github.com/imreuse/imreuse/engine"
)

// A watch follows one login until it ends, or until it is told to stop. It has
// one goroutine, which unwatch waits for, or Close where the login has ended by
// itself.
type watch struct {
	im      *IM
	boot    string // the run of the gateway, and the login in it
	session uint64
	secrets func() []string // fmt does not look into functions
	notify  engine.Notify
	stop    context.CancelFunc
	stopped chan struct{}

	// Of the goroutine.
	seq    uint64
	online bool
	heard  time.Time // when the gateway last answered
}

// watch follows the login that now shows. If that has come after another, whose
// end nobody has heard of, that is told first.
func (im *IM) watch(now gatewayclient.Snapshot, n engine.Notify, token string) {
	if before := im.unwatch(); before != nil {
		if cause := before.end(now); cause != nil && before.notify.Lost != nil {
			before.notify.Lost(cause)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &watch{
		im: im, boot: now.Boot, session: now.Session,
		secrets: func() []string { return []string{token, im.slot.Secret()} },
		notify:  n, stop: stop, stopped: make(chan struct{}),
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

// unwatch ends the watch, if there is one, and waits for it. After that it
// tells nobody anything.
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

// holds reports whether the login that now shows, which we made, has not been
// given up.
func (im *IM) holds(now gatewayclient.Snapshot) bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	w := im.watched
	return w != nil && w.boot == now.Boot && w.session == now.Session
}

// forget ends the watch from within, and reports whether nobody else has.
func (w *watch) forget() bool {
	w.im.mu.Lock()
	defer w.im.mu.Unlock()
	if w.im.watched != w {
		return false
	}
	w.im.watched = nil
	return true
}

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

// judge returns why the login has ended, or nil while it holds.
func (w *watch) judge(ctx context.Context, now gatewayclient.Snapshot, err error) error {
	switch {
	case gatewayclient.IsProblem(err, gatewayclient.NoSuchSlot):
		return w.released(ctx)
	case call.Refused(err):
		return fmt.Errorf("%w: the IM gateway has ended", engine.ErrUnavailable)
	case gatewayclient.IsStranger(err): // which may carry ErrArgument, and that is no cause of a loss
		return fmt.Errorf("%w: the IM gateway has ended, and something else has taken its address: %v", engine.ErrUnavailable, err)
	case err != nil && time.Since(w.heard) >= w.im.limits.silence:
		return fmt.Errorf("%w: the IM gateway has not answered for %v; the last that was heard: %w", engine.ErrUnavailable, w.im.limits.silence, err)
	case err != nil:
		return nil
	}
	w.heard = time.Now()
	if now.Boot == w.boot && now.Seq < w.seq {
		return nil // an old one
	}
	if cause := w.end(now); cause != nil {
		return cause
	}
	w.seq = now.Seq
	w.link(now.Online())
	return nil
}

// end returns why the login does not hold in that snapshot, or nil.
func (w *watch) end(now gatewayclient.Snapshot) error {
	switch {
	case now.Boot != w.boot:
		return errRestarted
	case now.Session != w.session:
		return now.Cause(w.session, w.secrets())
	}
	return nil
}

var errRestarted = fmt.Errorf("%w: the IM gateway was started again", engine.ErrUnavailable)

// released is why a slot is not known any more: another client released it,
// or this is another run of the gateway.
func (w *watch) released(ctx context.Context) error {
	if h, err := w.im.slot.Health(ctx); err != nil || h.Boot != w.boot {
		return errRestarted
	}
	return fmt.Errorf("%w: its slot was released", engine.ErrIMLoggedOut)
}

// next waits for a snapshot after that one, no longer than patience. It does
// not spin where a gateway answers at once with nothing new.
func (im *IM) next(ctx context.Context, after uint64, patience time.Duration) (gatewayclient.Snapshot, error) {
	asked, wait := time.Now(), im.limits.wait
	if patience < wait+wait/4 {
		wait = patience / 2 // after a failure less is left, and an idle gateway is to answer within it
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
