package hostim_test

import (
	"context"
	"fmt"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A nim stands for the app's IM SDK: it has calls, and callbacks.
type nim struct {
	onLogin  func(account string)
	onLogout func(reason error)
}

func (n *nim) Init(appKey string)                {}
func (n *nim) Login(account, token string)       { n.onLogin(account) }
func (n *nim) Logout()                           { n.onLogout(nil) }
func (n *nim) GetInstance(account, token string) { n.Init("app1"); n.Login(account, token) }
func appServer() (engine.Kit, engine.KitAccount) { return kitServer("myAccid", "myToken") }
func isMainProcess() bool                        { return true }
func reports(im *hostim.IM) (func(string), func(error)) {
	return func(account string) { im.LoggedIn(engine.IMAccount{Accid: account}) }, im.LoggedOut
}

// kitServer makes a kit, and a kit account that is bound to an IM account, in
// memory.
func kitServer(imAccid, imToken string) (engine.Kit, engine.KitAccount) {
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	cloud.AddIM(engine.IMAccount{Accid: imAccid, Token: imToken})
	account, err := cloud.CreateKitAccount(imAccid, imToken)
	if err != nil {
		panic(err)
	}
	return cloud.Device(), account
}

// The guide for NEMeetingKit on the Web: the kit follows the IM instance from
// before its first login.
func Example_web() {
	ctx := context.Background()
	kit, account := appServer() // a kit account, created with imAccid and imToken

	im := hostim.Wrap(hostim.Client{}) // NEMeetingKit.reuseIM(NIM)
	var sdk nim
	sdk.onLogin, sdk.onLogout = reports(im)
	sdk.GetInstance("myAccid", "myToken") // NIM.getInstance({account, token})

	e, err := engine.New(engine.Join(im, kit), "app1", &engine.Options{Mode: engine.ReuseIM}) // initialize({im: nim})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	fmt.Println(e.LoginKit(ctx, account), e.Status().Reused()) // loginByToken
	sdk.Logout()
	fmt.Println(engine.CodeOf(e.LoginKit(ctx, account))) // no kit without IM
	// Output:
	// <nil> true
	// IM reuse is on and the host has not logged IM in
}

// The guide for NERoom on the desktop: IM is initialised first, and logged in
// any time before the kit.
func Example_neroom() {
	ctx := context.Background()
	kit, account := appServer()

	im := hostim.Wrap(hostim.Client{})
	var sdk nim
	sdk.onLogin, sdk.onLogout = reports(im)
	sdk.Init("app1") // nim::Client::Init

	options := &engine.Options{Mode: engine.ReuseIM} // NERoomKitOptions: reuseIM = true
	e, err := engine.New(engine.Join(im, kit), "app1", options)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	sdk.Login("myAccid", "myToken")                            // nim::Client::Login
	fmt.Println(e.LoginKit(ctx, account), e.Status().Reused()) // getAuthService()->login
	// Output:
	// <nil> true
}

// The guide for NEMeetingKit on Android: IM is initialised only in the main
// process, and the code of the kit login shows whether reuse works.
func Example_android() {
	ctx := context.Background()
	kit, account := appServer()

	im := hostim.Wrap(hostim.Client{})
	var sdk nim
	sdk.onLogin, sdk.onLogout = reports(im) // NIMClient.config, in every process
	if isMainProcess() {
		sdk.Init("app1") // NIMClient.initSDK
	}
	options := &engine.Options{Mode: engine.ReuseIM, SecondaryProcess: !isMainProcess()} // config.reuseIM = true
	e, err := engine.New(engine.Join(im, kit), "app1", options)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	tooEarly := e.LoginKit(ctx, account) // NEMeetingKit.login, before IM
	fmt.Println(int(engine.CodeOf(tooEarly)))
	sdk.Login("myAccid", "myToken")                            // AuthService.login
	fmt.Println(e.LoginKit(ctx, account), e.Status().Reused()) // NEMeetingKit.login
	// Output:
	// 100004
	// <nil> true
}
