package engine_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// newCloud makes an IM cloud and a kit server in memory, with the IM account
// myAccid and a kit account bound to it, as the app server creates them.
func newCloud() (*mockim.Service, engine.KitAccount) {
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	cloud.AddIM(engine.IMAccount{Accid: "myAccid", Token: "myToken"})
	kit, err := cloud.CreateKitAccount("myAccid", "myToken")
	if err != nil {
		panic(err)
	}
	return cloud, kit
}

func Example_autoLogin() {
	ctx := context.Background()
	cloud, kit := newCloud() // in memory; yours come from the app server

	e, err := engine.New(cloud.Device(), "app1", &engine.Options{Mode: engine.AutoLogin})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	if err := e.LoginKit(ctx, kit); err != nil { // initialises IM, logs it in, then the kit
		fmt.Println(err, engine.CodeOf(err).Remedy())
		return
	}
	fmt.Println(e.Status().State, e.Status().Accid, e.Status().Reused())
	e.LogoutKit(ctx) // and IM, which the engine logged in
	fmt.Println(e.Status().State)
	// Output:
	// kit_logged_in myaccid false
	// im_initialized
}

func Example_reuseIM() {
	ctx := context.Background()
	cloud, kit := newCloud()

	e, err := engine.New(cloud.Device(), "app1", &engine.Options{Mode: engine.ReuseIM})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	im := engine.IMAccount{Accid: "myAccid", Token: "myToken"}
	if err := errors.Join(e.InitIM(ctx), e.LoginIM(ctx, im)); err != nil { // when the app likes, but before the kit
		fmt.Println(err)
		return
	}
	if err := e.LoginKit(ctx, kit); err != nil { // nil: reuse works
		fmt.Println(err, engine.CodeOf(err).Remedy())
		return
	}
	fmt.Println(e.Status().State, e.Status().Reused())
	e.LogoutKit(ctx) // IM stays logged in: it is the app's
	fmt.Println(e.Status().State)
	// Output:
	// kit_logged_in true
	// im_logged_in
}

func Example_autoDetect() {
	ctx := context.Background()
	cloud, kit := newCloud()
	device := cloud.Device()

	e, err := engine.New(device, "app1", nil) // the zero Options: AutoDetect
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	fmt.Println(e.LoginKit(ctx, kit), e.Status().Reused()) // nobody has logged IM in: the engine does
	e.LogoutKit(ctx)

	device.HostLogin(ctx, engine.IMAccount{Accid: "myAccid", Token: "myToken"}) // the app, with its own IM client
	fmt.Println(e.LoginKit(ctx, kit), e.Status().Reused())                      // found, and reused
	// Output:
	// <nil> false
	// <nil> true
}

// The README shows each mode in three lines; here they run. Each snippet ignores
// the error of New, which only bad arguments cause.
func Example_modesInShort() {
	ctx := context.Background()
	alice := engine.IMAccount{Accid: "myAccid", Token: "myToken"}

	func() {
		cloud, kit := newCloud()
		e, err := engine.New(cloud.Device(), "app1", &engine.Options{Mode: engine.AutoLogin})
		err = e.LoginKit(ctx, kit)
		fmt.Println(err, e.Status().State, e.Status().Accid)
		e.Close()
	}()
	func() {
		cloud, kit := newCloud()
		e, err := engine.New(cloud.Device(), "app1", &engine.Options{Mode: engine.ReuseIM})
		err = errors.Join(e.InitIM(ctx), e.LoginIM(ctx, alice), e.LoginKit(ctx, kit))
		fmt.Println(err, e.Status().State, e.Status().Reused())
		e.Close()
	}()
	func() {
		cloud, kit := newCloud()
		device := cloud.Device()
		e, err := engine.New(device, "app1", nil)
		err = errors.Join(device.HostInit(ctx), device.HostLogin(ctx, alice), e.LoginKit(ctx, kit)) // your app's own IM client first
		fmt.Println(err, e.Status().State, e.Status().Reused())
		e.Close()
	}()
	// Output:
	// <nil> kit_logged_in myaccid
	// <nil> kit_logged_in true
	// <nil> kit_logged_in true
}

func ExampleEngine_Watch() {
	ctx := context.Background()
	cloud, kit := newCloud()
	e, _ := engine.New(cloud.Device(), "app1", nil)
	defer e.Close()
	e.LoginKit(ctx, kit)

	for s := range e.Watch(ctx) {
		fmt.Println(s.State, s.Via)
		if s.State == engine.KitLoggedIn {
			cloud.Kick("myAccid", engine.KickedByServer) // what happens to a user some day
			continue
		}
		fmt.Println(s.Cause)
		break
	}
	// Output:
	// kit_logged_in login_kit
	// im_initialized im_lost
	// the service ended the IM login: it was kicked by the server
}

func ExampleCodeOf() {
	cloud, kit := newCloud()
	e, _ := engine.New(cloud.Device(), "app1", &engine.Options{Mode: engine.ReuseIM})
	defer e.Close()

	err := e.LoginKit(context.Background(), kit)
	code := engine.CodeOf(err)
	fmt.Println(int(code), code)
	fmt.Println(code.Remedy())
	desktop, _ := code.In(engine.ProfileDesktop)
	fmt.Println(desktop)
	// Output:
	// 100004 IM reuse is on and the host has not logged IM in
	// Log IM in with the bound account (Engine.LoginIM, or the host's own IM client) before the kit login.
	// 1801
}

// A bot that stays logged in: its kit token comes from the app server, and
// KeepKit logs in again after an outage, until somebody logs out.
func ExampleEngine_KeepKit() {
	ctx := context.Background()
	cloud, kit := newCloud()

	e, err := engine.New(cloud.Device(), "app1", &engine.Options{
		Mode: engine.AutoLogin,
		KitToken: func(ctx context.Context, userUUID, refused string) (string, error) {
			return kit.Token, nil // yours asks the app server
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	go func() {
		for s := range e.Watch(ctx) {
			if s.State == engine.KitLoggedIn {
				fmt.Println(s.State)
				break
			}
		}
		e.LogoutKit(ctx) // the user has had enough
	}()
	err = e.KeepKit(ctx, engine.KitAccount{UserUUID: kit.UserUUID})
	fmt.Println(errors.Is(err, engine.ErrInterrupted))
	// Output:
	// kit_logged_in
	// true
}
