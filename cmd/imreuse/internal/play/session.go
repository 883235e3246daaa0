// Package play is the laboratory behind "imreuse play": an engine over an IM
// cloud in memory, and the acts with which a page drives the app, the engine and
// the cloud. For each act, the page also shows what the vendor's kits would have
// given.
package play

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/inspect"
)

const (
	maxRunning = 16 // acts at once
	maxResults = 12
	patience   = 400 * time.Millisecond // how long the reply to an act waits for its result
)

// A Session is one engine with its cloud, and the acts on them. All visitors of
// one server share it. It is safe for concurrent use.
type Session struct {
	inspector *inspect.Inspector
	secret    string // the page has it, and its requests must show it
	digest    [sha256.Size]byte
	pace      time.Duration
	acts      sync.WaitGroup

	changing sync.Mutex // held while the engine is replaced; taken before mu

	mu      sync.Mutex // protects the following fields
	world   *world
	closed  bool
	version uint64 // goes up with each change of what the panel shows
	lastID  int
	running []running
	results []Result // the newest first
}

// A running act has not ended yet.
type running struct {
	ID  int    `json:"id"`
	Act string `json:"act"`
}

// New makes a session with an engine in AutoDetect. The page runs a story at one
// step per pace.
func New(pace time.Duration) (*Session, error) {
	s := &Session{secret: rand.Text(), pace: pace}
	s.digest = sha256.Sum256([]byte(s.secret))
	s.inspector = inspect.New(engine.Options{Trace: s.trace})
	w, err := newWorld(s, setup{})
	if err != nil {
		return nil, err
	}
	s.world = w
	return s, nil
}

// Close ends every act, closes the engine, and waits for both.
func (s *Session) Close() error {
	s.mu.Lock()
	s.closed = true
	w := s.world
	s.mu.Unlock()
	w.letGo()
	s.changing.Lock()
	err := s.current().end()
	s.changing.Unlock()
	s.acts.Wait()
	return err
}

func (s *Session) current() *world {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world
}

// changed notes that the panel shows something new.
func (s *Session) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
}

var (
	errClosed = errors.New("the server is shutting down")
	errBusy   = errors.New("too many acts are running: release the calls that hang, or reset")
)

// start runs an act on a goroutine of its own, so that a call that hangs keeps
// nobody from the controls. Close waits for that goroutine. The returned channel
// delivers the result.
func (s *Session) start(name string, a act) (id int, done <-chan Result, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch _, always := a.(*reset); {
	case s.closed:
		return 0, nil, errClosed
	case len(s.running) >= maxRunning && !always:
		return 0, nil, errBusy
	case len(s.running) >= 2*maxRunning:
		return 0, nil, errBusy
	}
	s.lastID++
	s.version++
	id = s.lastID
	s.running = append(s.running, running{id, name})
	result := make(chan Result, 1)
	w := s.world
	s.acts.Go(func() {
		r := s.perform(a, w)
		r.ID, r.Act = id, name
		s.finish(r)
		result <- r
	})
	return id, result, nil
}

func (s *Session) perform(a act, w *world) Result {
	f := facts{act: a, mode: w.mode(), before: w.status()}
	f.outcome = a.do(w.ctx, s, w)
	f.after = s.current().status()
	return f.result()
}

func (s *Session) finish(r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	for i, run := range s.running {
		if run.ID == r.ID {
			s.running = append(s.running[:i:i], s.running[i+1:]...)
			break
		}
	}
	s.results = append([]Result{r}, s.results...)
	if len(s.results) > maxResults {
		s.results = s.results[:maxResults]
	}
}

// replace ends the world and puts another in its place.
func (s *Session) replace(next setup) error {
	s.current().letGo() // the engine could be closing, and wait for a call that hangs
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.isClosed() {
		return errClosed
	}
	_ = s.current().end() // a logout that was told to fail does not matter any more
	w, err := newWorld(s, next)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world, s.results = w, nil // if Close has begun, it ends w
	return nil
}

func (s *Session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// restart closes the engine and makes another on the same device, where an IM
// login of the app's own stays.
func (s *Session) restart(next setup) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	w := s.current()
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	closing := w.closeEngine()
	return errors.Join(closing, w.startEngine(s, next))
}
