package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

// Two machines have the same account. The second one waits until the first one
// logs out. NATS runs inside this program.
func Example() {
	store, err := os.MkdirTemp("", "nats")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(store)
	ns, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: store, NoSigs: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	ns.Start()
	defer ns.WaitForShutdown()
	defer ns.Shutdown()
	if !ns.ReadyForConnections(10 * time.Second) {
		fmt.Println("NATS does not start")
		return
	}
	nc, err := nats.Connect("", nats.InProcessServer(ns)) // elsewhere: the URLs of your servers
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	if err := twoMachines(context.Background(), nc); err != nil {
		fmt.Println(err)
	}
	// Output:
	// the first machine is logged in
	// the second machine waits: alice is held by machine-1
	// the second machine is logged in
}

func twoMachines(ctx context.Context, nc *nats.Conn) error {
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"}) // yours is a real one
	cloud.AddIM(engine.IMAccount{Accid: "alice", Token: "im-token"})
	bot, err := cloud.CreateKitAccount("alice", "im-token")
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	first, err := newMachine(ctx, js, cloud, "machine-1")
	if err != nil {
		return err
	}
	defer first.close()
	second, err := newMachine(ctx, js, cloud, "machine-2")
	if err != nil {
		return err
	}
	defer second.close()

	if err := first.engine.LoginKit(ctx, bot); err != nil {
		return err
	}
	fmt.Println("the first machine is logged in")

	err = second.engine.LoginKit(ctx, bot)
	if !errors.Is(err, engine.ErrIMInUse) {
		return err
	}
	owner, err := second.fleet.Holder(ctx, "alice")
	if err != nil {
		return err
	}
	fmt.Println("the second machine waits: alice is held by", owner)

	if err := first.engine.LogoutKit(ctx); err != nil { // or the machine dies
		return err
	}
	if err := second.fleet.Wait(ctx, "alice"); err != nil {
		return err
	}
	if err := second.engine.LoginKit(ctx, bot); err != nil {
		return err
	}
	fmt.Println("the second machine is logged in")
	return nil
}

// A machine is a process of the fleet, with one engine.
type machine struct {
	fleet  *fleet.Fleet
	engine *engine.Engine
}

func newMachine(ctx context.Context, js jetstream.JetStream, cloud *mockim.Service, name string) (machine, error) {
	f, err := fleet.New(ctx, js, fleet.Options{Owner: name})
	if err != nil {
		return machine{}, err
	}
	device := cloud.Device()
	e, err := engine.New(engine.Join(f.IM(device), device), "app1", nil)
	return machine{f, e}, err
}

func (m machine) close() {
	_ = m.engine.Close()
	_ = m.fleet.Close()
}
