package nimhttptest_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

func TestCheckToken(t *testing.T) {
	s := newServer(t)
	wantCode(t, "before a login", ask(t, s, "POST", checkToken, user1()), 0)
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
	got := ask(t, s, "POST", checkToken, user1())
	wantCode(t, "after it", got, 0)
	if _, has := got.fields["data"]; has {
		t.Errorf("got data %v, want none", got.Data)
	}
}

// The effect of the world's EndKit on the session that it ends, and on the next
// one.
func TestEndKit(t *testing.T) {
	tests := []struct {
		name         string
		cause        error
		check, login int
	}{
		{"expired", engine.ErrTokenExpired, 1026, 1026},
		{"expired, wrapped", fmt.Errorf("by the test: %w", engine.ErrTokenExpired), 1026, 1026},
		{"rejected", engine.ErrTokenRejected, 402, 0},
		{"another cause", engine.ErrAccountBanned, 402, 0},
		{"no cause", nil, 402, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t)
			wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
			s.World().EndKit("USER1", test.cause)
			for range 2 {
				wantCode(t, "token check", ask(t, s, "POST", checkToken, user1()), test.check)
				wantCode(t, "account", ask(t, s, "GET", account, user1()), test.check)
			}
			wantCode(t, "login again", ask(t, s, "POST", login, user1()), test.login)
			wantCode(t, "token check then", ask(t, s, "POST", checkToken, user1()), test.login)
		})
	}
}

func TestEndKitOfNobody(t *testing.T) {
	s := newServer(t)
	s.World().EndKit("user1", engine.ErrTokenExpired) // no session is left
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
	s.World().EndKit("user2", engine.ErrTokenExpired)
	wantCode(t, "token check", ask(t, s, "POST", checkToken, user1()), 0)
}

func TestEndKitOnEveryDevice(t *testing.T) {
	s := newServer(t)
	devices := []string{"device1", "device2", ""}
	for _, device := range devices {
		wantCode(t, "login", ask(t, s, "POST", login, as("user1", "kit-1", device)), 0)
	}
	s.World().EndKit("user1", engine.ErrTokenRejected)
	for _, device := range devices {
		wantCode(t, "token check of "+device, ask(t, s, "POST", checkToken, as("user1", "kit-1", device)), 402)
	}
	wantCode(t, "another device", ask(t, s, "POST", checkToken, as("user1", "kit-1", "device3")), 0)
}

// The account gets a new token. It renews the session, and the old token is
// then wrong rather than expired.
func TestRenewedToken(t *testing.T) {
	for _, by := range []string{login, checkToken} {
		s := newServer(t)
		renewed := as("user1", "kit-9", "device1")
		wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
		s.World().EndKit("user1", engine.ErrTokenExpired)
		s.World().Bind(engine.KitAccount{UserUUID: "user1", Token: "kit-9"}, "myaccid")
		wantCode(t, by+" with the old one", ask(t, s, "POST", by, user1()), 402)
		wantCode(t, by+" with the new one", ask(t, s, "POST", by, renewed), 0)
		wantCode(t, "token check of the new one", ask(t, s, "POST", checkToken, renewed), 0)

		s.World().EndKit("user1", engine.ErrTokenExpired)
		wantCode(t, "token check, expired again", ask(t, s, "POST", checkToken, renewed), 1026)
		wantCode(t, "login, expired again", ask(t, s, "POST", login, renewed), 1026)
		s.World().Bind(engine.KitAccount{UserUUID: "user1", Token: "kit-1"}, "myaccid")
		wantCode(t, "login with the first one, expired before", ask(t, s, "POST", login, user1()), 0)
	}
}

// An old token is still in use on another device when the sessions expire. Only
// the new token counts.
func TestExpiredWithTwoTokens(t *testing.T) {
	for range 10 { // because the world ends them in random order
		s := newServer(t)
		renewed := as("user1", "kit-9", "device2")
		wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
		s.World().Bind(engine.KitAccount{UserUUID: "user1", Token: "kit-9"}, "myaccid")
		wantCode(t, "login with the new one", ask(t, s, "POST", login, renewed), 0)
		s.World().EndKit("user1", engine.ErrTokenExpired)
		wantCode(t, "login, expired", ask(t, s, "POST", login, renewed), 1026)
	}
}

func TestUserInAnyCase(t *testing.T) {
	s := newServer(t)
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
	s.World().EndKit("user1", engine.ErrTokenRejected)
	wantCode(t, "token check", ask(t, s, "POST", checkToken, as("User1", "kit-1", "device1")), 402)
}

// A session that was replaced has ended in the world too, so its token cannot
// expire any more.
func TestReplacedSession(t *testing.T) {
	s := newServer(t)
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
	s.World().Bind(engine.KitAccount{UserUUID: "user1", Token: "kit-9"}, "myaccid")
	wantCode(t, "login with the new one", ask(t, s, "POST", login, as("user1", "kit-9", "device1")), 0)
	s.World().Bind(engine.KitAccount{UserUUID: "user1", Token: "kit-1"}, "myaccid")
	s.World().EndKit("user1", engine.ErrTokenExpired)
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
	wantCode(t, "token check", ask(t, s, "POST", checkToken, user1()), 0)
}

// If there are too many sessions, the oldest are dropped, so the world can no
// longer end them.
func TestSessionsAreBounded(t *testing.T) {
	s := newServer(t)
	client := newClient(t)
	device := func(i int) string { return fmt.Sprint("device", i) }
	for i := range 1002 {
		res, err := client.Do(newRequest(t, "POST", s.KitURL()+login, as("user1", "kit-1", device(i))))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	s.World().EndKit("user1", engine.ErrTokenRejected)
	for i, want := range map[int]int{0: 0, 1: 0, 2: 402, 1001: 402} {
		wantCode(t, device(i), ask(t, s, "POST", checkToken, as("user1", "kit-1", device(i))), want)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := newServer(t)
	client := newClient(t)
	var clients sync.WaitGroup
	for i := range 4 {
		h := as("user1", "kit-1", fmt.Sprint("device", i%2))
		clients.Go(func() {
			for range 10 {
				for _, path := range []string{login, checkToken} {
					res, err := client.Do(newRequest(t, "POST", s.KitURL()+path, h))
					if err != nil {
						t.Error(err)
						return
					}
					res.Body.Close()
				}
				s.World().EndKit("user1", engine.ErrTokenRejected)
				s.Requests()
			}
		})
	}
	clients.Wait()
	wantCode(t, "login", ask(t, s, "POST", login, user1()), 0)
	wantCode(t, "token check", ask(t, s, "POST", checkToken, user1()), 0)
	if got := len(s.Requests()); got != 82 {
		t.Errorf("got %d requests, want 82", got)
	}
}
