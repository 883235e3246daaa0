package proof_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing/synctest"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A rapidWorld is a real engine on a device, and what the specification says of
// them. It lives in one bubble; its methods are called by one goroutine, which
// alone may touch t.
type rapidWorld struct {
	t              *rapid.T
	spec           *rapidSpec
	tokens         *hostTokens
	cloud          *mockim.Service
	device, second *mockim.Device // the engine is on the first
	client         *rapidClient   // the host's own; nil where the engine has the device itself
	gate           *rapidGate

	e       *engine.Engine
	journal *rapidJournal
	logins  map[uuid.UUID]int // the numbers of the Sessions that were seen
	calls   int               // of device.Calls, those that were looked at
}

func newRapidWorld(t *rapid.T, options engine.Options, rules rapidRules) *rapidWorld {
	cloud := cloudOfTwo(mockim.ServiceOptions{MultiDevice: rules.multiDevice, NoAnonymous: rules.noAnonymous})
	cloud.AddIM(rapidOfOther)
	for _, k := range []engine.KitAccount{rapidNowhere, rapidForeign, rapidUnbound, rapidTwin} {
		cloud.Bind(k, rapidBound[k.UserUUID])
	}
	w := &rapidWorld{t: t, cloud: cloud, device: cloud.Device(), second: cloud.Device(),
		tokens: &hostTokens{cloud: cloud},
		spec: &rapidSpec{options: options, rules: rules, faults: map[string][]error{},
			imTokens: maps.Clone(rapidIMTokens), kitTokens: maps.Clone(rapidKitTokens),
			imExpired: map[string]bool{}, kitExpired: map[string]bool{}}}
	if rules.sources {
		w.spec.options.KitToken, w.spec.options.IMToken = w.tokens.kitToken, w.tokens.imToken
	}
	var b engine.Backend = w.device
	if rules.hostim {
		w.client = newRapidClient(w.device, rules.report)
		b = engine.Join(w.client.im, w.device)
	}
	w.gate = newRapidGate(b)
	w.must(w.second.HostInit(context.Background()))
	w.open()
	return w
}

// open makes an engine on the device, which may have had one before.
func (w *rapidWorld) open() {
	e, err := engine.New(w.gate, appKey, &w.spec.options)
	w.must(err)
	w.e, w.journal, w.logins = e, &rapidJournal{}, map[uuid.UUID]int{}
	w.gate.reopen(e)
	w.spec.now, w.spec.logins, w.spec.closed = rapidStatus{}, 0, false
	w.t.Cleanup(func() {
		w.gate.release()
		_ = e.Close()
	})
	go w.journal.run(e)
	w.rest()
	if got := w.published(); !slices.Equal(got, []rapidStatus{{}}) {
		w.t.Fatalf("Watch yielded %v first, want the zero Status", got)
	}
}

func (w *rapidWorld) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

// rest waits until nothing moves, and the host has said all that there is to
// say.
func (w *rapidWorld) rest() {
	synctest.Wait()
	if w.client != nil {
		w.client.settle()
		synctest.Wait()
	}
}

// A rapidJournal is a watcher that reads everything.
type rapidJournal struct {
	mu     sync.Mutex
	unread []engine.Status
	ended  bool
}

func (j *rapidJournal) run(e *engine.Engine) {
	for s := range e.Watch(context.Background()) {
		j.mu.Lock()
		j.unread = append(j.unread, s)
		j.mu.Unlock()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
}

func (j *rapidJournal) read() ([]engine.Status, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.unread
	j.unread = nil
	return s, j.ended
}

// published returns what Watch yielded since the last call of published.
func (w *rapidWorld) published() []rapidStatus {
	list, ended := w.journal.read()
	if ended != w.spec.closed {
		w.t.Errorf("Watch has ended: %v, want %v", ended, w.spec.closed)
	}
	return w.numbered(list)
}

// numbered replaces random ids with numbers.
func (w *rapidWorld) numbered(list []engine.Status) []rapidStatus {
	var all []rapidStatus
	for _, s := range list {
		n := rapidStatus{Status: s}
		if s.Session != uuid.Nil {
			if w.logins[s.Session] == 0 {
				w.logins[s.Session] = len(w.logins) + 1
			}
			n.login, n.Session = w.logins[s.Session], uuid.Nil
		}
		n.Accid, n.UserUUID = rapidName(s.Accid), rapidName(s.UserUUID)
		all = append(all, n)
	}
	return all
}

var rapidRandom = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

// rapidName names a temporary account.
func rapidName(id string) string { return rapidRandom.ReplaceAllString(id, rapidTemporary) }

// called returns the calls since the last call of called.
func (w *rapidWorld) called() []string {
	calls := w.device.Calls()[w.calls:]
	w.calls += len(calls)
	for i, c := range calls {
		calls[i] = rapidName(c)
	}
	return calls
}

// is reports whether s matches want. The Cause of a Status may wrap the
// expected cause.
func (want rapidStatus) is(s rapidStatus) bool {
	same := (want.Cause == nil) == (s.Cause == nil) && errors.Is(s.Cause, want.Cause) &&
		engine.CodeOf(want.Cause) == engine.CodeOf(s.Cause)
	var k, wantKick *engine.KickError
	if errors.As(want.Cause, &wantKick) {
		same = errors.As(s.Cause, &k) && *k == *wantKick
	}
	want.Cause, s.Cause = nil, nil
	return same && want == s
}

func (s rapidStatus) String() string {
	return fmt.Sprintf("{#%d %v via %s (%v) over %v, login %d of %q online %v, kit %q anonymous %v expired %v}",
		s.Seq, s.State, s.Via, s.Cause, s.Floor, s.login, s.Accid, s.Online, s.UserUUID, s.Anonymous, s.Expired)
}

// agrees compares the visible state of the world with the specification.
func (w *rapidWorld) agrees() {
	s := w.spec
	if got := w.called(); !slices.Equal(got, s.calls) {
		w.t.Fatalf("the engine called %v, want %v", got, s.calls)
	}
	if got := w.published(); !slices.EqualFunc(s.published, got, rapidStatus.is) {
		w.t.Fatalf("Watch yielded %v, want %v", got, s.published)
	}
	if got := w.numbered([]engine.Status{w.e.Status()})[0]; !s.now.is(got) {
		w.t.Fatalf("Status is %v, want %v", got, s.now)
	}
	if got := rapidName(w.device.LoggedIn()); got != s.on {
		w.t.Fatalf("%q is logged in to IM, want %q", got, s.on)
	}
	if broken := w.gate.broken(); len(broken) > 0 {
		w.t.Fatal(strings.Join(broken, "\n"))
	}
}

// emptyNotices delivers every report that must have no effect: reports about
// logins that have ended, the link as it is, and a kit's link.
func (w *rapidWorld) emptyNotices() {
	before := w.e.Status()
	old, im, kit := w.gate.notices(before.State)
	for _, n := range old {
		n.Lost(engine.ErrKicked)
		n.Link(!before.Online)
	}
	for _, n := range im {
		n.Link(before.Online)
	}
	for _, n := range kit {
		n.Link(!before.Online)
	}
	w.rest()
	if now := w.e.Status(); now != before {
		w.t.Fatalf("notices that say nothing made of %+v: %+v", before, now)
	}
}
