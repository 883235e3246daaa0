package provision_test

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"testing"
	"testing/quick"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
)

const (
	vectorAppKey = "0123456789abcdef0123456789abcdef"
	vectorSecret = "0123456789ab"
)

// The vector of docs/vendor/http.md#dynamic-tokens.
func TestDynamicToken(t *testing.T) {
	const want = "eyJzaWduYXR1cmUiOiI0ODRlZTE4MDk3MWNlOTllZTFiYmUwMjM1Y2YwZTZjNzRlMzhmZDYzIiwiY3VyVGltZSI6MTcwMDAwMDAwMDAwMCwidHRsIjo2MDB9"
	at := time.UnixMilli(1700000000000)
	if got := provision.DynamicToken(vectorAppKey, vectorSecret, "user01", at, 10*time.Minute); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// openToken returns the JSON in a token.
func openToken(t *testing.T, token string) (signature string, curTime, ttl int64) {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		t.Fatalf("%q: %v", token, err)
	}
	var fields struct {
		Signature    string
		CurTime, TTL int64
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return fields.Signature, fields.CurTime, fields.TTL
}

func TestDynamicTokenUnits(t *testing.T) {
	at := time.Unix(1700000000, 123_999_999)
	tests := []struct {
		ttl  time.Duration
		want int64 // seconds; 0: there is no token
	}{
		{time.Second, 1},
		{time.Second + 999*time.Millisecond, 1},
		{10 * time.Minute, 600},
		{30 * 24 * time.Hour, 2592000},
		{time.Second - 1, 0},
		{600, 0}, // somebody forgot the unit
		{0, 0},
		{-time.Hour, 0},
	}
	for _, test := range tests {
		token := provision.DynamicToken("app1", "secret", "user01", at, test.ttl)
		if test.want == 0 {
			if token != "" {
				t.Errorf("ttl %v: got %q, want none", test.ttl, token)
			}
			continue
		}
		_, curTime, ttl := openToken(t, token)
		if curTime != 1700000000123 || ttl != test.want {
			t.Errorf("ttl %v: got curTime %d and ttl %d, want 1700000000123 and %d", test.ttl, curTime, ttl, test.want)
		}
	}
}

// A token is no good for another account, app, secret or time.
func TestDynamicTokenBinds(t *testing.T) {
	signatures := map[string]string{}
	at := time.UnixMilli(1700000000000)
	for name, token := range map[string]string{
		"the token":    provision.DynamicToken("app1", "secret", "user01", at, time.Minute),
		"an app":       provision.DynamicToken("app2", "secret", "user01", at, time.Minute),
		"a secret":     provision.DynamicToken("app1", "Secret", "user01", at, time.Minute),
		"an account":   provision.DynamicToken("app1", "secret", "user02", at, time.Minute),
		"the case":     provision.DynamicToken("app1", "secret", "User01", at, time.Minute),
		"a moment":     provision.DynamicToken("app1", "secret", "user01", at.Add(time.Millisecond), time.Minute),
		"a lifetime":   provision.DynamicToken("app1", "secret", "user01", at, time.Minute+time.Second),
		"not in ASCII": provision.DynamicToken("app1", "密钥", "user01", at, time.Minute),
	} {
		signature, _, _ := openToken(t, token)
		if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(signature) {
			t.Errorf("%s: signature %q", name, signature)
		}
		if other, taken := signatures[signature]; taken {
			t.Errorf("%s and %s have one signature", name, other)
		}
		signatures[signature] = name
	}
}

// Whatever is signed: the token is the same each time, has the time and the
// lifetime that were asked for, and nothing else of what went into it.
func TestDynamicTokenProperties(t *testing.T) {
	holds := func(appKey, secret, accid string, ms uint32, seconds uint16) bool {
		at, ttl := time.UnixMilli(int64(ms)*1000), time.Duration(seconds)*time.Second+time.Second
		token := provision.DynamicToken(appKey, secret, accid, at, ttl)
		_, curTime, life := openToken(t, token)
		return curTime == at.UnixMilli() && time.Duration(life)*time.Second == ttl &&
			token == provision.DynamicToken(appKey, secret, accid, at.UTC(), ttl) &&
			regexp.MustCompile(`^[A-Za-z0-9+/]+=*$`).MatchString(token)
	}
	if err := quick.Check(holds, nil); err != nil {
		t.Error(err)
	}
}
