package nimhttptest_test

import (
	"context"
	"fmt"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// An app logs in over HTTP, without an account at the vendor. In a test, use
// New instead of Start; it needs no error handling and no Close.
func Example() {
	server, err := nimhttptest.Start(nimhttptest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	kit, err := nimhttp.NewKit(nimhttp.Options{AppKey: nimhttptest.AppKey, KitURL: server.KitURL()})
	if err != nil {
		fmt.Println(err)
		return
	}

	e, err := engine.New(engine.Join(server.World().Device(), kit), nimhttptest.AppKey, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	account := engine.KitAccount{UserUUID: nimhttptest.UserUUID, Token: nimhttptest.UserToken}
	fmt.Println(e.LoginKit(context.Background(), account), e.Status().Accid)
	// Output:
	// <nil> myaccid
}

// The server fails twice. How often does the client try?
func ExampleServer_Fault() {
	server, err := nimhttptest.Start(nimhttptest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.Fault(nimhttptest.Fault{Path: "/v1/login", Times: 2, Status: 503})

	kit, err := nimhttp.NewKit(nimhttp.Options{AppKey: nimhttptest.AppKey, KitURL: server.KitURL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer kit.Close()
	account := engine.KitAccount{UserUUID: nimhttptest.UserUUID, Token: nimhttptest.UserToken}
	im, err := kit.Authenticate(context.Background(), account)
	fmt.Println(im, err, len(server.Requests()))
	// Output:
	// myaccid <nil> 3
}
