package proof_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// TestRapidLasting lets tokens run out, sources fail, and KeepKit run, while
// logouts, kicks and losses come in any order, several of them at once. It has
// no full specification. After each step it checks what must always hold.
//
//	go test ./engine/proof -run RapidLasting -rapid.checks=20000
func TestRapidLasting(t *testing.T) {
	inEachMode(t, func(t *rapid.T, mode engine.Mode) {
		w := newLastingWorld(t, mode)
		actions := w.actions()
		actions[""] = func(*rapid.T) { w.check() }
		t.Repeat(actions)
	})
}

var errSource = errors.New("the app server is down")

// A lastingWorld is an engine with sources of tokens, on a device of mockim.
type lastingWorld struct {
	t      *rapid.T
	cloud  *mockim.Service
	device *mockim.Device
	e      *engine.Engine
	mode   engine.Mode

	keeps  []*lastingKeep // that run, or have returned unseen
	wanted bool           // somebody asked for the kit login since the last logout
	closed bool

	mu      sync.Mutex // protects the following fields
	source  string     // what the sources do
	serial  int        // of the latest tokens
	asking  int        // calls of KitToken at the moment
	crowded bool       // there were more than the logins and one renewal may make
}

type lastingKeep struct {
	*pending
	cancel context.CancelCauseFunc
	over   bool // its ctx has ended
}

func newLastingWorld(t *rapid.T, mode engine.Mode) *lastingWorld {
	w := &lastingWorld{t: t, mode: mode, source: "good", cloud: cloudOfTwo(mockim.ServiceOptions{})}
	w.device = w.cloud.Device()
	e, err := engine.New(w.device, appKey, &engine.Options{Mode: mode, KitToken: w.kitToken, IMToken: w.imToken})
	if err != nil {
		t.Fatal(err)
	}
	w.e = e
	t.Cleanup(func() {
		_ = e.Close()
		for _, k := range w.keeps {
			_ = k.wait()
		}
	})
	return w
}

// fetch answers as a source does; with "good", the cloud knows the new token.
func (w *lastingWorld) fetch(ctx context.Context, refused string, register func(token string)) (string, error) {
	w.mu.Lock()
	source := w.source
	w.serial++
	token := fmt.Sprintf("%s-%d", secret, w.serial)
	w.mu.Unlock()
	switch source {
	case "slow":
		select {
		case <-time.After(20 * time.Second):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		register(token)
	case "failing":
		return "", errSource
	case "stale":
		return "stale", nil
	case "same":
		if refused != "" {
			return refused, nil
		}
		register(token)
	default:
		register(token)
	}
	return token, nil
}

func (w *lastingWorld) kitToken(ctx context.Context, _, refused string) (string, error) {
	w.mu.Lock()
	w.asking++
	w.crowded = w.crowded || w.asking > 2 // the holder of the slot, and one renewal
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asking--
	}()
	return w.fetch(ctx, refused, func(token string) {
		w.cloud.Bind(engine.KitAccount{UserUUID: kitAccount.UserUUID, Token: token}, imAccount.Accid)
	})
}

func (w *lastingWorld) imToken(ctx context.Context, _, refused string) (string, error) {
	return w.fetch(ctx, refused, func(token string) { w.cloud.AddIM(engine.IMAccount{Accid: imAccount.Accid, Token: token}) })
}

func (w *lastingWorld) setSource(source string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.source = source
}

// account is the kit account, with the token that the cloud knows or with none.
func (w *lastingWorld) account(t *rapid.T) engine.KitAccount {
	a, _, _ := w.cloud.FindKit(kitAccount.UserUUID)
	if rapid.Bool().Draw(t, "token from the source") {
		a.Token = ""
	}
	return a
}

func (w *lastingWorld) actions() map[string]func(*rapid.T) {
	background := context.Background()
	return map[string]func(*rapid.T){
		"KeepKit": func(t *rapid.T) {
			if len(w.keeps) > 2 || w.closed {
				return
			}
			ctx, cancel := context.WithCancelCause(background)
			a := w.account(t)
			w.wanted = true
			w.keeps = append(w.keeps, &lastingKeep{begin(func() error { return w.e.KeepKit(ctx, a) }), cancel, false})
		},
		"KeepKit of another": func(t *rapid.T) {
			if len(w.keeps) > 0 && w.keeps[0].runs() {
				if err := w.e.KeepKit(background, otherKit); !errors.Is(err, engine.ErrKitInUse) {
					t.Fatalf("a second KeepKit of another account: %v", err)
				}
			}
		},
		"KeepKit's ctx ends": func(t *rapid.T) {
			if len(w.keeps) == 0 {
				return
			}
			k := w.keeps[len(w.keeps)-1]
			k.over = true
			k.cancel(errRapidGaveUp)
		},
		"LoginIM": func(*rapid.T) {
			_ = w.e.InitIM(background)
			_ = w.e.LoginIM(background, engine.IMAccount{Accid: imAccount.Accid})
		},
		"LoginKit": func(t *rapid.T) {
			w.wanted = true
			err := w.e.LoginKit(background, w.account(t))
			if now := w.e.Status(); err == nil && now.State != kitLoggedIn && !w.closed {
				t.Fatalf("LoginKit succeeded, and the engine is at %v", now)
			}
		},
		"RenewKit": func(t *rapid.T) {
			before := w.e.Status()
			err := w.e.RenewKit(background, w.account(t))
			if before.State < kitLoggedIn && err == nil && len(w.keeps) == 0 {
				t.Fatal("RenewKit succeeded without a login")
			}
			if err == nil && w.e.Status().Expired {
				t.Fatal("RenewKit succeeded, and the token has still run out")
			}
		},
		"LogoutKit": func(*rapid.T) { w.logsOut(w.e.LogoutKit, kitLoggedIn) },
		"LogoutIM":  func(*rapid.T) { w.logsOut(w.e.LogoutIM, imLoggedIn) },
		"Close": func(t *rapid.T) {
			if rarely(t, "really") {
				w.closed = true
				w.logsOut(func(context.Context) error { return w.e.Close() }, imInitialized)
			}
		},
		"kit token runs out": func(*rapid.T) { w.cloud.ExpireKit(kitAccount.UserUUID) },
		"IM token runs out":  func(*rapid.T) { w.cloud.ExpireIM(imAccount.Accid) },
		"reconnect":          func(*rapid.T) { w.device.Link(false); w.device.Link(true) },
		"kick":               func(*rapid.T) { w.cloud.Kick(imAccount.Accid, engine.KickedByServer) },
		"IM is lost":         func(*rapid.T) { w.cloud.EndIM(imAccount.Accid, engine.ErrUnavailable) },
		"kit is lost":        func(*rapid.T) { w.cloud.EndKit(kitAccount.UserUUID, engine.ErrUnavailable) },
		"the server is away": func(t *rapid.T) {
			w.device.Fail(rapid.SampledFrom([]string{"Authenticate", "LoginIM", "LoginKit", "RenewKit"}).Draw(t, "call"), engine.ErrUnavailable)
		},
		"the source changes": func(t *rapid.T) {
			w.setSource(rapid.SampledFrom([]string{"good", "slow", "failing", "stale", "same"}).Draw(t, "source"))
		},
		"time passes": func(t *rapid.T) {
			<-time.After(time.Duration(rapid.IntRange(0, 90_000).Draw(t, "ms")) * time.Millisecond)
		},
		"a logout in the middle": func(t *rapid.T) {
			w.wanted = true
			a := w.account(t)
			login := begin(func() error { return w.e.LoginKit(background, a) })
			w.cloud.ExpireKit(kitAccount.UserUUID)
			w.logsOut(w.e.LogoutKit, kitLoggedIn)
			_ = login.wait()
		},
		"all is well": func(*rapid.T) { w.heals() },
	}
}

func (k *lastingKeep) runs() bool {
	synctest.Wait()
	select {
	case <-k.done:
		return false
	default:
		return true
	}
}

// logsOut logs out. That ends every KeepKit, at once, and nobody logs in again.
func (w *lastingWorld) logsOut(logout func(context.Context) error, below engine.State) {
	running := w.running()
	_ = logout(context.Background())
	w.wanted = false
	for _, k := range running {
		if k.runs() {
			w.t.Fatal("a logout did not end KeepKit")
		}
		if !errors.Is(k.err, engine.ErrInterrupted) {
			w.t.Fatalf("a logout ended KeepKit with %v", k.err)
		}
	}
	if now := w.e.Status(); now.State >= below && !w.closed {
		w.t.Fatalf("after the logout the engine is at %v", now)
	}
}

func (w *lastingWorld) running() []*lastingKeep {
	var running []*lastingKeep
	for _, k := range w.keeps {
		if k.runs() {
			running = append(running, k)
		} else {
			w.returned(k)
		}
	}
	w.keeps = running
	return running
}

// returned checks why a KeepKit has returned: never for a passing reason. There
// is a source for each token.
func (w *lastingWorld) returned(k *lastingKeep) {
	code := engine.CodeOf(k.err)
	switch {
	case k.over && errors.Is(k.err, errRapidGaveUp):
	case k.err == nil || errors.Is(k.err, engine.ErrUnavailable) || code == engine.ErrTokenExpired || code == 0:
		w.t.Fatalf("KeepKit returned %v", k.err)
	}
}

// check holds what is so after each step.
func (w *lastingWorld) check() {
	synctest.Wait()
	w.running()
	now := w.e.Status()
	inCloud := w.device.LoggedIn()
	w.mu.Lock()
	asking, crowded := w.asking, w.crowded
	w.mu.Unlock()
	switch {
	case crowded:
		w.t.Fatal("KitToken was asked too often at once")
	case w.closed && (now.State != uninitialized || asking > 0):
		w.t.Fatalf("closed, but at %v, with %d questions", now, asking)
	case now.State >= imLoggedIn && inCloud != now.Accid, now.State < imLoggedIn && inCloud != "" && asking == 0:
		w.t.Fatalf("%q is logged in, the engine says %+v", inCloud, now)
	case now.Expired && (now.State != kitLoggedIn || now.Anonymous):
		w.t.Fatalf("a token that nobody has is renewed: %+v", now)
	case !w.wanted && now.State == kitLoggedIn:
		w.t.Fatalf("nobody asked for the login: %+v", now)
	}
	for _, k := range w.keeps {
		if k.over {
			w.t.Fatal("KeepKit goes on after its ctx")
		}
	}
}

// heals lets everything work for a quarter of an hour. By then a KeepKit that
// has not returned is logged in, with a good token.
func (w *lastingWorld) heals() {
	w.setSource("good")
	<-time.After(15 * time.Minute)
	running := w.running()
	now := w.e.Status()
	if len(running) > 0 && (now.State != kitLoggedIn || now.UserUUID != kitAccount.UserUUID) {
		w.t.Fatalf("KeepKit waits, and the engine is at %+v", now)
	}
	if now.Expired {
		w.t.Fatalf("the token has not been renewed: %+v", now)
	}
}
