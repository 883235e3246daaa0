package proof_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

const (
	uninitialized = engine.Uninitialized
	imInitialized = engine.IMInitialized
	imLoggedIn    = engine.IMLoggedIn
	kitLoggedIn   = engine.KitLoggedIn
)

// The accounts belong together in pairs. Their tokens share one word, so that a
// test can search for it in texts that must not show a token.
const (
	appKey = "app"
	secret = "s3cr3t"
)

var (
	imAccount  = engine.IMAccount{Accid: "myaccid", Token: "im-" + secret}
	kitAccount = engine.KitAccount{UserUUID: "user1", Token: "kit-" + secret}
	otherIM    = engine.IMAccount{Accid: "other", Token: "im2-" + secret}
	otherKit   = engine.KitAccount{UserUUID: "user2", Token: "kit2-" + secret}
)

var errStuck = errors.New("the logout failed")

// cloudOfTwo makes a cloud of one AppKey in which both pairs of accounts exist.
func cloudOfTwo(o mockim.ServiceOptions) *mockim.Service {
	o.AppKey = appKey
	cloud := mockim.NewService(o)
	cloud.AddIM(imAccount)
	cloud.AddIM(otherIM)
	cloud.Bind(kitAccount, imAccount.Accid)
	cloud.Bind(otherKit, otherIM.Accid)
	return cloud
}

// open makes an engine over b that ends with the test.
func open(t testing.TB, b engine.Backend, o *engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.New(b, appKey, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// A pending is a call on a goroutine of its own.
type pending struct {
	done chan struct{}
	err  error
}

// begin starts call, and returns once it is blocked or done.
func begin(call func() error) *pending {
	p := &pending{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = call()
	}()
	synctest.Wait()
	return p
}

func (p *pending) wait() error {
	<-p.done
	return p.err
}

// An onTrigger is a slog.Handler that acts when it gets the line of a
// transition.
type onTrigger map[string]func()

func (onTrigger) Enabled(context.Context, slog.Level) bool { return true }
func (o onTrigger) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if act := o[a.Value.String()]; a.Key == "trigger" && act != nil {
			act()
		}
		return true
	})
	return nil
}
func (o onTrigger) WithAttrs([]slog.Attr) slog.Handler { return o }
func (o onTrigger) WithGroup(string) slog.Handler      { return o }

// noToken fails if a token is in text.
func noToken(t *testing.T, where, text string) {
	t.Helper()
	if strings.Contains(strings.ToLower(text), secret) {
		t.Errorf("%s: the token is in %s", where, text)
	}
}
