package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/engine"
)

// What the state-machine tests have found.

// A kickingFake finds a login that is lost at the very moment.
type kickingFake struct{ *fake }

func (kickingFake) AdoptIM(_ context.Context, n engine.Notify) (engine.IMAccount, error) {
	go n.Lost(engine.ErrKicked)
	return imAccount, nil
}

// A login that is lost while AdoptIM returns is a login that was lost; the race
// detector has to agree.
func TestLossAsAdoptIMReturns(t *testing.T) {
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
func TestLogoutThatGaveUp(t *testing.T) {
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
