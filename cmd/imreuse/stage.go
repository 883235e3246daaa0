package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A stage is the setting of one scene: a cloud, a device and an engine. It
// prints what happens.
type stage struct {
	*printer
	cloud  *mockim.Service
	device *mockim.Device
	engine *engine.Engine
	kit    engine.KitAccount

	next  func() (engine.Status, bool) // the next status from Watch
	leave func()
	seq   uint64 // Seq of the last status printed
}

// newStage starts as the vendor's guides do: the app server creates a kit
// account that is bound to the app's IM account.
func newStage(p *printer, mode engine.Mode) (*stage, error) {
	s := &stage{printer: p, cloud: mockim.NewService(mockim.ServiceOptions{AppKey: demoAppKey})}
	s.device = s.cloud.Device()
	s.cloud.AddIM(mine)
	if err := s.createKitAccount(mine); err != nil {
		return nil, err
	}
	var err error
	if s.engine, err = engine.New(s.device, demoAppKey, &engine.Options{Mode: mode}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	next, stop := iter.Pull(s.engine.Watch(ctx))
	s.next = next
	s.leave = func() {
		cancel()
		stop()
		s.engine.Close()
	}
	s.next() // the initial status is not printed
	return s, nil
}

func (s *stage) createKitAccount(im engine.IMAccount) (err error) {
	s.kit, err = s.cloud.CreateKitAccount(im.Accid, im.Token)
	if err == nil {
		s.note("app server: kit account %v created, bound to IM account %v", s.kit, im)
	}
	return err
}

func (s *stage) note(format string, args ...any) {
	fmt.Fprintf(s.out, "  "+format+"\n", args...)
}

// do makes one call of the app and prints the changes that Watch reports.
func (s *stage) do(call string, f func() error) error {
	s.note("app: %s", call)
	err := f()
	s.printChanges()
	return err
}

func (s *stage) loginKit(ctx context.Context) error {
	if err := s.do("LoginKit", func() error { return s.engine.LoginKit(ctx, s.kit) }); err != nil {
		return err
	}
	now := s.engine.Status()
	s.note("LoginKit returned nil: %v is logged in, reused: %t", now.UserUUID, now.Reused())
	return nil
}

func (s *stage) logoutKit(ctx context.Context) error {
	return s.do("LogoutKit", func() error { return s.engine.LogoutKit(ctx) })
}

// hostLogin logs IM in with the app's own IM client, without the engine.
func (s *stage) hostLogin(ctx context.Context, d *mockim.Device, a engine.IMAccount) error {
	where := "this device"
	if d != s.device {
		where = "another device"
	}
	s.note("app's IM client, on %s: init, login %v", where, a)
	return errors.Join(d.HostInit(ctx), d.HostLogin(ctx, a))
}

// wantFailure makes a call that must fail with want, and prints the error and
// its remedy.
func (s *stage) wantFailure(want engine.Code, call string, f func() error) error {
	err := s.do(call, f)
	code := engine.CodeOf(err)
	if code != want {
		return fmt.Errorf("%s: got %v, want code %d", call, err, int(want))
	}
	s.failure.Fprintf(s.out, "    %v (code %d)\n", err, int(code))
	s.note("remedy: %s", code.Remedy())
	return nil
}

// awaitLoss waits until the engine reports that the IM login was lost.
func (s *stage) awaitLoss() error {
	status, ok := s.next()
	if !ok || status.Cause == nil {
		return fmt.Errorf("the engine did not report the loss, but %+v", status)
	}
	s.printStatus(status)
	return nil
}

// printChanges prints every change up to the current status.
func (s *stage) printChanges() {
	for s.seq < s.engine.Status().Seq {
		status, ok := s.next()
		if !ok {
			return
		}
		s.printStatus(status)
	}
}

func (s *stage) printStatus(status engine.Status) {
	s.seq = status.Seq
	s.state.Fprintf(s.out, "    %-14v", status.State)
	parts := []string{"", "via " + string(status.Via)}
	if status.Accid != "" {
		parts = append(parts, "accid "+status.Accid)
	}
	if status.UserUUID != "" {
		parts = append(parts, "userUuid "+status.UserUUID)
	}
	if status.Cause != nil {
		parts = append(parts, "because: "+status.Cause.Error())
	}
	fmt.Fprintln(s.out, strings.Join(parts, "  "))
}
