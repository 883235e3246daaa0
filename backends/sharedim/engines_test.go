package sharedim_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/engine"
)

// If several seats log in the same account, there is one InitIM and one
// LoginIM, even if all start while the first login is still opening.
func TestSameAccount(t *testing.T) {
	forEachPhone(t, func(w *world) {
		const n = 8
		release := w.phone.block("LoginIM")
		var engines []*engine.Engine
		var logins sync.WaitGroup
		for i := range n {
			e := w.engine(engine.AutoDetect)
			engines = append(engines, e)
			kit := []engine.KitAccount{meetingAlice, roomAlice}[i%2]
			logins.Go(func() {
				if err := e.LoginKit(w.t.Context(), kit); err != nil {
					w.t.Errorf("LoginKit %d: %v", i, err)
				}
			})
		}
		synctest.Wait() // one is logging in, and the others wait for it
		release()
		logins.Wait()
		for _, e := range engines {
			w.wantState(e, engine.KitLoggedIn)
		}
		w.wantCalls("InitIM", 1)
		w.wantCalls("LoginIM", 1)
		late := w.engine(engine.AutoDetect)
		w.ok("a late LoginKit", late.LoginKit(w.t.Context(), roomAlice))
		w.wantCalls("LoginIM", 1)
		w.wantLoggedIn("alice")
	})
}

// If the seat that logs in gives up, or its login fails, the next in line logs
// in itself.
func TestFailureDoesNotAffectOthers(t *testing.T) {
	forEachPhone(t, func(w *world) {
		for _, row := range []struct {
			name string
			err  error
			end  func(cancel func(), release func())
			want error
		}{
			{"gives up", nil, func(cancel, _ func()) { cancel() }, context.Canceled},
			{"fails", engine.ErrUnavailable, func(_, release func()) { release() }, engine.ErrUnavailable},
		} {
			first, second := w.engine(engine.AutoDetect), w.engine(engine.AutoDetect)
			logins := w.phone.count("LoginIM")
			release := w.phone.block("LoginIM")
			if row.err != nil {
				w.phone.fail("LoginIM", row.err)
			}
			ctx, cancel := context.WithCancel(w.t.Context())
			one := begin(func() error { return first.LoginKit(ctx, meetingAlice) })
			two := begin(func() error { return second.LoginKit(w.t.Context(), roomAlice) })
			row.end(cancel, release)
			w.wantError(row.name, <-one, row.want)
			if row.err == nil {
				w.wantWaiting("the second", two)
			}
			release()
			w.ok(row.name+": the second", <-two)
			cancel()
			w.wantState(first, engine.IMInitialized)
			w.wantState(second, engine.KitLoggedIn)
			w.wantCalls("LoginIM", logins+2)
			w.ok("Close", errors.Join(first.Close(), second.Close()))
			w.wantLoggedIn("")
		}
	})
}

// A waiting seat honours its ctx.
func TestWaitHonoursCtx(t *testing.T) {
	forEachPhone(t, func(w *world) {
		first, second := w.engine(engine.AutoDetect), w.engine(engine.AutoDetect)
		release := w.phone.block("LoginIM")
		defer release()
		one := begin(func() error { return first.LoginKit(w.t.Context(), meetingAlice) })
		ctx, cancel := context.WithCancel(w.t.Context())
		two := begin(func() error { return second.LoginKit(ctx, roomAlice) })
		w.wantWaiting("the second", two)
		cancel()
		w.wantError("the second", <-two, context.Canceled)
		w.ok("Close of the second", second.Close())
		w.wantWaiting("the first", one)
		release()
		w.ok("the first", <-one)
		w.wantCalls("LoginIM", 1)
	})
}

func TestLastOutLogsOut(t *testing.T) {
	for name, leave := range map[string]func(context.Context, *engine.Engine) error{
		"LogoutKit": func(ctx context.Context, e *engine.Engine) error { return e.LogoutKit(ctx) },
		"LogoutIM":  func(ctx context.Context, e *engine.Engine) error { return e.LogoutIM(ctx) },
		"Close":     func(_ context.Context, e *engine.Engine) error { return e.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			forEachPhone(t, func(w *world) {
				first, second := w.engine(engine.AutoDetect), w.engine(engine.AutoDetect)
				w.ok("LoginKit", first.LoginKit(w.t.Context(), meetingAlice))
				w.ok("LoginKit", second.LoginKit(w.t.Context(), roomAlice))
				w.ok("the first leaves", leave(w.t.Context(), first))
				w.wantLoggedIn("alice")
				w.wantState(second, engine.KitLoggedIn)
				w.wantCalls("LogoutIM", 0)
				w.ok("the last leaves", leave(w.t.Context(), second))
				w.wantLoggedIn("")
				w.wantCalls("LogoutIM", 1)
			})
		})
	}
}

// A seat that logs out while another seat's login is opening neither waits for
// that login nor ends it.
func TestLogoutWhileOpening(t *testing.T) {
	forEachPhone(t, func(w *world) {
		first, second := w.engine(engine.AutoDetect), w.im().Seat()
		release := w.phone.block("LoginIM")
		defer release()
		one := begin(func() error { return first.LoginKit(w.t.Context(), meetingAlice) })
		w.ok("LogoutIM", second.LogoutIM(w.t.Context())) // if it waited, the bubble would deadlock
		w.ok("Close", second.Close())
		w.wantWaiting("the first", one)
		release()
		w.ok("the first", <-one)
		w.wantLoggedIn("alice")
		w.wantCalls("LogoutIM", 0)
	})
}

func TestAnotherAccount(t *testing.T) {
	forEachPhone(t, func(w *world) {
		first, second, third := w.engine(engine.AutoDetect), w.engine(engine.AutoDetect), w.engine(engine.AutoDetect)
		w.ok("LoginKit", first.LoginKit(w.t.Context(), meetingAlice))
		w.ok("LoginKit", second.LoginKit(w.t.Context(), roomAlice))
		for _, e := range []*engine.Engine{first, second} {
			w.wantError("LoginKit as bob", third.LoginKit(w.t.Context(), roomBob), engine.ErrIMInUse)
			w.wantLoggedIn("alice")
			w.wantState(third, engine.IMInitialized)
			w.ok("LogoutKit", e.LogoutKit(w.t.Context()))
		}
		w.ok("LoginKit as bob", third.LoginKit(w.t.Context(), roomBob))
		w.wantLoggedIn("bob")
	})
}

func TestAnotherAppKey(t *testing.T) {
	forEachPhone(t, func(w *world) {
		first, other := w.engine(engine.AutoDetect), w.engineOf(w.im().Seat(), "app2", engine.AutoDetect)
		w.ok("LoginKit", first.LoginKit(w.t.Context(), meetingAlice))
		before := first.Status()
		w.wantError("InitIM for another app", other.InitIM(w.t.Context()), engine.ErrAppKeyMismatch)
		foreign := engine.IMAccount{AppKey: "app2", Accid: alice.Accid, Token: alice.Token}
		w.wantError("LoginIM for another app", w.im().Seat().LoginIM(w.t.Context(), foreign, engine.Notify{}), engine.ErrAppKeyMismatch)
		if got := first.Status(); got != before {
			w.t.Errorf("the other engine: got %+v, want %+v", got, before)
		}
		w.wantCalls("InitIM", 1)
		w.wantCalls("LoginIM", 1)
		w.ok("LogoutKit", first.LogoutKit(w.t.Context()))
		w.wantError("LoginIM for another app", w.im().Seat().LoginIM(w.t.Context(), foreign, engine.Notify{}), engine.ErrAppKeyMismatch)
		w.wantCalls("LoginIM", 1)
	})
}

func TestHostsLogin(t *testing.T) {
	forEachPhone(t, func(w *world) {
		w.ok("the host's login", w.phone.hostLogin(alice))
		engines := []*engine.Engine{w.engine(engine.ReuseIM), w.engine(engine.AutoDetect), w.engine(engine.ReuseIM)}
		for i, e := range engines {
			w.ok("LoginKit", e.LoginKit(w.t.Context(), []engine.KitAccount{meetingAlice, roomAlice, roomAlice}[i]))
			if !e.Status().Reused() {
				w.t.Errorf("engine %d does not reuse the host's login: %+v", i, e.Status())
			}
		}
		w.ok("LogoutKit", engines[0].LogoutKit(w.t.Context()))
		w.ok("LogoutIM", engines[0].LogoutIM(w.t.Context())) // leaves
		w.wantState(engines[1], engine.KitLoggedIn)
		w.ok("Close", engines[1].Close())
		w.ok("LogoutKit", engines[2].LogoutKit(w.t.Context()))
		w.wantLoggedIn("alice")
		w.wantCalls("LoginIM", 0)
		w.wantCalls("LogoutIM", 0)
		w.ok("LogoutIM of the last", engines[2].LogoutIM(w.t.Context()))
		w.wantLoggedIn("")
	})
}

// Closing every engine leaves the host's login, and it can be adopted again.
func TestHostsLoginOutlivesSeats(t *testing.T) {
	forEachPhone(t, func(w *world) {
		w.ok("the host's login", w.phone.hostLogin(alice))
		for range 2 {
			first, second := w.engine(engine.ReuseIM), w.engine(engine.ReuseIM)
			w.ok("LoginKit", first.LoginKit(w.t.Context(), meetingAlice))
			w.ok("LoginKit", second.LoginKit(w.t.Context(), roomAlice))
			w.ok("Close", errors.Join(first.Close(), second.Close()))
			w.wantLoggedIn("alice")
		}
		e := w.engine(engine.ReuseIM)
		w.ok("LoginKit", e.LoginKit(w.t.Context(), meetingAlice))
		w.phone.end(engine.ErrAccountBanned)
		synctest.Wait()
		if got := e.Status(); got.State != engine.IMInitialized || got.Cause != engine.ErrAccountBanned {
			w.t.Errorf("after the loss: %+v", got)
		}
	})
}

// In ReuseIM, an engine does not reuse a login that another kit made.
func TestAnotherKitsLoginIsNotReused(t *testing.T) {
	forEachPhone(t, func(w *world) {
		first, second := w.engine(engine.AutoLogin), w.engine(engine.ReuseIM)
		w.ok("LoginKit", first.LoginKit(w.t.Context(), meetingAlice))
		w.wantError("LoginKit in ReuseIM", second.LoginKit(w.t.Context(), roomAlice), engine.ErrIMNotLoggedIn)
		w.ok("InitIM", second.InitIM(w.t.Context()))
		w.ok("LoginIM", second.LoginIM(w.t.Context(), alice))
		w.ok("LoginKit in ReuseIM", second.LoginKit(w.t.Context(), roomAlice))
		w.ok("Close of the first", first.Close())
		w.wantLoggedIn("alice")
		w.ok("LogoutKit", second.LogoutKit(w.t.Context()))
		w.wantLoggedIn("alice")
		w.wantCalls("LoginIM", 1)
		w.ok("Close", second.Close())
		w.wantLoggedIn("")
	})
}

// Each holder gets one report that the login has ended, with the same cause,
// and anyone may log in again.
func TestLossIsReportedToAllHolders(t *testing.T) {
	kick := &engine.KickError{Reason: engine.KickedByServer}
	for _, row := range []struct {
		name string
		end  func(phone)
		want error
	}{
		{"a kick", func(p phone) { p.end(kick) }, kick},
		{"a loss", func(p phone) { p.end(engine.ErrTokenRejected) }, engine.ErrTokenRejected},
		{"the host's logout", phone.hostLogout, engine.ErrIMLoggedOut},
		{"the host's login", func(p phone) { _ = p.hostLogin(bob) }, engine.ErrIMLoggedOut},
	} {
		for _, adopted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, adopted %v", row.name, adopted), func(t *testing.T) {
				forEachPhone(t, func(w *world) {
					if adopted {
						w.ok("the host's login", w.phone.hostLogin(alice))
					}
					w.checkLossReports(row.end, row.want)
				})
			})
		}
	}
}

func (w *world) checkLossReports(end func(phone), want error) {
	w.t.Helper()
	first, second, third := w.engine(engine.AutoDetect), w.engine(engine.AutoDetect), w.engine(engine.AutoDetect)
	w.ok("LoginKit", first.LoginKit(w.t.Context(), meetingAlice))
	w.ok("LoginKit", second.LoginKit(w.t.Context(), roomAlice))
	w.ok("InitIM", third.InitIM(w.t.Context()))
	w.ok("LogoutIM", third.LogoutIM(w.t.Context())) // holds nothing, so it gets no report
	out := third.Status()
	end(w.phone)
	synctest.Wait()
	for _, e := range []*engine.Engine{first, second} {
		if got := e.Status(); got.State != engine.IMInitialized || got.Cause != want {
			w.t.Errorf("after the end: got %v because of %v, want im_initialized because of %v", got.State, got.Cause, want)
		}
	}
	if got := third.Status(); got != out {
		w.t.Errorf("a seat that holds nothing got a report: got %+v, want %+v", got, out)
	}
	w.wantCalls("LogoutIM", 0) // a lost login is not logged out
	if w.phone.loggedIn() == "bob" {
		w.ok("LoginKit as bob", second.LoginKit(w.t.Context(), roomBob))
		if !second.Status().Reused() {
			w.t.Errorf("the host's new login is not reused: %+v", second.Status())
		}
		return
	}
	w.ok("LoginKit again", second.LoginKit(w.t.Context(), roomAlice))
	w.ok("LoginKit again", first.LoginKit(w.t.Context(), meetingAlice))
	w.wantLoggedIn("alice")
}

func TestLinkIsReportedToAllHolders(t *testing.T) {
	for _, adopted := range []bool{false, true} {
		t.Run(fmt.Sprintf("adopted %v", adopted), func(t *testing.T) {
			forEachPhone(t, func(w *world) {
				if adopted {
					w.ok("the host's login", w.phone.hostLogin(alice))
				}
				first, second := w.engine(engine.AutoDetect), w.engine(engine.AutoDetect)
				w.ok("LoginKit", first.LoginKit(w.t.Context(), meetingAlice))
				w.ok("LoginKit", second.LoginKit(w.t.Context(), roomAlice))
				w.phone.link(false)
				late := w.engine(engine.AutoDetect)
				w.ok("LoginKit", late.LoginKit(w.t.Context(), roomAlice))
				for i, e := range []*engine.Engine{first, second, late} {
					if e.Status().Online {
						w.t.Errorf("engine %d is online", i)
					}
				}
				w.phone.link(true)
				for i, e := range []*engine.Engine{first, second, late} {
					if !e.Status().Online {
						w.t.Errorf("engine %d is offline", i)
					}
				}
			})
		})
	}
}
