package nimcloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

const appKey = "app1"

func newWorld(o mockim.ServiceOptions) *mockim.Service {
	world := mockim.NewService(o)
	world.AddIM(engine.IMAccount{Accid: "user-one", Token: "token-one"})
	world.AddIM(engine.IMAccount{Accid: "user-two", Token: "token-two"})
	return world
}

func start(t *testing.T, world *mockim.Service) *nimcloud.Cloud {
	t.Helper()
	return startWith(t, world, 0, 0, 0, 0)
}

// startWith starts a cloud with other limits; 0 keeps the default.
func startWith(t *testing.T, world *mockim.Service, links int, login, idle, leave time.Duration) *nimcloud.Cloud {
	t.Helper()
	c, err := nimcloud.StartWith(nimcloud.Options{World: world}, links, login, idle, leave)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func request(t *testing.T, method, url string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// dialStatus opens a link and returns the HTTP status of the answer.
func dialStatus(t *testing.T, c *nimcloud.Cloud) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, response, err := websocket.Dial(ctx, "ws://"+c.LinkAddr()+"/websocket", nil)
	if err == nil {
		ws.CloseNow()
		return 101
	}
	if response == nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestLBS(t *testing.T) {
	c := start(t, newWorld(oneDevice))
	response := request(t, "GET", c.LBSURL()+"?k=app1&id=user-one&sv=180&pv=1&networkType=0&lv=1")
	var got struct{ Common map[string][]string }
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"mix.link", "link.default"} {
		if !slices.Equal(got.Common[list], []string{c.LinkAddr()}) {
			t.Errorf("%s %v, want %s", list, got.Common[list], c.LinkAddr())
		}
	}
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	if got := response.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("Access-Control-Allow-Origin %q, want *", got)
	}
	if got := request(t, "GET", "http://"+c.LinkAddr()+"/lbs/webconf.jsp?k=app1").StatusCode; got != 200 {
		t.Errorf("the vendor's path: status %d, want 200", got)
	}
	for method, want := range map[string]int{"OPTIONS": 204, "POST": 405} {
		if got := request(t, method, c.LBSURL()).StatusCode; got != want {
			t.Errorf("%s: status %d, want %d", method, got, want)
		}
	}
	if got := request(t, "GET", "http://"+c.LinkAddr()+"/websocket").StatusCode; got != 426 {
		t.Errorf("a link without an upgrade: status %d, want 426", got)
	}
}

func TestFailLBS(t *testing.T) {
	c := start(t, newWorld(oneDevice))
	for _, row := range [][2]int{{503, 503}, {404, 404}, {0, 200}, {500, 500}, {200, 200}} {
		c.FailLBS(row[0])
		if got := request(t, "GET", c.LBSURL()).StatusCode; got != row[1] {
			t.Errorf("FailLBS %d: status %d, want %d", row[0], got, row[1])
		}
	}
}

func TestFailLink(t *testing.T) {
	c := start(t, newWorld(oneDevice))
	stays := dial(t, c, "d1")
	stays.login("user-one", "token-one", ok)
	c.FailLink(503)
	if got := dialStatus(t, c); got != 503 {
		t.Errorf("status %d, want 503", got)
	}
	stays.send(heartbeat, nil)
	stays.want(heartbeat, ok)
	c.FailLink(0)
	dial(t, c, "d2").login("user-one", "token-one", ok)
}

func TestTooManyLinks(t *testing.T) {
	c := startWith(t, newWorld(manyDevices), 2, 0, 0, 0)
	a, b := dial(t, c, "d1"), dial(t, c, "d2")
	a.login("user-one", "token-one", ok)
	if got := dialStatus(t, c); got != 503 {
		t.Errorf("status %d, want 503", got)
	}
	c.Drop("user-one")
	dial(t, c, "d3").login("user-one", "token-one", ok)
	b.login("user-two", "token-two", ok)
}

func TestRefuse(t *testing.T) {
	c := start(t, newWorld(manyDevices))
	link := dial(t, c, "d1")
	c.Refuse(417, 2)
	link.login("user-one", "token-one", 417)
	link.login("user-two", "token-two", 417)
	link.login("user-one", "token-one", ok)

	link = dial(t, c, "d2")
	c.Refuse(102404, 5)
	link.login("user-one", "token-one", 3<<9|404)
	c.Refuse(20001, 1) // replaces the one before
	link.login("user-one", "token-one", 20001)
	c.Refuse(417, 5)
	c.Refuse(417, 0)
	link.login("user-one", "token-one", ok)
}

func TestControlPanics(t *testing.T) {
	c := start(t, newWorld(oneDevice))
	for name, call := range map[string]func(){
		"success":           func() { c.Refuse(200, 1) },
		"code out of range": func() { c.Refuse(1000, 1) },
		"negative code":     func() { c.Refuse(-1, 1) },
		"negative times":    func() { c.Refuse(417, -1) },
		"LBS status":        func() { c.FailLBS(204) },
		"link status":       func() { c.FailLink(101) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

func TestMuteHeartbeat(t *testing.T) {
	c := start(t, newWorld(oneDevice))
	link := dial(t, c, "d1")
	link.login("user-one", "token-one", ok)
	c.MuteHeartbeat(true)
	link.send(heartbeat, nil)
	link.send(sync, nil)
	link.want(sync, ok) // the heartbeat got no answer
	c.MuteHeartbeat(false)
	link.send(heartbeat, nil)
	link.want(heartbeat, ok)
	if got := c.Clients()[0].Heartbeats; got != 2 {
		t.Errorf("%d heartbeats, want 2", got)
	}
}

func TestMuteLogin(t *testing.T) {
	c := start(t, newWorld(oneDevice))
	link := dial(t, c, "d1")
	c.MuteLogin(true)
	link.send(login, link.loginBody(appKey, "user-one", "token-one"))
	link.send(heartbeat, nil)
	link.want(heartbeat, ok) // the login got no answer
	wantClients(t, c, "d1 ")
	c.MuteLogin(false)
	link.login("user-one", "token-one", ok)
}

func TestStartRefuses(t *testing.T) {
	world := newWorld(oneDevice)
	for name, o := range map[string]nimcloud.Options{
		"no world":      {},
		"all addresses": {World: world, Addr: ":0"},
		"any address":   {World: world, Addr: "0.0.0.0:0"},
		"not loopback":  {World: world, Addr: "192.0.2.1:0"},
		"name":          {World: world, Addr: "example.com:0"},
		"no port":       {World: world, Addr: "127.0.0.1"},
		"no origin":     {World: world, Origins: []string{"example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := nimcloud.Start(o)
			if !errors.Is(err, engine.ErrArgument) {
				t.Errorf("Start: %v, want ErrArgument", err)
			}
			if c != nil {
				c.Close()
			}
		})
	}
	t.Run("port is taken", func(t *testing.T) {
		taken := start(t, world)
		c, err := nimcloud.Start(nimcloud.Options{World: world, Addr: taken.LinkAddr()})
		var failure *net.OpError
		if !errors.As(err, &failure) {
			t.Errorf("Start: %v, want a net.OpError", err)
		}
		if c != nil {
			c.Close()
		}
	})
}

// TestMain checks that Close leaves no goroutine behind.
func TestClose(t *testing.T) {
	world := newWorld(manyDevices)
	c := start(t, world)
	a, b, kickedOne := dial(t, c, "d1"), dial(t, c, "d2"), dial(t, c, "d3")
	a.login("user-one", "token-one", ok)
	kickedOne.login("user-two", "token-two", ok)
	world.Kick("user-two", engine.KickedByServer)
	kickedOne.wantKicked(0, 2, "")
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	a.wantCut()
	b.wantCut()
	kickedOne.wantCut()
	wantClients(t, c)
	world.Kick("user-one", engine.KickedByServer) // the cloud no longer reacts
	if err := c.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

// Kicks, drops and logins at the same time do not block each other, and the cloud
// still works afterwards.
func TestConcurrentUse(t *testing.T) {
	world := newWorld(oneDevice)
	c := start(t, world)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			world.Kick("user-one", engine.KickedByServer)
			c.Drop("user-one")
			c.Clients()
		}
	}()
	logins := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { logins <- struct{}{} }()
			for range 10 {
				tryLogin(t, c)
			}
		}()
	}
	for range 4 {
		<-logins
	}
	<-done
	dial(t, c, "last").login("user-one", "token-one", ok)
}

// tryLogin opens a link and sends a login, which may fail.
func tryLogin(t *testing.T, c *nimcloud.Cloud) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+c.LinkAddr()+"/websocket", nil)
	if err != nil {
		t.Errorf("dial: %v", err)
		return
	}
	defer ws.CloseNow()
	body := (&client{device: "d"}).loginBody(appKey, "user-one", "token-one")
	if ws.Write(ctx, websocket.MessageBinary, append([]byte{0, 26, 3, 1, 0, 0}, body...)) == nil {
		ws.Read(ctx)
	}
	if ctx.Err() != nil {
		t.Error("the login was neither answered nor cut")
	}
}
