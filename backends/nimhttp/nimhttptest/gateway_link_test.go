package nimhttptest_test

import (
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

func TestGatewayLink(t *testing.T) {
	c := newGateway(t)
	held := c.login("a")
	device := c.wantDevice()
	c.s.Link("another", false)
	c.s.Link("myaccid", true)
	if now := c.get("a"); now != held {
		t.Errorf("got %+v, want %+v, unchanged", now, held)
	}
	reader := c.startRead("a", held.Seq)
	for range 2 {
		c.s.Link("MyAccid", false)
		if now := c.get("a"); !now.hasState(held.Session, "logging_in", "waiting") || now.Accid != "myaccid" {
			t.Errorf("got %+v, want the session to wait", now)
		}
	}
	if r := <-reader; !r.snapshot.hasState(held.Session, "logging_in", "waiting") {
		t.Errorf("the reader got %+v", r)
	}
	c.wantOut(device)
	c.s.World().Kick("myaccid", engine.KickedByServer) // no device is there to hear it
	for range 2 {
		c.s.Link("myaccid", true)
		if now := c.get("a"); !now.hasState(held.Session, "logged_in", "up") || now.Ended != nil {
			t.Errorf("got %+v, want it back", now)
		}
	}
	c.wantDevice()
}

// A connection can be down even if nobody is logged in.
func TestGatewayLoginWaits(t *testing.T) {
	c := newGateway(t)
	c.s.Link("myaccid", false)
	reply := c.startLogin("a")
	if n := len(c.s.GatewayDevices()); n != 0 {
		t.Errorf("got %d devices in the world, want none", n)
	}
	c.s.Link("MYACCID", true)
	if r := <-reply; r.err != nil || r.status != 200 || !r.snapshot.hasState(r.snapshot.Session, "logged_in", "up") {
		t.Errorf("got %+v, want the login", r)
	}
	c.wantDevice()
}

// The world reports a kick in the middle of a login, and the test takes the
// connection down at that moment.
func TestGatewayLinkGoesDownDuringLogin(t *testing.T) {
	c := newGateway(t)
	kicked := c.s.World().Device()
	if err := kicked.InitIM(t.Context(), "app1"); err != nil {
		t.Fatal(err)
	}
	n := engine.Notify{Lost: func(error) { c.s.Link("myaccid", false) }}
	if err := kicked.LoginIM(t.Context(), engine.IMAccount{AppKey: "app1", Accid: "myaccid", Token: "im-1"}, n); err != nil {
		t.Fatal(err)
	}
	reply := c.startLogin("a")
	if now := c.get("a"); now.Session != 0 || len(c.s.GatewayDevices()) != 0 {
		t.Errorf("got %+v, want the login to wait", now)
	}
	c.s.Link("myaccid", true)
	if r := <-reply; r.status != 200 || r.snapshot.Session != 1 {
		t.Errorf("got %+v, want the login", r)
	}
	c.wantDevice()
}

// The world ends a login before the slot has it.
func TestGatewayLoginEndsAtOnce(t *testing.T) {
	account := engine.IMAccount{AppKey: "app1", Accid: "myaccid", Token: "im-1"}
	tests := []struct {
		name  string
		cause error
		code  int // 0 if the login stays and reconnects
	}{
		{"kick", &engine.KickError{Reason: engine.KickedByClient}, 191002},
		{"banned", engine.ErrAccountBanned, 102422},
		{"cut", engine.ErrUnavailable, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newGateway(t)
			c.ok("PUT", "/v1/im/a", initBody)
			if code := c.s.GatewayHold("a", account, test.cause); code != test.code {
				t.Errorf("got code %d, want %d", code, test.code)
			}
			if test.code == 0 {
				eventually(t, "its return", func() bool { return c.get("a").hasState(1, "logged_in", "up") })
				c.wantDevice()
				return
			}
			if now := c.get("a"); !now.hasState(0, "logged_out", "down") || now.Ended == nil || now.Ended.Session != 1 || (now.Ended.Kick != nil) != (test.code == 191002) {
				t.Errorf("got %+v, want session 1 as the one that ended", now)
			}
		})
	}
}

// The calls of a slot run in the order in which they came.
func TestGatewayQueue(t *testing.T) {
	c := newGateway(t)
	c.s.Link("myaccid", false)
	login := c.startLogin("a")
	var replies []<-chan gatewayReply
	for i, call := range []struct{ method, path, body string }{
		{"DELETE", "/v1/im/a", ""},
		{"POST", "/v1/im/a/login", loginBody("im-1")},
		{"POST", "/v1/im/a/logout", ""},
		{"PUT", "/v1/im/a", initBody},
		{"POST", "/v1/im/a/logout", ""},
	} {
		replies = append(replies, c.begin(t.Context(), call.method, call.path, call.body))
		eventually(t, "it queues", func() bool { return c.s.GatewayAsking("a") == i+2 })
	}
	c.s.Link("myaccid", true)
	if r := <-login; r.status != 200 || r.snapshot.Session != 1 {
		t.Errorf("got %+v, want the login", r)
	}
	for i, want := range []string{"", "not-initialised", "no-such-slot", "", ""} {
		if r := <-replies[i]; r.err != nil || r.kind != want {
			t.Errorf("call %d: got %+v, want %q", i, r, want)
		}
	}
	if now := c.get("a"); now.Session != 0 || now.Ended != nil {
		t.Errorf("got %+v, want a new slot", now)
	}
}

// A refusal has the snapshot at the time of its turn, whatever call follows.
func TestGatewayRefusalBeforeRelease(t *testing.T) {
	c := newGateway(t)
	for range 20 {
		c.s.Link("myaccid", false)
		c.ok("PUT", "/v1/im/a", initBody)
		login := c.begin(t.Context(), "POST", "/v1/im/a/login", loginBody("wrong"))
		eventually(t, "the login begins", func() bool { return c.get("a").Login == "logging_in" })
		release := c.begin(t.Context(), "DELETE", "/v1/im/a", "")
		eventually(t, "it queues", func() bool { return c.s.GatewayAsking("a") == 2 })
		c.s.Link("myaccid", true)
		if r := <-login; r.code != 102302 || !r.snapshot.hasState(0, "logged_out", "down") {
			t.Fatalf("got %+v, want a refusal with a snapshot", r)
		}
		if r := <-release; r.status != 200 {
			t.Fatalf("got %+v, want the release", r)
		}
	}
}

func TestGatewayLinkOfManySlots(t *testing.T) {
	world := mockim.NewService(mockim.ServiceOptions{AppKey: "app1", MultiDevice: true})
	world.AddIM(engine.IMAccount{Accid: "myaccid", Token: "im-1"})
	c := &gatewayClient{t, nimhttptest.New(t, nimhttptest.Options{World: world}), newClient(t)}
	sessions := map[string]int{}
	for _, slot := range []string{"a", "b", "c"} {
		sessions[slot] = c.login(slot).Session
	}
	want := func(login, link string) {
		for slot, session := range sessions {
			if now := c.get(slot); !now.hasState(session, login, link) {
				t.Errorf("slot %s: got %+v, want %s and %s", slot, now, login, link)
			}
		}
	}
	c.s.Link("myaccid", false)
	want("logging_in", "waiting")
	c.s.Link("myaccid", true)
	want("logged_in", "up")
}
