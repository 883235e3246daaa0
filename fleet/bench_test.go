package fleet_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/fleet"
)

// BenchmarkGrowth is behind the table of the README. One process takes that many
// leases, holds them for one TTL, and gives them back; the NATS servers run in the
// same process. Run it with -benchtime 1x.
func BenchmarkGrowth(b *testing.B) {
	for _, servers := range []int{1, 3} {
		for _, accounts := range []int{100, 1_000, 10_000} {
			b.Run(fmt.Sprintf("servers=%d/accounts=%d", servers, accounts), func(b *testing.B) {
				cluster := []*natsServer{}
				if servers == 1 {
					cluster = append(cluster, newNATS(b))
				} else {
					cluster = newNATSCluster(b)
				}
				for b.Loop() {
					growth(b, cluster, accounts)
				}
			})
		}
	}
}

// idle is an engine.IM that does nothing.
type idle struct{}

func (idle) InitIM(context.Context, string) error                           { return nil }
func (idle) LoginIM(context.Context, engine.IMAccount, engine.Notify) error { return nil }
func (idle) LogoutIM(context.Context) error                                 { return nil }

func growth(b *testing.B, cluster []*natsServer, accounts int) {
	js := connect(b, cluster...)
	f, err := fleet.New(b.Context(), js, fleet.Options{Bucket: bucket})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	ims := make([]*fleet.IM, accounts)
	for i := range ims {
		ims[i] = f.IM(idle{})
	}
	var lost atomic.Int64
	n := engine.Notify{Lost: func(error) { lost.Add(1) }}
	heap := heapSize()

	before := usageOf(js, cluster)
	eachOf(ims, func(i int, im *fleet.IM) {
		if err := im.LoginIM(b.Context(), engine.IMAccount{Accid: fmt.Sprint("bot", i)}, n); err != nil {
			b.Error(err)
		}
	})
	took := usageOf(js, cluster).since(before)
	b.ReportMetric(float64(accounts)/took.time.Seconds(), "leases-taken/s")
	b.ReportMetric(float64(took.messages)/float64(accounts), "msgs/lease-taken")
	b.ReportMetric(float64(took.inside)/float64(accounts), "server-msgs/lease-taken")

	before = usageOf(js, cluster)
	stay, cancel := context.WithTimeout(b.Context(), 15*time.Second)
	<-stay.Done()
	cancel()
	held := usageOf(js, cluster).since(before)
	b.ReportMetric(float64(held.messages)/held.time.Seconds()/float64(accounts), "msgs/lease/s")
	b.ReportMetric(float64(held.inside)/held.time.Seconds()/float64(accounts), "server-msgs/lease/s")
	b.ReportMetric(100*held.cpu.Seconds()/held.time.Seconds(), "cpu-%")
	b.ReportMetric((heapSize()-heap)/1024/float64(accounts), "kB/lease")
	b.ReportMetric(float64(lost.Load()), "lost")

	before = usageOf(js, cluster)
	eachOf(ims, func(_ int, im *fleet.IM) {
		if err := im.LogoutIM(b.Context()); err != nil {
			b.Error(err)
		}
	})
	gave := usageOf(js, cluster).since(before)
	b.ReportMetric(float64(accounts)/gave.time.Seconds(), "leases-given-back/s")
	b.ReportMetric(float64(gave.messages)/float64(accounts), "msgs/lease-given-back")
	b.ReportMetric(0, "ns/op")
}

// eachOf calls do for each IM, many at a time, as a process does when it starts.
func eachOf(ims []*fleet.IM, do func(int, *fleet.IM)) {
	const atOnce = 64
	next := make(chan int)
	var work sync.WaitGroup
	for range atOnce {
		work.Go(func() {
			for i := range next {
				do(i, ims[i])
			}
		})
	}
	for i := range ims {
		next <- i
	}
	close(next)
	work.Wait()
}

func heapSize() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

// A usage is what was used up to a moment, or between two.
type usage struct {
	at       time.Time
	time     time.Duration
	cpu      time.Duration // of this process, with its servers
	messages int64         // between the process and NATS, in both directions
	inside   int64         // that the servers received, also from each other
}

func usageOf(js jetstream.JetStream, cluster []*natsServer) usage {
	stats := js.Conn().Stats()
	u := usage{at: time.Now(), cpu: cpuTime(), messages: int64(stats.InMsgs + stats.OutMsgs)}
	for _, s := range cluster {
		v, err := s.Varz(nil)
		if err != nil {
			panic(err)
		}
		u.inside += v.InMsgs
	}
	return u
}

func (u usage) since(before usage) usage {
	return usage{time: u.at.Sub(before.at), cpu: u.cpu - before.cpu, messages: u.messages - before.messages, inside: u.inside - before.inside}
}
