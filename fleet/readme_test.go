//lint:file-ignore SA4006 the README leaves out some error handling

package fleet_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

// Two processes run the loop of the README for one account. The second one waits
// until the first one ends.
func TestReadmeLoop(t *testing.T) {
	t.Parallel()
	js, cloud := connect(t, newNATS(t)), newCloud()
	one, two := cloud.Device(), cloud.Device()
	isIn := func(d *mockim.Device) func() bool { return func() bool { return d.LoggedIn() != "" } }

	endOne := startLoop(t, js, one)
	until(t, "the first one is logged in", isIn(one))
	endTwo := startLoop(t, js, two)
	until(t, "the second one waits", func() bool {
		stream, err := js.Stream(t.Context(), "KV_imreuse")
		return err == nil && stream.CachedInfo().State.Consumers == 1
	})
	if isIn(two)() || !isIn(one)() {
		t.Error("the second one has not waited")
	}
	wantError(t, "the first loop", endOne(), context.Canceled)
	until(t, "the second one is logged in", isIn(two))
	wantError(t, "the second loop", endTwo(), context.Canceled)
}

// startLoop runs the loop on a device. end ends it and returns its error.
func startLoop(t *testing.T, js jetstream.JetStream, device *mockim.Device) (end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- readmeLoop(ctx, js, device) }()
	t.Cleanup(cancel)
	return func() error {
		cancel()
		return <-done
	}
}

func readmeLoop(ctx context.Context, js jetstream.JetStream, device *mockim.Device) error {
	im, kit, account, accid := device, device, kitAlice, alice.Accid

	f, err := fleet.New(ctx, js, fleet.Options{}) // js: a jetstream.JetStream
	e, err := engine.New(engine.Join(f.IM(im), kit), appKey, nil)
	for {
		err = e.KeepKit(ctx, account)
		if !errors.Is(err, engine.ErrIMInUse) {
			break // a kick, a ban, a logout, the end of ctx
		}
		if err = f.Wait(ctx, accid); err != nil { // another process holds it
			break
		}
	}

	return errors.Join(err, e.Close(), f.Close())
}

// A process of three machines.
func TestReadmeThreeMachines(t *testing.T) {
	t.Parallel()
	cluster, ctx := newNATSCluster(t), t.Context()
	var each []string
	for _, s := range cluster {
		each = append(each, s.ClientURL())
	}
	urls := strings.Join(each, ",")

	// urls is "nats://10.0.0.1:4222,nats://10.0.0.2:4222,nats://10.0.0.3:4222"
	nc, err := nats.Connect(urls, nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond))
	js, err := jetstream.New(nc)
	f, err := fleet.New(ctx, js, fleet.Options{TTL: 30 * time.Second})

	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	defer f.Close()
	kv, err := js.KeyValue(ctx, "imreuse")
	if err != nil {
		t.Fatal(err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := status.Config().Replicas; n != len(cluster) {
		t.Errorf("the bucket has %d copies, want %d", n, len(cluster))
	}
	p := newPhone(t, f, newCloud())
	l := mustLogIn(t, p, alice)
	cluster[0].stop() // any one of them may fail
	until(t, "the others answer", func() bool { return p.LogoutIM(ctx) == nil && p.LoginIM(ctx, alice, engine.Notify{}) == nil })
	if lost := l.losses(); len(lost) != 0 {
		t.Errorf("the login was lost: %v", lost)
	}
}
