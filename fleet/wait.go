package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// This file waits for leases. All who wait share one watcher of the bucket,
// because each watcher is a consumer that a server has to keep.

// A watch has those who wait for a lease.
type watch struct {
	// starting has one slot, for whoever starts the watcher. It is a channel so
	// that waiting for it honours ctx.
	starting chan struct{}

	mu          sync.Mutex
	waiting     map[string]map[chan struct{}]struct{} // by key; closed when the lease is free
	watcher     jetstream.KeyWatcher                  // nil: none runs
	stopWatcher context.CancelFunc
}

func newWatch() *watch {
	return &watch{starting: make(chan struct{}, 1), waiting: map[string]map[chan struct{}]struct{}{}}
}

// Wait waits until nobody holds the lease of accid, in this process or another.
// When Wait returns nil, another process may already have taken the lease, so a
// login can still fail with engine.ErrIMInUse. While NATS is
// away, Wait keeps waiting.
//
// Wait fails with context.Cause(ctx) when ctx ends, with engine.ErrArgument for
// an empty accid, and with engine.ErrClosed after Close. Any number of calls may
// wait at once: they share one watcher.
func (f *Fleet) Wait(ctx context.Context, accid string) error {
	key, err := keyOf(accid)
	if err != nil {
		return err
	}
	freed := f.watch.join(key)
	defer f.watch.leave(key, freed)
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.ctx, cancel)() // Close ends the requests, too
	for {
		again := f.ttl
		if f.startWatch(inner) != nil {
			again = f.ttl / 3
		}
		held, _, err := f.read(inner, key) // the watcher reports only what happens later
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case f.ctx.Err() != nil:
			return context.Cause(f.ctx)
		case err == nil && held == record{}:
			return nil
		case err != nil:
			again = f.ttl / 3
		}
		// The next look is for a report that the watcher missed.
		if done, err := f.sleepUntil(ctx, freed, again); done || err != nil {
			return err
		}
	}
}

// sleepUntil waits until freed is closed, which it reports, or d has passed.
func (f *Fleet) sleepUntil(ctx context.Context, freed <-chan struct{}, d time.Duration) (done bool, err error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-freed:
		return true, nil
	case <-t.C:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-f.ctx.Done():
		return false, context.Cause(f.ctx)
	}
}

// join makes a channel that is closed when the lease of key becomes free.
func (w *watch) join(key string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	freed := make(chan struct{})
	if w.waiting[key] == nil {
		w.waiting[key] = map[chan struct{}]struct{}{}
	}
	w.waiting[key][freed] = struct{}{}
	return freed
}

// leave undoes join. The last one to leave stops the watcher.
func (w *watch) leave(key string, freed chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting[key], freed)
	if len(w.waiting[key]) == 0 {
		delete(w.waiting, key)
	}
	if len(w.waiting) == 0 && w.watcher != nil {
		w.stopWatcher()
		w.watcher = nil
	}
}

func (w *watch) isRunning() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watcher != nil
}

// startWatch makes sure that the watcher runs, or fails when ctx ends. The
// watcher has a goroutine, which ends when nobody waits any more or f is closed.
func (f *Fleet) startWatch(ctx context.Context) error {
	w := f.watch
	select {
	case w.starting <- struct{}{}:
		defer func() { <-w.starting }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if w.isRunning() {
		return nil
	}
	if err := f.begin(); err != nil {
		return err
	}
	watchCtx, stop := context.WithCancel(f.ctx) // its end ends the watcher, too
	limited, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	keepOn := context.AfterFunc(limited, stop)
	watcher, err := f.kv.WatchAll(watchCtx, jetstream.UpdatesOnly(), jetstream.MetaOnly())
	if err != nil {
		stop()
		f.work.Done()
		return err
	}
	keepOn() // if it is too late, follow ends at once
	w.mu.Lock()
	w.watcher, w.stopWatcher = watcher, stop
	w.mu.Unlock()
	go func() {
		defer f.work.Done()
		defer stop()
		w.follow(watcher)
	}()
	return nil
}

// follow wakes those who wait for a lease that becomes free, until the watcher
// is stopped or NATS ends it.
func (w *watch) follow(watcher jetstream.KeyWatcher) {
	for entry := range watcher.Updates() {
		if entry == nil || entry.Operation() == jetstream.KeyValuePut {
			continue
		}
		w.mu.Lock()
		for freed := range w.waiting[entry.Key()] {
			close(freed)
		}
		delete(w.waiting, entry.Key())
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watcher == watcher {
		w.watcher = nil
	}
}
