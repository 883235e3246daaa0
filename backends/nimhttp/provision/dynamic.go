package provision

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
)

// DynamicToken returns a token that logs accid in to IM from at until ttl
// later. The server checks it by its signature, so no call tells it about the
// token, and none takes the token back. Any number of tokens are good at once.
//
// Call it on the app server and hand the client the result: whoever has the
// AppSecret can sign for every account. The vendor's console must allow this
// kind of login. Spell accid as the login does: the signature is over its exact
// bytes.
//
// at is cut to milliseconds and ttl to whole seconds, so a token never lives
// longer than it should. A ttl of less than a second leaves no lifetime, and
// the result is "", which every login refuses. The vendor publishes no upper
// limit, and its documents use ten minutes.
//
// docs/vendor/http.md#dynamic-tokens has the format and its source.
func DynamicToken(appKey, appSecret, accid string, at time.Time, ttl time.Duration) string {
	if ttl < time.Second {
		return ""
	}
	token := dynamicToken{CurTime: at.UnixMilli(), TTL: int64(ttl / time.Second)}
	token.Signature = token.sign(appKey, appSecret, accid)
	text, _ := json.Marshal(token) // a text and two numbers always are JSON
	return base64.StdEncoding.EncodeToString(text)
}

// A dynamicToken has its fields in the order in which the vendor has them.
type dynamicToken struct {
	Signature string `json:"signature"`
	CurTime   int64  `json:"curTime"` // milliseconds since 1970
	TTL       int64  `json:"ttl"`     // seconds
}

func (d dynamicToken) sign(appKey, appSecret, accid string) string {
	curTime, ttl := strconv.FormatInt(d.CurTime, 10), strconv.FormatInt(d.TTL, 10)
	sum := sha1.Sum([]byte(appKey + accid + curTime + ttl + appSecret))
	return hex.EncodeToString(sum[:])
}
