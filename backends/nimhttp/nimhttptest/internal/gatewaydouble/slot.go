package gatewaydouble

import (
	"context"
	"time"
)

// A slot holds the login of one account. The calls of it queue, all but reads.
type slot struct {
	run  *gatewayRun
	name string
	turn chan struct{} // holds one while a call is at work

	// Guarded by run.gateway.mu.
	asking    int         // calls that are being answered
	lease     *time.Timer // runs while nobody asks; nil: it does not
	leases    int         // that have begun
	leaseTime time.Duration
	setup     *setup // nil: the slot is not initialised
	login     *imLogin
	ended     *ended
	published snapshot
	readers   map[chan snapshot]struct{} // closed where the slot is released
}

// setup is what a slot is initialised with. The IM of this gateway is the
// world, so only the AppKey has a use.
type setup struct {
	appKey, lbsURL, linkAddr string
	linkPlain                bool
}

// takeTurn waits for the calls before. It fails where the run was killed.
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

// The calls of a slot, which have its turn, all but read. They fail with
// a *problem.

func (s *slot) init(to setup, lease time.Duration) (snapshot, error) {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.setup == nil || *s.setup != to {
		if s.login != nil {
			return snapshot{}, newProblem(otherConfiguration, "%s is logged in: log it out first", s.login.account.Accid)
		}
		s.setup = &to
		s.publishLocked("logged_out", "down")
	}
	s.leaseTime = lease
	return s.published, nil
}

// A loginRequest is who is to be logged in, and by whom.
type loginRequest struct{ accid, token, owner string }

// logIn also reports whether it has made the login that holds.
func (s *slot) logIn(ctx context.Context, r loginRequest) (now snapshot, made bool, err error) {
	held, now, err := s.mayLogIn(ctx, r.accid)
	if err != nil {
		return snapshot{}, false, err
	}
	if held != nil && held.account.Token == r.token {
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

// mayLogIn returns the login that holds, where it is of that account.
func (s *slot) mayLogIn(ctx context.Context, accid string) (*imLogin, snapshot, error) {
	s.run.gateway.mu.Lock()
	defer s.run.gateway.mu.Unlock()
	if s.setup == nil {
		return nil, snapshot{}, newProblem(notInitialised, "PUT the slot first")
	}
	if err := s.run.stopped(ctx); err != nil {
		return nil, snapshot{}, err
	}
	if l := s.login; l != nil && l.account.Accid != accid {
		return nil, snapshot{}, newProblem(otherAccount, "%s is logged in: log it out first", l.account.Accid)
	}
	return s.login, s.published, nil
}

// unlessAnothers calls f, unless another owner's login holds; "": of anyone. The
// turn of the slot keeps others from logging in between.
func (s *slot) unlessAnothers(owner string, f func() (snapshot, error)) (snapshot, error) {
	s.run.gateway.mu.Lock()
	anothers := owner != "" && s.login != nil && s.login.owner != owner
	now := s.published
	s.run.gateway.mu.Unlock()
	if anothers {
		return now, nil
	}
	return f()
}

func (s *slot) logOut() (snapshot, error) {
	g := s.run.gateway
	g.mu.Lock()
	if s.setup == nil {
		defer g.mu.Unlock()
		return snapshot{}, newProblem(noSuchSlot, "PUT the slot first")
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
	if l != nil && s.login == l { // or it was kicked meanwhile, which is told
		s.endLocked(&ended{Session: l.session})
	}
	return s.published, nil
}

// release returns the slot as it was at last.
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

// read returns the first snapshot after a number, or what there is at the end of
// the wait. A number that the run has not reached is from another run.
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
		return snapshot{}, newProblem(noSuchSlot, "PUT the slot first")
	}
	return s.published, nil
}

// subscribe returns where the next snapshot comes, or nil where there is nothing
// to wait for.
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

// await is not ok where nothing came, or the slot was released.
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

// The lease runs while nobody asks.

func (s *slot) startLeaseLocked() {
	if s.setup == nil || s.leaseTime == 0 || s.run.over {
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

// expire releases the slot, unless somebody has asked since that lease began.
func (s *slot) expire(lease int) {
	if s.takeTurn() != nil {
		return
	}
	defer s.endTurn()
	s.run.gateway.mu.Lock()
	over := s.leases == lease && s.asking == 0 && s.setup != nil
	s.run.gateway.mu.Unlock()
	if over {
		s.release()
	}
}

// undo logs out a session whose client does not know of it.
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

// snapshot is the slot as it is now; nil: there is none, or it is not
// initialised.
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

// A slot is there while it is initialised or somebody asks about it.

// enter returns the slot of that name, for a call. One that is not there is that
// problem; "": it is made.
func (r *gatewayRun) enter(name string, missing kind) (*slot, error) {
	r.gateway.mu.Lock()
	defer r.gateway.mu.Unlock()
	if r.isClosing() {
		return nil, newProblem(closing, "it takes no more calls")
	}
	s := r.slots[name]
	switch {
	case s == nil && missing != "":
		return nil, newProblem(missing, "PUT the slot first")
	case s == nil:
		s = &slot{run: r, name: name, turn: make(chan struct{}, 1), readers: map[chan snapshot]struct{}{}}
		r.slots[name] = s
	}
	s.stopLeaseLocked()
	s.asking++
	return s, nil
}

// find returns the slot of that name; nil: there is none.
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

// countSlots counts those that are initialised.
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
