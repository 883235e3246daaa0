package backendtest

import (
	"context"
	"slices"
	"sync"

	"github.com/imreuse/imreuse/engine"
)

// A listener hears what a backend tells one login, and does nothing about it.
type listener struct {
	mu      sync.Mutex
	news    news
	changed chan struct{} // closed with the next news, and replaced
}

// news is what was heard, each in order.
type news struct {
	lost  []error
	links []bool // what changed: a login starts online, and to hear so is no news
}

func newListener() *listener { return &listener{changed: make(chan struct{})} }

func (l *listener) notify() engine.Notify {
	return engine.Notify{
		Lost: func(cause error) {
			l.hear(func(n *news) { n.lost = append(n.lost, cause) })
		},
		Link: func(online bool) {
			l.hear(func(n *news) {
				if online != n.online() {
					n.links = append(n.links, online)
				}
			})
		},
	}
}

func (n *news) online() bool { return len(n.links) == 0 || n.links[len(n.links)-1] }

func (l *listener) hear(add func(*news)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	add(&l.news)
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *listener) heard() news {
	n, _ := l.look()
	return n
}

func (l *listener) look() (news, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return news{slices.Clone(l.news.lost), slices.Clone(l.news.links)}, l.changed
}

// wait waits until cond holds, and reports whether it did in time.
func (l *listener) wait(ctx context.Context, cond func(news) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		n, changed := l.look()
		if cond(n) {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
