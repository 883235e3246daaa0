//go:build cgo

package main

// #include "bridge.h"
import "C"

import (
	"fmt"
	"math"
	"sync"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
)

// This file has the roles, the mock and the codes. operations.go has the engine.

var (
	ims      table[*flat.IM]
	kits     table[*flat.Kit]
	mocks    table[*mockim.Service]
	requests table[*flat.Request]
)

func str(s C.text) string { return C.GoString(s) }

// errNotUnderstood is the error for a struct that grown in api.c refused.
func errNotUnderstood(name string) error {
	return fmt.Errorf("%w: %s is NULL, its struct_size is not set, or it has a field that this library does not know", engine.ErrArgument, name)
}

//export goCodeText
func goCodeText(code C.int) *C.char {
	switch code {
	case C.IMREUSE_OK:
		return forever("no error")
	case C.IMREUSE_ERR_OTHER:
		return forever("an error without a code")
	}
	if c := engine.Code(code); c.Remedy() != "" {
		return forever(c.Error())
	}
	return forever("an unknown code")
}

//export goCodeRemedy
func goCodeRemedy(code C.int) *C.char { return forever(engine.Code(code).Remedy()) }

//export goCodeIn
func goCodeIn(code C.int, p C.imreuse_profile) C.int {
	if p > math.MaxUint8 {
		return 0
	}
	n, _ := engine.Code(code).In(engine.Profile(p))
	return C.int(n)
}

// texts are the C strings that the library has returned. They are few, because
// all of them are constants, and C may keep them.
var (
	texts   = map[string]*C.char{}
	textsMu sync.Mutex
)

func forever(s string) *C.char {
	textsMu.Lock()
	defer textsMu.Unlock()
	if texts[s] == nil {
		texts[s] = C.keep(C.CString(s))
	}
	return texts[s]
}

//export goRequestDone
func goRequestDone(r C.uintptr_t, code C.int, message C.text) {
	request := requests.get(handle(r))
	if code == C.IMREUSE_OK {
		request.Done()
		return
	}
	request.Fail(flat.Cause(int(code), 0, str(message)))
}

//export goRequestToken
func goRequestToken(r C.uintptr_t, token C.text) { requests.get(handle(r)).Token(str(token)) }

//export goNewIM
func goNewIM(understood C.bool, c *C.imreuse_im_client, e *C.imreuse_error) C.uintptr_t {
	if !understood {
		return fail(e, errNotUnderstood("imreuse_im_client"))
	}
	succeed(e)
	return C.uintptr_t(ims.add(flat.NewIM(newClient(c))))
}

//export goReleaseIM
func goReleaseIM(im C.uintptr_t) { ims.remove(handle(im)) }

//export goLoggingIn
func goLoggingIn(im C.uintptr_t) {
	if im := ims.get(handle(im)); im != nil {
		im.LoggingIn()
	}
}

//export goLoggedIn
func goLoggedIn(im C.uintptr_t, appKey, accid C.text) {
	if im := ims.get(handle(im)); im != nil {
		im.LoggedIn(engine.IMAccount{AppKey: str(appKey), Accid: str(accid)})
	}
}

//export goLoggedOut
func goLoggedOut(im C.uintptr_t, code, reason C.int, message C.text) {
	if im := ims.get(handle(im)); im != nil {
		im.LoggedOut(flat.Cause(int(code), engine.KickReason(reason), str(message)))
	}
}

//export goLink
func goLink(im C.uintptr_t, online C.bool) {
	if im := ims.get(handle(im)); im != nil {
		im.Link(bool(online))
	}
}

//export goNewKit
func goNewKit(understood C.bool, o *C.imreuse_kit_options, e *C.imreuse_error) C.uintptr_t {
	if !understood {
		return fail(e, errNotUnderstood("imreuse_kit_options"))
	}
	kit, err := flat.NewKit(flat.KitOptions{
		AppKey: str(o.app_key), KitURL: str(o.kit_url), DeviceID: str(o.device_id),
		DynamicToken: bool(o.dynamic_token), PlainHTTP: bool(o.plain_http),
	})
	if err != nil {
		return fail(e, err)
	}
	succeed(e)
	return C.uintptr_t(kits.add(kit))
}

//export goReleaseKit
func goReleaseKit(kit C.uintptr_t) {
	if kit := kits.remove(handle(kit)); kit != nil {
		kit.Release()
	}
}

//export goNewMock
func goNewMock(accounts C.text, e *C.imreuse_error) C.uintptr_t {
	cloud, err := flat.NewMock(str(accounts))
	if err != nil {
		return fail(e, err)
	}
	succeed(e)
	return C.uintptr_t(mocks.add(cloud))
}

//export goReleaseMock
func goReleaseMock(m C.uintptr_t) { mocks.remove(handle(m)) }

//export goMockIM
func goMockIM(m C.uintptr_t) C.uintptr_t {
	cloud := mocks.get(handle(m))
	if cloud == nil {
		return 0
	}
	return C.uintptr_t(ims.add(flat.MockIM(cloud.Device(), cloud)))
}

//export goMockKit
func goMockKit(m C.uintptr_t) C.uintptr_t {
	cloud := mocks.get(handle(m))
	if cloud == nil {
		return 0
	}
	return C.uintptr_t(kits.add(flat.MockKit(cloud.Device())))
}

//export goMockKick
func goMockKick(m C.uintptr_t, accid C.text, reason C.int) {
	if cloud := mocks.get(handle(m)); cloud != nil {
		cloud.Kick(str(accid), engine.KickReason(reason))
	}
}

//export goMockEndIM
func goMockEndIM(m C.uintptr_t, accid C.text, code C.int) {
	if cloud := mocks.get(handle(m)); cloud != nil {
		cloud.EndIM(str(accid), flat.Cause(int(code), 0, ""))
	}
}

//export goMockExpire
func goMockExpire(m C.uintptr_t, userUUID C.text) {
	if cloud := mocks.get(handle(m)); cloud != nil {
		cloud.ExpireKit(str(userUUID))
	}
}
