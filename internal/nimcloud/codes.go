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

// codeOf returns the code for a login that failed or ended with err.
func codeOf(err error) int {
	if err == nil {
		return codeOK
	}
	return cmp.Or(nimcodes.Of(err), codeUnavailable)
}

// wire returns the 16 bits that stand for a code on the wire. packCode has to
// accept the code.
func (f *family) wire(code int) uint16 {
	packed, _ := packCode(f.code(code))
	return packed
}

// packCode returns the 16 bits that stand for a code of the V2 services on the
// wire. Codes below 1000, and codes that apps define (20000 to 20099), are sent
// unchanged. Every other code is 1SSRRR, a service and a reason, and becomes 7
// bits of service and 9 bits of reason. The services count from 1 and skip 39,
// because the codes that apps define fall there.
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
