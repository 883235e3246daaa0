//go:build js && wasm

package main

import (
	"context"
	"syscall/js"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// This file has the IM role, which is the page's own IM client, and the mock.

var (
	ims      table[*flat.IM]
	requests table[*flat.Request]
	mocks    table[*mock]
)

// ask makes a function of the page's into an Ask. The page answers with answer or
// answerToken. What the function returned is called if nobody waits for the
// answer any more.
func ask(f js.Value, arg map[string]any, r *flat.Request) (end func(gaveUp bool)) {
	number := requests.add(r)
	giveUp := f.Invoke(number, arg)
	return func(gaveUp bool) {
		requests.take(number)
		if gaveUp {
			giveUp.Invoke()
		}
	}
}

// answer takes a request, a code, which is 0 for success, and a text.
func answer(a []js.Value) any {
	r := requests.take(a[0].Int())
	if code := a[1].Int(); code != 0 {
		r.Fail(flat.Cause(code, 0, a[2].String()))
	} else {
		r.Done()
	}
	return nil
}

func answerToken(a []js.Value) any {
	requests.take(a[0].Int()).Token(a[1].String())
	return nil
}

// newIM takes the functions init, login and logout of the page's client; undefined
// if the page does that itself.
func newIM(a []js.Value) any {
	var c flat.Client
	if init := a[0]; init.Truthy() {
		c.Init = func(appKey string, r *flat.Request) func(bool) {
			return ask(init, map[string]any{"appKey": appKey}, r)
		}
	}
	if login := a[1]; login.Truthy() {
		c.Login = func(account engine.IMAccount, r *flat.Request) func(bool) {
			return ask(login, map[string]any{
				"appKey": account.AppKey, "accid": account.Accid, "token": account.Token,
			}, r)
		}
	}
	if logout := a[2]; logout.Truthy() {
		c.Logout = func(r *flat.Request) func(bool) { return ask(logout, map[string]any{}, r) }
	}
	return ims.add(flat.NewIM(c))
}

// releaseIM forgets an IM client; engines keep it for as long as they need it.
func releaseIM(a []js.Value) any {
	ims.take(a[0].Int())
	return nil
}

// report makes a function of one that reports about an IM client.
func report(f func(im *flat.IM, args []js.Value)) js.Func {
	return function(func(a []js.Value) any {
		if im := ims.get(a[0]); im != nil {
			f(im, a[1:])
		}
		return nil
	})
}

func loggedIn(im *flat.IM, a []js.Value) {
	im.LoggedIn(engine.IMAccount{AppKey: text(a[0]), Accid: text(a[1])})
}

// loggedOut takes a code of the engine's, the reason of a kick, and a text.
func loggedOut(im *flat.IM, a []js.Value) {
	im.LoggedOut(flat.Cause(a[0].Int(), engine.KickReason(a[1].Int()), text(a[2])))
}

// kicked takes the reason that the SDK gave, or 0, and its text.
func kicked(im *flat.IM, a []js.Value) {
	if reason := engine.KickReason(a[0].Int()); reason != 0 {
		im.LoggedOut(flat.Cause(0, reason, text(a[1])))
		return
	}
	im.LoggedOut(flat.Cause(int(engine.ErrKicked), 0, text(a[1])))
}

// endedBySDK takes a number of the vendor's SDK and its text.
func endedBySDK(im *flat.IM, a []js.Value) {
	number := a[0].Int()
	if code := nimcodes.Code(number); code != 0 {
		number = int(code)
	}
	im.LoggedOut(flat.Cause(number, 0, text(a[1])))
}

// A mock is a cloud with one device, which the page under test is.
type mock struct {
	cloud  *mockim.Service
	device *mockim.Device
}

// newMock takes the accounts in JSON; "" for the ones of the vendor's guides.
func newMock(a []js.Value) any {
	cloud, err := flat.NewMock(a[0].String())
	if err != nil {
		return result(nil, &engine.Error{Op: "mock", Err: err})
	}
	return result(mocks.add(&mock{cloud, cloud.Device()}), nil)
}

// mockLogin takes an accid and a token, and calls back with a failure or null.
func mockLogin(a []js.Value) any {
	m, account, done := mocks.get(a[0]), engine.IMAccount{Accid: a[1].String(), Token: a[2].String()}, a[3]
	go func() {
		err := m.device.HostInit(context.Background())
		if err == nil {
			err = m.device.HostLogin(context.Background(), account)
		}
		if err != nil {
			err = &engine.Error{Op: "hostLogin", State: engine.IMInitialized, Err: err}
		}
		done.Invoke(failure(err))
	}()
	return nil
}

func mockLogout(a []js.Value) any {
	_ = mocks.get(a[0]).device.HostLogout(context.Background()) // it cannot fail
	return nil
}

func mockLink(a []js.Value) any {
	mocks.get(a[0]).device.Link(a[1].Bool())
	return nil
}

func mockKick(a []js.Value) any {
	mocks.get(a[0]).cloud.Kick(a[1].String(), engine.KickReason(a[2].Int()))
	return nil
}

func mockExpire(a []js.Value) any {
	mocks.get(a[0]).cloud.ExpireKit(a[1].String())
	return nil
}
