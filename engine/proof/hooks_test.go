package proof_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// A hookScenario is what a host, its service and its faults do. Close follows.
type hookScenario struct {
	name    string
	mode    engine.Mode
	run     func(w *hookWorld)
	sources bool // the host has sources of tokens, and gives no kit token
}

var hookScenarios = []hookScenario{
	{name: "nothing", mode: engine.AutoDetect, run: func(*hookWorld) {}},
	{name: "IM is initialised", mode: engine.AutoDetect, run: func(w *hookWorld) { w.call(w.e.InitIM) }},
	{name: "the engine's login stays", mode: engine.AutoLogin, run: func(w *hookWorld) { w.call(w.loginKit) }},
	{name: "two cycles", mode: engine.AutoLogin, run: func(w *hookWorld) {
		w.call(w.loginKit)
		w.call(w.e.LogoutKit)
		w.call(w.loginKit)
		w.call(w.e.LogoutIM)
	}},
	{name: "anonymous", mode: engine.AutoDetect, run: func(w *hookWorld) {
		w.call(w.e.LoginAnonymous)
		w.call(w.e.LogoutKit)
		w.call(w.e.LoginAnonymous)
	}},
	{name: "reuse of what the host made", mode: engine.ReuseIM, run: func(w *hookWorld) {
		w.hostLogsIn()
		w.call(w.loginKit)
		w.call(w.e.LogoutKit)
		w.call(w.loginKit)
	}},
	{name: "reuse of LoginIM", mode: engine.ReuseIM, run: func(w *hookWorld) {
		w.call(w.e.InitIM)
		w.call(w.loginIM)
		w.call(w.loginKit)
		w.call(w.e.LogoutKit)
		w.call(w.e.LogoutIM)
	}},
	{name: "IM login stays", mode: engine.ReuseIM, run: func(w *hookWorld) {
		w.call(w.e.InitIM)
		w.call(w.loginIM)
	}},
	{name: "login without IM", mode: engine.ReuseIM, run: func(w *hookWorld) {
		w.call(w.loginKit)
		w.call(func(ctx context.Context) error { return w.e.LoginKit(ctx, engine.KitAccount{}) })
	}},
	{name: "kit login fails", mode: engine.AutoLogin, run: func(w *hookWorld) {
		w.fail("LoginKit", engine.ErrUnavailable)
		w.fail("LogoutIM", errStuck)
		w.call(w.loginKit)
	}},
	{name: "kit is lost", mode: engine.AutoLogin, run: func(w *hookWorld) {
		w.call(w.loginKit)
		w.fail("LogoutIM", errStuck)
		w.cloud.EndKit(kitAccount.UserUUID, engine.ErrTokenExpired)
		synctest.Wait()
		w.call(w.loginKit)
	}},
	{name: "IM is lost", mode: engine.AutoDetect, run: func(w *hookWorld) {
		w.call(w.loginKit)
		w.cloud.Kick(imAccount.Accid, engine.KickedByServer)
		synctest.Wait()
		w.call(w.loginKit)
	}},
	{name: "IM is lost in a login", mode: engine.AutoLogin, run: func(w *hookWorld) {
		release := w.device.Block("LoginKit")
		login := w.begin(context.Background(), w.loginKit)
		w.cloud.Kick(imAccount.Accid, engine.KickedByServer)
		release()
		_ = login.wait()
	}},
	{name: "kit is lost as the login ends", mode: engine.AutoLogin, run: func(w *hookWorld) {
		w.on["login_kit"] = func() { w.cloud.EndKit(kitAccount.UserUUID, engine.ErrTokenExpired) }
		w.call(w.loginKit)
		clear(w.on)
	}},
	{name: "loss upon loss as a login ends", mode: engine.AutoLogin, run: func(w *hookWorld) {
		w.on["login_kit"] = func() { w.cloud.EndKit(kitAccount.UserUUID, engine.ErrTokenExpired) }
		w.on["kit_lost"] = func() { w.cloud.Kick(imAccount.Accid, engine.KickedByServer) }
		w.call(w.loginKit)
		clear(w.on)
	}},
	{name: "logout ends a login", mode: engine.AutoLogin, run: func(w *hookWorld) {
		release := w.device.Block("LoginIM")
		login := w.begin(context.Background(), w.loginKit)
		queued := w.begin(context.Background(), w.loginIM)
		w.call(w.e.LogoutIM)
		release()
		_ = login.wait()
		_ = queued.wait()
	}},
	{name: "Close ends a login", mode: engine.AutoLogin, run: func(w *hookWorld) {
		release := w.device.Block("LoginKit")
		login := w.begin(context.Background(), w.loginKit)
		w.call(func(context.Context) error { return w.e.Close() })
		release()
		_ = login.wait()
	}},
	{name: "callers give up", mode: engine.AutoLogin, run: func(w *hookWorld) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		release := w.device.Block("LoginKit")
		login := w.begin(ctx, w.loginKit)
		short, end := context.WithTimeout(context.Background(), time.Second)
		defer end()
		waits := w.begin(short, w.e.InitIM)
		_ = waits.wait()
		_ = login.wait()
		release()
	}},
	{name: "a login comes too late", mode: engine.AutoLogin, run: func(w *hookWorld) {
		ctx, cancel := context.WithCancel(context.Background())
		w.gate.linger()
		login := w.begin(ctx, w.loginKit)
		cancel()
		synctest.Wait()
		w.gate.release()
		_ = login.wait()
	}},
}

// A panic in a hook does no harm, whichever hook it is and whenever it panics.
// Each scenario runs once for each call of each hook in it.
func TestHookPanics(t *testing.T) { testHooks(t, false) }

// Nor does runtime.Goexit, which t.FailNow calls, in a Logger or a Trace.
func TestHookGoexits(t *testing.T) { testHooks(t, true) }

func testHooks(t *testing.T, goexit bool) {
	places, missed := 0, 0 // it can depend on the scheduler how often a ctx is asked
	for _, s := range slices.Concat(hookScenarios, hookLastingScenarios) {
		for _, foreign := range []bool{false, true} {
			count := &bomb{}
			synctest.Test(t, func(t *testing.T) { s.play(t, foreign, count) })
			for _, hook := range slices.Sorted(maps.Keys(count.calls)) {
				if goexit && !slices.Contains([]string{"Logger.Enabled", "Logger.Handle", "Trace", "done"}, hook) {
					continue
				}
				for at := range count.calls[hook] {
					places++
					t.Run(fmt.Sprintf("%s, foreign %v, call %d of %s", s.name, foreign, at+1, hook), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							w := s.play(t, foreign, &bomb{goexit: goexit, hook: hook, at: at + 1})
							if !w.reached() {
								missed++
							}
						})
					})
				}
			}
		}
	}
	if places < 500 || missed > places/50 {
		t.Errorf("%d places, and the bomb did not go off in %d of them", places, missed)
	}
	t.Logf("%d places", places)
}

func (s hookScenario) play(t *testing.T, foreign bool, b *bomb) *hookWorld {
	w := newHookWorld(t, s, foreign, b)
	s.run(w)
	synctest.Wait()
	b.pause(true)
	w.settled()
	if w.tokens != nil {
		w.tokens.set(sourceWorks)
	}
	if w.closed.Load() == 0 {
		w.oldReports()
		w.settled()
	}
	b.pause(false)
	w.ends()
	return w
}
