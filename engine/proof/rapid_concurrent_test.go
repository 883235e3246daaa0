package proof_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/imreuse/imreuse/engine"
)

// TestRapidConcurrent runs up to four operations at once, over a backend whose
// calls are held up and released in any order, while callers give up. Some
// order of the operations, one after the other, must explain the result of
// each, every published Status and every call of the backend.
func TestRapidConcurrent(t *testing.T) {
	inEachMode(t, func(t *rapid.T, mode engine.Mode) {
		c := newRapidCrowd(t, mode)
		t.Repeat(c.actions())
		c.finish()
		c.explain()
		c.loginAfterAll()
	})
}

// TestRapidDisturbed also has the host and the service act meanwhile, behind
// the engine's back. The outcome depends on the timing, so it checks only the
// rules that always hold.
func TestRapidDisturbed(t *testing.T) {
	inEachMode(t, func(t *rapid.T, mode engine.Mode) {
		c := newRapidCrowd(t, mode)
		actions := c.actions()
		for name, disturbs := range c.disturbances() {
			actions[name] = disturbs
		}
		t.Repeat(actions)
		c.finish()
		c.holds()
		c.loginAfterAll()
	})
}

// A rapidCrowd is a set of operations that run at once.
type rapidCrowd struct {
	*rapidWorld
	runs     []*rapidRun
	clock    atomic.Int64
	releases []func()      // of calls that are held up
	seen     engine.Status // the last that Watch yielded before
	hosts    []*rapidHostLogin
}

// A rapidRun is an operation that was begun.
type rapidRun struct {
	rapidOperation
	cancel            context.CancelCauseFunc
	gaveUp            bool // cancel was called while it went on
	started, returned int64
	done              chan struct{}
	err               error // after done
}

func (r *rapidRun) pending() bool {
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// newRapidCrowd draws what was before: some things, one after the other.
func newRapidCrowd(t *rapid.T, mode engine.Mode) *rapidCrowd {
	options := rapidOptions(t, mode)
	options.SecondaryProcess = false
	w := newRapidWorld(t, options, rapidAnyRules(t, false))
	before := w.actions()
	for range rapid.IntRange(0, 5).Draw(t, "steps before") {
		before[rapid.SampledFrom([]string{"InitIM", "LoginIM again", "LoginKit again", "LoginAnonymous", "host logs in again",
			"host inits", "next call fails", "link", "LogoutKit", "kit token runs out", "IM token runs out", "the sources change"}).Draw(t, "before")](t)
	}
	c := &rapidCrowd{rapidWorld: w, seen: w.e.Status()}
	w.spec.start()
	t.Cleanup(c.release)
	for range rapid.IntRange(0, 3).Draw(t, "calls held up") {
		c.holdUp(t)
	}
	return c
}

// held returns the calls that are held up.
var rapidHeld = []string{"LoginKit", "LoginIM", "Authenticate", "InitIM", "LogoutIM", "LogoutKit", "AdoptIM", "Anonymous"}

func (c *rapidCrowd) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"begin":         c.then(c.begin),
		"begin at once": c.begin,
		"gives up":      c.then(c.givesUp),
		"hold up":       c.holdUp,
		"linger":        func(*rapid.T) { c.gate.linger() },
		"let return":    c.then(func(*rapid.T) { c.gate.release() }),
		"release all":   c.then(func(*rapid.T) { c.release() }),
		"release":       c.then(c.releaseOne),
		"late notices":  func(*rapid.T) { c.lateNotices() },
	}
}

// then runs the action and waits until everything is at rest.
func (c *rapidCrowd) then(action func(*rapid.T)) func(*rapid.T) {
	return func(t *rapid.T) {
		action(t)
		c.atRest()
	}
}

func (c *rapidCrowd) begin(t *rapid.T) {
	if len(c.runs) == 4 {
		t.Skip("four are enough")
	}
	o := rapidOperationAmongOthers(t)
	r := &rapidRun{rapidOperation: o, started: c.clock.Add(1), done: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), running{}, r))
	r.cancel = cancel
	c.runs = append(c.runs, r)
	go func() {
		defer close(r.done)
		r.err = o.call(ctx, c.e)
		r.returned = c.clock.Add(1)
	}()
}

func (c *rapidCrowd) holdUp(t *rapid.T) {
	c.releases = append(c.releases, c.device.Block(rapid.SampledFrom(rapidHeld).Draw(t, "call")))
}

func (c *rapidCrowd) givesUp(t *rapid.T) {
	if len(c.runs) == 0 {
		t.Skip("nobody is there")
	}
	r := rapid.SampledFrom(c.runs).Draw(t, "who")
	r.gaveUp = r.gaveUp || r.pending()
	r.cancel(errRapidGaveUp)
}

func (c *rapidCrowd) releaseOne(t *rapid.T) {
	if len(c.releases) == 0 {
		t.Skip("nothing is held up")
	}
	i := rapid.IntRange(0, len(c.releases)-1).Draw(t, "which")
	c.releases[i]()
	c.releases = slices.Delete(c.releases, i, i+1)
}

// lateNotices reports on every login except the latest, which may be current or
// in progress. The reports must not affect anything.
func (c *rapidCrowd) lateNotices() {
	old, _, _ := c.gate.notices(kitLoggedIn)
	for _, n := range old {
		n.Lost(engine.ErrKicked)
		n.Link(false)
	}
}

func (c *rapidCrowd) release() {
	for _, release := range c.releases {
		release()
	}
	c.releases = nil
	c.gate.release()
}

// finish waits for everything to end: each call returns once.
func (c *rapidCrowd) finish() {
	c.atRest()
	c.release()
	c.atRest()
	for _, r := range c.runs {
		if r.pending() {
			c.t.Fatalf("%v never returns", r)
		}
		r.cancel(nil)
	}
	for _, h := range c.hosts {
		<-h.done
	}
}

// atRest checks what holds while operations may still wait for the backend.
func (c *rapidCrowd) atRest() {
	synctest.Wait()
	s, on := c.e.Status(), c.device.LoggedIn()
	call, ctx, held := c.gate.now()
	if held || ctx != nil && strings.HasPrefix(call, "Logout") {
		return // nothing can hurry that
	}
	if s.State >= imLoggedIn && s.Accid != on {
		c.t.Fatalf("%q is logged in to IM, but the status is %+v", on, s)
	}
	for _, r := range c.runs {
		switch {
		case !r.pending():
		case r.gaveUp && r.op != "Close":
			c.t.Fatalf("%v goes on after its caller gave up", r)
		case ctx != nil && r.shouldEnd(ctx):
			c.t.Fatalf("%v waits for %s", r, call)
		}
	}
}

// shouldEnd reports whether ctx belongs to a login that r should end.
func (r *rapidRun) shouldEnd(ctx context.Context) bool {
	login, _ := ctx.Value(running{}).(*rapidRun)
	ends := endsFrom[r.op]
	return login != nil && ends > 0 && climbsTo[login.op] >= ends
}

// loginAfterAll checks that a fresh login succeeds in the end. Each fault that
// is left costs at most one attempt.
func (c *rapidCrowd) loginAfterAll() {
	if c.spec.closed {
		c.spec.start()
		c.open()
	}
	faults := 0
	for _, errs := range c.spec.faults {
		faults += len(errs)
	}
	ctx := context.Background()
	c.tokens.set(sourceWorks)
	_ = c.e.LogoutIM(ctx)
	c.must(c.device.HostLogout(ctx))
	err := c.login(ctx)
	for range faults {
		if err != nil {
			err = c.login(ctx)
		}
	}
	if s := c.e.Status(); err != nil || s.State != kitLoggedIn || !s.Online || c.device.LoggedIn() != "myaccid" {
		c.t.Fatalf("the login after all: %v, %+v", err, s)
	}
	_ = c.e.Close()
	if on := c.device.LoggedIn(); on != "" {
		c.t.Fatalf("%q is logged in to IM after Close", on)
	}
}

func (c *rapidCrowd) login(ctx context.Context) error {
	c.tokens.renew()
	if c.spec.options.Mode == engine.ReuseIM {
		if err := c.e.InitIM(ctx); err != nil {
			return err
		}
		if err := c.e.LoginIM(ctx, c.tokens.im); err != nil {
			return err
		}
	}
	return c.e.LoginKit(ctx, c.tokens.kit)
}
