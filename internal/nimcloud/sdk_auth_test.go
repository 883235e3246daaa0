package nimcloud_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// loginDynamic gives the SDK a token provider. Each time the SDK asks it, the
// provider returns the next token; the last one it returns again and again.
func (s *sdk) loginDynamic(name, accid string, tokens ...string) {
	s.t.Helper()
	s.early = nil
	s.call(name, "login", accid, "", map[string]any{"retryCount": 0, "authType": 1, "tokens": tokens})
}

// A token lives for 5 s, and the link is cut 10 s after it was made, by the
// cloud's clock. The SDK asks its provider before it logs in again.
func TestSDKDynamicToken(t *testing.T) {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later := made.Add(10 * time.Second)
	var now atomic.Pointer[time.Time]
	cloud := startOptions(t, nimcloud.Options{
		World:     newWorld(mockim.ServiceOptions{AppKey: appKey, MultiDevice: true}),
		AppSecret: appSecret,
		Now:       func() time.Time { return *now.Load() },
	})
	s := startSDK(t, cloud)
	sign := func(at time.Time) string {
		return provision.DynamicToken(appKey, appSecret, "user-one", at, 5*time.Second)
	}

	for _, row := range []struct {
		name  string
		token string // of the reconnect
		ends  bool   // with 102302
	}{
		{"fresh", sign(later), false},
		{"stale", sign(made), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			now.Store(&made)
			s.loginDynamic(row.name, "user-one", sign(made), row.token)
			s.want(said{Name: row.name, Event: "asked"})
			s.want(said{Name: row.name, Event: "login", Number: statusLogined})
			s.want(said{Name: row.name, Event: "done", Text: "login"})
			now.Store(&later)
			cloud.Drop("user-one")
			s.want(said{Name: row.name, Event: "login", Number: statusUnlogin})
			s.want(said{Name: row.name, Event: "asked"})
			if row.ends {
				s.want(said{Name: row.name, Event: "login", Number: statusLogout})
				s.want(said{Name: row.name, Event: "failed", Number: 102302})
				return
			}
			s.want(said{Name: row.name, Event: "login", Number: statusLogined})
			s.call(row.name, "logout")
			s.want(said{Name: row.name, Event: "done", Text: "logout"})
		})
	}

	s.t = t
	now.Store(&later)
	s.loginDynamic("refused", "user-one", sign(made))
	s.want(said{Name: "refused", Event: "rejected", Text: "login", Number: 102302})
	s.loginDynamic("static as dynamic", "user-one", "token-one")
	s.want(said{Name: "static as dynamic", Event: "rejected", Text: "login", Number: 102302})
	s.loginFails("dynamic as static", "user-one", sign(later), 102302)
	s.login("static", "user-one", "token-one")
}
