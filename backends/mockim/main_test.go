package mockim_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The tokens of all test accounts contain secret, so that a test can look for
// it where no token may be.
const (
	appKey = "app1"
	secret = "s3cr3t"
)

var (
	alice    = engine.IMAccount{Accid: "Alice", Token: "im-" + secret}
	bob      = engine.IMAccount{Accid: "bob", Token: "im2-" + secret}
	nobody   = engine.IMAccount{Accid: "nobody", Token: secret}
	kitAlice = engine.KitAccount{UserUUID: "User1", Token: "kit-" + secret} // bound to alice
	kitBob   = engine.KitAccount{UserUUID: "user2", Token: "kit2-" + secret}
)

// withWrongToken returns a with a token that is not its own.
func withWrongToken(a engine.IMAccount) engine.IMAccount {
	a.Token = "wrong-" + secret
	return a
}

// newService makes a cloud of appKey with alice and bob, and their kit
// accounts.
func newService(o mockim.ServiceOptions) *mockim.Service {
	o.AppKey = appKey
	s := mockim.NewService(o)
	s.AddIM(alice)
	s.AddIM(bob)
	s.Bind(kitAlice, alice.Accid)
	s.Bind(kitBob, bob.Accid)
	return s
}

// initialised makes a device on which the engine has initialised IM.
func initialised(t *testing.T, s *mockim.Service) *mockim.Device {
	t.Helper()
	d := s.Device()
	if err := d.InitIM(t.Context(), appKey); err != nil {
		t.Fatal(err)
	}
	return d
}

// loggedIn makes a device on which the engine has logged a in.
func loggedIn(t *testing.T, s *mockim.Service, a engine.IMAccount) (*mockim.Device, *news) {
	t.Helper()
	d, n := initialised(t, s), &news{}
	if err := d.LoginIM(t.Context(), a, n.notify()); err != nil {
		t.Fatal(err)
	}
	return d, n
}

// adopted makes a device on which the host has logged a in, and the engine has
// adopted that login.
func adopted(t *testing.T, s *mockim.Service, a engine.IMAccount) (*mockim.Device, *news) {
	t.Helper()
	d, n := initialised(t, s), &news{}
	must(t, d.HostLogin(t.Context(), a))
	wantAdopted(t, d, n, strings.ToLower(a.Accid))
	return d, n
}

// wantAdopted checks which account AdoptIM finds; "" means nobody.
func wantAdopted(t *testing.T, d *mockim.Device, n *news, accid string) {
	t.Helper()
	want := engine.IMAccount{AppKey: appKey, Accid: accid}
	if accid == "" {
		want = engine.IMAccount{}
	}
	got, err := d.AdoptIM(t.Context(), n.notify())
	if got != want || err != nil {
		t.Errorf("AdoptIM found %v, %v; want %v, without a token", got, err, want)
	}
}

// news records the reports to a Notify.
type news struct {
	mu    sync.Mutex
	lost  []error
	links []bool
}

func (n *news) notify() engine.Notify {
	return engine.Notify{
		Lost: func(cause error) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.lost = append(n.lost, cause)
		},
		Link: func(online bool) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.links = append(n.links, online)
		},
	}
}

// wantLost checks that these losses, compared with errors.Is, were reported to
// n, and no others.
func wantLost(t *testing.T, n *news, want ...error) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.EqualFunc(n.lost, want, errors.Is) {
		t.Errorf("lost %v, want %v", n.lost, want)
	}
}

func wantLinks(t *testing.T, n *news, want ...bool) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Equal(n.links, want) {
		t.Errorf("links %v, want %v", n.links, want)
	}
}

func wantLoggedIn(t *testing.T, d *mockim.Device, want string) {
	t.Helper()
	if got := d.LoggedIn(); got != want {
		t.Errorf("%q is logged in, want %q", got, want)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs f in a goroutine, and returns a channel for its result.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// wantWaits checks, in a bubble, that none of these calls has returned.
func wantWaits(t *testing.T, running ...<-chan error) {
	t.Helper()
	synctest.Wait()
	for i, done := range running {
		if len(done) > 0 {
			t.Fatalf("call %d does not wait: %v", i, <-done)
		}
	}
}
