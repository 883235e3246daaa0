package fleet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

// This file is a worker: a process that keeps as many of the accounts logged in
// as the fleet lets it.

// runRole runs the process that the environment asks for.
func runRole(role string) {
	accounts, err := strconv.Atoi(os.Getenv("FLEET_ACCOUNTS"))
	if err != nil {
		panic(err)
	}
	if role == "cloud" {
		runCloud(accounts)
		return
	}
	ttl, err := time.ParseDuration(os.Getenv("FLEET_TTL"))
	if err != nil {
		panic(err)
	}
	if err := runWorker(os.Getenv("FLEET_WORKER"), accounts, ttl); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runWorker prints "ready". After that it answers each line of stdin: "forward"
// and "backward" start the logins, from the first account or from the last;
// "count" prints how many it holds; the end of stdin logs them out.
func runWorker(name string, accounts int, ttl time.Duration) error {
	nc, err := nats.Connect(os.Getenv("FLEET_NATS"), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("worker", name)
	f, err := fleet.New(context.Background(), js, fleet.Options{Bucket: bucket, Owner: name, TTL: ttl, Logger: log})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &worker{fleet: f, client: newCloudClient(os.Getenv("FLEET_CLOUD"), name), log: log}
	var work sync.WaitGroup
	work.Go(func() { _ = w.client.follow(ctx) })
	pace := time.NewTicker(5 * time.Millisecond) // so that two workers share the accounts
	defer pace.Stop()
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "forward", "backward":
			for i := range accounts {
				if lines.Text() == "backward" {
					i = accounts - 1 - i
				}
				work.Go(func() { w.keep(ctx, account(i)) })
				<-pace.C
			}
		case "count":
			fmt.Println(w.count())
		}
	}
	stop()
	work.Wait()
	return f.Close()
}

type worker struct {
	fleet  *fleet.Fleet
	client *cloudClient
	log    *slog.Logger

	mu      sync.Mutex
	engines []*engine.Engine
}

// keep is what every host of a fleet does for each of its bots.
func (w *worker) keep(ctx context.Context, a engine.IMAccount) {
	kits := mockim.NewService(mockim.ServiceOptions{AppKey: appKey})
	kits.AddIM(a)
	kit := engine.KitAccount{UserUUID: "user-" + a.Accid, Token: "kit-token"}
	kits.Bind(kit, a.Accid)
	im := w.fleet.IM(&cloudIM{w.client, a.Accid})
	e, err := engine.New(engine.Join(im, kits.Device()), appKey, &engine.Options{Mode: engine.AutoLogin})
	if err != nil {
		panic(err)
	}
	w.mu.Lock()
	w.engines = append(w.engines, e)
	w.mu.Unlock()
	defer e.Close()
	for ctx.Err() == nil {
		err := e.KeepKit(ctx, kit)
		if errors.Is(err, engine.ErrIMInUse) {
			err = w.fleet.Wait(ctx, a.Accid)
		}
		if err != nil && ctx.Err() == nil {
			w.log.Error("given up", "accid", a.Accid, "error", err)
			return
		}
	}
}

// count returns how many engines are logged in.
func (w *worker) count() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.engines {
		if e.Status().State == engine.KitLoggedIn {
			n++
		}
	}
	return n
}
