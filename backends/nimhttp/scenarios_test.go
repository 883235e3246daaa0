package nimhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// requests returns the calls that reached the kit server, in order.
func (o *office) requests() string {
	var names []string
	for _, r := range o.server.Requests() {
		_, name, _ := strings.Cut(r.Path, "/v1/")
		names = append(names, name)
	}
	return fmt.Sprint(names)
}

// hostLogin is the app's own IM client.
func (o *office) hostLogin(t *testing.T, a engine.IMAccount) {
	t.Helper()
	if err := errors.Join(o.device.HostInit(t.Context()), o.device.HostLogin(t.Context(), a)); err != nil {
		t.Fatal(err)
	}
}

// The scenarios that involve the kit server, over HTTP. Each row begins with
// the number of its scenario.
func TestScenarios(t *testing.T) {
	login := func(a engine.KitAccount) func(context.Context, *engine.Engine) error {
		return func(ctx context.Context, e *engine.Engine) error { return e.LoginKit(ctx, a) }
	}
	anonymous := func(ctx context.Context, e *engine.Engine) error { return e.LoginAnonymous(ctx) }
	nothing := func(*testing.T, *office) {}
	aliceIn := func(t *testing.T, o *office) { o.hostLogin(t, alice) }
	bobIn := func(t *testing.T, o *office) { o.hostLogin(t, bob) }
	initialised := func(t *testing.T, o *office) {
		if err := o.device.HostInit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	unreachable := func(t *testing.T, o *office) {
		o.hostLogin(t, alice)
		o.server.Fault(nimhttptest.Fault{Path: "login", Times: 1, Status: http.StatusInternalServerError})
	}
	wrong := engine.KitAccount{UserUUID: kitAlice.UserUUID, Token: "wrong"}

	const up, reused = "[InitIM LoginIM alice]", "[]"
	tests := []struct {
		id, name string
		mode     engine.Mode
		given    func(*testing.T, *office)
		when     func(context.Context, *engine.Engine) error
		want     engine.Code
		state    engine.State
		reused   bool
		requests string // to the kit server
		im       string // the engine's calls of IM
	}{
		{"A1", "reuse", engine.ReuseIM, aliceIn, login(kitAlice), 0, engine.KitLoggedIn, true, "[login]", reused},
		{"A2", "auto-login", engine.AutoLogin, nothing, login(kitAlice), 0, engine.KitLoggedIn, false, "[login]", up},
		{"A3", "detected", engine.AutoDetect, aliceIn, login(kitAlice), 0, engine.KitLoggedIn, true, "[login]", reused},
		{"A4", "not detected", engine.AutoDetect, nothing, login(kitAlice), 0, engine.KitLoggedIn, false, "[login]", up},
		{"B3", "nothing initialised", engine.ReuseIM, nothing, login(kitAlice), engine.ErrIMNotLoggedIn, engine.Uninitialized, false, "[]", "[]"},
		{"B7", "reuse is off", engine.AutoLogin, aliceIn, login(kitAlice), engine.ErrIMInUse, engine.IMLoggedIn, false, "[]", "[]"},
		{"C1", "not bound", engine.ReuseIM, bobIn, login(kitAlice), engine.ErrIMAccountMismatch, engine.IMLoggedIn, false, "[login]", "[]"},
		{"C3", "wrong kit token", engine.ReuseIM, aliceIn, login(wrong), engine.ErrTokenRejected, engine.IMLoggedIn, false, "[login]", "[]"},
		{"C5", "accid is not the userUuid", engine.ReuseIM, bobIn, login(kitBob), 0, engine.KitLoggedIn, true, "[login]", "[]"},
		{"C6", "not logged in", engine.ReuseIM, initialised, login(wrong), engine.ErrIMNotLoggedIn, engine.Uninitialized, false, "[]", "[]"},
		{"C7", "detected another", engine.AutoDetect, bobIn, login(kitAlice), engine.ErrIMAccountMismatch, engine.IMLoggedIn, false, "[login]", "[]"},
		{"C8", "bound to none", engine.AutoLogin, nothing, login(unbound), engine.ErrNoIMAccount, engine.Uninitialized, false, "[login]", "[]"},
		{"D1", "anonymous and reuse", engine.ReuseIM, aliceIn, anonymous, engine.ErrReuseNoAnonymous, engine.IMLoggedIn, false, "[]", "[]"},
		{"D2", "anonymous", engine.AutoLogin, nothing, anonymous, 0, engine.KitLoggedIn, false, "[anonymous/login login]", "[InitIM LoginIM guest]"},
		{"D3", "anonymous, detected", engine.AutoDetect, aliceIn, anonymous, engine.ErrReuseNoAnonymous, engine.IMLoggedIn, false, "[]", "[]"},
		{"F8", "the server fails", engine.ReuseIM, unreachable, login(kitAlice), engine.ErrUnavailable, engine.IMLoggedIn, false, "[login]", "[]"},
	}
	for _, test := range tests {
		t.Run(test.id, func(t *testing.T) {
			o := newOffice(t, mockim.ServiceOptions{})
			test.given(t, o)
			e, err := engine.New(o.backend(), "app1", &engine.Options{Mode: test.mode})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			err = test.when(t.Context(), e)
			if got := engine.CodeOf(err); got != test.want || (err == nil) != (test.want == 0) {
				t.Errorf("%s: got %v, want code %d", test.name, err, int(test.want))
			}
			if s := e.Status(); s.State != test.state || s.Reused() != test.reused {
				t.Errorf("got %v, reused %t, want %v, %t", s.State, s.Reused(), test.state, test.reused)
			}
			if got := o.requests(); got != test.requests {
				t.Errorf("got requests %s, want %s", got, test.requests)
			}
			got := fmt.Sprint(o.device.Calls())
			if s := e.Status(); s.Anonymous {
				got = strings.Replace(got, s.Accid, "guest", 1)
			}
			if got != test.im {
				t.Errorf("got calls of IM %s, want %s", got, test.im)
			}
			if s := e.Status(); s.State >= engine.IMLoggedIn && s.Accid != o.device.LoggedIn() {
				t.Errorf("the engine says %q, the device %q", s.Accid, o.device.LoggedIn())
			}
		})
	}
}

// G6, G7 and G8: the service ends the kit session, and CheckToken finds that
// out.
func TestSessionEnds(t *testing.T) {
	tests := []struct {
		name  string
		mode  engine.Mode
		given func(*testing.T, *office)
		cause engine.Code
		state engine.State
		im    string // who is logged in to IM afterwards
	}{
		{"G6", engine.AutoLogin, func(*testing.T, *office) {}, engine.ErrTokenRejected, engine.IMInitialized, ""},
		{"G7", engine.ReuseIM, func(t *testing.T, o *office) { o.hostLogin(t, alice) }, engine.ErrTokenExpired, engine.IMLoggedIn, "alice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t, mockim.ServiceOptions{})
			test.given(t, o)
			e, err := engine.New(o.backend(), "app1", &engine.Options{Mode: test.mode})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if err := e.LoginKit(t.Context(), kitAlice); err != nil {
				t.Fatal(err)
			}
			if err := o.kit.CheckToken(t.Context()); err != nil {
				t.Errorf("while all is well: got %v", err)
			}
			o.cloud.EndKit(kitAlice.UserUUID, test.cause)
			if err := o.kit.CheckToken(t.Context()); !errors.Is(err, test.cause) {
				t.Errorf("got %v, want %v", err, test.cause)
			}
			for s := range e.Watch(t.Context()) { // until the engine has handled the loss
				if s.State == test.state {
					if !errors.Is(s.Cause, test.cause) {
						t.Errorf("got cause %v, want %v", s.Cause, test.cause)
					}
					break
				}
			}
			if got := o.device.LoggedIn(); got != test.im {
				t.Errorf("got %q logged in to IM, want %q", got, test.im)
			}
			o.cloud.Bind(engine.KitAccount{UserUUID: kitAlice.UserUUID, Token: "renewed"}, alice.Accid)
			if err := e.LoginKit(t.Context(), engine.KitAccount{UserUUID: kitAlice.UserUUID, Token: "renewed"}); err != nil {
				t.Errorf("with a new token: got %v", err)
			}
		})
	}
}

// L1 and I3: log in, log out, and log in with another account.
func TestSwitchAccounts(t *testing.T) {
	o := newOffice(t, mockim.ServiceOptions{})
	e, err := engine.New(o.backend(), "app1", &engine.Options{Mode: engine.AutoLogin})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, a := range []struct {
		kit engine.KitAccount
		im  string
	}{{kitAlice, "alice"}, {kitBob, "bob"}} {
		if err := e.LoginKit(t.Context(), a.kit); err != nil || o.device.LoggedIn() != a.im {
			t.Errorf("got %v and %q, want %q", err, o.device.LoggedIn(), a.im)
		}
		if err := e.LogoutKit(t.Context()); err != nil || o.device.LoggedIn() != "" {
			t.Errorf("got %v and %q, want nobody", err, o.device.LoggedIn())
		}
	}
	if got, want := o.requests(), "[login login]"; got != want {
		t.Errorf("got %s, want %s: logouts send nothing", got, want)
	}
}
