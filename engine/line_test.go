package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// placed is the key under which bindings/internal/flat passes a function that is
// called when an operation begins to wait in its place.
var placed any = struct{ EnginePlaced struct{} }{}

// An operation that has to wait says so once its place in the line is certain. So
// whoever started it can start the next one behind it.
func TestLine(t *testing.T) {
	var asked []string // in whose turn the source was asked
	source := func(_ context.Context, user, _ string) (string, error) {
		asked = append(asked, user)
		return "", engine.ErrUnavailable
	}
	e := open(t, newFake(), &engine.Options{Mode: engine.AutoLogin, KitToken: source})
	release := e.Hold()
	var ends []chan error
	var want []string
	start := func(ctx context.Context, user string) {
		waits, ended := make(chan struct{}), make(chan error, 1)
		ctx = context.WithValue(ctx, placed, func() { close(waits) })
		go func() { ended <- e.LoginKit(ctx, engine.KitAccount{UserUUID: user}) }()
		<-waits
		ends = append(ends, ended)
	}
	for i := range 20 {
		ctx, leave := context.WithCancel(t.Context())
		user := fmt.Sprint("user", i)
		start(ctx, user)
		if i%3 == 1 { // leaves the line, from its middle
			leave()
			if err := <-ends[len(ends)-1]; err == nil {
				t.Errorf("%s left the line, and succeeded", user)
			}
			ends = ends[:len(ends)-1]
			continue
		}
		defer leave()
		want = append(want, user)
	}
	release()
	for _, ended := range ends {
		<-ended
	}
	if !slices.Equal(asked, want) {
		t.Errorf("the turns came as %q, want %q", asked, want)
	}
}

// An operation that need not wait is in no line.
func TestLineIsNotNeeded(t *testing.T) {
	e := open(t, newFake(), &engine.Options{Mode: engine.AutoLogin})
	ctx := context.WithValue(t.Context(), placed, func() { t.Error("it waited") })
	if err := e.LoginKit(ctx, kitAccount); err != nil {
		t.Error(err)
	}
}

// KeepKit waits without a call of the backend if the kit is logged in already.
func TestLineOfKeepKit(t *testing.T) {
	e := open(t, newFake(), &engine.Options{Mode: engine.AutoLogin})
	if err := e.LoginKit(t.Context(), kitAccount); err != nil {
		t.Fatal(err)
	}
	waits, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	ctx := context.WithValue(t.Context(), placed, func() { once.Do(func() { close(waits) }) })
	go func() { ended <- e.KeepKit(ctx, kitAccount) }()
	<-waits
	if err := e.LogoutKit(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, engine.ErrInterrupted) {
		t.Errorf("got %v, want ErrInterrupted", err)
	}
}
