package hostim_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/engine"
)

// A link that goes down while a login is opening is reported with the login. The
// engine may have no use for it.
func TestLinkGoesDownDuringLogin(t *testing.T) {
	for name, wanted := range map[string]bool{"listened to": true, "not listened to": false} {
		t.Run(name, func(t *testing.T) {
			c := newScripted()
			c.login = after(0, nil, func() { c.im.LoggedIn(alice); c.im.Link(false) })
			var links []bool
			var n engine.Notify
			if wanted {
				n.Link = func(online bool) { links = append(links, online) }
			}
			if err := c.im.LoginIM(t.Context(), alice, n); err != nil {
				t.Fatal(err)
			}
			if want := []bool{false}; wanted && !slices.Equal(links, want) {
				t.Errorf("got links %v, want %v", links, want)
			}
		})
	}
}

// A client that returns the cause of its ctx has not decided: the login is
// settled by a logout. The same error is a refusal while ctx lives.
func TestLoginReturnsCauseOfContext(t *testing.T) {
	errShutdown := errors.New("the app shuts down")
	for name, test := range map[string]struct {
		ended   bool
		logouts int
	}{"ended": {true, 1}, "alive": {false, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				c := newScripted()
				c.login = func(context.Context) error {
					if test.ended {
						cancel(errShutdown)
					}
					return errShutdown
				}
				if err := c.im.LoginIM(ctx, alice, engine.Notify{}); !errors.Is(err, errShutdown) {
					t.Errorf("got %v, want %v", err, errShutdown)
				}
				synctest.Wait()
				c.settled(t, test.logouts)
			})
		})
	}
}

// InitIM waits for a login that was given up and is not settled, within its ctx.
func TestInitIMWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inits := 0
		login := after(time.Minute, errors.New("refused"))
		im := hostim.Wrap(hostim.Client{
			Init:  func(context.Context, string) error { inits++; return nil },
			Login: func(ctx context.Context, _ engine.IMAccount) error { return login(ctx) },
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = im.LoginIM(ctx, alice, engine.Notify{})
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := im.InitIM(ctx, "app1"); !errors.Is(err, context.DeadlineExceeded) || inits != 0 {
			t.Errorf("got %v after %d calls of Init, want a deadline and none", err, inits)
		}
		if err := im.InitIM(t.Context(), "app1"); err != nil || inits != 1 {
			t.Errorf("got %v after %d calls of Init, want one that succeeds", err, inits)
		}
	})
}

// A Client.Init that ignores its ctx does not hold the caller.
func TestInitIMEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		im := hostim.Wrap(hostim.Client{Init: func(context.Context, string) error { <-time.After(time.Minute); return nil }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := im.InitIM(ctx, "app1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("InitIM took %v, want 1 s", took)
		}
		<-time.After(time.Minute) // the client's goroutine ends by itself
	})
}

// A Logout that ends its goroutine has not logged out, as far as anybody knows:
// it is called again.
func TestUndoingLogoutExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logouts := 0
		login := after(2*time.Second, nil)
		im := hostim.Wrap(hostim.Client{
			Login: func(ctx context.Context, _ engine.IMAccount) error { return login(ctx) },
			Logout: func(context.Context) error {
				if logouts++; logouts == 1 {
					runtime.Goexit()
				}
				return nil
			},
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = im.LoginIM(ctx, alice, engine.Notify{})
		<-time.After(time.Minute)
		adopts(t, im, "")
		if logouts != 2 {
			t.Errorf("got %d logouts, want 2", logouts)
		}
	})
}

// While Client.Logout runs, LoggedOut is about that logout, unless it can only be
// about a login of the host's.
func TestLoggedOutDuringLogout(t *testing.T) {
	refused := engine.ErrTokenRejected
	for name, test := range map[string]struct {
		during  func(im *hostim.IM)
		after   func(im *hostim.IM)
		adopted string
	}{
		"of the logout": {
			during: func(im *hostim.IM) { im.LoggedOut(nil) },
		},
		"of the logout, then the host's login": {
			during:  func(im *hostim.IM) { im.LoggedOut(nil); im.LoggedIn(alice) },
			adopted: "alice",
		},
		"of the logout, while the host's login is opening": {
			during:  func(im *hostim.IM) { im.LoggingIn(); im.LoggedOut(nil) },
			after:   func(im *hostim.IM) { im.LoggedIn(bob) },
			adopted: "bob",
		},
		"of the host's login, which failed": {
			during: func(im *hostim.IM) { im.LoggingIn(); im.LoggedOut(refused) },
		},
		"of the host's login, which was there": {
			during: func(im *hostim.IM) { im.LoggedIn(bob); im.LoggedOut(engine.ErrKicked) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newScripted()
				c.login = after(0, nil, func() { c.im.LoggedIn(alice) })
				if err := c.im.LoginIM(t.Context(), alice, engine.Notify{}); err != nil {
					t.Fatal(err)
				}
				c.logout = func() { test.during(c.im) }
				if err := c.im.LogoutIM(t.Context()); err != nil {
					t.Fatal(err)
				}
				if test.after != nil {
					time.AfterFunc(time.Second, func() { test.after(c.im) })
				}
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				a, err := c.im.AdoptIM(ctx, engine.Notify{})
				if a.Accid != test.adopted || err != nil {
					t.Errorf("got %q and %v, want %q", a.Accid, err, test.adopted)
				}
				if waited := time.Since(began) > 0; waited != (test.after != nil) {
					t.Errorf("AdoptIM waited: %v, want %v", waited, test.after != nil)
				}
			})
		})
	}
}
