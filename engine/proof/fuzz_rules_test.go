package proof_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/engine"
)

// The rules that FuzzEngine holds. climbsTo is the rung that an operation
// climbs to; one that descends ends those that climb to the rung endsFrom, or
// above it.
var (
	climbsTo = map[string]engine.State{"InitIM": imInitialized, "LoginIM": imLoggedIn, "LoginKit": kitLoggedIn, "LoginAnonymous": kitLoggedIn,
		"RenewKit": kitLoggedIn, "KeepKit": kitLoggedIn}
	endsFrom = map[string]engine.State{"LogoutKit": kitLoggedIn, "LogoutIM": imLoggedIn, "Close": imInitialized}
)

// completed checks the outcome of a. contested says that other attempts may log
// IM in or out at the same time.
func (w *fuzzWorld) completed(a *attempt, s engine.Status, contested bool) {
	a.cancel()
	if a.succeeded == nil {
		w.hostLoggedIn(a, contested)
		return
	}
	w.closed = w.closed || a.name == "Close"
	if a.panicked {
		return // and nobody knows what it would have returned
	}
	if a.err != nil {
		w.checkError(a)
	}
	climbs := climbsTo[a.name] > 0
	switch {
	case a.closed:
		if want := a.name != "Close"; want != errors.Is(a.err, engine.ErrClosed) {
			w.t.Errorf("%s on a closed engine: %v", a.name, a.err)
		}
	case climbs && a.gaveUp && a.err == nil:
		w.t.Errorf("%s succeeded, though its ctx had ended", a.name)
	case a.idle && a.single && !a.rested:
		w.completedAlone(a, s, climbs)
	}
}

// hostLoggedIn records what HostLogin did.
func (w *fuzzWorld) hostLoggedIn(a *attempt, contested bool) {
	if a.err != nil {
		return
	}
	w.hostMade = append(w.hostMade, a.accid)
	if call, _ := w.calls.inside(); a.single && !a.rested && a.was != a.accid && !contested && call != "LogoutIM" {
		w.kept = a.accid
	}
}

func (w *fuzzWorld) checkError(a *attempt) {
	failure, ok := a.err.(*engine.Error)
	if !ok || failure.Op != a.name {
		w.t.Errorf("%s: %#v is not an *engine.Error of it", a.name, a.err)
	}
	if errors.Is(a.err, engine.ErrState) && a.name != "LoginIM" && a.name != "RenewKit" {
		w.t.Errorf("%s took an edge that is none: %v", a.name, a.err)
	}
	noToken(w.t, a.name, a.err.Error())
}

// completedAlone checks the outcome of a, during which nothing else happened.
func (w *fuzzWorld) completedAlone(a *attempt, s engine.Status, climbs bool) {
	switch {
	case a.err == nil || !climbs: // a step down takes effect whatever the backend says
		if !a.succeeded(s) || a.name == "LogoutKit" && s.Floor != a.began.Floor {
			w.t.Errorf("%s: %v, and it left %+v; it found %+v", a.name, a.err, s, a.began)
		}
	case a.began.State >= imLoggedIn: // it has changed nothing
		if s != a.began {
			w.t.Errorf("%s failed with %v, and left %+v; it found %+v", a.name, a.err, s, a.began)
		}
	case s.State > max(s.Floor, imInitialized):
		w.t.Errorf("%s failed with %v, and left %+v", a.name, a.err, s)
	}
}

// agree checks that engine and cloud agree, that the engine has its own IM
// login only under a kit login, and that it leaves the host's login alone.
func (w *fuzzWorld) agree(s engine.Status) {
	accid := w.device.LoggedIn()
	if accid == "" {
		w.hostMade = nil
	}
	call, _ := w.calls.inside()
	hurried := !strings.HasPrefix(call, "Logout") && w.broken.lingering.Load() == 0
	switch {
	case w.kept != "" && accid != w.kept:
		w.t.Errorf("the host had logged %q in, now it is %q: %+v", w.kept, accid, s)
	case s.State >= imLoggedIn && accid != s.Accid && hurried:
		w.t.Errorf("%q is logged in to IM, but the status is %+v", accid, s)
	case !w.idle():
	case s.State < imLoggedIn && accid != "" && !slices.Contains(w.hostMade, accid):
		w.t.Errorf("%q is logged in to IM, left behind by the engine: %+v", accid, s)
	case s.State == imLoggedIn && s.Floor < imLoggedIn:
		w.t.Errorf("the engine has not undone its own IM login: %+v", s)
	}
}

// interrupts checks that no logout and no Close waits for a login that it ends.
func (w *fuzzWorld) interrupts() {
	call, operation := w.calls.inside()
	if strings.HasPrefix(call, "Logout") || w.broken.lingering.Load() > 0 {
		return
	}
	for _, a := range w.attempts {
		if ends := endsFrom[a.name]; ends > 0 && climbsTo[operation] >= ends {
			w.t.Errorf("%s waits for %s in %s", a.name, operation, call)
		}
		if a.loggedOut {
			w.t.Error("KeepKit goes on after a logout")
		}
	}
}

// patience lets a minute pass, and checks that no step down takes forever.
func (w *fuzzWorld) patience() {
	before := w.calls.number()
	<-time.After(time.Minute)
	synctest.Wait()
	if call, _ := w.calls.inside(); strings.HasPrefix(call, "Logout") && w.calls.number() == before {
		w.t.Errorf("%s has not ended for a minute", call)
	}
}

// checkStatus checks the rules for a single Status.
func checkStatus(t *testing.T, s engine.Status) {
	t.Helper()
	im, kit := s.State >= imLoggedIn, s.State == kitLoggedIn
	if (s.Accid != "") != im || (s.Session != uuid.Nil) != im || s.Online && !im ||
		(s.UserUUID != "") != kit || s.Anonymous && !kit || s.Expired && (!kit || s.Anonymous) || s.Floor > min(s.State, imLoggedIn) {
		t.Errorf("%+v has what its state has not, or lacks what it has", s)
	}
}

// A watchOrder is a watcher that reads every change and checks the order.
type watchOrder struct {
	t     *testing.T
	ended atomic.Bool

	mu   sync.Mutex
	last engine.Status
}

func (o *watchOrder) run(e *engine.Engine) {
	first := true
	for s := range e.Watch(context.Background()) {
		o.mu.Lock()
		checkStatus(o.t, s)
		if !first {
			checkPair(o.t, o.last, s)
		}
		o.last, first = s, false
		o.mu.Unlock()
	}
	o.ended.Store(true)
}

// check checks that nothing is missing.
func (o *watchOrder) check(now engine.Status) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last != now {
		o.t.Errorf("Watch yielded %+v last, but Status returns %+v", o.last, now)
	}
}

// checkPair checks one published change: an edge of the machine, the link, or
// Expired.
func checkPair(t *testing.T, from, to engine.Status) {
	if to.Seq != from.Seq+1 {
		t.Errorf("a gap: %+v, then %+v", from, to)
	}
	if to.State == from.State {
		link, expiry := from, from
		link.Seq, link.Online = to.Seq, !from.Online
		expiry.Seq, expiry.Expired = to.Seq, !from.Expired
		if to != link && to != expiry {
			t.Errorf("neither an edge nor a change of the link or of Expired: %+v, then %+v", from, to)
		}
		return
	}
	edge := modelEdges()[engine.Transition{Trigger: to.Via, From: from.State, To: to.State}]
	lost := to.Via == engine.TriggerIMLost || to.Via == engine.TriggerKitLost
	stepDown := to.Via == engine.TriggerLogoutKit || to.Via == engine.TriggerLogoutIM
	if !edge || lost && to.Cause == nil || !lost && !stepDown && to.Cause != nil {
		t.Errorf("not an edge, or not its cause: %+v, then %+v", from, to)
	}
	if from.State >= imLoggedIn && to.State >= imLoggedIn && (from.Session != to.Session || from.Accid != to.Accid) {
		t.Errorf("another IM login without an edge: %+v, then %+v", from, to)
	}
}

// A callOrder checks that the backend is called once at a time, and in an order
// that the table allows.
type callOrder struct {
	t *testing.T
	e *engine.Engine

	mu        sync.Mutex
	busy      bool
	last      string // the call that is going on, or the one before
	operation string // whose call it is; "" for a loss
	calls     int
	logouts   int // of IM
	asking    int // the questions of operations, not of renewals, to sources
}

type callAt struct {
	call string
	at   engine.State
}

// allowedCalls has, for each call, the calls that may come right before it; ""
// means any.
// A logout below the state that it ends undoes a login that came too late to be
// published. Close is at kit_logged_in still when it logs IM out: it publishes
// once.
var allowedCalls = map[callAt]string{
	{"AdoptIM", uninitialized}: "", {"AdoptIM", imInitialized}: "",
	{"InitIM", uninitialized}:       "",
	{"LoginIM", imInitialized}:      "",
	{"LoginKit", imLoggedIn}:        "Authenticate LoginIM",
	{"Authenticate", uninitialized}: "", {"Authenticate", imInitialized}: "", {"Authenticate", imLoggedIn}: "",
	{"Anonymous", uninitialized}: "", {"Anonymous", imInitialized}: "", {"Anonymous", imLoggedIn}: "",
	{"LogoutKit", kitLoggedIn}: "", {"LogoutKit", imLoggedIn}: "LoginKit",
	{"LogoutIM", imLoggedIn}: "", {"LogoutIM", imInitialized}: "LoginIM", {"LogoutIM", kitLoggedIn}: "LogoutKit",
	{"RenewKit", kitLoggedIn}: "",
	{"Close", uninitialized}:  "",
}

func (o *callOrder) trace(ctx context.Context, call string) (context.Context, func(error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if call == "KitToken" || call == "IMToken" {
		return ctx, o.asksLocked(ctx)
	}
	if o.busy {
		o.t.Errorf("%s is called during %s", call, o.last)
	}
	before, ok := allowedCalls[callAt{call, o.e.Status().State}]
	if !ok || before != "" && !slices.Contains(strings.Fields(before), o.last) || o.last == "Close" {
		o.t.Errorf("%s is called in %v after %s", call, o.e.Status().State, o.last)
	}
	o.busy, o.last = true, call
	o.calls++
	if call == "LogoutIM" {
		o.logouts++
	}
	o.operation, _ = ctx.Value(running{}).(string)
	if call == "RenewKit" && o.operation == "" {
		o.operation = call // the engine's own renewal
	}
	return ctx, func(error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.busy = false
	}
}

// asksLocked is a call of a source. A renewal, and a Notify.Token, make it
// without the slot.
func (o *callOrder) asksLocked(ctx context.Context) func(error) {
	if ctx.Value(running{}) == nil {
		return func(error) {}
	}
	o.asking++
	return func(error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.asking--
	}
}

// asks reports whether an operation waits for a source.
func (o *callOrder) asks() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asking > 0
}

// number returns the number of calls so far.
func (o *callOrder) number() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls
}

// logoutsOfIM returns the number of IM logouts so far.
func (o *callOrder) logoutsOfIM() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.logouts
}

// inside returns the call in progress and the operation that made it, or "" if
// there is none.
func (o *callOrder) inside() (call, operation string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.busy {
		return "", ""
	}
	return o.last, o.operation
}
