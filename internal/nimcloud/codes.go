package nimcloud

import (
	"cmp"

	"github.com/imreuse/imreuse/internal/nimcodes"
)

// The codes that this cloud sends besides those of a login.
const (
	codeOK          = 200
	codeForbidden   = 403
	codeUnknown     = 404
	codeUnavailable = 503
)

// codeOf is the answer to a login that err was the end of.
func codeOf(err error) int {
	if err == nil {
		return codeOK
	}
	return cmp.Or(nimcodes.Of(err), codeUnavailable)
}

// packCode is how a code of the V2 services is on the wire, in 16 bits. Those
// below 1000 and those that apps define (20000 to 20099) go as they are. The
// others are 1SSRRR, a service and a reason: 7 bits of service, from 1 and
// without the 39 that the app-defined ones fall into, and 9 of reason.
func packCode(code int) (_ uint16, ok bool) {
	if 0 <= code && code < 1000 || 20000 <= code && code <= 20099 {
		return uint16(code), true
	}
	service, reason := (code-100000)/1000+1, code%1000
	if service >= 39 {
		service++
	}
	packed := service<<9 | reason
	if code < 100000 || service > 127 || reason > 511 || packed < 1000 {
		return 0, false
	}
	return uint16(packed), true
}
