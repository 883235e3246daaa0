package hostim_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

var (
	histories   = flag.Int("histories", 1200, "how many random histories to play")
	historySeed = flag.Uint64("seed", 0, "of the random histories; 0: a new one")
)

// TestRandomHistories plays hosts and engines on one SDK at random. At rest the
// SDK must be logged in exactly where somebody holds the login, and the engines
// must say so.
func TestRandomHistories(t *testing.T) {
	seed := *historySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed %d -histories %d", seed, *histories)
	failed := 0
	for i := range *histories {
		var s *simulation
		synctest.Test(t, func(t *testing.T) {
			h := newHistory(t, rand.New(rand.NewPCG(seed, uint64(i))))
			s = h.sdk
			h.play()
		})
		if len(s.faults) == 0 {
			continue
		}
		if failed++; failed <= 3 {
			t.Errorf("history %d, %+v:\n%s\n%s", i, s.habit, strings.Join(s.log, "\n"), strings.Join(s.faults, "\n"))
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d histories failed", failed, *histories)
	}
}

type history struct {
	t       *testing.T
	r       *rand.Rand
	sdk     *simulation
	engines []*engine.Engine
	closed  []bool
	running sync.WaitGroup
}

func newHistory(t *testing.T, r *rand.Rand) *history {
	h := &history{t: t, r: r}
	h.sdk = simulate(habit{
		announces: []string{"every", "own", "none"}[r.IntN(3)],
		reports:   r.IntN(2) == 0,
		stubborn:  r.IntN(2) == 0,
		latency:   []time.Duration{10 * time.Millisecond, time.Second, 4 * time.Second}[r.IntN(3)],
	})
	for range 1 + r.IntN(2) {
		cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
		for _, a := range []engine.IMAccount{alice, bob} {
			cloud.AddIM(a)
			cloud.Bind(kitOf(a), a.Accid)
		}
		e, err := engine.New(engine.Join(h.sdk.im, cloud.Device()), "app1", nil)
		if err != nil {
			t.Fatal(err)
		}
		h.engines, h.closed = append(h.engines, e), append(h.closed, false)
	}
	return h
}

func kitOf(a engine.IMAccount) engine.KitAccount {
	return engine.KitAccount{UserUUID: "kit-" + a.Accid, Token: "kit-token"}
}

func (h *history) account() engine.IMAccount {
	a := []engine.IMAccount{alice, bob}[h.r.IntN(2)]
	a.Accid = strings.ToLower(a.Accid)
	return a
}

func (h *history) play() {
	for range 3 + h.r.IntN(8) {
		h.step()
		<-time.After(time.Duration(h.r.IntN(2500)) * time.Millisecond)
		if h.r.IntN(3) == 0 {
			<-time.After(10 * time.Second)
		}
	}
	h.running.Wait()
	<-time.After(time.Minute)
	synctest.Wait()
	h.rest()
	for i, e := range h.engines {
		if !h.closed[i] {
			h.close(i, e)
		}
	}
	h.running.Wait()
	<-time.After(time.Minute)
	synctest.Wait()
	h.closedRest()
	h.sdk.stop()
}

func (h *history) step() {
	switch n := h.r.IntN(16); {
	case n < 3:
		a := h.account()
		if h.r.IntN(5) == 0 {
			a.Token = ""
		}
		h.sdk.login(a, true, nil)
	case n < 5:
		h.sdk.logout(true, nil)
	case n < 6:
		h.sdk.end(engine.ErrKicked)
	case n < 7:
		online := h.r.IntN(2) == 0
		h.sdk.callback("link", func() { h.sdk.im.Link(online) })
	default:
		i := h.r.IntN(len(h.engines))
		if !h.closed[i] {
			h.operate(n, i, h.engines[i])
		}
	}
}

func (h *history) operate(n, i int, e *engine.Engine) {
	a := h.account()
	switch n {
	case 7:
		if h.r.IntN(3) == 0 {
			h.closed[i] = true
			h.close(i, e)
		}
	case 8, 9:
		h.run("LogoutIM", true, e.LogoutIM)
	case 10:
		h.run("InitIM", false, e.InitIM)
	case 11, 12:
		h.run("LoginKit "+a.Accid, false, func(ctx context.Context) error {
			return e.LoginKit(ctx, kitOf(map[string]engine.IMAccount{"alice": alice, "bob": bob}[a.Accid]))
		})
	default:
		h.run("LoginIM "+a.Accid, false, func(ctx context.Context) error {
			if err := e.InitIM(ctx); err != nil {
				return err
			}
			return e.LoginIM(ctx, a)
		})
	}
}

func (h *history) close(i int, e *engine.Engine) {
	h.run(fmt.Sprintf("Close of engine %d", i), false, func(context.Context) error { return e.Close() })
}

// run runs an operation with a deadline, which it must not outlive by more than
// it takes to undo it.
func (h *history) run(name string, logout bool, f func(context.Context) error) {
	limit := time.Duration(500+h.r.IntN(5000)) * time.Millisecond
	h.running.Go(func() {
		ctx, cancel := context.WithTimeout(h.t.Context(), limit)
		defer cancel()
		s := h.sdk
		s.note("%s, for %v", name, limit)
		s.leave(logout, 1)
		began := time.Now()
		err := f(ctx)
		s.leave(logout, -1)
		s.note("%s: %v", name, err)
		if took := time.Since(began); took > limit+10*time.Second+time.Millisecond {
			s.fault("%s took %v, %v was its limit", name, took, limit)
		}
	})
}

func (s *simulation) leave(logout bool, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if logout {
		s.leaving += n
	}
}

func (s *simulation) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// present returns who is logged in; nil: nobody.
func (s *simulation) present() *simLogin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.who
}

// rest compares the engines with the SDK once nothing is running.
func (h *history) rest() {
	l := h.sdk.present()
	holders := 0
	for i, e := range h.engines {
		if h.closed[i] {
			continue
		}
		if l != nil && l.byHost { // which the engine sees when it looks
			if err := e.LoginIM(h.t.Context(), engine.IMAccount{Accid: l.accid, Token: "x"}); err != nil {
				h.sdk.fault("LoginIM of engine %d: %v", i, err)
			}
		}
		s := e.Status()
		if s.State >= engine.IMLoggedIn {
			holders++
		}
		switch {
		case s.State < engine.IMLoggedIn:
			if l != nil && l.byHost {
				h.sdk.fault("engine %d does not see the host's login: %+v", i, s)
			}
		case l == nil || s.Accid != l.accid:
			h.sdk.fault("engine %d says %+v, but the SDK has %+v", i, s, l)
		case l.byHost && s.Floor < engine.IMLoggedIn:
			h.sdk.fault("engine %d would log out the host's login: %+v", i, s)
		}
	}
	if l != nil && !l.byHost && holders != 1 {
		h.sdk.fault("%d engines hold the engine's %s", holders, l.accid)
	}
}

// closedRest: with the engines gone, only the host is logged in.
func (h *history) closedRest() {
	if l := h.sdk.present(); l != nil && !l.byHost {
		h.sdk.fault("the engine's %s is logged in after Close", l.accid)
	}
}
