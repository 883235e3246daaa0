package sharedim_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/imreuse/imreuse/engine"
)

// TestRapidWalk runs random calls of several engines, the host and the service,
// some of them at once, over a slow IM that fails now and then, while callers
// give up. Whenever everything is at rest, IM is logged in if and only if an
// engine or the host holds the login, and each engine reports that login.
func TestRapidWalk(t *testing.T) {
	for name, open := range phones {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			rapid.SyncTest(t, func(t *rapid.T) {
				w := &walk{world: newWorld(t, open), t: t}
				w.guard.delays = rapid.SliceOfN(rapid.SampledFrom(delays), 0, 7).Draw(t, "delays")
				w.im()
				for range seats {
					w.engines = append(w.engines, w.open(rapid.SampledFrom(modes).Draw(t, "mode")))
				}
				t.Repeat(map[string]func(*rapid.T){
					"one thing":      func(t *rapid.T) { w.runTogether(t, 1) },
					"several things": func(t *rapid.T) { w.runTogether(t, rapid.IntRange(2, 5).Draw(t, "things")) },
					"":               func(*rapid.T) { w.check() },
				})
				w.closeAll()
			})
		}))
	}
}

const seats = 3

var (
	modes  = []engine.Mode{engine.AutoDetect, engine.ReuseIM, engine.AutoLogin}
	delays = []time.Duration{0, time.Millisecond, 20 * time.Millisecond, time.Second, 6 * time.Second}
	waits  = []time.Duration{0, 10 * time.Millisecond, 500 * time.Millisecond, time.Hour, time.Hour}
	kits   = []engine.KitAccount{meetingAlice, roomAlice, meetingAlice, roomBob}
)

type walk struct {
	*world
	t       *rapid.T
	engines []*engine.Engine

	// hostAccid is the account of the login that the host made, as far as the
	// walk can know: "" after anything that may have ended it.
	hostAccid string
}

func (w *walk) open(mode engine.Mode) *engine.Engine {
	e, err := engine.New(engine.Join(w.shared.Seat(), w.cloud.Device()), appKey, &engine.Options{Mode: mode})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// A thing is one call by the app, or one event.
type thing struct {
	name string
	do   func(ctx context.Context) error
	wait time.Duration // of the caller
	err  error         // after done
}

// runTogether runs n random things at once, and waits until nothing moves.
func (w *walk) runTogether(t *rapid.T, n int) {
	var things []*thing
	busy := map[int]bool{} // a closed engine is replaced: it has no other work
	for range n {
		if x := w.draw(t, busy); x != nil {
			things = append(things, x)
		}
	}
	var done sync.WaitGroup
	for _, x := range things {
		done.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), x.wait)
			defer cancel()
			x.err = x.do(ctx)
		})
	}
	done.Wait()
	synctest.Wait()
	for _, x := range things {
		w.checkError(x)
	}
	w.trackHost(things)
}

func (w *walk) draw(t *rapid.T, busy map[int]bool) *thing {
	x := &thing{wait: rapid.SampledFrom(waits).Draw(t, "wait")}
	i := rapid.IntRange(0, len(w.engines)-1).Draw(t, "engine")
	e := w.engines[i]
	kit := rapid.SampledFrom(kits).Draw(t, "kit")
	a := rapid.SampledFrom([]engine.IMAccount{alice, alice, bob}).Draw(t, "account")
	fault := rapid.SampledFrom([]string{"LoginIM", "LogoutIM", "InitIM"}).Draw(t, "fault")
	mode := rapid.SampledFrom(modes).Draw(t, "next mode")
	all := map[string]func(context.Context) error{
		"LoginKit":  func(ctx context.Context) error { return e.LoginKit(ctx, kit) },
		"LogoutKit": e.LogoutKit,
		"LogoutIM":  e.LogoutIM,
		"LoginIM": func(ctx context.Context) error {
			if err := e.InitIM(ctx); err != nil {
				return err
			}
			return e.LoginIM(ctx, a)
		},
		"Close": func(context.Context) error {
			err := e.Close()
			w.engines[i] = w.open(mode)
			return err
		},
		"kick":       func(context.Context) error { w.phone.end(&engine.KickError{Reason: engine.KickedByServer}); return nil },
		"hostLogin":  func(context.Context) error { return w.phone.hostLogin(a) },
		"hostLogout": func(context.Context) error { w.phone.hostLogout(); return nil },
		"offline":    func(context.Context) error { w.phone.link(false); return nil },
		"online":     func(context.Context) error { w.phone.link(true); return nil },
		"fault":      func(context.Context) error { w.phone.fail(fault, engine.ErrUnavailable); return nil },
	}
	x.name = rapid.SampledFrom([]string{"LoginKit", "LoginKit", "LoginKit", "LogoutKit", "LogoutKit", "LogoutIM", "LoginIM", "Close",
		"kick", "hostLogin", "hostLogout", "offline", "online", "fault"}).Draw(t, "thing")
	if taken, used := busy[i]; taken || used && x.name == "Close" {
		return nil
	}
	busy[i] = x.name == "Close"
	x.do = all[x.name]
	return x
}

// checkError fails for an error that nothing explains.
func (w *walk) checkError(x *thing) {
	if x.err == nil || errors.Is(x.err, context.DeadlineExceeded) {
		return
	}
	for _, want := range []error{
		engine.ErrIMInUse, engine.ErrKitInUse, engine.ErrIMNotLoggedIn, engine.ErrIMAccountMismatch,
		engine.ErrKicked, engine.ErrIMLoggedOut, engine.ErrUnavailable, engine.ErrInterrupted,
	} {
		if errors.Is(x.err, want) {
			return
		}
	}
	w.t.Errorf("%s: got %v", x.name, x.err)
}

// trackHost updates hostAccid.
func (w *walk) trackHost(things []*thing) {
	for _, x := range things {
		switch x.name {
		case "kick", "hostLogout", "LogoutIM":
			w.hostAccid = ""
		case "hostLogin":
			if w.hostAccid = ""; len(things) == 1 && x.err == nil && w.noEngineLoggedIn() {
				w.hostAccid = w.phone.loggedIn()
			}
		}
	}
}

func (w *walk) noEngineLoggedIn() bool {
	for _, e := range w.engines {
		if e.Status().State >= engine.IMLoggedIn {
			return false
		}
	}
	return true
}

func (w *walk) check() {
	synctest.Wait()
	in := w.phone.loggedIn()
	for i, e := range w.engines {
		if s := e.Status(); s.State >= engine.IMLoggedIn && s.Accid != in {
			w.t.Errorf("engine %d says %v as %q, but IM is logged in as %q", i, s.State, s.Accid, in)
		}
	}
	if w.hostAccid != "" && in != w.hostAccid {
		w.t.Errorf("IM is logged in as %q, but the host logged in as %q and nobody logged that out", in, w.hostAccid)
	}
	if n := w.guard.overlaps(); n != 0 {
		w.t.Fatalf("the engine.IM was called from two goroutines at once")
	}
	if in != "" && w.noEngineLoggedIn() {
		// This replaces no Notify, because no engine holds a login.
		a, err := w.phone.AdoptIM(context.Background(), engine.Notify{})
		if err != nil || !strings.EqualFold(a.Accid, in) {
			w.t.Fatalf("IM is logged in as %q, but neither an engine nor the host holds it (%q, %v)", in, a.Accid, err)
		}
	}
}

// closeAll closes every engine. A login that is left then is the host's; once
// the host logs out, a new engine can log in.
func (w *walk) closeAll() {
	for _, e := range w.engines {
		_ = e.Close() // it may return the error of a logout that was made to fail
	}
	w.engines = nil
	w.check()
	w.phone.hostLogout()
	w.guard.delays = nil
	e := w.open(engine.AutoLogin)
	defer e.Close()
	for tries := 0; e.Status().State < engine.KitLoggedIn; tries++ {
		if tries > 100 {
			w.t.Fatalf("LoginKit fails for ever")
		}
		if err := e.LoginKit(context.Background(), roomBob); err != nil && !errors.Is(err, engine.ErrUnavailable) { // a fault that no call has met yet
			w.t.Fatalf("LoginKit after all: %v", err)
		}
	}
	if err := e.Close(); err != nil && !errors.Is(err, engine.ErrUnavailable) {
		w.t.Errorf("Close after all: %v", err)
	}
	w.wantLoggedIn("")
}
