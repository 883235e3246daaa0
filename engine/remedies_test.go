package engine_test

import (
	"errors"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// A remedy is one of the ways out that Code.Remedy offers. The row runs into
// the error and does what the words say; then a login succeeds.
type remedy struct {
	name  string
	code  engine.Code
	says  string // the words of Remedy that the row acts out
	mode  engine.Options
	meet  func(w *world) error
	do    func(w *world) (again func() error)
	accid string // who is logged in then; "" for a temporary account
}

var remedies = []remedy{
	{"100004 through the engine", engine.ErrIMNotLoggedIn,
		"Log IM in with the bound account (Engine.LoginIM,", reuseIM,
		func(w *world) error {
			w.must(w.engine.InitIM(w.ctx))
			return w.loginKit()
		},
		func(w *world) func() error {
			w.must(w.engine.LoginIM(w.ctx, imAccount))
			return w.loginKit
		}, "myaccid"},
	{"100004 with the host's client", engine.ErrIMNotLoggedIn,
		"or the host's own IM client) before the kit login", reuseIM,
		func(w *world) error {
			w.must(w.host.HostInit(w.ctx))
			return w.loginKit()
		},
		func(w *world) func() error {
			w.must(w.host.HostLogin(w.ctx, imAccount))
			return w.loginKit
		}, "myaccid"},

	{"100005 by a new kit account", engine.ErrIMAccountMismatch,
		"Create the kit account again with the imAccid and imToken of the IM account that is logged in", reuseIM, meetMismatch,
		func(w *world) func() error {
			again, err := w.cloud.CreateKitAccount(secondIM.Accid, secondIM.Token)
			w.must(err)
			return func() error { return w.engine.LoginKit(w.ctx, again) }
		}, "other"},
	{"100005 by the bound account", engine.ErrIMAccountMismatch,
		"or log IM out and log in with the bound account", reuseIM, meetMismatch,
		func(w *world) func() error {
			w.must(w.engine.LogoutIM(w.ctx))
			w.must(w.engine.LoginIM(w.ctx, imAccount))
			return w.loginKit
		}, "myaccid"},
	{"100005 by the host's bound account", engine.ErrIMAccountMismatch,
		"or log IM out and log in with the bound account", autoDetect, meetMismatch,
		func(w *world) func() error {
			w.must(w.host.HostLogout(w.ctx))
			w.must(w.host.HostLogin(w.ctx, imAccount))
			return w.loginKit
		}, "myaccid"},

	{"112001 by an account", engine.ErrReuseNoAnonymous,
		"Log in with a kit account", reuseIM, meetNoAnonymous,
		func(w *world) func() error { return w.loginKit }, "myaccid"},
	{"112001 by reuse off", engine.ErrReuseNoAnonymous,
		"or switch IM reuse off (set Options.Mode to AutoLogin;", reuseIM, (*world).anonymous,
		func(w *world) func() error {
			w.nextApp(autoLogin)
			return w.anonymous
		}, ""},
	{"112001 by the host's logout", engine.ErrReuseNoAnonymous,
		"in AutoDetect, log the host's IM out)", autoDetect, meetNoAnonymous,
		func(w *world) func() error {
			w.must(w.host.HostLogout(w.ctx))
			return w.anonymous
		}, ""},
	{"112001 by a logout through the engine", engine.ErrReuseNoAnonymous,
		"in AutoDetect, log the host's IM out)", autoDetect, meetNoAnonymous,
		func(w *world) func() error {
			w.must(w.engine.LogoutIM(w.ctx))
			return w.anonymous
		}, ""},
}

func meetMismatch(w *world) error {
	w.hostLogsIn(secondIM)
	return w.loginKit()
}

func meetNoAnonymous(w *world) error {
	w.hostLogsIn(imAccount)
	return w.anonymous()
}

// nextApp closes the engine and makes one with another mode, because an engine
// cannot change its mode.
func (w *world) nextApp(o engine.Options) {
	w.t.Helper()
	w.must(w.engine.Close())
	w.engine = w.newEngine(o)
}

func TestRemedies(t *testing.T) {
	for _, row := range remedies {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, overMockim, row.mode, func(w *world) {
				err := row.meet(w)
				w.fails(err, row.code)
				w.pointsAt(engine.CodeOf(err).Remedy(), row.says)
				w.must(row.do(w)())
				w.succeeded(row.accid)
			})
		})
	}
}

// succeeded asserts that the kit is logged in over accid, in the engine and in
// the cloud; "" means the temporary account that the cloud made.
func (w *world) succeeded(accid string) {
	w.t.Helper()
	s := w.engine.Status()
	if s.State != kitLoggedIn || s.Anonymous != (accid == "") {
		w.t.Errorf("the state is %v, anonymous %v", s.State, s.Anonymous)
	}
	if accid == "" {
		accid = w.host.LoggedIn()
	}
	if accid == "" || s.Accid != accid || w.host.LoggedIn() != accid {
		w.t.Errorf("the engine has %q, the cloud %q, want %q", s.Accid, w.host.LoggedIn(), accid)
	}
}

// A remedy may meet the next error, whose own remedy then helps.
func TestRemediesOneByOne(t *testing.T) {
	t.Run("100004 before IM is initialised", func(t *testing.T) {
		inWorld(t, overMockim, reuseIM, func(w *world) {
			w.fails(w.loginKit(), engine.ErrIMNotLoggedIn)
			err := w.engine.LoginIM(w.ctx, imAccount)
			w.fails(err, engine.ErrState)
			w.pointsAt(engine.CodeOf(err).Remedy(), "Do the step that the message names")
			w.pointsAt(err.Error(), "call InitIM first")
			w.must(w.engine.InitIM(w.ctx))
			w.must(w.engine.LoginIM(w.ctx, imAccount))
			w.must(w.loginKit())
			w.succeeded("myaccid")
		})
	})
	t.Run("112001 while the host is logged in", func(t *testing.T) {
		inWorld(t, overMockim, reuseIM, func(w *world) {
			w.fails(meetNoAnonymous(w), engine.ErrReuseNoAnonymous)
			w.nextApp(autoLogin)
			err := w.anonymous()
			w.fails(err, engine.ErrIMInUse)
			w.pointsAt(engine.CodeOf(err).Remedy(), "Log IM out first (call LogoutIM,")
			w.must(w.engine.LogoutIM(w.ctx))
			w.must(w.anonymous())
			w.succeeded("")
		})
	})
	t.Run("100005 with a wrong imToken", func(t *testing.T) {
		inWorld(t, overMockim, reuseIM, func(w *world) {
			w.fails(meetMismatch(w), engine.ErrIMAccountMismatch)
			_, err := w.cloud.CreateKitAccount(secondIM.Accid, imAccount.Token)
			if !errors.Is(err, engine.ErrTokenRejected) {
				t.Fatalf("another's imToken: %v, want %v", err, engine.ErrTokenRejected)
			}
			w.pointsAt(engine.CodeOf(err).Remedy(), "current token")
			again, err := w.cloud.CreateKitAccount(secondIM.Accid, secondIM.Token)
			w.must(err)
			w.must(w.engine.LoginKit(w.ctx, again))
			w.succeeded("other")
		})
	})
}
