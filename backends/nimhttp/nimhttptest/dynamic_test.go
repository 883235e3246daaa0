package nimhttptest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

var signedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// dynamicToken lives for a minute.
func dynamicToken(accid string) string { return dynamicTokenAt(accid, signedAt) }

func dynamicTokenAt(accid string, at time.Time) string {
	return provision.DynamicToken("app1", secret, accid, at, time.Minute)
}

// dynamicAs is the header of an account with a token of that kind.
func dynamicAs(user, token string) http.Header {
	return with(as(user, token, "device1"), "authType", "1")
}

// newDynamicServer also returns its clock, which stands still until it is set.
func newDynamicServer(t *testing.T) (*nimhttptest.Server, *atomic.Pointer[time.Time]) {
	t.Helper()
	var now atomic.Pointer[time.Time]
	now.Store(&signedAt)
	return nimhttptest.New(t, nimhttptest.Options{
		World: newWorld(), AppKey: "app1", AppSecret: secret, Now: func() time.Time { return *now.Load() },
	}), &now
}

func TestAuthType(t *testing.T) {
	signed := func(appKey, secret string) string {
		return provision.DynamicToken(appKey, secret, "myaccid", signedAt, time.Minute)
	}
	tests := []struct {
		name   string
		header http.Header
		code   int
	}{
		{"of a kit account", dynamicAs("User1", dynamicToken("myaccid")), 0},
		{"of an IM account", dynamicAs("myaccid", dynamicToken("myaccid")), 0},
		{"of an IM account, spelled so", dynamicAs("myAccid", dynamicToken("myAccid")), 0},
		{"static, 0", with(user1(), "authType", "0"), 0},
		{"static, as the web kit says it", with(user1(), "authType", "undefined"), 0},
		{"static as dynamic", with(user1(), "authType", "1"), 402},
		{"static token of IM as dynamic", dynamicAs("myaccid", "im-1"), 402},
		{"dynamic as static", as("user1", dynamicToken("myaccid"), "device1"), 402},
		{"signed for the userUuid", dynamicAs("user1", dynamicToken("user1")), 402},
		{"signed for another account", dynamicAs("myaccid", dynamicToken("other")), 402},
		{"signed for another app", dynamicAs("user1", signed("app2", secret)), 402},
		{"signed with another secret", dynamicAs("user1", signed("app1", "guess")), 402},
		{"run out", dynamicAs("user1", dynamicTokenAt("myaccid", signedAt.Add(-time.Minute))), 1026},
		{"of nobody", dynamicAs("unknown", dynamicToken("unknown")), 402},
		{"bound to nothing", dynamicAs("unbound", dynamicToken("unbound")), 1021},
		{"bound to nobody", dynamicAs("astray", dynamicToken("nobody")), 701},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newDynamicServer(t)
			for _, call := range []struct{ method, path string }{{"POST", login}, {"POST", checkToken}, {"GET", account}} {
				wantCode(t, call.path, ask(t, s, call.method, call.path, test.header), test.code)
			}
		})
	}
}

// Nobody can sign where there is no secret, not even with an empty one.
func TestDynamicTokenWithoutSecret(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{World: newWorld(), AppKey: "app1", Now: func() time.Time { return signedAt }})
	unsigned := provision.DynamicToken("app1", "", "myaccid", signedAt, time.Minute)
	wantCode(t, "login", ask(t, s, "POST", login, dynamicAs("user1", unsigned)), 402)
}

func TestDynamicTokenReply(t *testing.T) {
	s, _ := newDynamicServer(t)
	for user, want := range map[string]map[string]any{
		"User1":   {"userUuid": "user1", "imKey": "app1", "imAccid": "myaccid", "rtcKey": "app1"},
		"MyAccid": {"userUuid": "myaccid", "imKey": "app1", "imAccid": "myaccid", "rtcKey": "app1"},
	} {
		accid := "myaccid"
		if user == "MyAccid" {
			accid = user
		}
		got := ask(t, s, "POST", login, dynamicAs(user, dynamicToken(accid)))
		wantCode(t, user, got, 0)
		for name, value := range want {
			if got.Data[name] != value {
				t.Errorf("%s: %s is %v, want %v", user, name, got.Data[name], value)
			}
		}
		if token, has := got.Data["imToken"]; has {
			t.Errorf("%s: got imToken %v, want none", user, token)
		}
	}
}

// The token of an open session runs out; another one renews the session.
func TestDynamicTokenRenewed(t *testing.T) {
	s, now := newDynamicServer(t)
	old, later := dynamicToken("myaccid"), signedAt.Add(time.Minute)
	fresh := dynamicTokenAt("myaccid", later)
	wantCode(t, "login", ask(t, s, "POST", login, dynamicAs("user1", old)), 0)
	now.Store(&later)
	wantCode(t, "the old one", ask(t, s, "POST", checkToken, dynamicAs("user1", old)), 1026)
	wantCode(t, "login with it", ask(t, s, "POST", login, dynamicAs("user1", old)), 1026)
	wantCode(t, "a fresh one", ask(t, s, "POST", checkToken, dynamicAs("user1", fresh)), 0)
	s.World().EndKit("user1", engine.ErrAccountBanned)
	wantCode(t, "the session's end", ask(t, s, "POST", checkToken, dynamicAs("user1", fresh)), 402)
	wantCode(t, "the next login", ask(t, s, "POST", login, dynamicAs("user1", fresh)), 0)
}

// A token that the world has ended is over before its time; others are not. A
// dynamic one that is good does not bring a static one back.
func TestEndKitOfDynamicToken(t *testing.T) {
	s, _ := newDynamicServer(t)
	ended := dynamicToken("myaccid")
	other := dynamicTokenAt("myaccid", signedAt.Add(-time.Second))
	wantCode(t, "static", ask(t, s, "POST", login, as("user1", "kit-1", "device2")), 0)
	wantCode(t, "dynamic", ask(t, s, "POST", login, dynamicAs("user1", ended)), 0)
	s.World().EndKit("user1", engine.ErrTokenExpired)
	wantCode(t, "ended", ask(t, s, "POST", login, dynamicAs("user1", ended)), 1026)
	wantCode(t, "another", ask(t, s, "POST", login, dynamicAs("user1", other)), 0)
	wantCode(t, "ended, again", ask(t, s, "POST", login, dynamicAs("user1", ended)), 1026)
	wantCode(t, "static, again", ask(t, s, "POST", login, user1()), 1026)
}

// Whoever logs in first makes the kit account, and the others find it: each
// account is new in turn, and its logins come at once.
func TestFirstDynamicLoginsAtOnce(t *testing.T) {
	s, _ := newDynamicServer(t)
	client := newClient(t)
	for i := range 50 {
		accid := fmt.Sprint("new-", i)
		s.World().AddIM(engine.IMAccount{Accid: accid, Token: "im-2"})
		r := newRequest(t, "POST", s.KitURL()+login, dynamicAs(accid, dynamicToken(accid)))
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				res, err := client.Do(r.Clone(t.Context()))
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				var got answer
				if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Code != 0 {
					t.Errorf("%s: got code %d, %q, %v, want success", accid, got.Code, got.Msg, err)
				}
			})
		}
		all.Wait()
		if _, bound, found := s.World().FindKit(accid); !found || bound != accid {
			t.Errorf("%s: its kit account is bound to %q, there is one: %t", accid, bound, found)
		}
	}
}
