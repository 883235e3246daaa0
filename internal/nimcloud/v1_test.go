package nimcloud_test

import (
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

func TestV1Login(t *testing.T) {
	cloud := start(t, newWorld(oneDevice))
	c := dialV1(t, cloud, "d1")
	for _, command := range [][2]int{{2, 6}, {2, 8}, {5, 1}, {6, 26}} {
		c.ask(command[0], command[1], "", nil, 403) // first a login
	}
	if others := c.login("User-One", "token-one", ok); len(others) != 0 {
		t.Errorf("others %v, want none", others)
	}
	want := nimcloud.Client{Accid: "user-one", Account: "User-One", AppKey: appKey, DeviceID: "d1", Type: 16}
	if got := cloud.Clients(); len(got) != 1 || got[0] != want {
		t.Errorf("clients %+v, want %+v", got, want)
	}
	c.sendRaw("2::") // not answered, because an SDK would answer that again
	c.ask(1, 2, "", nil, ok)
	if r := c.ask(6, 26, "", nil, ok); len(r) != 1 || r[0].(map[string]any)["3"] != "0" {
		t.Errorf("CDN %v, want none", r)
	}
	if cloud.Clients()[0].Settled {
		t.Error("settled before the sync")
	}
	if r := c.ask(5, 1, "Property", map[string]any{"1": 0}, ok); len(r) != 1 || r[0].(float64) < 1e12 {
		t.Errorf("sync %v, want the time", r)
	}
	c.ask(99, 99, "", nil, 404)
	if got := cloud.Clients()[0]; got.Heartbeats != 1 || !got.Settled {
		t.Errorf("client %+v, want one heartbeat and settled", got)
	}
	c.ask(2, 6, "", nil, ok)
	wantClients(t, cloud, "d1 ")
	c.sendRaw("0::")
	c.wantCut()
}

// The codes are those that 9.x knows.
func TestV1LoginRefused(t *testing.T) {
	cloud := start(t, newWorld(oneDevice))
	c := dialV1(t, cloud, "d1")
	c.login("user-one", "token-two", 302)
	c.login("nobody", "token-one", 302)
	c.loginTo("app2", "user-one", "token-one", 302)
	for number, want := range map[int]int{417: 417, 102404: 404, 102422: 422, 101301: 403, 20001: 20001} {
		cloud.Refuse(number, 1)
		c.login("user-one", "token-one", want)
	}
	tags := c.loginTags(appKey, "user-one", "token-one")
	tags["115"] = 2
	c.ask(2, 3, "Property", tags, 403)
	c.login("user-one", "token-one", ok)
	c.send(2, 3, "Property", tags)
	c.wantCut() // one login for each link
}

func TestV1Kick(t *testing.T) {
	for _, reason := range []engine.KickReason{engine.KickedByClient, engine.KickedByServer, engine.KickedByOther, engine.KickedQuietly} {
		world := newWorld(oneDevice)
		c := dialV1(t, start(t, world), "d1")
		c.login("user-one", "token-one", ok)
		world.EndIM("user-one", &engine.KickError{Reason: reason, ClientType: 4, Text: "says who"})
		c.wantKicked(4, float64(reason), "says who")
	}
}

func TestV1End(t *testing.T) {
	for cause, code := range map[engine.Code]int{
		engine.ErrTokenRejected: 302, engine.ErrTokenExpired: 302, engine.ErrAccountBanned: 422,
		engine.ErrNotEnabled: 403, engine.ErrAppKeyMismatch: 302, engine.ErrUnavailable: ok,
	} {
		t.Run(cause.Error(), func(t *testing.T) {
			world := newWorld(oneDevice)
			cloud := start(t, world)
			c := dialV1(t, cloud, "d1")
			c.login("user-one", "token-one", ok)
			world.EndIM("user-one", cause)
			c.wantCut()
			dialV1(t, cloud, "d1").login("user-one", "token-one", code)
		})
	}
}

// Clients of one account see each other, kick each other, and share the rules
// for several devices, whatever they speak.
func TestBothFamilies(t *testing.T) {
	cloud := start(t, newWorld(manyDevices))
	old, gateway := dialV1(t, cloud, "old"), dial(t, cloud, "gateway")
	old.login("user-one", "token-one", ok)
	if ids := readRecords(t, gateway.login("user-one", "token-one", ok)); !slices.Equal(ids, []string{"old"}) {
		t.Errorf("others %v, want old", ids)
	}
	old.wantChange(2, "gateway")

	third := dialV1(t, cloud, "third")
	if ids := third.login("user-one", "token-one", ok); !slices.Equal(ids, []string{"old", "gateway"}) {
		t.Errorf("others %v, want old and gateway", ids)
	}
	old.wantChange(2, "third")
	gateway.wantChange(2, "third")

	if r := old.ask(2, 8, "StrArray", []string{"gateway", "nowhere"}, ok); len(r) != 1 || !slices.Equal(r[0].([]any), []any{"gateway"}) {
		t.Errorf("kicked %v, want gateway", r)
	}
	gateway.wantKicked(16, 3, "")
	old.wantChange(3, "gateway")
	third.wantChange(3, "gateway")

	gateway = dial(t, cloud, "gateway")
	gateway.login("user-one", "token-one", ok)
	old.wantChange(2, "gateway")
	third.wantChange(2, "gateway")
	gateway.send(kickOthers, slices.Concat([]byte{1}, text("third")))
	third.wantKicked(16, 3, "")
	old.wantChange(3, "third")
}

func TestBothFamiliesOneDevice(t *testing.T) {
	cloud := start(t, newWorld(oneDevice))
	old, gateway := dialV1(t, cloud, "old"), dial(t, cloud, "gateway")
	old.login("user-one", "token-one", ok)
	gateway.login("user-one", "token-one", ok)
	old.wantKicked(0, 1, "")
	old = dialV1(t, cloud, "old")
	old.login("user-one", "token-one", ok)
	gateway.wantKicked(0, 1, "")
}

// 9.x in a browser sends its packets in the packed framing.
func TestV1Packed(t *testing.T) {
	cloud := start(t, newWorld(manyDevices))
	c := dial(t, cloud, "d1")
	c.send([2]byte{2, 3}, c.loginBody(appKey, "user-one", "wrong"))
	if b := c.want([2]byte{2, 3}, 302); len(b) != 0 {
		t.Errorf("a refusal has a body, % x", b)
	}
	c.send([2]byte{2, 3}, c.loginBody(appKey, "user-one", "token-one"))
	own, others := readProperties(t, c.want([2]byte{2, 3}, ok))
	if own[13] != "d1" || own[3] != "16" || own[19] != "user-one" || !slices.Equal(others, []byte{0}) {
		t.Errorf("own record %v, others % x", own, others)
	}
	b := dial(t, cloud, "d2")
	b.login("user-one", "token-one", ok)
	c.serial = 0 // the cloud sends the next ones unasked
	change := c.want([2]byte{2, 7}, ok)
	if record, _ := readProperties(t, change[2:]); change[0] != 2 || change[1] != 1 || record[13] != "d2" {
		t.Errorf("change % x, want the login of d2", change)
	}
	b.send(kickOthers, append([]byte{1}, text("d1")...))
	b.want(kickOthers, ok)
	want := append(binary.LittleEndian.AppendUint32(nil, 16), 3, 0, 0, 0, 0, 0, 0, 0, 0)
	if got := c.want([2]byte{2, 5}, ok); !slices.Equal(got, want) {
		t.Errorf("kick % x, want % x", got, want)
	}
}

func TestV1Garbage(t *testing.T) {
	cloud := start(t, newWorld(oneDevice))
	for _, frame := range []string{
		"", "x", "3:::", "3:::{}x", "4:::{}", "3::room:{}", `3:::{"SID":2,"CID":3,"SER":1,"Q":[]}`,
		`3:::{"SID":2,"CID":3,"SER":1,"Q":[{"t":"Property","v":{"a":"b"}}]}`, strings.Repeat("3", 64<<10+1),
	} {
		c := dialV1(t, cloud, "d1")
		c.sendRaw(frame)
		c.wantCut()
	}
	c := dialV1(t, cloud, "d1")
	c.login("user-one", "token-one", ok)
	c.send(2, 8, "StrArray", "d2")
	c.wantCut()
}

func TestV1Links(t *testing.T) {
	cloud := startWith(t, newWorld(oneDevice), 1, 0, 50*time.Millisecond, 0)
	c := dialV1(t, cloud, "d1")
	c.login("user-one", "token-one", ok)
	cloud.Drop("user-one")
	c.wantCut()
	c = dialV1(t, cloud, "d1")
	c.login("user-one", "token-one", ok)
	c.wantCut() // idle
	cloud.Link("user-one", false)
	c = dialV1(t, cloud, "d1")
	c.send(2, 3, "Property", c.loginTags(appKey, "user-one", "token-one"))
	c.wantCut()
	cloud.FailLink(503)
	if got := request(t, "GET", "http://"+cloud.LinkAddr()+"/socket.io/1/?t=1").StatusCode; got != 503 {
		t.Errorf("handshake: status %d, want 503", got)
	}
}

func TestV1DynamicToken(t *testing.T) {
	cloud := startAt(t, appSecret, tokenMade)
	c := dialV1(t, cloud, "d1")
	tags := c.loginTags(appKey, "user-one", "token-one")
	tags["115"] = 1
	c.ask(2, 3, "Property", tags, 302) // a static token
	tags["1000"] = dynamicToken("user-one")
	c.ask(2, 3, "Property", tags, ok)
}

// The 9.x SDK asks for the handshake with credentials, which browsers allow only
// if the reply names the page's origin.
func TestPagesMayAsk(t *testing.T) {
	cloud := start(t, newWorld(mockim.ServiceOptions{AppKey: appKey}))
	for _, url := range []string{cloud.LBSURL(), "http://" + cloud.LinkAddr() + "/socket.io/1/?t=1"} {
		for _, method := range []string{"GET", "OPTIONS"} {
			r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Close = true
			r.Header.Set("Origin", "http://127.0.0.1:1")
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			h := response.Header
			if h.Get("Access-Control-Allow-Origin") != "http://127.0.0.1:1" || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin" {
				t.Errorf("%s %s: header %v", method, url, h)
			}
		}
		if got := request(t, "POST", url).StatusCode; got != 405 {
			t.Errorf("POST %s: status %d, want 405", url, got)
		}
	}
}

// A WebSocket is not bound by CORS, so the link server itself refuses pages of
// other origins.
func TestPagesRefused(t *testing.T) {
	cloud := startOptions(t, nimcloud.Options{World: newWorld(oneDevice), Origins: []string{"https://dev.example.com"}})
	for _, path := range []string{"/lbs", "/socket.io/1/?t=1", "/websocket", "/socket.io/1/websocket/x"} {
		for origin, allowed := range map[string]bool{"http://localhost:1": true, "https://dev.example.com": true, "https://example.com": false} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+cloud.LinkAddr()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Close = true
			r.Header.Set("Origin", origin)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if got := response.StatusCode != 403; got != allowed { // without an upgrade, a link that is allowed is 426
				t.Errorf("%s from %s: status %d, want it allowed: %t", path, origin, response.StatusCode, allowed)
			}
		}
	}
}
