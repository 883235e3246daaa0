package hostim_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/engine"
)

// The Login of a scripted client does what the test says. The client counts the
// logouts.
type scripted struct {
	im      *hostim.IM
	login   func(ctx context.Context) error
	logout  func() // in the middle of Logout; nil: nothing happens there
	logouts int
}

func newScripted() *scripted {
	c := &scripted{}
	c.im = hostim.Wrap(hostim.Client{
		Init:  func(context.Context, string) error { return nil },
		Login: func(ctx context.Context, _ engine.IMAccount) error { return c.login(ctx) },
		Logout: func(context.Context) error {
			c.logouts++
			if c.logout != nil {
				c.logout()
			}
			return nil
		},
	})
	return c
}

// logIn calls LoginIM for alice with a limit of 3 s.
func (c *scripted) logIn(t *testing.T, n engine.Notify) error {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	return c.im.LoginIM(ctx, alice, n)
}

// settled waits until the engine's login is settled, and checks the number of
// logouts.
func (c *scripted) settled(t *testing.T, logouts int) {
	t.Helper()
	if err := c.im.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	synctest.Wait()
	if c.logouts != logouts {
		t.Errorf("got %d logouts, want %d", c.logouts, logouts)
	}
}

func untilEnd(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func after(d time.Duration, err error, reports ...func()) func(context.Context) error {
	return func(context.Context) error {
		<-time.After(d)
		for _, report := range reports {
			report()
		}
		return err
	}
}

// A client that ignores its ctx does not keep the caller waiting, and the error
// says what the caller was waiting for.
func TestClientIgnoresContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newScripted()
		c.login = after(8*time.Second, nil)
		began := time.Now()
		err := c.logIn(t, engine.Notify{})
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("LoginIM took %v, want 3 s", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for the host's IM client to log in") {
			t.Errorf("got %v, want a deadline that says what was waited for", err)
		}
		<-time.After(time.Minute)
		c.settled(t, 1)
	})
}

// The error of AdoptIM says that it was waiting for the host's login.
func TestDeadlineNamesHostsLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newScripted()
		c.im.LoggingIn()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.im.AdoptIM(ctx, engine.Notify{})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the host's own IM login to finish") {
			t.Errorf("got %v, want a deadline that names the host's login", err)
		}
	})
}

// An abandoned login that succeeds late is logged out, not adopted.
func TestGivenUpLoginIsNotAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newScripted()
		c.login = after(4*time.Second, nil, func() { c.im.LoggingIn(); c.im.LoggedIn(alice) })
		if err := c.logIn(t, engine.Notify{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		adopts(t, c.im, "")
		c.settled(t, 1)
	})
}

// Reports about an abandoned login do not end the next one.
func TestGivenUpLoginEndsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newScripted()
		logins := 0
		c.login = func(ctx context.Context) error {
			if logins++; logins == 1 {
				return after(4*time.Second, nil, func() { c.im.LoggedIn(alice); c.im.LoggedOut(engine.ErrKicked) })(ctx)
			}
			return nil
		}
		_ = c.logIn(t, engine.Notify{})
		var next listener
		if err := c.logIn(t, next.notify()); err != nil {
			t.Fatal(err)
		}
		next.heard(t, nil)
		c.settled(t, 1)
	})
}

// The host logs in while a login of the engine's times out.
func TestHostsLoginSurvivesTimeout(t *testing.T) {
	tests := []struct {
		name    string
		reports func(im *hostim.IM) // during the login
		later   func(im *hostim.IM) // 1 s after its deadline
		want    string
	}{
		{"reported", func(im *hostim.IM) { im.LoggedIn(bob) }, func(*hostim.IM) {}, "bob"},
		{"announced", func(im *hostim.IM) { im.LoggingIn(); im.LoggingIn() }, func(im *hostim.IM) { im.LoggedIn(bob) }, "bob"},
		{"announced before", func(*hostim.IM) {}, func(im *hostim.IM) { im.LoggedIn(alice) }, "alice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newScripted()
				c.login = func(ctx context.Context) error { test.reports(c.im); return untilEnd(ctx) }
				if test.name == "announced before" {
					c.im.LoggingIn()
				}
				_ = c.logIn(t, engine.Notify{})
				<-time.After(time.Second)
				test.later(c.im)
				adopts(t, c.im, test.want)
				c.settled(t, 0)
			})
		})
	}
}

// If the logout of the engine's login failed, the IM does not try it again
// while a login of the host's is in progress.
func TestHostsOpeningLoginIsLeftAlone(t *testing.T) {
	for _, by := range []string{"Close", "AdoptIM"} {
		t.Run(by, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken, logouts := errors.New("broken"), 0
				im := hostim.Wrap(hostim.Client{
					Login:  func(ctx context.Context, _ engine.IMAccount) error { return untilEnd(ctx) },
					Logout: func(context.Context) error { logouts++; return broken },
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_ = im.LoginIM(ctx, alice, engine.Notify{})
				synctest.Wait()
				im.LoggingIn()
				if by == "Close" {
					if err := im.Close(); err != nil {
						t.Error(err)
					}
				} else {
					time.AfterFunc(time.Second, func() { im.LoggedIn(bob) })
					adopts(t, im, "bob")
				}
				if logouts != 1 {
					t.Errorf("got %d logouts, want the one of the login that was given up", logouts)
				}
			})
		})
	}
}

// After ErrIMInUse the reported login is the host's.
func TestInUseMeansTheHosts(t *testing.T) {
	tests := []struct {
		name          string
		during, later func(*hostim.IM)
	}{
		{"reported", func(im *hostim.IM) { im.LoggedIn(alice) }, func(*hostim.IM) {}},
		{"announced", (*hostim.IM).LoggingIn, func(im *hostim.IM) { im.LoggedIn(alice) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newScripted()
				c.login = func(ctx context.Context) error {
					test.during(c.im)
					<-ctx.Done() // and the caller gives up
					return engine.ErrIMInUse
				}
				_ = c.logIn(t, engine.Notify{})
				synctest.Wait()
				time.AfterFunc(time.Second, func() { test.later(c.im) })
				adopts(t, c.im, "alice")
				c.settled(t, 0)
			})
		})
	}
}

// Two logins cross, and the host's fails: the engine's fails with its own code.
func TestCrossingLoginsHaveTheirOwnCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newScripted()
		c.login = after(time.Second, engine.ErrAccountBanned, func() { c.im.LoggingIn(); c.im.LoggedOut(engine.ErrTokenRejected) })
		if err := c.logIn(t, engine.Notify{}); !errors.Is(err, engine.ErrAccountBanned) {
			t.Errorf("got %v, want what Client.Login returned", err)
		}
		c.settled(t, 0)
	})
}

// Every engine that adopted the login learns of its loss, also if another
// engine logs it out.
func TestSeveralEnginesShareALogin(t *testing.T) {
	ends := []struct {
		name string
		end  func(t *testing.T, im *hostim.IM)
		want error
	}{
		{"kick", func(_ *testing.T, im *hostim.IM) { im.LoggedOut(engine.ErrKicked) }, engine.ErrKicked},
		{"LogoutIM", func(t *testing.T, im *hostim.IM) {
			if err := im.LogoutIM(t.Context()); err != nil {
				t.Error(err)
			}
		}, engine.ErrIMLoggedOut},
	}
	for _, test := range ends {
		t.Run(test.name, func(t *testing.T) {
			c := newScripted()
			c.im.LoggedIn(alice)
			first, second := adopts(t, c.im, "alice"), adopts(t, c.im, "alice")
			c.im.Link(false)
			test.end(t, c.im)
			for _, l := range []*listener{first, second} {
				l.heard(t, test.want)
				if len(l.links) != 1 || l.links[0] {
					t.Errorf("got links %v, want false", l.links)
				}
			}
		})
	}
}

// If Login calls runtime.Goexit, nobody is left waiting, and the login is
// undone before the next operation.
func TestClientExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newScripted()
		c.login = func(context.Context) error { runtime.Goexit(); return nil }
		if err := c.logIn(t, engine.Notify{}); err == nil {
			t.Error("LoginIM succeeded")
		}
		adopts(t, c.im, "")
		c.settled(t, 1)
	})
}

// Close has a time limit, and its error says what it was waiting for. The
// goroutine that is left settles the login and ends once the client returns.
func TestCloseOverClientThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newScripted()
		c.login = after(time.Minute, nil)
		_ = c.logIn(t, engine.Notify{})
		began := time.Now()
		if err := c.im.Close(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Close took %v, want 5 s", took)
		}
		<-time.After(time.Minute)
		c.settled(t, 1)
	})
}
