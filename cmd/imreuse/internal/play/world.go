package play

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

const appKey = "play-app-key"

// The accounts that every world starts with. A kit account named after its IM
// account makes the page easier to read.
const (
	alice, bob       = "alice", "bob"
	aliceKit, bobKit = "alice-kit", "bob-kit"
)

// A setup is what an engine is made with.
type setup struct {
	mode    engine.Mode
	renewal bool // the app has sources of fresh tokens
}

// A world is what a reset throws away: the cloud, the device of the app, and the
// engine on it.
type world struct {
	ctx    context.Context // of every act; ends with the world
	cancel context.CancelCauseFunc
	cloud  *mockim.Service
	device *mockim.Device

	mu      sync.Mutex // protects the following fields
	engine  *engine.Engine
	unwatch func() // takes it off the page
	setup   setup
	tokens  map[string]string // that the app has, by accid and userUuid
	bound   string            // the userUuid of the account that the app logs the kit in with
	wrong   string            // a token of nobody
	lastID  int
	faults  []*fault
	hangs   []*hang
}

var errReset = errors.New("everything was reset")

func newWorld(s *Session, at setup) (*world, error) {
	w := &world{
		cloud:  mockim.NewService(mockim.ServiceOptions{AppKey: appKey}),
		tokens: map[string]string{},
		bound:  aliceKit,
		wrong:  newToken(),
	}
	w.device = w.cloud.Device()
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	for _, accid := range []string{alice, bob} {
		w.freshIMToken(accid)
	}
	w.bind(aliceKit, alice)
	w.bind(bobKit, bob)
	if err := w.startEngine(s, at); err != nil {
		w.cancel(err)
		return nil, err
	}
	return w, nil
}

func newToken() string { return rand.Text() }

// startEngine makes an engine on the device. There must be none.
func (w *world) startEngine(s *Session, at setup) error {
	o := s.inspector.Options()
	o.Mode = at.mode
	if at.renewal {
		o.KitToken = func(_ context.Context, userUUID, _ string) (string, error) { return w.freshKitToken(userUUID) }
		o.IMToken = func(_ context.Context, accid, _ string) (string, error) { return w.freshIMToken(accid), nil }
	}
	e, err := engine.New(w.device, appKey, o)
	if err != nil {
		return err
	}
	unwatch := s.inspector.Watch("play", e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine, w.unwatch, w.setup = e, unwatch, at
	return nil
}

// letGo ends everything that an act could wait for.
func (w *world) letGo() {
	w.cancel(errReset)
	w.release(0)
}

// end ends the world. The acts in progress end by themselves then.
func (w *world) end() error {
	w.letGo()
	return w.closeEngine()
}

// closeEngine closes the engine, and makes room on the page for the next one.
func (w *world) closeEngine() error {
	w.mu.Lock()
	e, unwatch := w.engine, w.unwatch
	w.mu.Unlock()
	err := e.Close()
	unwatch()
	return err
}

func (w *world) now() *engine.Engine {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.engine
}

func (w *world) status() engine.Status { return w.now().Status() }

func (w *world) mode() engine.Mode {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.setup.mode
}

// The app server's part: it makes accounts and tokens, and tells the app.

func (w *world) freshIMToken(accid string) string {
	token := newToken()
	w.cloud.AddIM(engine.IMAccount{Accid: accid, Token: token})
	w.keepToken(accid, token)
	return token
}

func (w *world) freshKitToken(userUUID string) (string, error) {
	_, accid, found := w.cloud.FindKit(userUUID)
	if !found {
		return "", fmt.Errorf("%w: the app server does not know the kit account %s", engine.ErrTokenRejected, userUUID)
	}
	return w.bind(userUUID, accid), nil
}

// bind makes the kit account, or binds it anew, with a new token.
func (w *world) bind(userUUID, accid string) string {
	token := newToken()
	w.cloud.Bind(engine.KitAccount{UserUUID: userUUID, Token: token}, accid)
	w.keepToken(userUUID, token)
	return token
}

func (w *world) keepToken(id, token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens[id] = token
}

// imAccount returns the account of a choice on the page.
func (w *world) imAccount(choice string) engine.IMAccount {
	w.mu.Lock()
	defer w.mu.Unlock()
	if choice == wrongToken {
		return engine.IMAccount{Accid: alice, Token: w.wrong}
	}
	return engine.IMAccount{Accid: choice, Token: w.tokens[choice]}
}

func (w *world) kitAccount(choice string) engine.KitAccount {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch choice {
	case otherAccount:
		return engine.KitAccount{UserUUID: bobKit, Token: w.tokens[bobKit]}
	case wrongToken:
		return engine.KitAccount{UserUUID: w.bound, Token: w.wrong}
	}
	return engine.KitAccount{UserUUID: w.bound, Token: w.tokens[w.bound]}
}

// createKitAccount makes another account for the app's kit, bound to accid.
func (w *world) createKitAccount(accid string) error {
	kit, err := w.cloud.CreateKitAccount(accid, w.imAccount(accid).Token)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bound, w.tokens[kit.UserUUID] = kit.UserUUID, kit.Token
	return nil
}

// freshTokens gives the app a new token for each of its accounts.
func (w *world) freshTokens() error {
	for _, accid := range []string{alice, bob} {
		w.freshIMToken(accid)
	}
	w.mu.Lock()
	bound := w.bound
	w.mu.Unlock()
	_, err := w.freshKitToken(bound)
	if bound != bobKit {
		_, other := w.freshKitToken(bobKit)
		err = errors.Join(err, other)
	}
	return err
}
