package nimhttptest_test

import (
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
)

const secret = "fedcba987654"

// sign returns the header of a call to the server API at that time.
func sign(at time.Time) http.Header {
	return signWith(secret, "0f8fad5bd9cb469fa16570867728950e", strconv.FormatInt(at.Unix(), 10))
}

func signWith(secret, nonce, curTime string) http.Header {
	sum := sha1.Sum([]byte(secret + nonce + curTime))
	return http.Header{"Appkey": {"app1"}, "Nonce": {nonce}, "Curtime": {curTime}, "Checksum": {hex.EncodeToString(sum[:])}}
}

// at returns a clock that stands still.
func at(seconds int64) func() time.Time {
	return func() time.Time { return time.Unix(seconds, 0) }
}

func TestSignatureVectors(t *testing.T) {
	tests := []struct{ name, secret, nonce, curTime, checkSum string }{
		{"A", "abcdefghigk", "ABCDEFG1234567abcdefg7654321GFEDCBA", "1234567890123", "0990f3d1615b5fa19fcbcea6b105270053fdf6a7"},
		{"B", "0123456789ab", "12345678", "1594639036", "b153d90404d0c8c58241c9394dbe691c30edb859"},
		{"C", "fedcba987654", "0f8fad5bd9cb469fa16570867728950e", "1700000000", "aca13ffebd69a3cb4e6a07218a36287420fc0ae5"},
		{"D", "密钥secret", "随机nonce", "1700000000", "7006921b5017e1f72c1084a907a697685fb22c38"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			seconds, err := strconv.ParseInt(test.curTime, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			s := nimhttptest.New(t, nimhttptest.Options{World: newWorld(), AppKey: "app1", AppSecret: test.secret, Now: at(seconds)})
			h := http.Header{"Appkey": {"app1"}, "Nonce": {test.nonce}, "Curtime": {test.curTime}, "Checksum": {test.checkSum}}
			wantResult(t, "signed", send(t, s, "GET", "/im/v2/accounts/myaccid", h, ""), 200)
			for _, wrong := range []string{test.checkSum[1:], test.checkSum + "0", "0" + test.checkSum[1:39] + "x", strings.ToUpper(test.checkSum)} {
				wantResult(t, wrong, send(t, s, "GET", "/im/v2/accounts/myaccid", with(h, "CheckSum", wrong), ""), 403)
			}
		})
	}
}

// The signature of every call is checked before anything else.
var apiPaths = []struct {
	method, path string
	im           bool
}{
	{"POST", "/im/v2/accounts", true},
	{"GET", "/im/v2/accounts?account_ids=myaccid", true},
	{"GET", "/im/v2/accounts/myaccid", true},
	{"PATCH", "/nimserver/im/v2/accounts/myaccid", true},
	{"DELETE", "/im/v2/accounts/myaccid", true},
	{"POST", "/neroom/v3/users", false},
	{"GET", "/neroom/v3/users?user_uuids=user1", false},
	{"GET", "/neroom/v3/users/user1", false},
	{"PATCH", "/prefix/neroom/v3/users/user1", false},
	{"DELETE", "/neroom/v3/users/user1", false},
	{"POST", "/scene/meeting/api/v2/add-user", false},
	{"GET", "/scene/meeting/api/v2/batch-get-user?userUuids=user1", false},
}

func TestBadSignatures(t *testing.T) {
	const now = 1700000000
	good := func() http.Header { return sign(at(now)()) }
	seconds := func(text string) http.Header { return signWith(secret, "nonce", text) }
	tests := []struct {
		name     string
		header   http.Header
		im, room int // codes
		msg      string
	}{
		{"nothing", nil, 403, 401, "AppKey is missing"},
		{"no AppKey", without(good(), "AppKey"), 403, 401, "AppKey is missing"},
		{"no Nonce", without(good(), "Nonce"), 403, 401, "Nonce is missing"},
		{"no CurTime", without(good(), "CurTime"), 403, 401, "CurTime is missing"},
		{"no CheckSum", without(good(), "CheckSum"), 403, 401, "CheckSum is missing"},
		{"unknown AppKey", with(good(), "AppKey", "app2"), 101303, 401, "AppKey does not exist"},
		{"another secret", signWith("secret1", "nonce", "1700000000"), 403, 401, "CheckSum is wrong"},
		{"no secret", signWith("", "nonce", "1700000000"), 403, 401, "CheckSum is wrong"},
		{"another nonce", with(good(), "Nonce", "another"), 403, 401, "CheckSum is wrong"},
		{"another time", with(good(), "CurTime", "1700000001"), 403, 401, "CheckSum is wrong"},
		{"long nonce", signWith(secret, strings.Repeat("n", 129), "1700000000"), 403, 401, "Nonce has more than 128"},
		{"too early", seconds("1699999699"), 403, 401, "300 seconds"},
		{"too late", seconds("1700000301"), 403, 401, "300 seconds"},
		{"milliseconds", seconds("1700000000000"), 403, 401, "300 seconds"},
		{"very late", seconds("9223372036854775807"), 403, 401, "300 seconds"},
		{"too large", seconds("9223372036854775808"), 403, 401, "not a number"},
		{"negative", seconds("-1700000000"), 403, 401, "not a number"},
		{"plus", seconds("+1700000000"), 403, 401, "not a number"},
		{"fraction", seconds("1700000000.0"), 403, 401, "not a number"},
		{"hexadecimal", seconds("0x6553f100"), 403, 401, "not a number"},
		{"words", seconds("now"), 403, 401, "not a number"},
	}
	s := nimhttptest.New(t, nimhttptest.Options{World: newWorld(), AppKey: "app1", AppSecret: secret, Now: at(now)})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, to := range apiPaths {
				want := test.room
				if to.im {
					want = test.im
				}
				got := send(t, s, to.method, to.path, test.header, "")
				if wantResult(t, to.method+" "+to.path, got, want); !strings.Contains(got.Msg, test.msg) {
					t.Errorf("%s %s: got %q, want it to contain %q", to.method, to.path, got.Msg, test.msg)
				}
			}
		})
	}
}

func TestGoodSignatures(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{World: newWorld(), AppKey: "app1", AppSecret: secret, Now: at(1700000000)})
	for name, h := range map[string]http.Header{
		"earliest":    signWith(secret, "nonce", "1699999700"),
		"latest":      signWith(secret, "nonce", "1700000300"),
		"long nonce":  signWith(secret, strings.Repeat("n", 128), "1700000000"),
		"short nonce": signWith(secret, "n", "1700000000"),
	} {
		wantResult(t, name, send(t, s, "GET", "/im/v2/accounts/myaccid", h, ""), 200)
		wantResult(t, name, send(t, s, "GET", "/neroom/v3/users/user1", h, ""), 0)
	}
}

// The vendor's Go SDK sends header names in Go's canonical form, and additional
// headers. Other clients spell the names like the vendor's documentation.
func TestSignatureHeaderNames(t *testing.T) {
	s := newAPI(t)
	signed := sign(time.Now())
	for _, names := range [][4]string{{"Appkey", "Nonce", "Curtime", "Checksum"}, {"AppKey", "Nonce", "CurTime", "CheckSum"}, {"appkey", "nonce", "curtime", "checksum"}} {
		h := http.Header{"User-Agent": {"yunxin-server-sdk-golang/v1.0.0"}, "X-Custom-Traceid": {"0f8fad5bd9cb469fa16570867728950e"}}
		for _, name := range names {
			h[name] = signed.Values(name)
		}
		wantResult(t, names[0], send(t, s, "GET", "/im/v2/accounts/myaccid", h, ""), 200)
	}
}

// A client can read the server's clock, to find out whose clock is wrong.
func TestServerClock(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{World: newWorld(), AppKey: "app1", AppSecret: secret, Now: at(1700000000)})
	const date = "Tue, 14 Nov 2023 22:13:20 GMT"
	for _, path := range []string{"/im/v2/accounts/myaccid", "/neroom/v3/users/user1", skuEnv, "/nothing"} {
		if got := send(t, s, "GET", path, sign(time.Now()), "").header.Get("Date"); got != date {
			t.Errorf("%s: got Date %q, want %q", path, got, date)
		}
	}
	got := ask(t, s, "POST", login, user1())
	if wantCode(t, "the kit server has no signatures", got, 0); got.TS != 1700000000000 {
		t.Errorf("got ts %d, want 1700000000000", got.TS)
	}
}

// The default AppSecret is the constant, but only if the world is the default
// too.
func TestAppSecret(t *testing.T) {
	tests := []struct {
		name    string
		options nimhttptest.Options
		secret  string
		want    int
	}{
		{"of the guides", nimhttptest.Options{}, "secret1", 200},
		{"of the test", nimhttptest.Options{AppSecret: "s-9"}, "s-9", 200},
		{"of the test, the world too", nimhttptest.Options{World: newWorld(), AppSecret: "s-9"}, "s-9", 200},
		{"none", nimhttptest.Options{World: newWorld()}, "secret1", 403},
		{"none, and none to sign with", nimhttptest.Options{World: newWorld()}, "", 403},
	}
	if nimhttptest.AppSecret != "secret1" {
		t.Errorf("got %q, want secret1", nimhttptest.AppSecret)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := nimhttptest.New(t, test.options)
			h := signWith(test.secret, "nonce", strconv.FormatInt(time.Now().Unix(), 10))
			got := send(t, s, "GET", "/im/v2/accounts/myaccid", h, "")
			wantResult(t, "signed", got, test.want)
			if missing := strings.Contains(got.Msg, "no AppSecret"); missing != (test.want == 403) {
				t.Errorf("got %q", got.Msg)
			}
		})
	}
}

func TestAnyAppKeyOfAPI(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{World: mockim.NewService(mockim.ServiceOptions{}), AppSecret: secret})
	for _, key := range []string{"app1", "app2"} {
		h := asJSON(with(sign(time.Now()), "AppKey", key))
		wantResult(t, key, send(t, s, "POST", "/neroom/v3/users", h, `{"user_uuid": "kit-`+key+`"}`), 0)
		wantResult(t, key, send(t, s, "POST", "/im/v2/accounts", h, `{"account_id": "im-`+key+`"}`), 200)
		for _, id := range []string{"kit-" + key, "im-" + key} {
			if im, found := s.World().FindIM(id); !found || im.AppKey != key {
				t.Errorf("%s: got IM account of %q, %t, want it of %q", id, im.AppKey, found, key)
			}
		}
	}
}
