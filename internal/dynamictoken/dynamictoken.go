// Package dynamictoken checks the vendor's dynamic IM tokens, for the IM cloud
// and the kit server of the tests and the sandbox. provision.DynamicToken makes
// them. The two share no code, so that each is a test of the other.
//
// docs/vendor/http.md#dynamic-tokens has the format.
package dynamictoken

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// tolerance is how far the signer's clock may be ahead. The vendor publishes
// none; this is the tolerance for its signed requests.
const tolerance = 5 * time.Minute

// Check returns nil if token is good for accid now. It fails with
// engine.ErrTokenExpired if the token was good once, and with
// engine.ErrTokenRejected if it was signed for another account or with another
// secret, lies more than five minutes in the future, or is no dynamic token at
// all. Without an appSecret no token is good. No error has the token in it.
func Check(token, appKey, appSecret, accid string, now time.Time) error {
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return rejected("it is not base64")
	}
	var claim struct {
		Signature string `json:"signature"`
		CurTime   int64  `json:"curTime"` // milliseconds since 1970
		TTL       int64  `json:"ttl"`     // seconds
	}
	if json.Unmarshal(text, &claim) != nil {
		return rejected("it is not JSON with signature, curTime and ttl")
	}
	if appSecret == "" {
		return rejected("this server has no AppSecret to check it with")
	}
	sum := sha1.Sum(fmt.Appendf(nil, "%s%s%d%d%s", appKey, accid, claim.CurTime, claim.TTL, appSecret))
	want := hex.EncodeToString(sum[:])
	if subtle.ConstantTimeCompare([]byte(claim.Signature), []byte(want)) == 0 {
		return rejected("its signature is wrong")
	}
	age := now.UnixMilli() - claim.CurTime
	if age < -tolerance.Milliseconds() {
		// The signature joins accid and curTime without a separator. A curTime
		// with a digit too many, taken from the accid, would be somebody else's.
		return rejected("its curTime lies in the future")
	}
	if claim.TTL <= max(0, age/1000) {
		return fmt.Errorf("dynamic token: %w", engine.ErrTokenExpired)
	}
	return nil
}

func rejected(why string) error {
	return fmt.Errorf("dynamic token: %s: %w", why, engine.ErrTokenRejected)
}
