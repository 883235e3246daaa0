package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// What the state-machine tests have found.

// A login that begins in the instant between the two things that a logout does,
// to end the logins and to wait for its turn, gets ahead of it. The logout must
// end that login too, and not wait for it.
func TestFoundLogoutOvertakenByLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := cloudOfTwo(mockim.ServiceOptions{}).Device()
		e := open(t, device, &engine.Options{Mode: engine.AutoLogin})
		release := device.Block("LoginIM")
		var second *pending
		armed := false
		hooked := curious{t.Context(), func() {
			if !armed {
				return
			}
			armed = false
			second = &pending{done: make(chan struct{})}
			go func() {
				defer close(second.done)
				second.err = e.LoginKit(t.Context(), kitAccount)
			}()
			<-time.After(time.Second)
		}}
		first := begin(func() error { return e.LoginKit(hooked, kitAccount) })
		armed = true
		logout := begin(func() error { return e.LogoutIM(t.Context()) })
		<-time.After(time.Minute)
		if logout.waits() {
			t.Error("LogoutIM waits for a login")
		}
		release()
		_ = first.wait()
		_ = second.wait()
		_ = logout.wait()
	})
}

// A kickingFake finds a login that is lost at the very moment.
type kickingFake struct{ *fake }

func (kickingFake) AdoptIM(_ context.Context, n engine.Notify) (engine.IMAccount, error) {
	go n.Lost(engine.ErrKicked)
	return imAccount, nil
}

// A login that is lost while AdoptIM returns is a login that was lost; the race
// detector has to agree.
func TestFoundLossAsAdoptIMReturns(t *testing.T) {
	for range 200 { // two of them race
		synctest.Test(t, func(t *testing.T) {
			e := open(t, kickingFake{newFake()}, nil)
			if err := e.InitIM(t.Context()); err != nil && !errors.Is(err, engine.ErrKicked) {
				t.Errorf("InitIM: %v", err)
			}
			synctest.Wait()
			if s := e.Status(); s.State != imInitialized || s.Via != engine.TriggerIMLost || !errors.Is(s.Cause, engine.ErrKicked) {
				t.Errorf("got %+v, want a loss by ErrKicked", s)
			}
		})
	}
}

// An endedContext has ended, and calls hook when it is first asked why.
type endedContext struct {
	context.Context
	asked *atomic.Bool
	hook  func()
}

func (endedContext) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (c endedContext) Err() error {
	if !c.asked.Swap(true) {
		c.hook()
	}
	return context.Canceled
}

// A logout that has given up waiting ends no login that is called after that,
// also in the instant before it returns.
func TestFoundLogoutThatGaveUp(t *testing.T) {
	e := open(t, newFake(), &engine.Options{Mode: engine.AutoLogin})
	release := e.Hold()
	var asked atomic.Bool
	var login error
	_ = e.LogoutKit(endedContext{t.Context(), &asked, func() {
		release()
		login = e.LoginKit(t.Context(), kitAccount)
	}})
	if login != nil || !asked.Load() {
		t.Errorf("got %v, asked %v, want nil", login, asked.Load())
	}
}
