package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const accounts = 10

// Two machines run the program over one kit server and one gateway. They share the
// accounts; when one of them ends, the other has them all.
func TestTwoMachines(t *testing.T) {
	world := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	var lines strings.Builder
	for i := range accounts {
		im := engine.IMAccount{Accid: fmt.Sprint("bot", i), Token: fmt.Sprint("im-token-", i)}
		world.AddIM(im)
		kit, err := world.CreateKitAccount(im.Accid, im.Token)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&lines, im.Accid, kit.UserUUID, kit.Token)
	}
	path := filepath.Join(t.TempDir(), "accounts.txt")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cloud := nimhttptest.New(t, nimhttptest.Options{World: world, AppKey: "app1"})
	t.Setenv("IMREUSE_APP_KEY", "app1")
	t.Setenv("IMREUSE_KIT_URL", cloud.KitURL())
	t.Setenv("IMREUSE_GATEWAY_URL", cloud.GatewayURL())
	t.Setenv("IMREUSE_GATEWAY_SECRET", cloud.GatewaySecret())
	url := startServer(t)
	list, err := readAccounts(path)
	if err != nil || len(list) != accounts {
		t.Fatalf("read %d accounts (%v), want %d", len(list), err, accounts)
	}

	one, two := startMachine(t, url, list), startMachine(t, url, list)
	held := observe(t, url, list)
	until(t, "all accounts are logged in", func() bool { return total(held()) == accounts })
	one.stop(t)
	until(t, "the other machine has them all", func() bool {
		now := held()
		return len(now) == 1 && total(now) == accounts
	})
	two.stop(t)
	if now := held(); total(now) != 0 {
		t.Errorf("after both ended, leases are held: %v", now)
	}
}

func TestBadAccounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.txt")
	if err := os.WriteFile(path, []byte("alice user-only-and-a-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := readAccounts(path)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("readAccounts: got %v, want an error that shows no line of the file", err)
	}
	if _, err := readAccounts(path + "x"); err == nil {
		t.Error("readAccounts of a file that is missing succeeded")
	}
}

type machine struct {
	cancel context.CancelFunc
	done   chan error
}

func startMachine(t *testing.T, url string, list []account) *machine {
	ctx, cancel := context.WithCancel(context.Background())
	m := &machine{cancel, make(chan error, 1)}
	go func() { m.done <- run(ctx, url, list) }()
	t.Cleanup(cancel)
	return m
}

func (m *machine) stop(t *testing.T) {
	t.Helper()
	m.cancel()
	if err := <-m.done; err != nil {
		t.Errorf("the machine ended with %v", err)
	}
}

func startServer(t *testing.T) (url string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("NATS takes no connections")
	}
	return s.ClientURL()
}

// observe returns a function that counts the accounts that each owner holds.
func observe(t *testing.T, url string, list []account) func() map[string]int {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fleet.New(t.Context(), js, fleet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return func() map[string]int {
		held := map[string]int{}
		for _, a := range list {
			owner, err := f.Holder(t.Context(), a.accid)
			if err != nil {
				t.Fatal(err)
			}
			if owner != "" {
				held[owner]++
			}
		}
		return held
	}
}

func total(held map[string]int) (n int) {
	for _, accounts := range held {
		n += accounts
	}
	return n
}

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	const patience = 30 * time.Second
	end := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
