package hostim_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/engine"
)

// A habit is what a host reports, and how its client deals with a ctx.
type habit struct {
	announces string // the logins for which it calls LoggingIn: "every", "own" or "none"
	reports   bool   // what the engine's calls led to, too
	stubborn  bool   // Client.Login cannot be cancelled
	latency   time.Duration
}

// A simulation is a host's SDK: one account, and callbacks one at a time and in
// order, some time after what they report. The host's login replaces whatever
// is there or opening; the engine's is refused then.
type simulation struct {
	habit
	im        *hostim.IM
	callbacks chan func()
	stopped   chan struct{}

	mu        sync.Mutex
	who       *simLogin // who is logged in
	opening   *simLogin
	asked     string   // the account of the engine's login that is not settled
	announced bool     // LoggingIn was called since
	leaving   int      // Engine.LogoutIM in flight
	log       []string // what happened
	faults    []string // what must not happen
	start     time.Time
}

// A simLogin is one login of the SDK.
type simLogin struct {
	accid  string
	byHost bool
	known  bool // the host has announced or reported it, and not only as the engine's may be
	done   func(error)
}

func simulate(h habit) *simulation {
	s := &simulation{habit: h, callbacks: make(chan func(), 1000), stopped: make(chan struct{}), start: time.Now()}
	s.im = hostim.Wrap(hostim.Client{Login: s.clientLogin, Logout: s.clientLogout})
	go func() {
		defer close(s.stopped)
		for f := range s.callbacks {
			<-time.After(s.latency / 20)
			f()
		}
	}()
	return s
}

func (s *simulation) stop() { close(s.callbacks); <-s.stopped }

func (s *simulation) notef(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("%6v ", time.Since(s.start).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (s *simulation) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notef(format, args...)
}

// callback runs f after all the callbacks before it.
func (s *simulation) callback(what string, f func()) {
	s.callbacks <- func() { s.note("callback: %s", what); f() }
}

func completed(done func(error), err error) func() {
	return func() {
		if done != nil {
			done(err)
		}
	}
}

// login begins a login of a.
func (s *simulation) login(a engine.IMAccount, byHost bool, done func(error)) {
	l := &simLogin{accid: a.Accid, byHost: byHost, done: done}
	s.mu.Lock()
	s.notef("SDK: login %s, by the host: %t", a.Accid, byHost)
	refused := !byHost && (s.who != nil || s.opening != nil)
	if byHost {
		s.replaceLocked()
	}
	if !refused {
		s.opening = l
	}
	s.mu.Unlock()
	if byHost && s.announces != "none" || !byHost && s.announces == "every" && !refused {
		s.callback("logging in "+a.Accid, func() { s.announce(l) })
	}
	if refused {
		s.callback("in use", completed(done, fmt.Errorf("refused: %w", engine.ErrIMInUse)))
		return
	}
	time.AfterFunc(s.latency, func() { s.opened(l, a) })
}

// announce calls LoggingIn. The first one during a login of the engine's is
// about that.
func (s *simulation) announce(l *simLogin) {
	s.mu.Lock()
	l.known = l.known || l.byHost && (s.asked == "" || s.announced)
	s.announced = true
	s.mu.Unlock()
	s.im.LoggingIn()
}

// replaceLocked ends the current login, because the host's replaces it.
func (s *simulation) replaceLocked() {
	if s.who != nil {
		s.who = nil
		s.callback("logged out", func() { s.im.LoggedOut(nil) })
	}
	if l := s.opening; l != nil {
		s.opening = nil
		s.callback("replaced", completed(l.done, errors.New("another login has replaced this one")))
	}
}

func (s *simulation) opened(l *simLogin, a engine.IMAccount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening != l {
		return
	}
	s.opening = nil
	if a.Token == "" {
		s.callback("rejected "+l.accid, func() {
			if l.byHost {
				s.im.LoggedOut(engine.ErrTokenRejected)
			}
			completed(l.done, engine.ErrTokenRejected)()
		})
		return
	}
	s.who = l
	s.notef("SDK: %s is in", l.accid)
	s.callback("logged in "+l.accid, func() {
		if l.byHost || s.reports {
			s.mu.Lock()
			l.known = l.known || s.asked != l.accid
			s.mu.Unlock()
			s.im.LoggedIn(engine.IMAccount{Accid: l.accid})
		}
		completed(l.done, nil)()
	})
}

// logout ends the login that is there or in progress.
func (s *simulation) logout(byHost bool, done func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notef("SDK: logout, by the host: %t", byHost)
	for _, l := range []*simLogin{s.who, s.opening} {
		if !byHost && l != nil && l.byHost && l.known && s.leaving == 0 {
			s.faults = append(s.faults, "the engine has logged out the host's "+l.accid)
		}
	}
	in, opening := s.who, s.opening
	s.who, s.opening = nil, nil
	if opening != nil {
		s.callback("cut short", func() {
			if opening.byHost && in == nil {
				s.im.LoggedOut(nil)
			}
			completed(opening.done, errors.New("logged out while opening"))()
		})
	}
	s.callback("logged out", func() {
		if in != nil && (byHost || s.reports || in.byHost) {
			s.im.LoggedOut(nil)
		}
		completed(done, nil)()
	})
}

// end ends the current login, as the service does.
func (s *simulation) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.who != nil {
		s.notef("SDK: %s is kicked", s.who.accid)
		s.who = nil
		s.callback("kicked", func() { s.im.LoggedOut(cause) })
	}
}

// The host's client.

func (s *simulation) clientLogin(ctx context.Context, a engine.IMAccount) error {
	s.ask(a.Accid)
	result := make(chan error, 1)
	s.login(a, false, func(err error) { result <- err })
	ended := ctx.Done()
	if s.stubborn {
		ended = nil
	}
	select {
	case err := <-result:
		if err != nil || ctx.Err() == nil {
			s.ask("") // this has settled it
		}
		return err
	case <-ended:
		return ctx.Err()
	}
}

func (s *simulation) ask(accid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.announced = accid, false
}

func (s *simulation) clientLogout(context.Context) error {
	defer s.ask("")
	result := make(chan error, 1)
	s.logout(false, func(err error) { result <- err })
	return <-result
}
