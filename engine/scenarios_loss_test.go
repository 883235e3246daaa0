package engine_test

import (
	"errors"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

var scenariosLoss = []scenario{
	{"E1", reuseIM, func(w *world) {
		reuses(w)
		w.elsewhere(imAccount)
		w.called()
		w.kickedBecause(engine.KickedByClient)
		w.stands(imInitialized, imInitialized, "")
		for _, reason := range []engine.KickReason{engine.KickedByServer, engine.KickedByOther, engine.KickedQuietly} {
			w.must(w.host.HostLogin(w.ctx, imAccount))
			w.fails(w.loginKit(), nil)
			w.yielded(viaLogin, viaKit)
			w.cloud.Kick("myaccid", reason)
			w.kickedBecause(reason)
			w.stands(imInitialized, imInitialized, "")
		}
	}},
	{"E2", reuseIM, func(w *world) {
		kicked(w)
		<-time.After(24 * time.Hour)
		w.called()
		w.yielded()
		w.stands(imInitialized, imInitialized, "")
	}},
	{"E3", reuseIM, func(w *world) {
		kicked(w)
		if s := w.engine.Status(); s.UserUUID != "" || s.Accid != "" || s.State >= kitLoggedIn || s.Online {
			w.t.Errorf("somebody is still there: %+v", s)
		}
	}},
	{"E6", reuseIM, func(w *world) {
		kicked(w)
		w.fails(w.loginKit(), engine.ErrIMNotLoggedIn)
		w.called()
		w.yielded()
		w.stands(imInitialized, imInitialized, "")
	}},
	{"E7", reuseIM, loggedOutBehind},
	{"E8", reuseIM, func(w *world) {
		loggedOutBehind(w)
		w.fails(w.loginKit(), engine.ErrIMNotLoggedIn)
		w.called()
		w.yielded()
		w.stands(imInitialized, imInitialized, "")
	}},
	{"E9", reuseIM, func(w *world) {
		w.hostLogsIn(imAccount)
		w.fails(w.loginKit(), nil)
		first := w.engine.Status().Session
		w.must(w.host.HostLogout(w.ctx))
		w.must(w.host.HostLogin(w.ctx, imAccount))
		w.fails(w.loginKit(), nil)
		w.called("Authenticate user1", "LoginKit user1", "Authenticate user1", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaKit, viaIMLost.because(engine.ErrIMLoggedOut), viaLogin, viaKit)
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")
		if w.engine.Status().Session == first {
			w.t.Error("the new IM login has the Session of the old one")
		}
	}},
	{"E10", reuseIM, func(w *world) {
		reuses(w)
		w.must(w.host.HostLogin(w.ctx, secondIM))
		w.yielded(viaIMLost.because(engine.ErrIMLoggedOut))
		w.standsApart(imInitialized, imInitialized, "", "other")
		w.fails(w.loginKit(), engine.ErrIMAccountMismatch)
		w.called("Authenticate user1")
		w.yielded(viaLogin)
		w.stands(imLoggedIn, imLoggedIn, "other")
	}},
	{"E12", autoLogin, func(w *world) {
		climbsAlone(w)
		w.must(w.host.HostLogin(w.ctx, secondIM))
		<-time.After(time.Hour)
		w.called()
		w.yielded(viaIMLost.because(engine.ErrIMLoggedOut))
		w.standsApart(imInitialized, uninitialized, "", "other")
		w.fails(w.loginKit(), engine.ErrIMInUse)
		w.called()
		w.stands(imLoggedIn, imLoggedIn, "other")
	}},
	{"E15", reuseIM, func(w *world) {
		w.hostLogsIn(imAccount)
		release := w.host.Block("LoginKit")
		login := begin(w.loginKit)
		w.cloud.Kick("myaccid", engine.KickedByServer)
		err := login.wait()
		w.fails(err, engine.ErrKicked)
		var kick *engine.KickError
		if !errors.As(err, &kick) || kick.Reason != engine.KickedByServer {
			w.t.Errorf("%v, want the reason in it", err)
		}
		release()
		w.called("Authenticate user1", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaIMLost.because(engine.ErrKicked))
		w.stands(imInitialized, imInitialized, "")
	}},
	{"E18", reuseIM, func(w *world) {
		w = w.fresh(reuseIM, mockim.ServiceOptions{MultiDevice: true})
		reuses(w)
		w.elsewhere(imAccount)
		w.called()
		w.yielded()
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")
	}},
	{"E19", reuseIM, func(w *world) {
		reuses(w)
		w.cloud.EndIM("myaccid", engine.ErrAccountBanned)
		w.called()
		w.yielded(viaIMLost.because(engine.ErrAccountBanned))
		w.stands(imInitialized, imInitialized, "")
		if cause := w.engine.Status().Cause; errors.Is(cause, engine.ErrKicked) {
			w.t.Errorf("%v is a kick", cause)
		}
	}},
	{"E20", reuseIM, kicked},
}

// kicked is E20, and E1 by its end: the service ends the IM login under a kit
// login that reuses it.
func kicked(w *world) {
	w.t.Helper()
	reuses(w)
	w.cloud.Kick("myaccid", engine.KickedByServer)
	w.called()
	w.kickedBecause(engine.KickedByServer)
	w.stands(imInitialized, imInitialized, "")
}

func (w *world) kickedBecause(reason engine.KickReason) {
	w.t.Helper()
	w.yielded(viaIMLost.because(engine.ErrKicked))
	var kick *engine.KickError
	if cause := w.engine.Status().Cause; !errors.As(cause, &kick) || kick.Reason != reason {
		w.t.Errorf("the cause is %v, want %v", cause, reason)
	}
}

// loggedOutBehind is E7: the host logs IM out under a kit login that reuses it.
func loggedOutBehind(w *world) {
	w.t.Helper()
	reuses(w)
	w.must(w.host.HostLogout(w.ctx))
	w.called()
	w.yielded(viaIMLost.because(engine.ErrIMLoggedOut))
	w.stands(imInitialized, imInitialized, "")
}

var scenariosLink = []scenario{
	{"F1", reuseIM, func(w *world) { w.linkGoesDown() }},
	{"F2", reuseIM, func(w *world) {
		w.linkGoesDown()
		session := w.engine.Status().Session
		w.host.Link(true)
		w.called()
		w.yielded(viaKit)
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")
		if got := w.engine.Status().Session; got != session {
			w.t.Errorf("the Session is %v, want %v as before", got, session)
		}
	}},
	{"F3", autoLogin, func(w *world) {
		climbsAlone(w)
		for range 3 {
			w.host.Link(false)
			w.host.Link(true)
		}
		w.called()
		w.yielded(viaKit.offline(), viaKit, viaKit.offline(), viaKit, viaKit.offline(), viaKit)
		w.stands(kitLoggedIn, uninitialized, "myaccid")
	}},
	{"F8", reuseIM, func(w *world) {
		w.hostLogsIn(imAccount)
		w.host.Link(false)
		w.host.Fail("Authenticate", engine.ErrUnavailable)
		w.fails(w.loginKit(), engine.ErrUnavailable)
		w.called("Authenticate user1")
		w.yielded(viaInit, viaLogin.offline())
		w.stands(imLoggedIn, imLoggedIn, "myaccid")
		w.fails(w.loginKit(), nil)
		w.called("Authenticate user1", "LoginKit user1")
		w.yielded(viaKit.offline())
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")

		w = w.fresh(engine.Options{Mode: engine.ReuseIM, RequireOnline: true}, mockim.ServiceOptions{})
		w.hostLogsIn(imAccount)
		w.host.Link(false)
		w.fails(w.loginKit(), engine.ErrIMNotLoggedIn)
		w.called()
		w.yielded(viaInit, viaLogin.offline())
		w.stands(imLoggedIn, imLoggedIn, "myaccid")
		w.host.Link(true)
		w.fails(w.loginKit(), nil)
		w.yielded(viaLogin, viaKit)
	}},
	{"F9", autoLogin, func(w *world) {
		linkGoesDownMeanwhile(w, nil)
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaLogin.offline(), viaKit.offline())
		w.stands(kitLoggedIn, uninitialized, "myaccid")

		w = w.fresh(autoLogin, mockim.ServiceOptions{})
		linkGoesDownMeanwhile(w, engine.ErrUnavailable)
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1", "LogoutIM")
		w.yielded(viaInit, viaLogin, viaLogin.offline(), viaOut.because(engine.ErrUnavailable))
		w.stands(imInitialized, uninitialized, "")
	}},
	{"F12", reuseIM, func(w *world) {
		reuses(w)
		broken := &brokenPipe{at: 7}
		w.cloud.EndIM("myaccid", broken)
		w.called()
		w.yielded(viaIMLost.because(broken))
		w.stands(imInitialized, imInitialized, "")
		s := w.engine.Status()
		var found *brokenPipe
		if !errors.As(s.Cause, &found) || found.at != 7 || errors.Is(s.Cause, engine.ErrIMLoggedOut) {
			w.t.Errorf("the cause is %v, want %v", s.Cause, broken)
		}
	}},
}

// A brokenPipe is an error type that the engine does not know.
type brokenPipe struct{ at int }

func (*brokenPipe) Error() string { return "broken pipe" }

func (w *world) linkGoesDown() {
	w.t.Helper()
	reuses(w)
	w.host.Link(false)
	w.called()
	w.yielded(viaKit.offline())
	w.stands(kitLoggedIn, imLoggedIn, "myaccid")
}

func linkGoesDownMeanwhile(w *world, then error) {
	w.t.Helper()
	release := w.host.Block("LoginKit")
	login := begin(w.loginKit)
	w.host.Link(false)
	if then != nil {
		w.host.Fail("LoginKit", then)
	}
	release()
	w.fails(login.wait(), then)
}

var scenariosToken = []scenario{
	{"G6", autoLogin, func(w *world) {
		climbsAlone(w)
		w.cloud.EndKit("user1", engine.ErrTokenRejected)
		w.yielded(viaKitLost.because(engine.ErrTokenRejected), viaOut.because(engine.ErrTokenRejected))
		w.called("LogoutIM")
		w.stands(imInitialized, uninitialized, "")
	}},
	{"G7", reuseIM, kitExpires},
	{"G8", reuseIM, func(w *world) {
		kitExpires(w)
		w.fails(w.loginKit(), nil)
		w.called("Authenticate user1", "LoginKit user1")
		w.yielded(viaKit)
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")
	}},
	{"G10", autoLogin, func(w *world) {
		w.cloud.Bind(kitAccount, "unregistered")
		err := w.loginKit()
		w.fails(err, engine.ErrTokenRejected)
		var e *engine.Error
		if errors.Is(err, engine.ErrIMNotLoggedIn) || !errors.As(err, &e) || e.Call != "LoginIM" {
			w.t.Errorf("%v, want the error of LoginIM", err)
		}
		w.called("Authenticate user1", "InitIM", "LoginIM unregistered")
		w.yielded(viaInit)
		w.stands(imInitialized, uninitialized, "")
	}},
}

// kitExpires is G7: the service ends a kit session that reuses the host's IM.
func kitExpires(w *world) {
	w.t.Helper()
	reuses(w)
	session := w.engine.Status().Session
	w.cloud.EndKit("user1", engine.ErrTokenExpired)
	w.called()
	w.yielded(viaKitLost.because(engine.ErrTokenExpired))
	w.stands(imLoggedIn, imLoggedIn, "myaccid")
	if got := w.engine.Status().Session; got != session {
		w.t.Errorf("the Session is %v, want the IM login's, %v", got, session)
	}
}
