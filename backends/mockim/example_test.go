package mockim_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// The test of an app needs no account and no network: the cloud is in memory,
// and the test can make calls fail.
func Example() {
	ctx := context.Background()
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	cloud.AddIM(engine.IMAccount{Accid: "myAccid", Token: "myToken"})
	kit, err := cloud.CreateKitAccount("myAccid", "myToken")
	if err != nil {
		fmt.Println(err)
		return
	}
	phone := cloud.Device()
	e, err := engine.New(phone, "app1", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()

	phone.Fail("LoginIM", engine.ErrUnavailable)
	err = e.LoginKit(ctx, kit)
	fmt.Println(errors.Is(err, engine.ErrUnavailable), e.Status().State)
	err = e.LoginKit(ctx, kit)
	fmt.Println(err, e.Status().State, phone.LoggedIn())
	err = e.LogoutKit(ctx)
	fmt.Println(err, e.Status().State, phone.Calls()[6:])
	// Output:
	// true im_initialized
	// <nil> kit_logged_in myaccid
	// <nil> im_initialized [LogoutKit LogoutIM]
}

// A login on another device kicks the first one.
func ExampleService_Device() {
	ctx := context.Background()
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	account := engine.IMAccount{Accid: "myAccid", Token: "myToken"}
	cloud.AddIM(account)
	kit, err := cloud.CreateKitAccount(account.Accid, account.Token)
	if err != nil {
		fmt.Println(err)
		return
	}
	phone, desktop := cloud.Device(), cloud.Device()
	e, err := engine.New(phone, "app1", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	if err := e.LoginKit(ctx, kit); err != nil {
		fmt.Println(err)
		return
	}

	for s := range e.Watch(ctx) {
		fmt.Println(s.State, errors.Is(s.Cause, engine.ErrKicked))
		if s.State < engine.IMLoggedIn {
			break
		}
		desktop.HostInit(ctx)
		desktop.HostLogin(ctx, account)
	}
	fmt.Printf("%q %q\n", phone.LoggedIn(), desktop.LoggedIn())
	// Output:
	// kit_logged_in false
	// im_initialized true
	// "" "myaccid"
}
