package gatewaydouble

import (
	"context"
	"time"
)

// A slot holds the login of one account. Its calls wait for each other, except
// reads.
type slot struct {
	run  *gatewayRun
	name string
	turn chan struct{} // full while a call is running

	// Guarded by run.gateway.mu.
	asking    int         // calls that are running or waiting
	lease     *time.Timer // nil unless a lease is running
	leases    int         // leases started so far
	leaseTime time.Duration
	setup     *setup // nil until the slot is initialised
	login     *imLogin
	question  *question // of the SDK, for a fresh token; nil: it asks nothing
	ended     *ended
	published snapshot
	readers   map[chan snapshot]struct{} // closed when the slot is released
}

// setup is the configuration of a slot. This gateway's IM is the world, so only
// the AppKey is used.
type setup struct {
	appKey, lbsURL, linkAddr string
	linkPlain                bool
}

// takeTurn waits for the slot's earlier calls. It fails if the run was killed.
func (s *slot) takeTurn() error {
	select {
	case s.turn <- struct{}{}:
	case <-s.run.ctx.Done():
		return errKilled
	}
	if s.run.ctx.Err() != nil {
		s.endTurn()
		return errKilled
	}
	return nil
}

func (s *slot) endTurn() { <-s.turn }

// The calls of a slot. The caller has taken the turn, except for read. Their
// errors are *problem.

func (s *slot) init(to setup, lease time.Duration) (snapshot, error) {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.setup == nil || *s.setup != to {
		if s.login != nil {
			return snapshot{}, newProblem(otherConfiguration, "%s is logged in; log it out first", s.login.account.Accid)
		}
		s.setup = &to
		s.publishLocked("logged_out", "down")
	}
	s.leaseTime = lease
	return s.published, nil
}

// A loginRequest names the account to log in, and the owner of the login.
type loginRequest struct {
	accid, token, owner string
	dynamic             bool
}

// logIn logs r in. made reports whether it made a new login, rather than
// finding the account logged in.
func (s *slot) logIn(ctx context.Context, r loginRequest) (now snapshot, made bool, err error) {
	held, now, err := s.mayLogIn(ctx, r.accid)
	if err != nil {
		return snapshot{}, false, err
	}
	if held != nil && held.account.Token == r.token && held.account.Dynamic == r.dynamic {
		return now, false, nil
	}
	if held != nil {
		s.logOut()
	}
	now, err = s.connect(ctx, r)
	if err != nil {
		s.run.gateway.mu.Lock()
		defer s.run.gateway.mu.Unlock()
		s.publishLocked("logged_out", "down")
	}
	return now, err == nil, err
}

// mayLogIn checks that accid may log in. It returns the slot's login, which is
// of that account, or nil.
func (s *slot) mayLogIn(ctx context.Context, accid string) (*imLogin, snapshot, error) {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.setup == nil {
		return nil, snapshot{}, newProblem(notInitialised, "initialise the slot with PUT first")
	}
	if err := s.run.stopReason(ctx); err != nil {
		return nil, snapshot{}, err
	}
	if l := s.login; l != nil && l.account.Accid != accid {
		return nil, snapshot{}, newProblem(otherAccount, "%s is logged in; log it out first", l.account.Accid)
	}
	return s.login, s.published, nil
}

// unlessOtherOwner calls f, unless the slot's login has another owner; an empty
// owner matches any. The caller has the turn, so no login can slip in before f.
func (s *slot) unlessOtherOwner(owner string, f func() (snapshot, error)) (snapshot, error) {
	s.run.gateway.mu.Lock()
	isOthers := owner != "" && s.login != nil && s.login.owner != owner
	now := s.published
	s.run.gateway.mu.Unlock()
	if isOthers {
		return now, nil
	}
	return f()
}

func (s *slot) logOut() (snapshot, error) {
	g := s.run.gateway
	g.mu.Lock()
	if s.setup == nil {
		defer g.mu.Unlock()
		return snapshot{}, newProblem(noSuchSlot, "initialise the slot with PUT first")
	}
	l, link := s.login, (*imLink)(nil)
	if l != nil {
		link = l.link
	}
	g.mu.Unlock()
	if link != nil {
		link.cut()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if l != nil && s.login == l { // otherwise it was kicked meanwhile, and that is published
		s.endLocked(&ended{Session: l.session})
	}
	return s.published, nil
}

// release logs the slot out and removes it. It returns the last snapshot.
func (s *slot) release() (snapshot, error) {
	last, err := s.logOut()
	if err != nil {
		return snapshot{}, err
	}
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	s.stopLeaseLocked()
	s.setup, s.ended, s.published = nil, nil, snapshot{}
	s.run.forgetLocked(s)
	for reader := range s.readers {
		close(reader)
	}
	clear(s.readers)
	return last, nil
}

// read returns the first snapshot with a Seq greater than after, or the present
// one when wait is over. If the run has not reached after, the number is from
// another run, and read returns at once.
func (s *slot) read(ctx context.Context, after int64, wait time.Duration) (snapshot, error) {
	if news := s.subscribe(after); news != nil {
		defer s.unsubscribe(news)
		if now, ok := await(ctx, news, wait); ok {
			return now, nil
		}
	}
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.setup == nil {
		return snapshot{}, newProblem(noSuchSlot, "initialise the slot with PUT first")
	}
	return s.published, nil
}

// subscribe returns a channel for the next snapshot, or nil if read need not
// wait.
func (s *slot) subscribe(after int64) chan snapshot {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.setup == nil || s.published.Seq > after || after > s.run.seq {
		return nil
	}
	news := make(chan snapshot, 1)
	s.readers[news] = struct{}{}
	return news
}

func (s *slot) unsubscribe(news chan snapshot) {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	delete(s.readers, news)
}

// await waits for a snapshot. ok is false if none came in time, or the slot was
// released.
func await(ctx context.Context, news <-chan snapshot, wait time.Duration) (now snapshot, ok bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case now, ok = <-news:
	case <-timer.C:
	case <-ctx.Done():
	}
	return now, ok
}

// A lease runs while the slot has no call.

func (s *slot) startLeaseLocked() {
	if s.setup == nil || s.leaseTime == 0 || s.run.stopped {
		return
	}
	s.run.work.Add(1)
	s.leases++
	this := s.leases
	s.lease = time.AfterFunc(s.leaseTime, func() {
		defer s.run.work.Done()
		s.expire(this)
	})
}

func (s *slot) stopLeaseLocked() {
	if s.lease != nil && s.lease.Stop() {
		s.run.work.Done()
	}
	s.lease = nil
}

// expire releases the slot, unless a call has come since the lease started.
func (s *slot) expire(lease int) {
	if s.takeTurn() != nil {
		return
	}
	defer s.endTurn()
	s.run.gateway.mu.Lock()
	due := s.leases == lease && s.asking == 0 && s.setup != nil
	s.run.gateway.mu.Unlock()
	if due {
		s.release()
	}
}

// undo logs out a session that its client never learned about.
func (s *slot) undo(session int64) {
	if s.takeTurn() != nil {
		return
	}
	defer s.endTurn()
	s.run.gateway.mu.Lock()
	holds := s.login != nil && s.login.session == session
	s.run.gateway.mu.Unlock()
	if holds {
		s.logOut()
	}
}

// snapshot returns the present snapshot, or nil if s is nil or not initialised.
func (s *slot) snapshot() *snapshot {
	if s == nil {
		return nil
	}
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.setup == nil {
		return nil
	}
	now := s.published
	return &now
}

// A slot exists while it is initialised or has a call.

// enter returns the slot with that name for one call, which must leave it. If
// there is none, enter fails with the problem missing, or makes the slot if
// missing is "".
func (r *gatewayRun) enter(name string, missing kind) (*slot, error) {
	r.gateway.mu.Lock()
	defer r.gateway.mu.Unlock()
	if r.isClosing() {
		return nil, newProblem(closing, "the gateway takes no more calls")
	}
	s := r.slots[name]
	switch {
	case s == nil && missing != "":
		return nil, newProblem(missing, "initialise the slot with PUT first")
	case s == nil:
		s = &slot{run: r, name: name, turn: make(chan struct{}, 1), readers: map[chan snapshot]struct{}{}}
		r.slots[name] = s
	}
	s.stopLeaseLocked()
	s.asking++
	return s, nil
}

// find returns the slot with that name, or nil.
func (r *gatewayRun) find(name string) *slot {
	r.gateway.mu.Lock()
	defer r.gateway.mu.Unlock()
	return r.slots[name]
}

func (r *gatewayRun) leave(s *slot) {
	r.gateway.mu.Lock()
	defer r.gateway.mu.Unlock()
	if s.asking--; s.asking == 0 {
		s.startLeaseLocked()
		r.forgetLocked(s)
	}
}

func (r *gatewayRun) forgetLocked(s *slot) {
	if s.setup == nil && s.asking == 0 {
		delete(r.slots, s.name)
	}
}

// countSlots counts the initialised slots.
func (r *gatewayRun) countSlots() int {
	r.gateway.mu.Lock()
	defer r.gateway.mu.Unlock()
	n := 0
	for _, s := range r.slots {
		if s.setup != nil {
			n++
		}
	}
	return n
}
