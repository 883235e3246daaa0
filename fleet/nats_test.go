package fleet_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// This file starts NATS servers in the test process, with stores on disk.

// patience is the longest wait for a condition that must come.
const patience = 30 * time.Second

// A natsServer can be stopped and started again, with the same address and store.
type natsServer struct {
	t       testing.TB
	options server.Options
	*server.Server
}

// newNATS starts one server. It ends with the test.
func newNATS(t testing.TB) *natsServer {
	t.Helper()
	return startNATS(t, server.Options{ServerName: "n1", Host: "127.0.0.1", Port: freePort(t)})
}

// newNATSCluster starts three servers that are a cluster.
func newNATSCluster(t testing.TB) []*natsServer {
	t.Helper()
	const size = 3
	var routes string
	var ports []int
	for i := range size {
		ports = append(ports, freePort(t))
		if i > 0 {
			routes += ","
		}
		routes += fmt.Sprintf("nats://127.0.0.1:%d", ports[i])
	}
	var cluster []*natsServer
	for i := range size {
		cluster = append(cluster, startNATS(t, server.Options{
			ServerName: fmt.Sprintf("n%d", i+1), Host: "127.0.0.1", Port: freePort(t),
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]},
			Routes:  server.RoutesFromStr(routes),
		}))
	}
	until(t, "the cluster has a leader and three members", func() bool {
		for _, s := range cluster {
			if s.JetStreamIsLeader() {
				return len(s.JetStreamClusterPeers()) == size
			}
		}
		return false
	})
	return cluster
}

func startNATS(t testing.TB, o server.Options) *natsServer {
	t.Helper()
	o.JetStream, o.StoreDir = true, filepath.Join(t.TempDir(), o.ServerName)
	o.NoSigs, o.NoLog = true, true
	s := &natsServer{t: t, options: o}
	s.start()
	t.Cleanup(s.stop)
	return s
}

// start starts the server, also after stop.
func (s *natsServer) start() {
	s.t.Helper()
	options := s.options // the server changes them
	running, err := server.NewServer(&options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Server = running
	running.Start()
	if !running.ReadyForConnections(patience) {
		s.t.Fatalf("NATS server %s takes no connections after %v", s.options.ServerName, patience)
	}
}

func (s *natsServer) stop() {
	s.Shutdown()
	s.WaitForShutdown()
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// connect connects to servers until the test ends, through all their outages.
func connect(t testing.TB, servers ...*natsServer) jetstream.JetStream {
	t.Helper()
	var urls string
	for i, s := range servers {
		if i > 0 {
			urls += ","
		}
		urls += s.ClientURL()
	}
	nc, err := nats.Connect(urls, nats.MaxReconnects(-1), nats.ErrorHandler(ignore), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(50*time.Millisecond, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// ignore keeps the client from printing each write that fails in an outage.
func ignore(*nats.Conn, *nats.Subscription, error) {}

// until polls a condition that must come.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	if !poll(t.Context(), patience, condition) {
		t.Fatalf("not within %v: %s", patience, what)
	}
}

func poll(ctx context.Context, bound time.Duration, condition func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return condition()
		}
	}
	return true
}
