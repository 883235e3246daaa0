package inspect_test

import (
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/inspect"
)

// BenchmarkLoginCycle logs the kit in and out over mockim. "watched" must take
// at most twice as long as "alone".
func BenchmarkLoginCycle(b *testing.B) {
	for _, mode := range []engine.Mode{engine.AutoLogin, engine.ReuseIM} {
		o := engine.Options{Mode: mode}
		b.Run(mode.String()+"/alone", func(b *testing.B) { cycle(b, &o, nil) })
		b.Run(mode.String()+"/unwatched", func(b *testing.B) { cycle(b, inspect.New(o).Options(), nil) })
		b.Run(mode.String()+"/watched", func(b *testing.B) {
			i := inspect.New(o)
			cycle(b, i.Options(), func(e *engine.Engine) { b.Cleanup(i.Watch("app", e)) })
		})
	}
}

func cycle(b *testing.B, o *engine.Options, watch func(*engine.Engine)) {
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	alice := engine.IMAccount{Accid: "alice", Token: "im-token"}
	cloud.AddIM(alice)
	kit, err := cloud.CreateKitAccount(alice.Accid, alice.Token)
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.New(cloud.Device(), "app1", o)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	if watch != nil {
		watch(e)
	}
	ctx := b.Context()
	if err := e.InitIM(ctx); err != nil {
		b.Fatal(err)
	}
	if o.Mode == engine.ReuseIM {
		if err := e.LoginIM(ctx, alice); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := e.LoginKit(ctx, kit); err != nil {
			b.Fatal(err)
		}
		if err := e.LogoutKit(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
