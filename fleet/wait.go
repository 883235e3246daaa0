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
	starting sync.Mutex // held while a watcher is being started

	mu          sync.Mutex
	waiting     map[string]map[chan struct{}]struct{} // by key; closed when the lease is free
	watcher     jetstream.KeyWatcher                  // nil: none runs
	stopWatcher context.CancelFunc
}

// Wait waits until nobody holds the lease of accid, in this process or another.
// By the time that it returns nil, another process may have taken the lease
// again, so that a login can still fail with engine.ErrIMInUse. While NATS is
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
	for {
		again := f.ttl
		if f.startWatch() != nil {
			again = f.ttl / 3
		}
		held, _, err := f.read(ctx, key) // the watcher reports only what happens later
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
	if w.waiting == nil {
		w.waiting = map[string]map[chan struct{}]struct{}{}
	}
	if w.waiting[key] == nil {
		w.waiting[key] = map[chan struct{}]struct{}{}
	}
	w.waiting[key][freed] = struct{}{}
	return freed
}

// leave undoes join. The last one to leave stops the watcher.
func (w *watch) leave(key string, freed chan struct{}) {
	w.mu.Lock()
	delete(w.waiting[key], freed)
	if len(w.waiting[key]) == 0 {
		delete(w.waiting, key)
	}
	last := len(w.waiting) == 0
	w.mu.Unlock()
	if last {
		w.stopUnless(func() bool { return len(w.waiting) > 0 })
	}
}

// startWatch makes sure that the watcher runs, whose goroutine ends when the
// watcher is stopped.
func (f *Fleet) startWatch() error {
	w := &f.watch
	w.starting.Lock()
	defer w.starting.Unlock()
	w.mu.Lock()
	running := w.watcher != nil
	w.mu.Unlock()
	if running {
		return nil
	}
	if err := f.begin(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(f.ctx) // its end ends the watcher, too
	timeout := time.AfterFunc(stepTimeout, stop)
	watcher, err := f.kv.WatchAll(ctx, jetstream.UpdatesOnly(), jetstream.MetaOnly())
	if err != nil {
		stop()
		f.work.Done()
		return err
	}
	timeout.Stop()
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

func (w *watch) stop() { w.stopUnless(func() bool { return false }) }

// stopUnless stops the watcher, unless busy says that somebody needs it. It calls
// busy while mu is held.
func (w *watch) stopUnless(busy func() bool) {
	w.starting.Lock()
	defer w.starting.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watcher != nil && !busy() {
		w.stopWatcher()
		w.watcher = nil
	}
}
