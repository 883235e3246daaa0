package dynamictoken_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/dynamictoken"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The vector of docs/vendor/http.md#dynamic-tokens, which lives for 600 s.
const (
	appKey    = "0123456789abcdef0123456789abcdef"
	appSecret = "0123456789ab"
	accid     = "user01"
	signature = "484ee180971ce99ee1bbe0235cf0e6c74e38fd63"
	vector    = `{"signature":"` + signature + `","curTime":1700000000000,"ttl":600}`
)

var made = time.UnixMilli(1700000000000)

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestLifetime(t *testing.T) {
	tests := []struct {
		after time.Duration
		want  error
	}{
		{0, nil},
		{10*time.Minute - time.Millisecond, nil},
		{10 * time.Minute, engine.ErrTokenExpired},
		{1000 * time.Hour, engine.ErrTokenExpired},
		{-5 * time.Minute, nil}, // the signer's clock is ahead
		{-5*time.Minute - time.Millisecond, engine.ErrTokenRejected},
	}
	for _, test := range tests {
		err := dynamictoken.Check(encode(vector), appKey, appSecret, accid, made.Add(test.after))
		if !errors.Is(err, test.want) {
			t.Errorf("after %v: got %v, want %v", test.after, err, test.want)
		}
	}
}

func TestRejected(t *testing.T) {
	field := func(old, new string) string { return encode(strings.Replace(vector, old, new, 1)) }
	tests := []struct{ name, token, appKey, appSecret, accid string }{
		{"another app", encode(vector), "app1", appSecret, accid},
		{"another secret", encode(vector), appKey, "secret", accid},
		{"no secret", provision.DynamicToken(appKey, "", accid, made, time.Minute), appKey, "", accid},
		{"another account", encode(vector), appKey, appSecret, "user02"},
		{"another case", encode(vector), appKey, appSecret, "User01"},
		{"a longer life", field("600", "6000"), appKey, appSecret, accid},
		{"a later time", field("1700000000000", "1700000000001"), appKey, appSecret, accid},
		{"a signature in upper case", field(signature, strings.ToUpper(signature)), appKey, appSecret, accid},
		{"no signature", field(signature, ""), appKey, appSecret, accid},
		{"no lifetime", field(`,"ttl":600`, ""), appKey, appSecret, accid},
		{"a fraction", field("600", "600.5"), appKey, appSecret, accid},
		{"texts for numbers", field("600", `"600"`), appKey, appSecret, accid},
		{"JSON, but not base64", vector, appKey, appSecret, accid},
		{"base64, but not JSON", encode("static"), appKey, appSecret, accid},
		{"null", encode("null"), appKey, appSecret, accid},
		{"a list", encode("[]"), appKey, appSecret, accid},
		{"a static token", "myToken", appKey, appSecret, accid},
		{"nothing", "", appKey, appSecret, accid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := dynamictoken.Check(test.token, test.appKey, test.appSecret, test.accid, made)
			if !errors.Is(err, engine.ErrTokenRejected) {
				t.Fatalf("got %v, want ErrTokenRejected", err)
			}
			if test.token != "" && strings.Contains(err.Error(), test.token) || strings.Contains(err.Error(), signature) {
				t.Errorf("the error has the token in it: %v", err)
			}
		})
	}
}

// A signed lifetime of zero or less is over at once, also for a signer whose
// clock is ahead. sha1sum computed the signatures.
func TestNoLifetime(t *testing.T) {
	for _, text := range []string{
		`{"signature":"742afe1717812d533bfe488fab73a6701f099e61","curTime":1700000000000,"ttl":0}`,
		`{"signature":"27b45cb0b07956ab5cd24e8ce04f39a14cd7d41d","curTime":1700000000000,"ttl":-5}`,
	} {
		for _, now := range []time.Time{made, made.Add(-time.Minute)} {
			err := dynamictoken.Check(encode(text), appKey, appSecret, accid, now)
			if !errors.Is(err, engine.ErrTokenExpired) {
				t.Errorf("%s at %v: got %v, want ErrTokenExpired", text, now, err)
			}
		}
	}
}

// The signature joins its parts without separators, so that of user01 is also
// one of user0, with the 1 in front of curTime and the 5 left as ttl.
func TestDigitsMovedToAnotherField(t *testing.T) {
	const ttl = 605
	text, err := base64.StdEncoding.DecodeString(provision.DynamicToken(appKey, appSecret, accid, made, ttl*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), `"curTime":1700000000000,"ttl":605`, `"curTime":117000000000060,"ttl":5`, 1)
	if moved == string(text) {
		t.Fatalf("%s has other fields", text)
	}
	if err := dynamictoken.Check(encode(moved), appKey, appSecret, "user0", made); !errors.Is(err, engine.ErrTokenRejected) {
		t.Errorf("got %v, want ErrTokenRejected", err)
	}
}

// What provision signs is good, for that account alone.
func FuzzDynamicToken(f *testing.F) {
	f.Add("app1", "secret", "user01", "user02", int64(1700000000000), uint16(600))
	f.Fuzz(func(t *testing.T, appKey, appSecret, accid, other string, ms int64, seconds uint16) {
		at, ttl := time.UnixMilli(ms%(1<<45)), time.Duration(seconds)*time.Second
		if appSecret == "" || ttl == 0 {
			t.Skip()
		}
		token := provision.DynamicToken(appKey, appSecret, accid, at, ttl)
		if err := dynamictoken.Check(token, appKey, appSecret, accid, at); err != nil {
			t.Errorf("good: %v", err)
		}
		if err := dynamictoken.Check(token, appKey, appSecret, accid, at.Add(ttl)); !errors.Is(err, engine.ErrTokenExpired) {
			t.Errorf("expired: %v", err)
		}
		if other != accid && dynamictoken.Check(token, appKey, appSecret, other, at) == nil {
			t.Errorf("it is good for %q as well", other)
		}
	})
}
