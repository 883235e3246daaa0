package nimhttptest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

func TestNoGateway(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{NoGateway: true})
	if s.GatewayURL() != "" || s.GatewaySecret() != "" {
		t.Errorf("got %q and %q, want nothing", s.GatewayURL(), s.GatewaySecret())
	}
	s.Link(nimhttptest.Accid, false)
	s.RestartGateway()
	wantCode(t, "kit login", ask(t, s, "POST", login, as(nimhttptest.UserUUID, nimhttptest.UserToken, "device1")), 0)
}

func TestGatewayAddresses(t *testing.T) {
	one, other := nimhttptest.New(t, nimhttptest.Options{Addr: "127.0.0.9:0"}), nimhttptest.New(t, nimhttptest.Options{})
	if one.GatewaySecret() == other.GatewaySecret() || len(one.GatewaySecret()) < 16 {
		t.Errorf("got secrets %q and %q", one.GatewaySecret(), other.GatewaySecret())
	}
	if one.GatewayURL() == other.GatewayURL() || one.GatewayURL() == one.KitURL() {
		t.Errorf("got %s, %s and %s, want three addresses", one.GatewayURL(), other.GatewayURL(), one.KitURL())
	}
	if !strings.HasPrefix(one.KitURL(), "http://127.0.0.9:") || !strings.HasPrefix(one.GatewayURL(), "http://127.0.0.1:") {
		t.Errorf("got %s and %s: Addr is the kit server's", one.KitURL(), one.GatewayURL())
	}
}

func TestGatewayRestart(t *testing.T) {
	c := newGateway(t)
	c.http.Transport = &http.Transport{DisableKeepAlives: true} // so that the client does not repeat a read by itself
	url, secret := c.s.GatewayURL(), c.s.GatewaySecret()
	held := c.login("a")
	device := c.wantDevice()
	c.s.Link("other", false)
	c.ok("PUT", "/v1/im/b", initBody)
	reader := c.startRead("a", held.Seq)
	trying := c.begin(t.Context(), "POST", "/v1/im/b/login", `{"accid": "other", "token": "t", "owner": "o"}`)
	eventually(t, "the login begins", func() bool { return c.get("b").Login == "logging_in" })
	queued := c.begin(t.Context(), "POST", "/v1/im/b/login", loginBody("im-1"))
	c.s.RestartGateway()
	if r := <-reader; r.err == nil {
		t.Errorf("the reader got %+v, want to be cut", r)
	}
	if r := <-trying; r.err == nil {
		t.Errorf("the login got %+v, want to be cut", r)
	}
	if r := <-queued; r.err == nil && r.kind != "not-initialised" { // the call may have come after the restart
		t.Errorf("the queued call got %+v, want it cut", r)
	}
	c.wantOut(device)
	if c.s.GatewayURL() != url || c.s.GatewaySecret() != secret {
		t.Error("the address or the secret has changed")
	}
	if r := c.request(t.Context(), "GET", "/v1/im/a", ""); r.kind != "no-such-slot" {
		t.Errorf("got %+v, want no slot", r)
	}
	again := c.login("a")
	if again.Boot == held.Boot || again.Session != 1 || again.Seq > held.Seq || again.Ended != nil {
		t.Errorf("got %+v after %+v, want a new run", again, held)
	}
	c.wantDevice()
}

// A connection that is down stays down for the next run.
func TestGatewayRestartDuringOutage(t *testing.T) {
	c := newGateway(t)
	c.login("a")
	c.s.Link("myaccid", false)
	c.s.RestartGateway()
	reply := c.startLogin("a")
	c.s.Link("myaccid", true)
	if r := <-reply; r.status != 200 {
		t.Errorf("got %+v, want the login", r)
	}
	c.wantDevice()
}

func TestGatewayClose(t *testing.T) {
	c := newGateway(t)
	held := c.login("a")
	device := c.wantDevice()
	c.s.Link("other", false)
	c.ok("PUT", "/v1/im/b", initBody)
	trying := c.begin(t.Context(), "POST", "/v1/im/b/login", `{"accid": "other", "token": "t", "owner": "o"}`)
	eventually(t, "the login begins", func() bool { return c.get("b").Login == "logging_in" })
	reader := c.startRead("a", held.Seq)
	c.s.Fault(nimhttptest.Fault{Path: "/c", Delay: time.Hour})
	delayed := c.begin(t.Context(), "GET", "/v1/im/c", "")
	eventually(t, "the server delays", pausing)
	if err := c.s.Close(); err != nil {
		t.Error(err)
	}
	if r := <-reader; r.status != 200 || r.snapshot.Ended == nil || r.snapshot.Ended.Session != held.Session || r.snapshot.Ended.Kick != nil {
		t.Errorf("the reader got %+v, want the logout", r)
	}
	if r := <-trying; r.kind != "closing" {
		t.Errorf("the login got %+v, want closing", r)
	}
	if r := <-delayed; r.err == nil {
		t.Errorf("the delayed call got %+v, want no reply", r)
	}
	c.wantOut(device)
	c.s.RestartGateway()
	c.s.Link("myaccid", false)
	c.s.Link("myaccid", true)
	if r := c.request(t.Context(), "GET", "/healthz", ""); r.err == nil {
		t.Errorf("after it: got %+v", r)
	}
	if err := c.s.Close(); err != nil {
		t.Error(err)
	}
}

func TestGatewayFaults(t *testing.T) {
	c := newGateway(t)
	c.ok("PUT", "/v1/im/a", initBody)
	c.s.Fault(nimhttptest.Fault{Path: "/v1/im/a", Status: 500})
	c.s.Fault(nimhttptest.Fault{Path: "/login", Status: 503, Body: `{"type": "urn:imreuse:gateway:closing"}`})
	c.s.Fault(nimhttptest.Fault{Path: "/logout", Body: `{"seq": 99}`})
	c.s.Fault(nimhttptest.Fault{Path: "/healthz", Status: 502})
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/im/a/login", loginBody("im-1"), 503},
		{"POST", "/v1/im/a/login", loginBody("im-1"), 200},
		{"POST", "/v1/im/a/logout", "", 200},
		{"GET", "/v1/im/a", "", 500},
		{"GET", "/healthz", "", 502},
		{"GET", "/healthz", "", 200},
	} {
		r := c.request(t.Context(), test.method, test.path, test.body)
		if r.status != test.status {
			t.Errorf("%s %s: got %+v, want %d", test.method, test.path, r, test.status)
		}
		if got := r.header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s %s: got Allow %q", test.method, test.path, got)
		}
	}
	if now := c.get("a"); now.Session != 1 {
		t.Errorf("got %+v, want the login: the logout had no effect", now)
	}
}

func TestGatewayCuts(t *testing.T) {
	tests := []struct {
		name, path, body string
		in               bool // logged in before
		cut              nimhttptest.Cut
		want             bool // logged in afterwards
	}{
		{"login before", "/login", loginBody("im-1"), false, nimhttptest.CutBefore, false},
		{"login after", "/login", loginBody("im-1"), false, nimhttptest.CutAfter, false},
		{"login again before", "/login", loginBody("im-1"), true, nimhttptest.CutBefore, true},
		{"login again after", "/login", loginBody("im-1"), true, nimhttptest.CutAfter, true},
		{"logout before", "/logout", "", true, nimhttptest.CutBefore, true},
		{"logout after", "/logout", "", true, nimhttptest.CutAfter, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newGateway(t)
			c.ok("PUT", "/v1/im/a", initBody)
			before := 0
			if test.in {
				before = c.login("a").Session
			}
			c.s.Fault(nimhttptest.Fault{Path: test.path, Cut: test.cut})
			if r := c.request(t.Context(), "POST", "/v1/im/a"+test.path, test.body); r.err == nil {
				t.Errorf("got %+v, want it to be cut", r)
			}
			want := 0
			if test.want {
				want = before
			}
			c.ok("PUT", "/v1/im/a", initBody) // runs after the undo, because calls queue
			eventually(t, "the session that is left", func() bool { return c.get("a").Session == want })
			if n := len(c.s.GatewayDevices()); (n == 1) != test.want {
				t.Errorf("got %d devices in the world", n)
			}
		})
	}
}

// If the client goes before it has the reply, the login is undone.
func TestGatewayReplyIsLost(t *testing.T) {
	c := newGateway(t)
	leave := c.loginSlowly()
	device := c.wantDevice()
	leave()
	eventually(t, "the logout", func() bool { return c.get("a").Session == 0 })
	c.wantOut(device)
}

// The undo comes late: the login has ended already, and the slot has a new one.
func TestGatewayReplyIsLostLate(t *testing.T) {
	c := newGateway(t)
	leave := c.loginSlowly()
	c.ok("POST", "/v1/im/a/logout", "")
	held := c.login("a")
	leave()
	eventually(t, "the server is idle", func() bool { return !running("gatewaydouble.(*Gateway).serve(") })
	if now := c.get("a"); now.Seq != held.Seq || now.Session != 2 {
		t.Errorf("got %+v, want %+v", now, held)
	}
}

// loginSlowly logs slot a in. The client waits for the reply until leave is
// called.
func (c *gatewayClient) loginSlowly() (leave func()) {
	c.t.Helper()
	c.ok("PUT", "/v1/im/a", initBody)
	c.s.Fault(nimhttptest.Fault{Path: "/login", Trickle: time.Hour})
	ctx, cancel := context.WithCancel(c.t.Context())
	reply := c.begin(ctx, "POST", "/v1/im/a/login", loginBody("im-1"))
	eventually(c.t, "the login", func() bool { return c.get("a").Session == 1 })
	eventually(c.t, "the server delays", pausing)
	return func() {
		cancel()
		if r := <-reply; !errors.Is(r.err, context.Canceled) {
			c.t.Errorf("got %+v, want %v", r, context.Canceled)
		}
	}
}

// running reports whether any goroutine is running the function.
func running(function string) bool {
	stacks := make([]byte, 1<<20)
	return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), function)
}

// The servers that a client names are part of the slot's configuration.
func TestGatewayServers(t *testing.T) {
	c := newGateway(t)
	const servers = `{"appKey": "app1", "lbsUrl": "http://127.0.0.1:1/lbs", "linkAddr": "127.0.0.1:2", "linkPlain": true}`
	c.ok("PUT", "/v1/im/a", servers)
	held := c.ok("POST", "/v1/im/a/login", loginBody("im-1"))
	if again := c.ok("PUT", "/v1/im/a", servers); again != held || !held.hasState(1, "logged_in", "up") {
		t.Errorf("got %+v and %+v, want a login, whatever the servers", held, again)
	}
	for _, other := range []string{initBody, strings.Replace(servers, "true", "false", 1), strings.Replace(servers, ":1/", ":3/", 1), strings.Replace(servers, ":2", ":3", 1)} {
		if r := c.request(t.Context(), "PUT", "/v1/im/a", other); r.kind != "other-configuration" {
			t.Errorf("%s: got %+v, want other-configuration", other, r)
		}
	}
}

// A request whose body ends early has no effect and leaves no slot behind.
func TestGatewayBodyEndsEarly(t *testing.T) {
	c := newGateway(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.s.GatewayURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PUT /v1/im/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n%s",
		c.s.GatewaySecret(), initBody)
	eventually(t, "it comes", func() bool { return len(c.s.Requests()) == 1 })
	conn.Close()
	if r := c.request(t.Context(), "GET", "/v1/im/a", ""); r.kind != "no-such-slot" {
		t.Errorf("got %+v, want no slot", r)
	}
	c.login("a")
}

func TestGatewayRequests(t *testing.T) {
	c := newGateway(t)
	c.ok("PUT", "/v1/im/a", initBody)
	c.get("a?waitMs=5")
	ask(t, c.s, "GET", skuEnv, nil)
	all := c.s.Requests()
	if len(all) != 3 || all[0].Method != "PUT" || all[0].Path != "/v1/im/a" || all[1].Method != "GET" || all[1].Path != "/v1/im/a" || all[2].Path != skuEnv {
		t.Fatalf("got %+v", all)
	}
	if got, want := all[1].Header.Get("Authorization"), "Bearer "+c.s.GatewaySecret(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// All calls at once, for the race detector. Afterwards the gateway works as
// before.
func TestGatewayAtOnce(t *testing.T) {
	c := newGateway(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var work sync.WaitGroup
	for _, slot := range []string{"a", "b"} {
		work.Go(func() {
			after := "0"
			for ctx.Err() == nil {
				c.request(ctx, "GET", "/v1/im/"+slot+"?waitMs=5&after="+after, "")
				after = "9007199254740991"
			}
		})
		work.Go(func() {
			for range 30 {
				c.request(ctx, "PUT", "/v1/im/"+slot, `{"appKey": "app1", "leaseMs": 1}`)
				if r := c.request(ctx, "POST", "/v1/im/"+slot+"/login", loginBody("im-1")); r.err == nil && !slices.Contains([]int{200, 409, 422}, r.status) {
					t.Errorf("login: got %+v", r)
				}
				c.request(ctx, "POST", "/v1/im/"+slot+"/logout", "")
			}
			stop()
		})
	}
	for _, disturb := range []func(){
		func() { c.s.World().Kick("myaccid", engine.KickedByServer) },
		func() { c.s.World().EndIM("myaccid", engine.ErrUnavailable) },
		func() { c.s.Link("myaccid", false); c.s.Link("myaccid", true) },
		c.s.RestartGateway,
	} {
		work.Go(func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				disturb()
				<-tick.C
			}
		})
	}
	work.Wait()
	c.s.Link("myaccid", true)
	c.s.RestartGateway()
	c.login("a")
	c.wantDevice()
}

// The health check needs no secret, but is not for browsers.
func TestGatewayHealth(t *testing.T) {
	s := newServer(t)
	res, body := raw(t, "GET", s.GatewayURL()+"/healthz", http.Header{"Origin": {"http://localhost"}})
	if res.StatusCode != 200 || !strings.Contains(body, `"sdk":"nimhttptest"`) || res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
	if res, _ := raw(t, "OPTIONS", s.GatewayURL()+"/v1/im/a", http.Header{"Origin": {"http://localhost"}}); res.StatusCode != 401 {
		t.Errorf("a preflight request: got %d, want 401", res.StatusCode)
	}
}
