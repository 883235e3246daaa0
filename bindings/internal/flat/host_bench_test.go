package flat_test

import (
	"context"
	"testing"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/accounts"
)

// BenchmarkHostLogin logs the kit in and out over an IM client of the host's that
// answers at once. bindings/java measures the same in C and in Java.
func BenchmarkHostLogin(b *testing.B) {
	cloud, err := flat.NewMock("")
	if err != nil {
		b.Fatal(err)
	}
	for _, mode := range []engine.Mode{engine.AutoLogin, engine.ReuseIM} {
		b.Run(mode.String(), func(b *testing.B) {
			ctx := context.Background()
			var im *hostim.IM
			im = hostim.Wrap(hostim.Client{
				Init:   func(context.Context, string) error { return nil },
				Login:  func(_ context.Context, a engine.IMAccount) error { im.LoggedIn(a); return nil },
				Logout: func(context.Context) error { im.LoggedOut(nil); return nil },
			})
			e, err := engine.New(engine.Join(im, cloud.Device()), accounts.AppKey, &engine.Options{Mode: mode})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			try := func(f func(context.Context, *engine.Engine) error) {
				if err := f(ctx, e); err != nil {
					b.Fatal(err)
				}
			}
			try(initIM)
			if mode == engine.ReuseIM {
				try(loginIM)
			}
			for b.Loop() {
				try(loginKit)
				try(logoutKit)
			}
		})
	}
}
