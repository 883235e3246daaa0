package proof_test

import (
	"context"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// hookLastingScenarios are those with KeepKit, RenewKit, tokens that run out,
// and sources.
var hookLastingScenarios = []hookScenario{
	{name: "KeepKit, a loss and a logout", mode: engine.AutoLogin, run: func(w *hookWorld) {
		keep := w.begin(context.Background(), w.keepKit)
		w.cloud.EndKit(kitAccount.UserUUID, engine.ErrUnavailable)
		w.passes(2 * time.Second)
		w.call(w.e.LogoutKit)
		_ = keep.wait()
	}},
	{name: "KeepKit is given up in a pause", mode: engine.AutoLogin, run: func(w *hookWorld) {
		ctx, cancel := context.WithCancel(context.Background())
		w.fail("Authenticate", engine.ErrUnavailable)
		keep := w.begin(ctx, w.keepKit)
		cancel()
		_ = keep.wait()
	}},
	{name: "RenewKit", mode: engine.AutoLogin, sources: true, run: func(w *hookWorld) {
		w.call(w.loginKit)
		w.call(w.renewKit)
	}},
	{name: "a token runs out", mode: engine.AutoLogin, sources: true, run: func(w *hookWorld) {
		w.call(w.loginKit)
		w.cloud.ExpireKit(kitAccount.UserUUID)
		synctest.Wait()
	}},
	{name: "a renewal pauses", mode: engine.ReuseIM, sources: true, run: func(w *hookWorld) {
		w.call(w.e.InitIM)
		w.call(w.loginIM)
		w.call(w.loginKit)
		w.tokens.set(sourceFails)
		w.cloud.ExpireKit(kitAccount.UserUUID)
		synctest.Wait()
		w.tokens.set(sourceWorks)
		w.passes(2 * time.Second)
	}},
	{name: "a renewal is refused", mode: engine.AutoLogin, sources: true, run: func(w *hookWorld) {
		w.call(w.loginKit)
		w.tokens.set(sourceStale)
		w.cloud.ExpireKit(kitAccount.UserUUID)
		synctest.Wait()
	}},
	{name: "a logout during a renewal", mode: engine.AutoLogin, sources: true, run: func(w *hookWorld) {
		w.call(w.loginKit)
		release := w.device.Block("RenewKit")
		w.cloud.ExpireKit(kitAccount.UserUUID)
		synctest.Wait()
		w.call(w.e.LogoutKit)
		release()
	}},
	{name: "IM asks for a token", mode: engine.AutoLogin, sources: true, run: func(w *hookWorld) {
		w.call(w.loginKit)
		w.cloud.ExpireIM(imAccount.Accid)
		_ = begin(func() error { // runtime.Goexit in a hook ends that goroutine
			w.device.Link(false)
			w.device.Link(true)
			return nil
		}).wait()
	}},
}
