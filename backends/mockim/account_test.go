package mockim_test

import (
	"errors"
	"regexp"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

func TestCreateKitAccount(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	rows := []struct {
		name, accid, token string
		want               error
	}{
		{"bound", "alice", alice.Token, nil},
		{"bound in another case", "ALICE", alice.Token, nil},
		{"wrong token", "alice", "wrong", engine.ErrTokenRejected},
		{"no token", "alice", "", engine.ErrTokenRejected},
		{"unknown account", "nobody", "token", engine.ErrTokenRejected},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			k, err := s.CreateKitAccount(row.accid, row.token)
			if wantErr(t, err, row.want); row.want != nil {
				if k != (engine.KitAccount{}) {
					t.Errorf("got %v along with the error", k)
				}
				return
			}
			bound, err := s.Device().Authenticate(t.Context(), k)
			if want := (engine.IMAccount{AppKey: appKey, Accid: "alice", Token: alice.Token}); bound != want || err != nil {
				t.Errorf("it is bound to %v, %v; want %v", bound, err, want)
			}
		})
	}
}

// Without an accid, the server makes the IM account itself
// (docs/vendor/guides.md, G11).
func TestCreateKitAccountWithIM(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	first, err := s.CreateKitAccount("", "")
	must(t, err)
	second, err := s.CreateKitAccount("", "")
	must(t, err)
	if first == second {
		t.Errorf("the same account twice: %v", first)
	}
	if made := regexp.MustCompile(`^[0-9a-f]{32}$`); !made.MatchString(first.UserUUID) || !made.MatchString(first.Token) {
		t.Errorf("the account %v does not have the vendor's form", first)
	}
	d := initialised(t, s)
	bound, err := d.Authenticate(t.Context(), first)
	must(t, err)
	must(t, d.LoginIM(t.Context(), bound, engine.Notify{}))
	wantLoggedIn(t, d, bound.Accid)
}

func TestBind(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d := initialised(t, s)
	bound := func(k engine.KitAccount) string {
		a, err := d.Authenticate(t.Context(), k)
		must(t, err)
		return a.Accid
	}
	if got := bound(kitAlice); got != "alice" {
		t.Errorf("bound to %q, want alice", got)
	}
	s.Bind(kitAlice, "BOB")
	if got := bound(kitAlice); got != "bob" {
		t.Errorf("bound again to %q, want bob", got)
	}

	s.Bind(kitAlice, "")
	a, err := d.Authenticate(t.Context(), kitAlice)
	wantErr(t, err, engine.ErrNoIMAccount)
	if a != (engine.IMAccount{}) {
		t.Errorf("got %v along with the error", a)
	}

	s.Bind(kitAlice, nobody.Accid)
	a, err = d.Authenticate(t.Context(), kitAlice)
	must(t, err)
	wantErr(t, d.LoginIM(t.Context(), a, engine.Notify{}), engine.ErrTokenRejected)
	wantLoggedIn(t, d, "")

	renewed := engine.KitAccount{UserUUID: kitAlice.UserUUID, Token: "new-" + secret}
	s.Bind(renewed, "alice")
	if got := bound(renewed); got != "alice" {
		t.Errorf("with a new token bound to %q, want alice", got)
	}
	_, err = d.Authenticate(t.Context(), kitAlice)
	wantErr(t, err, engine.ErrTokenRejected)
}

func TestAuthenticateRefuses(t *testing.T) {
	d := newService(mockim.ServiceOptions{}).Device()
	for name, k := range map[string]engine.KitAccount{
		"unknown account":    {UserUUID: "user9", Token: secret},
		"wrong token":        {UserUUID: kitAlice.UserUUID, Token: "wrong"},
		"another's token":    {UserUUID: kitAlice.UserUUID, Token: kitBob.Token},
		"the IM token":       {UserUUID: kitAlice.UserUUID, Token: alice.Token},
		"an IM account's id": {UserUUID: alice.Accid, Token: alice.Token},
		"nothing":            {},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.Authenticate(t.Context(), k)
			wantErr(t, err, engine.ErrTokenRejected)
			wantErr(t, d.LoginKit(t.Context(), k, engine.Notify{}), engine.ErrTokenRejected)
		})
	}
}

func TestFindIM(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	renewed := engine.IMAccount{AppKey: "app2", Accid: "bob", Token: "new-" + secret}
	s.AddIM(renewed)
	rows := []struct {
		name, accid string
		want        engine.IMAccount
		found       bool
	}{
		{"as it was added", "Alice", engine.IMAccount{AppKey: appKey, Accid: "alice", Token: "im-" + secret}, true},
		{"in another case", "ALICE", engine.IMAccount{AppKey: appKey, Accid: "alice", Token: "im-" + secret}, true},
		{"with a new token", "bob", renewed, true},
		{"unknown", "nobody", engine.IMAccount{}, false},
		{"a kit account", "user1", engine.IMAccount{}, false},
		{"nothing", "", engine.IMAccount{}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got, found := s.FindIM(row.accid); got != row.want || found != row.found {
				t.Errorf("got %q of %q, %t; want %q of %q, %t", got.Accid, got.AppKey, found, row.want.Accid, row.want.AppKey, row.found)
			}
		})
	}
}

func TestFindKit(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	s.Bind(engine.KitAccount{UserUUID: "user2", Token: "new-" + secret}, "Alice")
	s.Bind(engine.KitAccount{UserUUID: "Unbound", Token: secret}, "")
	rows := []struct {
		name, user string
		want       engine.KitAccount
		accid      string
		found      bool
	}{
		{"as it was bound", "User1", engine.KitAccount{UserUUID: "user1", Token: "kit-" + secret}, "alice", true},
		{"in another case", "USER1", engine.KitAccount{UserUUID: "user1", Token: "kit-" + secret}, "alice", true},
		{"bound again", "user2", engine.KitAccount{UserUUID: "user2", Token: "new-" + secret}, "alice", true},
		{"bound to nothing", "unbound", engine.KitAccount{UserUUID: "unbound", Token: secret}, "", true},
		{"unknown", "user9", engine.KitAccount{}, "", false},
		{"an IM account", "alice", engine.KitAccount{}, "", false},
		{"nothing", "", engine.KitAccount{}, "", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, accid, found := s.FindKit(row.user)
			if got != row.want || accid != row.accid || found != row.found {
				t.Errorf("got %q bound to %q, %t; want %q bound to %q, %t", got.UserUUID, accid, found, row.want.UserUUID, row.accid, row.found)
			}
		})
	}
}

// A new token for an account ends no login.
func TestAddIMRenewsToken(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d, n := loggedIn(t, s, alice)
	renewed := engine.IMAccount{Accid: "alice", Token: "new-" + secret}
	s.AddIM(renewed)
	wantLoggedIn(t, d, "alice")
	wantLost(t, n)
	must(t, d.LogoutIM(t.Context()))
	wantErr(t, d.LoginIM(t.Context(), alice, engine.Notify{}), engine.ErrTokenRejected)
	must(t, d.LoginIM(t.Context(), renewed, engine.Notify{}))
}

func TestNoAnonymous(t *testing.T) {
	d := newService(mockim.ServiceOptions{NoAnonymous: true}).Device()
	k, err := d.Anonymous(t.Context())
	wantErr(t, err, errors.ErrUnsupported)
	if k != (engine.KitAccount{}) {
		t.Errorf("got %v along with the error", k)
	}
}

// The service, InitIM, the account in the cloud and the account of the login
// may each name an AppKey.
func TestAppKeys(t *testing.T) {
	rows := []struct {
		name                      string
		service, registered       string // the AppKeys of the cloud, and of the account in it
		initialise, again, login  string
		wantInit, wantAgain, want error
	}{
		{name: "the same everywhere", service: "app1", initialise: "app1", again: "app1", login: "app1"},
		{name: "the login names none", service: "app1", initialise: "app1", again: "app1"},
		{name: "the service serves any", initialise: "app1", again: "app1", login: "app1"},
		{name: "not the service's", service: "app1", initialise: "app2", again: "app1", wantInit: engine.ErrAppKeyMismatch},
		{name: "another one later", initialise: "app1", again: "app2", wantAgain: engine.ErrAppKeyMismatch},
		{name: "the login's own", service: "app1", initialise: "app1", again: "app1", login: "app2", want: engine.ErrAppKeyMismatch},
		{name: "an account of another app", registered: "app2", initialise: "app1", again: "app1", want: engine.ErrTokenRejected},
		{name: "an account of this app", registered: "app2", initialise: "app2", again: "app2"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := mockim.NewService(mockim.ServiceOptions{AppKey: row.service})
			s.AddIM(engine.IMAccount{AppKey: row.registered, Accid: "alice", Token: secret})
			d := s.Device()
			wantErr(t, d.InitIM(t.Context(), row.initialise), row.wantInit)
			wantErr(t, d.InitIM(t.Context(), row.again), row.wantAgain)
			err := d.LoginIM(t.Context(), engine.IMAccount{AppKey: row.login, Accid: "alice", Token: secret}, engine.Notify{})
			wantErr(t, err, row.want)
		})
	}
}

// The engine and the host must use the same AppKey.
func TestAppKeyOfHost(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d := s.Device()
	must(t, d.HostInit(t.Context()))
	must(t, d.HostInit(t.Context()))
	wantErr(t, d.InitIM(t.Context(), "app2"), engine.ErrAppKeyMismatch)
	must(t, d.InitIM(t.Context(), appKey))

	other := mockim.NewService(mockim.ServiceOptions{}).Device()
	must(t, other.InitIM(t.Context(), "app2"))
	must(t, other.HostInit(t.Context())) // keeps the AppKey that IM has
	must(t, other.InitIM(t.Context(), "app2"))
}

func TestBoundAppKey(t *testing.T) {
	s := mockim.NewService(mockim.ServiceOptions{})
	s.AddIM(engine.IMAccount{AppKey: "app2", Accid: "alice", Token: secret})
	k, err := s.CreateKitAccount("alice", secret)
	must(t, err)
	got, err := s.Device().Authenticate(t.Context(), k)
	if want := (engine.IMAccount{AppKey: "app2", Accid: "alice", Token: secret}); got != want || err != nil {
		t.Errorf("AppKey %q, %v; want %q", got.AppKey, err, want.AppKey)
	}
}

func TestRemoveKit(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	im, kit := s.Device(), s.Device()
	if err := errors.Join(im.HostInit(t.Context()), im.HostLogin(t.Context(), alice)); err != nil {
		t.Fatal(err)
	}
	var lost error
	if err := kit.LoginKit(t.Context(), kitAlice, engine.Notify{Lost: func(cause error) { lost = cause }}); err != nil {
		t.Fatal(err)
	}
	if s.RemoveKit(kitAlice.UserUUID) {
		t.Error("an account that is logged in to IM was removed")
	}
	if _, found := s.FindIM(alice.Accid); !found || lost != nil {
		t.Errorf("the IM account is there: %t, the kit session ended with %v", found, lost)
	}
	if err := im.HostLogout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !s.RemoveKit("USER1") {
		t.Error("an account that is logged out was not removed")
	}
	_, foundIM := s.FindIM(alice.Accid)
	_, _, foundKit := s.FindKit(kitAlice.UserUUID)
	if foundIM || foundKit || !errors.Is(lost, engine.ErrTokenRejected) {
		t.Errorf("IM account %t, kit account %t, the session ended with %v", foundIM, foundKit, lost)
	}
	if _, _, found := s.FindKit(kitBob.UserUUID); !found {
		t.Error("another account is gone too")
	}
	if !s.RemoveKit("User1") {
		t.Error("an account that is gone is not reported as gone")
	}
}
