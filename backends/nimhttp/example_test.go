package nimhttp_test

import (
	"context"
	"fmt"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// A host with its own IM client, and a kit server over HTTP.
func ExampleNewKit() {
	server, err := nimhttptest.Start(nimhttptest.Options{}) // yours is a real one
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
	kit, err := nimhttp.NewKit(nimhttp.Options{AppKey: appKey, KitURL: url}) // "": the vendor's public server
	if err != nil {
		return err
	}
	im := hostim.Wrap(hostim.Client{}) // report to it from the SDK's callbacks
	e, err := engine.New(engine.Join(im, kit), appKey, &engine.Options{Mode: engine.ReuseIM})
	if err != nil {
		return err
	}
	defer e.Close()
	im.LoggedIn(engine.IMAccount{Accid: nimhttptest.Accid}) // the SDK says so
	account := engine.KitAccount{UserUUID: nimhttptest.UserUUID, Token: nimhttptest.UserToken}
	if err := e.LoginKit(ctx, account); err != nil {
		return err
	}
	fmt.Println(e.Status().State, e.Status().Reused())
	return nil
}
