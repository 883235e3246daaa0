package engine_test

import (
	"errors"
	"strings"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

var scenariosHappy = []scenario{
	{"A1", reuseIM, reuses},
	{"A2", autoLogin, climbsAlone},
	{"A3", autoDetect, reuses},
	{"A4", autoDetect, climbsAlone},
	{"A7", reuseIM, func(w *world) {
		<-time.After(10 * time.Minute)
		reuses(w)
	}},
	{"A8", reuseIM, func(w *world) {
		reuses(w)
		if s := w.engine.Status(); s.UserUUID != "user1" || s.Accid != "myaccid" || s.Anonymous {
			w.t.Errorf("logged in as %q over %q, anonymous %v", s.UserUUID, s.Accid, s.Anonymous)
		}
	}},
}

// reuses logs the kit in over the IM login that the host makes.
func reuses(w *world) {
	w.t.Helper()
	w.hostLogsIn(imAccount)
	w.fails(w.loginKit(), nil)
	w.called("Authenticate user1", "LoginKit user1")
	w.yielded(viaInit, viaLogin, viaKit)
	w.stands(kitLoggedIn, imLoggedIn, "myaccid")
	if !w.engine.Status().Reused() {
		w.t.Error("not reused")
	}
}

// climbsAlone logs the kit in before the host has done anything.
func climbsAlone(w *world) {
	w.t.Helper()
	w.fails(w.loginKit(), nil)
	w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1")
	w.yielded(viaInit, viaLogin, viaKit)
	w.stands(kitLoggedIn, uninitialized, "myaccid")
	if w.engine.Status().Reused() {
		w.t.Error("reused")
	}
}

var scenariosOrdering = []scenario{
	{"B3", reuseIM, func(w *world) {
		err := w.loginKit()
		w.fails(err, engine.ErrIMNotLoggedIn)
		if text := err.Error(); !strings.Contains(text, "the host has not logged IM in") {
			w.t.Errorf("%q does not say who has to do what", text)
		}
		w.called()
		w.yielded()
		w.stands(uninitialized, uninitialized, "")
	}},
	{"B4", reuseIM, notLoggedIn},
	{"B5", reuseIM, func(w *world) {
		notLoggedIn(w)
		w.must(w.host.HostLogin(w.ctx, imAccount))
		w.fails(w.loginKit(), nil)
		w.called("Authenticate user1", "LoginKit user1")
		w.yielded(viaLogin, viaKit)
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")
	}},
	{"B7", autoLogin, refusesTheHosts},
	{"B9", autoLogin, func(w *world) {
		w.fails(w.logoutKit(), nil)
		w.called()
		w.yielded()
		w.stands(uninitialized, uninitialized, "")
	}},
	{"B12", engine.Options{SecondaryProcess: true}, func(w *world) {
		w.fails(w.engine.InitIM(w.ctx), engine.ErrSecondaryProcess)
		w.fails(w.engine.LoginIM(w.ctx, imAccount), engine.ErrSecondaryProcess)
		w.fails(w.loginKit(), engine.ErrSecondaryProcess)
		w.fails(w.anonymous(), engine.ErrSecondaryProcess)
		w.fails(w.logoutKit(), nil)
		w.fails(w.engine.LogoutIM(w.ctx), nil)
		w.called()
		w.yielded()
		w.stands(uninitialized, uninitialized, "")
		w.fails(w.engine.Close(), nil)
	}},
	{"B15", reuseIM, func(w *world) {
		w.fails(w.loginKit(), engine.ErrIMNotLoggedIn)
		w.hostLogsIn(imAccount)
		w.fails(w.loginKit(), nil)
		w.fails(w.logoutKit(), nil)
		w.must(w.host.HostLogout(w.ctx))
		w.fails(w.loginKit(), engine.ErrIMNotLoggedIn)
		w.fails(w.anonymous(), engine.ErrReuseNoAnonymous)
		w.called("Authenticate user1", "LoginKit user1", "LogoutKit")
		w.yielded(viaInit, viaLogin, viaKit, viaKitOut, viaIMLost.because(engine.ErrIMLoggedOut))
		w.stands(imInitialized, imInitialized, "")
	}},
}

// notLoggedIn is B4: the host has only initialised IM.
func notLoggedIn(w *world) {
	w.t.Helper()
	w.fails(w.engine.InitIM(w.ctx), nil)
	w.fails(w.loginKit(), engine.ErrIMNotLoggedIn)
	w.called("InitIM")
	w.yielded(viaInit)
	w.stands(imInitialized, imInitialized, "")
}

// refusesTheHosts is B7 and M11: the host has logged IM in, and reuse is off.
func refusesTheHosts(w *world) {
	w.t.Helper()
	w.hostLogsIn(imAccount)
	err := w.loginKit()
	w.fails(err, engine.ErrIMInUse)
	if text := err.Error(); !strings.Contains(text, "the host logged it in, and reuse is off") {
		w.t.Errorf("%q does not say what is in the way", text)
	}
	w.called()
	w.yielded(viaInit, viaLogin)
	w.stands(imLoggedIn, imLoggedIn, "myaccid")
}

var scenariosIdentity = []scenario{
	{"C1", reuseIM, mismatches},
	{"C2", reuseIM, func(w *world) {
		mismatches(w)
		w.must(w.host.HostLogout(w.ctx))
		w.must(w.host.HostLogin(w.ctx, imAccount))
		w.fails(w.loginKit(), nil)
		w.called("Authenticate user1", "LoginKit user1")
		w.yielded(viaIMLost.because(engine.ErrIMLoggedOut), viaLogin, viaKit)
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")
	}},
	{"C3", reuseIM, func(w *world) {
		w.hostLogsIn(imAccount)
		err := w.engine.LoginKit(w.ctx, engine.KitAccount{UserUUID: "user1", Token: "wrong"})
		w.fails(err, engine.ErrTokenRejected)
		var e *engine.Error
		if errors.Is(err, engine.ErrIMAccountMismatch) || !errors.As(err, &e) || e.Call != "Authenticate" {
			w.t.Errorf("%v, want the error of Authenticate", err)
		}
		w.called("Authenticate user1")
		w.yielded(viaInit, viaLogin)
		w.stands(imLoggedIn, imLoggedIn, "myaccid")
	}},
	{"C5", reuseIM, func(w *world) {
		// There is an IM account by the name of the userUuid, too.
		w.cloud.AddIM(engine.IMAccount{Accid: kitAccount.UserUUID, Token: "im3-" + secret})
		reuses(w)
	}},
	{"C6", reuseIM, func(w *world) {
		w.must(w.host.HostInit(w.ctx))
		wrong := engine.IMAccount{Accid: "nobody", Token: "wrong"}
		if err := w.host.HostLogin(w.ctx, wrong); !errors.Is(err, engine.ErrTokenRejected) {
			w.t.Errorf("the host logs in as nobody: %v", err)
		}
		w.fails(w.loginKit(), engine.ErrIMNotLoggedIn)
		w.called()
		w.yielded()
		w.stands(uninitialized, uninitialized, "")
	}},
	{"C7", autoDetect, mismatches},
	{"C8", reuseIM, func(w *world) {
		w.cloud.Bind(kitAccount, "")
		w.hostLogsIn(imAccount)
		err := w.loginKit()
		w.fails(err, engine.ErrNoIMAccount)
		if errors.Is(err, engine.ErrIMAccountMismatch) {
			w.t.Errorf("%v is a mismatch", err)
		}
		w.called("Authenticate user1")
		w.yielded(viaInit, viaLogin)
		w.stands(imLoggedIn, imLoggedIn, "myaccid")
	}},
}

// mismatches is C1: the host has logged IM in with an account that is not
// bound.
func mismatches(w *world) {
	w.t.Helper()
	w.hostLogsIn(secondIM)
	err := w.loginKit()
	w.fails(err, engine.ErrIMAccountMismatch)
	var m *engine.MismatchError
	want := engine.MismatchError{Bound: engine.IMAccount{AppKey: appKey, Accid: "myaccid"}, LoggedIn: engine.IMAccount{AppKey: appKey, Accid: "other"}}
	if !errors.As(err, &m) || *m != want {
		w.t.Errorf("%v, want the ids of both and no token", err)
	}
	w.called("Authenticate user1")
	w.yielded(viaInit, viaLogin)
	w.stands(imLoggedIn, imLoggedIn, "other")
}

var scenariosAnonymous = []scenario{
	{"D1", reuseIM, refusesAnonymous},
	{"D2", autoLogin, joinsAnonymously},
	{"D3", autoDetect, refusesAnonymous},
	{"D4", autoDetect, joinsAnonymously},
	{"D6", reuseIM, func(w *world) {
		refusesAnonymous(w)
		if err := w.anonymous(); err == nil || engine.CodeOf(err) != 112001 {
			w.t.Errorf("got %v with the code %d, want a failure with 112001", err, engine.CodeOf(err))
		}
	}},
	{"D7", autoLogin, func(w *world) {
		joinsAnonymously(w)
		w.fails(w.logoutKit(), nil)
		w.called("LogoutKit", "LogoutIM")
		w.yielded(viaKitOut, viaOut)
		w.stands(imInitialized, uninitialized, "")
	}},
	{"D8", autoLogin, func(w *world) {
		for _, call := range []string{"Anonymous", "Authenticate", "InitIM", "LoginIM", "LoginKit"} {
			w := w.fresh(autoLogin, mockim.ServiceOptions{})
			w.host.Fail(call, engine.ErrUnavailable)
			w.fails(w.anonymous(), engine.ErrUnavailable)
			switch call {
			case "LoginKit":
				w.yielded(viaInit, viaLogin, viaOut.because(engine.ErrUnavailable))
				w.stands(imInitialized, uninitialized, "")
			case "LoginIM":
				w.yielded(viaInit)
				w.stands(imInitialized, uninitialized, "")
			default:
				w.yielded()
				w.stands(uninitialized, uninitialized, "")
			}
			calls := w.host.Calls()
			if last := calls[len(calls)-1]; (last == "LogoutIM") != (call == "LoginKit") {
				w.t.Errorf("%s fails: the last call is %s", call, last)
			}
			w.calls = len(calls)
		}
		joinsAnonymously(w)
	}},
}

// refusesAnonymous is D1 and D3: the host has logged IM in.
func refusesAnonymous(w *world) {
	w.t.Helper()
	w.hostLogsIn(imAccount)
	w.fails(w.anonymous(), engine.ErrReuseNoAnonymous)
	w.called()
	w.yielded(viaInit, viaLogin)
	w.stands(imLoggedIn, imLoggedIn, "myaccid")
}

// joinsAnonymously is D2 and D4. The ids are the ones that the cloud made up.
func joinsAnonymously(w *world) {
	w.t.Helper()
	w.fails(w.anonymous(), nil)
	accid, s := w.host.LoggedIn(), w.engine.Status()
	w.called("Anonymous", "Authenticate "+s.UserUUID, "InitIM", "LoginIM "+accid, "LoginKit "+s.UserUUID)
	w.yielded(viaInit, viaLogin, viaKit)
	w.stands(kitLoggedIn, uninitialized, accid)
	if !s.Anonymous || accid == "" {
		w.t.Errorf("anonymous %v, IM is logged in as %q", s.Anonymous, accid)
	}
}
