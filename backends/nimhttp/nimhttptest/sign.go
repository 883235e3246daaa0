package nimhttptest

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"
)

const (
	maxNonce = 128 // characters
	window   = 300 // seconds, before and after the server's time
)

// checkSignature checks the signature of a call (docs/vendor/http.md#signing)
// and returns its AppKey. Its error is a *refusal.
func (s *Server) checkSignature(d *dialect, h http.Header) (appKey string, err error) {
	for _, name := range []string{"AppKey", "Nonce", "CurTime", "CheckSum"} {
		if h.Get(name) == "" {
			return "", refuseCall(d.signature, "header %s is missing", name)
		}
	}
	appKey = h.Get("AppKey")
	switch {
	case s.appKey != "" && appKey != s.appKey:
		return "", refuseCall(d.unknownApp, "AppKey does not exist")
	case s.appSecret() == "":
		return "", refuseCall(d.signature, "this server has no AppSecret, so it refuses every call")
	}
	return appKey, s.checkSum(d, h.Get("Nonce"), h.Get("CurTime"), h.Get("CheckSum"))
}

func (s *Server) checkSum(d *dialect, nonce, curTime, sum string) error {
	at, err := strconv.ParseUint(curTime, 10, 63)
	if err != nil {
		return refuseCall(d.signature, "CurTime is not a number of seconds")
	}
	if off := s.now().Unix() - int64(at); off > window || off < -window {
		return refuseCall(d.signature, "CurTime is more than %d seconds off", window)
	}
	if utf8.RuneCountInString(nonce) > maxNonce {
		return refuseCall(d.signature, "Nonce has more than %d characters", maxNonce)
	}
	want := sha1.Sum([]byte(s.appSecret() + nonce + curTime))
	if !equal(sum, hex.EncodeToString(want[:])) {
		return refuseCall(d.signature, "CheckSum is wrong")
	}
	return nil
}

// equal compares in constant time.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// refuseCall returns a failure with HTTP status 200 and its own text.
func refuseCall(code int, format string, args ...any) *refusal {
	return &refusal{http.StatusOK, code, fmt.Sprintf(format, args...)}
}
