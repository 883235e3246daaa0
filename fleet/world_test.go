package fleet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

const (
	appKey = "app1"
	bucket = "leases"

	shortTTL = 3 * time.Second
	longTTL  = 10 * time.Minute // a lease that ends within a test was given back

	aliceKey = "alice=40example=2ecom"
)

var (
	alice = engine.IMAccount{Accid: "Alice@example.com", Token: "alice-token"}
	bob   = engine.IMAccount{Accid: "bob", Token: "bob-token"}

	kitAlice = engine.KitAccount{UserUUID: "user-alice", Token: "kit-alice-token"}
	kitBob   = engine.KitAccount{UserUUID: "user-bob", Token: "kit-bob-token"}
)

func newCloud() *mockim.Service {
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: appKey})
	cloud.AddIM(alice)
	cloud.AddIM(bob)
	cloud.Bind(kitAlice, alice.Accid)
	cloud.Bind(kitBob, bob.Accid)
	return cloud
}

// newFleet joins a fleet until the test ends.
func newFleet(t testing.TB, js jetstream.JetStream, owner string, ttl time.Duration) *fleet.Fleet {
	t.Helper()
	f, err := fleet.New(t.Context(), js, fleet.Options{Bucket: bucket, Owner: owner, TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// A phone is a device of the cloud under the leases of a fleet.
type phone struct {
	*fleet.IM
	device *mockim.Device
}

func newPhone(t testing.TB, f *fleet.Fleet, cloud *mockim.Service) *phone {
	t.Helper()
	device := cloud.Device()
	p := &phone{f.IM(device), device}
	wantError(t, "InitIM", p.InitIM(t.Context(), appKey), nil)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func (p *phone) logins() int {
	return len(slices.DeleteFunc(p.device.Calls(), func(call string) bool { return !strings.HasPrefix(call, "LoginIM") }))
}

// A listener keeps what the Notify of one login reported.
type listener struct {
	onLost func(cause error)
	token  func(context.Context) (string, error)

	mu    sync.Mutex
	lost  []error
	links []bool
}

func (l *listener) notify() engine.Notify {
	return engine.Notify{
		Lost: func(cause error) {
			if l.onLost != nil {
				l.onLost(cause)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.lost = append(l.lost, cause)
		},
		Link:  func(online bool) { l.mu.Lock(); defer l.mu.Unlock(); l.links = append(l.links, online) },
		Token: l.token,
	}
}

func (l *listener) losses() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lost)
}

// waitLost waits for the loss of the login and checks its code. There must be no
// other.
func (l *listener) waitLost(t testing.TB, want error) error {
	t.Helper()
	until(t, "the login is lost", func() bool { return len(l.losses()) > 0 })
	lost := l.losses()
	if len(lost) != 1 || engine.CodeOf(lost[0]) != want {
		t.Fatalf("Lost: got %v, want once %v", lost, want)
	}
	return lost[0]
}

// An imUnderTest is a phone, or a fleet's IM over a script.
type imUnderTest interface {
	LoginIM(context.Context, engine.IMAccount, engine.Notify) error
}

func mustLogIn(t testing.TB, im imUnderTest, a engine.IMAccount) *listener {
	t.Helper()
	l := new(listener)
	if err := im.LoginIM(t.Context(), a, l.notify()); err != nil {
		t.Fatalf("LoginIM: %v", err)
	}
	return l
}

func wantHolder(t testing.TB, f *fleet.Fleet, accid, want string) {
	t.Helper()
	got, err := f.Holder(t.Context(), accid)
	if err != nil || got != want {
		t.Errorf("Holder of %s: got %q and %v, want %q", accid, got, err, want)
	}
}

func untilHolder(t testing.TB, f *fleet.Fleet, accid, want string) {
	t.Helper()
	until(t, accid+" is held by "+want, func() bool {
		got, err := f.Holder(t.Context(), accid)
		return err == nil && got == want
	})
}

func wantLoggedIn(t testing.TB, p *phone, want string) {
	t.Helper()
	if got := p.device.LoggedIn(); !strings.EqualFold(got, want) {
		t.Errorf("the device is logged in as %q, want %q", got, want)
	}
}

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// wantInUse fails unless err is ErrIMInUse and names the owner.
func wantInUse(t testing.TB, what string, err error, owner string) {
	t.Helper()
	wantError(t, what, err, engine.ErrIMInUse)
	if err != nil && !strings.Contains(err.Error(), owner) {
		t.Errorf("%s: %q does not name the owner %s", what, err, owner)
	}
}
