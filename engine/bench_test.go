package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/looplab/fsm"

	"github.com/imreuse/imreuse/engine"
)

// What the engine costs, compared with the library under it. The targets are
// ratios, and one run measures both sides of a ratio. README.md, "What it
// costs", has the commands.

// A nothing is a backend that does nothing but keep the Notify of its IM login.
type nothing struct{ im engine.Notify }

func (*nothing) InitIM(context.Context, string) error { return nil }

func (b *nothing) LoginIM(_ context.Context, _ engine.IMAccount, n engine.Notify) error {
	b.im = n
	return nil
}

func (*nothing) LogoutIM(context.Context) error { return nil }

func (*nothing) Authenticate(context.Context, engine.KitAccount) (engine.IMAccount, error) {
	return imAccount, nil
}

func (*nothing) Anonymous(context.Context) (engine.KitAccount, error) { return kitAccount, nil }

func (*nothing) LoginKit(context.Context, engine.KitAccount, engine.Notify) error { return nil }

func (*nothing) LogoutKit(context.Context) error { return nil }

func (*nothing) Close() error { return nil }

func openNothing(b *testing.B, mode engine.Mode) (*engine.Engine, *nothing) {
	b.Helper()
	backend := new(nothing)
	e, err := engine.New(backend, appKey, &engine.Options{Mode: mode})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	return e, backend
}

func check(b *testing.B, err error) {
	if err != nil {
		b.Error(err)
	}
}

// looplab is the machine alone, at im_initialized, with the engine's table.
func looplab() *fsm.FSM {
	m := fsm.NewFSM("uninitialized", looplabTable(), nil)
	m.SetState("im_initialized")
	return m
}

func looplabTable() []fsm.EventDesc {
	return []fsm.EventDesc{
		{Name: "init_im", Src: []string{"uninitialized"}, Dst: "im_initialized"},
		{Name: "login_im", Src: []string{"im_initialized"}, Dst: "im_logged_in"},
		{Name: "login_kit", Src: []string{"im_logged_in"}, Dst: "kit_logged_in"},
		{Name: "logout_kit", Src: []string{"kit_logged_in"}, Dst: "im_logged_in"},
		{Name: "logout_im", Src: []string{"im_logged_in"}, Dst: "im_initialized"},
		{Name: "kit_lost", Src: []string{"kit_logged_in"}, Dst: "im_logged_in"},
		{Name: "im_lost", Src: []string{"im_logged_in", "kit_logged_in"}, Dst: "im_initialized"},
		{Name: "close", Src: []string{"im_initialized", "im_logged_in", "kit_logged_in"}, Dst: "uninitialized"},
	}
}

var cycle = [...]string{"login_im", "login_kit", "logout_kit", "logout_im"}

// BenchmarkLooplab is the yardstick of BenchmarkLoginCycle: the four edges of
// an auto-login, through bare looplab/fsm.
func BenchmarkLooplab(b *testing.B) {
	m := looplab()
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		for _, event := range cycle {
			check(b, m.Event(ctx, event))
		}
	}
}

// BenchmarkLoginCycle logs the kit in and out, with IM initialised: four edges
// in auto_login and auto_detect, two in reuse_im.
func BenchmarkLoginCycle(b *testing.B) {
	for _, mode := range []engine.Mode{engine.AutoLogin, engine.ReuseIM, engine.AutoDetect} {
		b.Run(mode.String(), func(b *testing.B) {
			e, _ := openNothing(b, mode)
			ctx := context.Background()
			check(b, e.InitIM(ctx))
			if mode == engine.ReuseIM {
				check(b, e.LoginIM(ctx, imAccount))
			}
			b.ReportAllocs()
			for b.Loop() {
				check(b, e.LoginKit(ctx, kitAccount))
				check(b, e.LogoutKit(ctx))
			}
		})
	}
}

var sink engine.Status

func BenchmarkStatus(b *testing.B) {
	e, _ := openNothing(b, engine.AutoLogin)
	check(b, e.LoginKit(context.Background(), kitAccount))
	b.ReportAllocs()
	for b.Loop() {
		sink = e.Status()
	}
}

// underWriters runs read in parallel, while another goroutine writes.
func underWriters(b *testing.B, write func(), read func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				write()
			}
		}
	}()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			read()
		}
	})
	b.StopTimer()
	close(stop)
	<-stopped
}

// BenchmarkStatusUnderWriters reads the status while another goroutine logs in
// and out. Allocations are the writer's.
func BenchmarkStatusUnderWriters(b *testing.B) {
	e, _ := openNothing(b, engine.AutoLogin)
	ctx := context.Background()
	underWriters(b, func() {
		check(b, e.LoginKit(ctx, kitAccount))
		check(b, e.LogoutKit(ctx))
	}, func() {
		if s := e.Status(); s.Seq > 1<<62 {
			panic(s) // uses s, which nothing else may share
		}
	})
}

// BenchmarkLooplabCurrentUnderWriters is its yardstick.
func BenchmarkLooplabCurrentUnderWriters(b *testing.B) {
	m := looplab()
	ctx := context.Background()
	underWriters(b, func() {
		for _, event := range cycle {
			check(b, m.Event(ctx, event))
		}
	}, func() {
		if m.Current() == "" {
			panic("no state")
		}
	})
}

func BenchmarkNew(b *testing.B) {
	backend := new(nothing)
	b.ReportAllocs()
	for b.Loop() {
		_, err := engine.New(backend, appKey, nil)
		check(b, err)
	}
}

// BenchmarkLooplabNew is its yardstick: fsm.NewFSM with the same table.
func BenchmarkLooplabNew(b *testing.B) {
	table := looplabTable()
	b.ReportAllocs()
	for b.Loop() {
		fsm.NewFSM("uninitialized", table, nil)
	}
}

// held reports how much heap and how many goroutines each of n things needs,
// not counting the first.
func held(b *testing.B, n int, what string, open func(int)) {
	open(0)
	before, goroutines := heap(), runtime.NumGoroutine()
	for i := range n {
		open(i + 1)
	}
	b.ReportMetric(float64(int64(heap()-before))/float64(n), "B/"+what)
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(n), "goroutines/"+what)
	b.ReportMetric(0, "ns/op") // which says nothing here
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkIdle holds 100,000 engines that do nothing.
func BenchmarkIdle(b *testing.B) {
	const n = 100_000
	backend := new(nothing)
	for b.Loop() {
		engines := make([]*engine.Engine, n+1)
		held(b, n, "engine", func(i int) {
			var err error
			engines[i], err = engine.New(backend, appKey, nil)
			check(b, err)
		})
		runtime.KeepAlive(engines)
	}
}

// BenchmarkLooplabIdle is its yardstick.
func BenchmarkLooplabIdle(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		machines := make([]*fsm.FSM, n+1)
		held(b, n, "machine", func(i int) { machines[i] = looplab() })
		runtime.KeepAlive(machines)
	}
}

// BenchmarkLoggedIn holds 10,000 engines that are logged in, with one watcher
// each.
func BenchmarkLoggedIn(b *testing.B) {
	const n = 10_000
	ctx := context.Background()
	for b.Loop() {
		engines := make([]*engine.Engine, n+1)
		var watchers sync.WaitGroup
		held(b, n, "engine", func(i int) {
			e, err := engine.New(new(nothing), appKey, nil)
			check(b, err)
			check(b, e.LoginKit(ctx, kitAccount))
			began := make(chan struct{})
			watchers.Go(func() {
				for s := range e.Watch(ctx) {
					if s.State == kitLoggedIn {
						close(began)
					}
				}
			})
			<-began
			engines[i] = e
		})
		for _, e := range engines {
			check(b, e.Close())
		}
		watchers.Wait()
	}
}

var fans = []int{1, 8, 64}

// BenchmarkWatch sends one change to a number of watchers, and waits until all
// of them have read it.
func BenchmarkWatch(b *testing.B) {
	for _, n := range fans {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, backend := openNothing(b, engine.AutoLogin)
			check(b, e.LoginKit(context.Background(), kitAccount))
			var heard, ended sync.WaitGroup
			heard.Add(n)
			for range n {
				ended.Go(func() {
					for s := range e.Watch(context.Background()) {
						if s.State == kitLoggedIn {
							heard.Done()
						}
					}
				})
			}
			heard.Wait() // the first value
			online := true
			b.ReportAllocs()
			for b.Loop() {
				heard.Add(n)
				online = !online
				backend.im.Link(online)
				heard.Wait()
			}
			check(b, e.Close())
			ended.Wait()
		})
	}
}

// BenchmarkChannels is its yardstick: the same over channels that block.
func BenchmarkChannels(b *testing.B) {
	for _, n := range fans {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var heard, ended sync.WaitGroup
			watchers := make([]chan engine.Status, n)
			for i := range watchers {
				watchers[i] = make(chan engine.Status)
				ended.Go(func() {
					for s := range watchers[i] {
						if s.State == kitLoggedIn {
							heard.Done()
						}
					}
				})
			}
			now := engine.Status{State: kitLoggedIn}
			b.ReportAllocs()
			for b.Loop() {
				heard.Add(n)
				now.Online = !now.Online
				for _, w := range watchers {
					w <- now
				}
				heard.Wait()
			}
			for _, w := range watchers {
				close(w)
			}
			ended.Wait()
		})
	}
}

// BenchmarkContended has a number of goroutines log one engine in and out, in
// no particular order. A logout ends the logins that wait, as it should. The
// time is for one operation, whether it succeeded or not.
func BenchmarkContended(b *testing.B) {
	for _, n := range []int{2, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, _ := openNothing(b, engine.AutoLogin)
			ctx := context.Background()
			var all sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for g := range n {
				all.Go(func() {
					for i := g; i < b.N; i += n {
						if (i/n+g)%2 == 0 {
							_ = e.LoginKit(ctx, kitAccount)
						} else {
							_ = e.LogoutKit(ctx)
						}
					}
				})
			}
			all.Wait()
		})
	}
}
