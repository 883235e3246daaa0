package hostim_test

import (
	"context"
	"fmt"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/engine"
)

// A callbackSDK stands for an IM SDK that uses callbacks for the completion of
// calls and for events of the login. They come one at a time and in order.
type callbackSDK struct {
	queue chan func()

	OnLoggedIn  func(account string)
	OnLoggedOut func(reason error) // nil: as it was asked for
	OnLink      func(online bool)
}

func newCallbackSDK() *callbackSDK {
	s := &callbackSDK{queue: make(chan func(), 16)}
	go func() {
		for f := range s.queue {
			f()
		}
	}()
	return s
}

func (s *callbackSDK) Close() { close(s.queue) }

func (s *callbackSDK) Login(account, token string, completed func(error)) {
	s.queue <- func() { s.OnLoggedIn(account); completed(nil) }
}

func (s *callbackSDK) Logout(completed func(error)) {
	s.queue <- func() { s.OnLoggedOut(nil); completed(nil) }
}

// An adapter drives a callbackSDK for a hostim.IM, and reports what the SDK
// calls back.
type adapter struct {
	sdk *callbackSDK
	im  *hostim.IM
}

func adapt(sdk *callbackSDK) *adapter {
	a := &adapter{sdk: sdk}
	a.im = hostim.Wrap(hostim.Client{Login: a.login, Logout: a.logout}) // the host initialises the SDK itself
	sdk.OnLoggedIn = func(account string) { a.im.LoggedIn(engine.IMAccount{Accid: account}) }
	sdk.OnLoggedOut = a.im.LoggedOut
	sdk.OnLink = a.im.Link
	return a
}

// login waits for the completion. This SDK cannot cancel a login, so login goes
// on if ctx ends; the engine's caller does not wait for it.
func (a *adapter) login(_ context.Context, account engine.IMAccount) error {
	a.im.LoggingIn()
	completed := make(chan error, 1)
	a.sdk.Login(account.Accid, account.Token, func(err error) { completed <- err })
	return <-completed
}

// logout waits for the completion. The SDK calls OnLoggedOut before it.
func (a *adapter) logout(context.Context) error {
	completed := make(chan error, 1)
	a.sdk.Logout(func(err error) { completed <- err })
	return <-completed
}

// Login is for the host itself, which calls it instead of the SDK's.
func (a *adapter) Login(account, token string) error {
	a.im.LoggingIn() // the engine waits from here on
	completed := make(chan error, 1)
	a.sdk.Login(account, token, func(err error) {
		if err != nil {
			a.im.LoggedOut(err) // it waits no longer
		}
		completed <- err
	})
	return <-completed
}

// An adapter for an SDK that uses callbacks.
func Example_adapter() {
	ctx := context.Background()
	kit, account := appServer()
	sdk := newCallbackSDK()
	defer sdk.Close()
	host := adapt(sdk)

	e, err := engine.New(engine.Join(host.im, kit), "app1", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()

	// The host logs in, and the kit reuses that.
	fmt.Println(host.Login("myAccid", "myToken"))
	fmt.Println(e.LoginKit(ctx, account), e.Status().Reused())
	fmt.Println(e.LogoutIM(ctx), e.Status().State)

	// Nobody is logged in, and the engine logs in by itself.
	fmt.Println(e.LoginKit(ctx, account), e.Status().Reused())
	// Output:
	// <nil>
	// <nil> true
	// <nil> im_initialized
	// <nil> false
}
