package nimhttp_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// An app with its own IM client logs a kit in at a kit server.
func ExampleNewKit() {
	server, err := nimhttptest.Start(nimhttptest.Options{}) // use your own server instead
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	if err := reuseOverHTTP(context.Background(), nimhttptest.AppKey, server.KitURL()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// kit_logged_in true
}

func reuseOverHTTP(ctx context.Context, appKey, url string) error {
	kit, err := nimhttp.NewKit(nimhttp.Options{AppKey: appKey, KitURL: url}) // an empty KitURL means the vendor's public server
	if err != nil {
		return err
	}
	im := hostim.Wrap(hostim.Client{}) // call its methods from the SDK's callbacks
	e, err := engine.New(engine.Join(im, kit), appKey, &engine.Options{Mode: engine.ReuseIM})
	if err != nil {
		return err
	}
	defer e.Close()
	im.LoggedIn(engine.IMAccount{Accid: nimhttptest.Accid}) // the SDK reports a login
	account := engine.KitAccount{UserUUID: nimhttptest.UserUUID, Token: nimhttptest.UserToken}
	if err := e.LoginKit(ctx, account); err != nil {
		return err
	}
	fmt.Println(e.Status().State, e.Status().Reused())
	return nil
}

// The full chain: a kit server, and an IM gateway in which the vendor's SDK
// holds the connection. The engine initialises IM and logs the bound account
// in.
func ExampleNew_autoLogin() {
	withServers(autoLoginOverHTTP)
	// Output:
	// kit_logged_in myaccid true
	// im_initialized
}

func autoLoginOverHTTP(ctx context.Context, o nimhttp.Options, account engine.KitAccount) error {
	backend, err := nimhttp.New(o) // o has AppKey, KitURL, GatewayURL and GatewaySecret
	if err != nil {
		return err
	}
	e, err := engine.New(backend, o.AppKey, &engine.Options{Mode: engine.AutoLogin})
	if err != nil {
		return err
	}
	defer e.Close()
	if err := e.LoginKit(ctx, account); err != nil {
		return err
	}
	fmt.Println(e.Status().State, e.Status().Accid, e.Status().Online)
	err = e.LogoutKit(ctx) // also logs IM out, because the engine logged it in
	fmt.Println(e.Status().State)
	return err
}

// The app logs IM in through the engine for its own chat, and the kit reuses
// that login.
func ExampleNew_reuseIM() {
	withServers(reuseOverGateway)
	// Output:
	// kit_logged_in true
	// im_logged_in
}

func reuseOverGateway(ctx context.Context, o nimhttp.Options, account engine.KitAccount) error {
	backend, err := nimhttp.New(o)
	if err != nil {
		return err
	}
	e, err := engine.New(backend, o.AppKey, &engine.Options{Mode: engine.ReuseIM})
	if err != nil {
		return err
	}
	defer e.Close()
	im := engine.IMAccount{Accid: nimhttptest.Accid, Token: nimhttptest.IMToken}
	if err := errors.Join(e.InitIM(ctx), e.LoginIM(ctx, im), e.LoginKit(ctx, account)); err != nil {
		return err
	}
	fmt.Println(e.Status().State, e.Status().Reused())
	err = e.LogoutKit(ctx)
	fmt.Println(e.Status().State)
	return err
}

// Another program has logged IM in, in a slot with a known name. The engine
// finds that login and reuses it. If there were none, it would log IM in
// itself.
func ExampleNew_autoDetect() {
	withServers(detectOverGateway)
	// Output:
	// kit_logged_in true
}

func detectOverGateway(ctx context.Context, o nimhttp.Options, account engine.KitAccount) error {
	o.Slot = "desk-1"
	chat, err := nimhttp.NewIM(o) // this may be another process, in any language
	if err != nil {
		return err
	}
	defer chat.Close()
	im := engine.IMAccount{Accid: nimhttptest.Accid, Token: nimhttptest.IMToken}
	if err := errors.Join(chat.InitIM(ctx, o.AppKey), chat.LoginIM(ctx, im, engine.Notify{})); err != nil {
		return err
	}
	return detectIn(ctx, o, account)
}

func detectIn(ctx context.Context, o nimhttp.Options, account engine.KitAccount) error {
	backend, err := nimhttp.New(o)
	if err != nil {
		return err
	}
	e, err := engine.New(backend, o.AppKey, nil) // the zero Options: AutoDetect
	if err != nil {
		return err
	}
	defer e.Close() // leaves the other program's login alone
	err = e.LoginKit(ctx, account)
	fmt.Println(e.Status().State, e.Status().Reused())
	return err
}

// withServers runs the host with a fake kit server and a fake gateway. Use your
// own servers instead.
func withServers(host func(context.Context, nimhttp.Options, engine.KitAccount) error) {
	server, err := nimhttptest.Start(nimhttptest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	o := nimhttp.Options{
		AppKey: nimhttptest.AppKey, KitURL: server.KitURL(),
		GatewayURL: server.GatewayURL(), GatewaySecret: server.GatewaySecret(),
	}
	if err := host(context.Background(), o, engine.KitAccount{UserUUID: nimhttptest.UserUUID, Token: nimhttptest.UserToken}); err != nil {
		fmt.Println(err)
	}
}
