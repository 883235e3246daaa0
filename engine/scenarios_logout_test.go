package engine_test

import (
	"errors"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

var scenariosLogout = []scenario{
	{"I1", reuseIM, func(w *world) {
		leavesTheHosts(w)
		w.host.Link(false) // the host's listeners, and the engine's, are still there
		w.yielded(viaKitOut.offline())
		w.must(w.host.HostLogout(w.ctx))
		w.yielded(viaIMLost.because(engine.ErrIMLoggedOut))
	}},
	{"I2", reuseIM, func(w *world) {
		leavesTheHosts(w)
		w.fails(w.loginKit(), nil)
		w.called("Authenticate user1", "LoginKit user1")
		w.yielded(viaKit)
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")
	}},
	{"I3", autoLogin, func(w *world) {
		climbsAlone(w)
		w.fails(w.logoutKit(), nil)
		w.called("LogoutKit", "LogoutIM")
		w.yielded(viaKitOut, viaOut)
		w.stands(imInitialized, uninitialized, "")
	}},
	{"I4", autoDetect, leavesTheHosts},
	{"I5", autoDetect, func(w *world) {
		w.must(w.host.HostInit(w.ctx))
		climbsAlone(w)
		w.fails(w.logoutKit(), nil)
		w.called("LogoutKit", "LogoutIM")
		w.yielded(viaKitOut, viaOut)
		w.stands(imInitialized, uninitialized, "")
		w.must(w.host.HostLogin(w.ctx, imAccount)) // which fails where IM is not initialised
	}},
	{"I7", reuseIM, func(w *world) {
		leavesTheHosts(w)
		w.fails(w.logoutKit(), nil)
		w.called()
		w.yielded()
		w.stands(imLoggedIn, imLoggedIn, "myaccid")
	}},
	{"I13", reuseIM, func(w *world) {
		reuses(w)
		w.fails(w.engine.Close(), nil)
		w.called("LogoutKit")
		w.yielded(viaClose)
		w.standsApart(uninitialized, uninitialized, "", "myaccid")
	}},
}

// leavesTheHosts is I1 and I4: a kit logout leaves the host's login.
func leavesTheHosts(w *world) {
	w.t.Helper()
	reuses(w)
	w.fails(w.logoutKit(), nil)
	w.called("LogoutKit")
	w.yielded(viaKitOut)
	w.stands(imLoggedIn, imLoggedIn, "myaccid")
}

var scenariosSwitch = []scenario{
	{"L1", autoLogin, func(w *world) {
		climbsAlone(w)
		first := w.engine.Status().Session
		w.fails(w.logoutKit(), nil)
		w.fails(w.engine.LoginKit(w.ctx, secondKit), nil)
		w.called("LogoutKit", "LogoutIM", "Authenticate user2", "LoginIM other", "LoginKit user2")
		w.yielded(viaKitOut, viaOut, viaLogin, viaKit)
		w.stands(kitLoggedIn, uninitialized, "other")
		if s := w.engine.Status(); s.Session == first || s.UserUUID != "user2" {
			w.t.Errorf("%+v has something of user1", s)
		}
	}},
	{"L2", autoLogin, func(w *world) {
		climbsAlone(w)
		before := w.engine.Status()
		w.fails(w.engine.LoginKit(w.ctx, secondKit), engine.ErrKitInUse)
		w.called()
		w.yielded()
		w.stands(kitLoggedIn, uninitialized, "myaccid")
		if got := w.engine.Status(); got != before {
			w.t.Errorf("%+v, want %+v as before", got, before)
		}
	}},
	{"L4", reuseIM, func(w *world) {
		reuses(w)
		w.must(w.host.HostLogin(w.ctx, secondIM))
		w.yielded(viaIMLost.because(engine.ErrIMLoggedOut))
		w.fails(w.engine.LoginKit(w.ctx, secondKit), nil)
		w.called("Authenticate user2", "LoginKit user2")
		w.yielded(viaLogin, viaKit)
		w.stands(kitLoggedIn, imLoggedIn, "other")
	}},
	{"L6", reuseIM, func(w *world) {
		reuses(w)
		im, kit := w.tap.notifies()
		w.must(w.host.HostLogin(w.ctx, secondIM))
		w.fails(w.engine.LoginKit(w.ctx, secondKit), nil)
		w.yielded(viaIMLost.because(engine.ErrIMLoggedOut), viaLogin, viaKit)
		im.Link(false)
		im.Lost(engine.ErrKicked)
		kit.Lost(engine.ErrTokenExpired)
		w.called("Authenticate user2", "LoginKit user2")
		w.yielded()
		w.stands(kitLoggedIn, imLoggedIn, "other")
	}},
}

var scenariosProfile = []scenario{
	{"M3", autoDetect, func(w *world) {
		climbsAlone(w)
		for name, begins := range map[string]func(w *world){
			"IM initialised by the engine": func(w *world) { w.must(w.engine.InitIM(w.ctx)) },
			"IM initialised by the host":   func(w *world) { w.must(w.host.HostInit(w.ctx)) },
			"the host's login failed": func(w *world) {
				w.must(w.host.HostInit(w.ctx))
				if w.host.HostLogin(w.ctx, engine.IMAccount{Accid: "nobody", Token: "wrong"}) == nil {
					w.t.Error("the host logged in as nobody")
				}
			},
			"the host has logged out": func(w *world) {
				w.hostLogsIn(imAccount)
				w.must(w.host.HostLogout(w.ctx))
			},
		} {
			w := w.fresh(autoDetect, mockim.ServiceOptions{})
			begins(w)
			if err := w.loginKit(); err != nil {
				w.t.Errorf("%s: %v", name, err)
			}
			if s := w.engine.Status(); s.State != kitLoggedIn || s.Reused() {
				w.t.Errorf("%s: %+v, want a login of the engine's own", name, s)
			}
		}
	}},
	{"M5", reuseIM, func(w *world) { w.numbers(engine.ProfileDesktop, 1801, 1802, 112001) }},
	{"M6", reuseIM, func(w *world) {
		w.numbers(engine.ProfileMeeting1, -3, -5, 0)
		w.host.Fail("Authenticate", engine.ErrUnavailable)
		noNetwork, badArgument := w.loginKit(), w.engine.LoginKit(w.ctx, engine.KitAccount{})
		for err, want := range map[error]int{noNetwork: -3, badArgument: -5} {
			if n, ok := engine.CodeOf(err).In(engine.ProfileMeeting1); n != want || !ok {
				w.t.Errorf("%v has the number %d, want %d", err, n, want)
			}
		}
		if errors.Is(noNetwork, engine.ErrIMNotLoggedIn) || errors.Is(badArgument, engine.ErrIMAccountMismatch) {
			w.t.Errorf("%v and %v count as reuse errors", noNetwork, badArgument)
		}
	}},
	{"M7", reuseIM, func(w *world) { w.numbers(engine.ProfileRoomKit1, -6, -7, -8) }},
	{"M8", reuseIM, func(w *world) { w.numbers(engine.ProfileRoom, 100004, 100005, 0) }},
	{"M11", autoLogin, func(w *world) {
		refusesTheHosts(w)
		err := w.loginKit()
		w.fails(err, engine.ErrIMInUse)
		w.pointsAt(err.Error(), "ReuseIM", "AutoDetect")
		w.pointsAt(engine.CodeOf(err).Remedy(), "reuse its login", "ReuseIM", "AutoDetect")
	}},
}

// numbers provokes the errors of B4, C1 and D1, and asserts their numbers in p;
// 0 means none.
func (w *world) numbers(p engine.Profile, b4, c1, d1 int) {
	w.t.Helper()
	w.fails(w.engine.InitIM(w.ctx), nil)
	notLoggedIn := w.loginKit()
	w.must(w.host.HostLogin(w.ctx, secondIM))
	for _, row := range []struct {
		err, want error
		number    int
	}{
		{notLoggedIn, engine.ErrIMNotLoggedIn, b4},
		{w.loginKit(), engine.ErrIMAccountMismatch, c1},
		{w.anonymous(), engine.ErrReuseNoAnonymous, d1},
	} {
		w.fails(row.err, row.want)
		if n, ok := engine.CodeOf(row.err).In(p); n != row.number || ok != (row.number != 0) {
			w.t.Errorf("%v has the number %d, %v; want %d", row.err, n, ok, row.number)
		}
	}
	w.called("InitIM", "Authenticate user1")
	w.yielded(viaInit, viaLogin)
	w.stands(imLoggedIn, imLoggedIn, "other")
}
