package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// What FuzzEngine has found, one test each.

// A closed engine says that it is closed, also to a logout whose ctx has ended
// while another one has the turn.
func TestLogoutAfterClose(t *testing.T) {
	for name, logout := range map[string]func(*engine.Engine, context.Context) error{
		"LogoutKit": (*engine.Engine).LogoutKit,
		"LogoutIM":  (*engine.Engine).LogoutIM,
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, newFake(), nil)
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			release := e.Hold()
			defer release()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := logout(e, ctx); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("got %v, want %v", err, engine.ErrClosed)
			}
		})
	}
}

// A second Close waits for the first on a channel, where a host's test with
// testing/synctest sees it at rest: for a mutex, the bubble would wait for ever.
func TestSecondCloseAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := cloudOfTwo(mockim.ServiceOptions{}).Device()
		e := open(t, device, nil)
		climb(t, e, imLoggedIn)
		release := device.Block("LogoutIM")
		device.Fail("LogoutIM", errStuck)
		closed := make(chan error, 2)
		for range 2 {
			go func() { closed <- e.Close() }()
		}
		synctest.Wait()
		if len(closed) > 0 {
			t.Errorf("Close does not wait: %v", <-closed)
		}
		release()
		one, two := <-closed, <-closed
		if (one == nil) == (two == nil) || !errors.Is(errors.Join(one, two), errStuck) {
			t.Errorf("got %v and %v, want %v once", one, two, errStuck)
		}
	})
}
