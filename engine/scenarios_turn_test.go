package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

var errGaveUp = errors.New("the caller gave up")

var scenariosTurns = []scenario{
	{"H1", autoLogin, func(w *world) {
		release := w.host.Block("LoginKit")
		first, again := begin(w.loginKit), begin(w.loginKit)
		if !again.waits() {
			w.t.Error("the second login did not wait for the first")
		}
		release()
		w.fails(first.wait(), nil)
		w.fails(again.wait(), nil)
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaKit)
		w.stands(kitLoggedIn, uninitialized, "myaccid")

		w = w.fresh(autoLogin, mockim.ServiceOptions{})
		release = w.host.Block("Authenticate")
		w.host.Fail("Authenticate", engine.ErrUnavailable)
		first, again = begin(w.loginKit), begin(w.loginKit)
		release()
		w.fails(first.wait(), engine.ErrUnavailable)
		w.fails(again.wait(), nil)
		w.called("Authenticate user1", "Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaKit)
		w.stands(kitLoggedIn, uninitialized, "myaccid")
	}},
	{"H2", autoLogin, func(w *world) {
		release := w.host.Block("LoginKit")
		first := begin(w.loginKit)
		second := begin(func() error { return w.engine.LoginKit(w.ctx, secondKit) })
		if !second.waits() {
			w.t.Error("the second login did not wait for the first")
		}
		release()
		w.fails(first.wait(), nil)
		w.fails(second.wait(), engine.ErrKitInUse)
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaKit)
		w.stands(kitLoggedIn, uninitialized, "myaccid")
	}},
	{"H3", autoLogin, func(w *world) {
		release := w.host.Block("LoginKit")
		login := begin(w.loginKit)
		w.fails(w.logoutKit(), nil)
		w.fails(login.wait(), engine.ErrInterrupted)
		release()
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1", "LogoutIM")
		w.yielded(viaInit, viaLogin, viaOut.because(engine.ErrInterrupted))
		w.stands(imInitialized, uninitialized, "")
	}},
	{"H4", autoLogin, func(w *world) {
		cancelsLastStep(w)
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1", "LogoutIM")
		w.yielded(viaInit, viaLogin, viaOut.because(errGaveUp))
		w.stands(imInitialized, uninitialized, "")

		w = w.fresh(reuseIM, mockim.ServiceOptions{})
		w.hostLogsIn(imAccount)
		cancelsLastStep(w)
		w.called("Authenticate user1", "LoginKit user1")
		w.yielded(viaInit, viaLogin)
		w.stands(imLoggedIn, imLoggedIn, "myaccid")
	}},
	{"H6", autoLogin, func(w *world) {
		climbsAlone(w)
		release := w.host.Block("LogoutKit")
		logout, login := begin(w.logoutKit), begin(w.loginKit)
		if !login.waits() {
			w.t.Error("the login did not wait for the logout")
		}
		w.called("LogoutKit")
		release()
		w.fails(logout.wait(), nil)
		w.fails(login.wait(), nil)
		w.called("LogoutIM", "Authenticate user1", "LoginIM myaccid", "LoginKit user1")
		w.yielded(viaKitOut, viaOut, viaLogin, viaKit)
		w.stands(kitLoggedIn, uninitialized, "myaccid")
	}},
	{"H7", autoLogin, manyAtOnce},
	{"H8", autoDetect, func(w *world) {
		release := w.host.Block("InitIM")
		one := begin(func() error { return w.engine.InitIM(w.ctx) })
		two := begin(func() error { return w.engine.InitIM(w.ctx) })
		release()
		w.fails(one.wait(), nil)
		w.fails(two.wait(), nil)
		w.called("InitIM")
		w.yielded(viaInit)
		w.stands(imInitialized, imInitialized, "")
	}},
	{"H11", reuseIM, reportsFromEverywhere},
	{"H12", autoLogin, func(w *world) {
		w.tap.setDeaf(true)
		succeedsTooLate(w, "LoginIM")
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LogoutIM")
		w.yielded(viaInit)
		w.stands(imInitialized, uninitialized, "")

		succeedsTooLate(w, "LoginKit")
		w.called("Authenticate user1", "LoginIM myaccid", "LoginKit user1", "LogoutKit", "LogoutIM")
		w.yielded(viaLogin, viaOut.because(errGaveUp))
		w.stands(imInitialized, uninitialized, "")
	}},
	{"H14", autoDetect, func(w *world) {
		release, hostLogin, login := hostLogsInMeanwhile(w)
		release()
		w.must(hostLogin.wait())
		w.fails(login.wait(), nil)
		w.called("Authenticate user1", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaKit)
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")

		w = w.fresh(autoDetect, mockim.ServiceOptions{})
		w.host.Fail("HostLogin", engine.ErrUnavailable)
		release, hostLogin, login = hostLogsInMeanwhile(w)
		release()
		if err := hostLogin.wait(); !errors.Is(err, engine.ErrUnavailable) {
			w.t.Errorf("the host's login: %v", err)
		}
		w.fails(login.wait(), nil)
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaKit)
		w.stands(kitLoggedIn, uninitialized, "myaccid")
	}},
	{"H15", autoDetect, func(w *world) {
		ctx, cancel := context.WithCancelCause(w.ctx)
		w.ctx = ctx
		release, hostLogin, login := hostLogsInMeanwhile(w)
		cancel(errGaveUp)
		w.fails(login.wait(), errGaveUp)
		if !hostLogin.waits() {
			w.t.Error("the host's login was decided, too")
		}
		w.called()
		w.yielded()
		w.stands(uninitialized, uninitialized, "")
		release()
		w.must(hostLogin.wait())
		w.standsApart(uninitialized, uninitialized, "", "myaccid")
	}},
}

// cancelsLastStep cancels a kit login during its last step.
func cancelsLastStep(w *world) {
	w.t.Helper()
	ctx, cancel := context.WithCancelCause(w.ctx)
	release := w.host.Block("LoginKit")
	login := begin(func() error { return w.engine.LoginKit(ctx, kitAccount) })
	cancel(errGaveUp)
	w.fails(login.wait(), errGaveUp)
	release()
}

// succeedsTooLate cancels a kit login in that call of the backend, which then
// succeeds.
func succeedsTooLate(w *world, call string) {
	w.t.Helper()
	ctx, cancel := context.WithCancelCause(w.ctx)
	release := w.host.Block(call)
	login := begin(func() error { return w.engine.LoginKit(ctx, kitAccount) })
	cancel(errGaveUp)
	if !login.waits() {
		w.t.Errorf("%s is deaf, but the login did not wait for it", call)
	}
	release()
	w.fails(login.wait(), errGaveUp)
}

// hostLogsInMeanwhile begins a kit login while a login of the host's is in
// progress. Only the kit login uses the ctx of w.
func hostLogsInMeanwhile(w *world) (release func(), hostLogin, login *pending) {
	w.t.Helper()
	w.must(w.host.HostInit(w.ctx))
	release = w.host.Block("HostLogin")
	hostLogin = begin(func() error { return w.host.HostLogin(w.t.Context(), imAccount) })
	login = begin(w.loginKit)
	if !login.waits() {
		w.t.Error("the kit login did not wait for the host's login")
	}
	return release, hostLogin, login
}

func manyAtOnce(w *world) {
	climbsAlone(w)
	const each = 50
	var returned atomic.Int32
	var wg sync.WaitGroup
	for range each {
		wg.Go(func() {
			if err := w.loginKit(); err != nil {
				w.fails(err, engine.ErrInterrupted)
			}
			returned.Add(1)
		})
		wg.Go(func() {
			w.fails(w.logoutKit(), nil)
			returned.Add(1)
		})
	}
	wg.Wait()
	if got := returned.Load(); got != 2*each {
		w.t.Errorf("%d returns of %d calls", got, 2*each)
	}
	all := w.sinceLast()
	last := all[len(all)-1]
	if last != w.engine.Status() {
		w.t.Errorf("the last change is %+v, Status is %+v", last, w.engine.Status())
	}
	if last.State == kitLoggedIn {
		w.stands(kitLoggedIn, uninitialized, "myaccid")
	} else {
		w.stands(imInitialized, uninitialized, "")
	}
	w.fails(w.logoutKit(), nil)
	w.sinceLast()
	w.calls = len(w.host.Calls())
	w.fails(w.loginKit(), nil)
	w.called("Authenticate user1", "LoginIM myaccid", "LoginKit user1")
	w.yielded(viaLogin, viaKit)
	w.stands(kitLoggedIn, uninitialized, "myaccid")
}

// reportsFromEverywhere is H11: many goroutines report on one login at once,
// and two watchers see the same.
func reportsFromEverywhere(w *world) {
	reuses(w)
	var other []engine.Status
	second := begin(func() error {
		for s := range w.engine.Watch(w.ctx) {
			other = append(other, s)
		}
		return nil
	})
	im, _ := w.tap.notifies()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { im.Link(i%2 == 0) })
	}
	wg.Wait()
	synctest.Wait()
	for range 20 {
		wg.Go(func() { im.Lost(engine.ErrTokenRejected) })
	}
	wg.Wait()

	all := w.sinceLast()
	for i, s := range all[:len(all)-1] {
		if s.State != kitLoggedIn || s.Online == (i%2 == 0) {
			w.t.Errorf("change %d is %+v, want the link to alternate", i, s)
		}
	}
	if last := all[len(all)-1]; last.Via != engine.TriggerIMLost || last != w.engine.Status() {
		w.t.Errorf("the last change is %+v, want one im_lost", last)
	}
	w.called()
	w.yielded()
	w.standsApart(imInitialized, imInitialized, "", "myaccid") // the cloud has reported nothing
	w.must(w.engine.Close())
	w.must(second.wait())
	if want := append(all, w.sinceLast()...); !slices.Equal(other[1:], want) {
		w.t.Errorf("two watchers saw\n%+v and\n%+v", other[1:], want)
	}
}
