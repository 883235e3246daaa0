package flat

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

func TestZZ(t *testing.T) {
	cloud, _ := NewMock("")
	var im *IM
	im = NewIM(Client{
		Init:   func(_ string, r *Request) func(bool) { r.Done(); return nil },
		Login:  func(a engine.IMAccount, r *Request) func(bool) { im.LoggedIn(a); r.Done(); return nil },
		Logout: func(r *Request) func(bool) { im.LoggedOut(nil); r.Done(); return nil },
	})
	e, err := New(Options{AppKey: "app1", IM: im, Kit: MockKit(cloud.Device()), Mode: engine.AutoLogin})
	if err != nil {
		t.Fatal(err)
	}
	k := engine.KitAccount{UserUUID: "myaccid", Token: "myUserToken"}
	run := func(f func(context.Context, *engine.Engine) error) error {
		d := make(chan error)
		e.Start("x", f, func(err error) { d <- err })
		return <-d
	}
	which := os.Getenv("ZZ")
	for i := 0; i <= 100000; i++ {
		if which != "2" {
			run(func(ctx context.Context, e *engine.Engine) error { return e.LoginKit(ctx, k) })
			run(func(ctx context.Context, e *engine.Engine) error { return e.LogoutKit(ctx) })
		} else {
			run(func(ctx context.Context, e *engine.Engine) error { return e.InitIM(ctx) })
		}
		if i%20000 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Println(i, m.HeapAlloc, m.HeapObjects, runtime.NumGoroutine())
		}
	}
	runtime.MemProfileRate = 1
	f, _ := os.Create("/tmp/jb/heap.pprof")
	runtime.GC()
	pprof.WriteHeapProfile(f)
	f.Close()
	runtime.KeepAlive(e)
}
