package backendtest

import (
	"context"
	"slices"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// A listener records what a backend reports about one login.
type listener struct {
	renews bool // what Expired returns

	mu      sync.Mutex
	reports reports
	changed chan struct{} // closed, and replaced, when the next report comes
}

// reports has the calls of Lost, the number of calls of Expired, and the changes
// of Link, each in order.
type reports struct {
	lost    []error
	expired int
	links   []bool // only changes: a login starts online, so Link(true) is none at first
}

func newListener() *listener { return &listener{changed: make(chan struct{})} }

func (l *listener) notify() engine.Notify {
	return engine.Notify{
		Lost: func(cause error) {
			l.record(func(r *reports) { r.lost = append(r.lost, cause) })
		},
		Link: func(online bool) {
			l.record(func(r *reports) {
				if online != r.online() {
					r.links = append(r.links, online)
				}
			})
		},
		Expired: func(error) bool {
			l.record(func(r *reports) { r.expired++ })
			return l.renews
		},
	}
}

func (r *reports) online() bool { return len(r.links) == 0 || r.links[len(r.links)-1] }

func (l *listener) record(add func(*reports)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	add(&l.reports)
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *listener) heard() reports {
	r, _ := l.snapshot()
	return r
}

func (l *listener) snapshot() (reports, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return reports{lost: slices.Clone(l.reports.lost), expired: l.reports.expired, links: slices.Clone(l.reports.links)}, l.changed
}

// wait waits until cond holds, and returns whether it did in time.
func (l *listener) wait(ctx context.Context, cond func(reports) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		r, changed := l.snapshot()
		if cond(r) {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
