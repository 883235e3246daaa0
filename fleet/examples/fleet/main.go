// Fleet keeps many kit accounts logged in, on as many machines as run it: a program
// to copy from. Each account is logged in on one machine. If that machine dies,
// another one takes over.
//
// Engine.KeepKit keeps one account logged in, as in examples/bot of the main
// module. While another machine holds the account, KeepKit fails with
// engine.ErrIMInUse; then Fleet.Wait waits until it is free, and KeepKit is called
// again. Any other error of KeepKit, such as a kick, ends that account, and the
// log says what to do.
//
// SIGTERM and SIGINT log everything out and give the leases back, so that other
// machines take over at once. A second signal ends the program at once.
//
// Without -nats, the program runs a NATS server of its own at 127.0.0.1:4222: one
// machine, and further processes with -nats nats://127.0.0.1:4222. For three
// machines see the README of fleet.
//
// Each line of the file -accounts is an accid, a userUuid and a kit token, with
// spaces between them. The other settings come from the environment. The log is
// JSON on stderr, and never has a token in it.
//
//	IMREUSE_APP_KEY         of the app
//	IMREUSE_GATEWAY_URL     this machine's IM gateway: see "imreuse gateway -h"
//	IMREUSE_GATEWAY_SECRET  its secret
//	IMREUSE_KIT_URL         optional: a kit server other than the vendor's
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

var log = slog.New(slog.NewJSONHandler(os.Stderr, nil))

func main() {
	natsURL := flag.String("nats", "", "`URLs` of the NATS servers, with commas between them; default: a server of its own")
	store := flag.String("store", "nats-store", "the `folder` of its own server")
	path := flag.String("accounts", "accounts.txt", "the `file` with the accounts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	accounts, err := readAccounts(*path)
	exitOn(err)
	if *natsURL == "" {
		own, err := startNATS(*store)
		exitOn(err)
		defer own.WaitForShutdown()
		defer own.Shutdown()
		*natsURL = own.ClientURL()
	}
	exitOn(run(ctx, *natsURL, accounts))
}

func startNATS(store string) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: 4222, JetStream: true, StoreDir: store, NoSigs: true})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, errors.New("the NATS server takes no connections; is its port 4222 in use?")
	}
	return s, nil
}

type account struct {
	accid string
	kit   engine.KitAccount
}

func readAccounts(path string) (accounts []account, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var a account
		if _, err := fmt.Sscan(lines.Text(), &a.accid, &a.kit.UserUUID, &a.kit.Token); err != nil {
			return nil, fmt.Errorf("%s: account %d: want an accid, a userUuid and a kit token", path, len(accounts)+1)
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// run keeps the accounts logged in until ctx ends.
func run(ctx context.Context, natsURL string, accounts []account) error {
	// The defaults of the client give up after two minutes without a server.
	nc, err := nats.Connect(natsURL, nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	f, err := fleet.New(ctx, js, fleet.Options{Logger: log})
	if err != nil {
		return err
	}
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()} // one for all
	defer client.CloseIdleConnections()
	var bots sync.WaitGroup
	for _, a := range accounts {
		bots.Go(func() {
			if err := keep(ctx, f, client, a); err != nil && ctx.Err() == nil {
				log.Error("a bot ends", "accid", a.accid, "error", err, "remedy", engine.CodeOf(err).Remedy())
			}
		})
	}
	bots.Wait()
	return f.Close()
}

// keep keeps one account logged in, whenever no other machine does.
func keep(ctx context.Context, f *fleet.Fleet, client *http.Client, a account) error {
	o := nimhttp.Options{
		AppKey: os.Getenv("IMREUSE_APP_KEY"), KitURL: os.Getenv("IMREUSE_KIT_URL"), HTTPClient: client,
		GatewayURL: os.Getenv("IMREUSE_GATEWAY_URL"), GatewaySecret: os.Getenv("IMREUSE_GATEWAY_SECRET"),
	}
	kit, err := nimhttp.NewKit(o)
	if err != nil {
		return err
	}
	im, err := nimhttp.NewIM(o)
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Join(f.IM(im), kit), o.AppKey, &engine.Options{Mode: engine.AutoLogin, Logger: log})
	if err != nil {
		return err
	}
	defer e.Close() // logs out, and gives the lease back
	for {
		err := e.KeepKit(ctx, a.kit)
		if !errors.Is(err, engine.ErrIMInUse) {
			return err
		}
		if err := f.Wait(ctx, a.accid); err != nil {
			return err
		}
		// Whoever is first gets it. The pause spreads the logins after a machine
		// has died, and is needed if IM is in use for another reason.
		select {
		case <-time.After(rand.N(time.Second)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func exitOn(err error) {
	if err != nil {
		log.Error("the fleet ends", "error", err, "remedy", engine.CodeOf(err).Remedy())
		os.Exit(1)
	}
}
