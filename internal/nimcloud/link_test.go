package nimcloud_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

var (
	oneDevice   = mockim.ServiceOptions{AppKey: appKey}
	manyDevices = mockim.ServiceOptions{AppKey: appKey, MultiDevice: true}
)

func wantClients(t *testing.T, c *nimcloud.Cloud, want ...string) {
	t.Helper()
	var got []string
	for _, client := range c.Clients() {
		got = append(got, client.DeviceID+" "+client.Accid)
	}
	if !slices.Equal(got, want) {
		t.Errorf("clients %q, want %q", got, want)
	}
}

func TestLogin(t *testing.T) {
	cloud := start(t, newWorld(oneDevice))
	c := dial(t, cloud, "d1")
	if others := c.login("User-One", "token-one", ok); !bytes.Equal(others, []byte{0}) {
		t.Errorf("others % x, want none", others)
	}
	want := nimcloud.Client{Accid: "user-one", Account: "User-One", AppKey: appKey, DeviceID: "d1", Type: 16}
	if got := cloud.Clients(); len(got) != 1 || got[0] != want {
		t.Errorf("clients %+v, want %+v", got, want)
	}
	c.send(heartbeat, nil)
	c.want(heartbeat, ok)
	c.send(sync, properties(1, "0"))
	if b := c.want(sync, ok); len(b) != 8 {
		t.Errorf("time % x, want 8 bytes", b)
	}
	c.send(uploadConfig, []byte{0})
	if got, want := c.want(uploadConfig, ok), slices.Concat([]byte{2, 0}, text("{}"), []byte{1}, text("86400")); !bytes.Equal(got, want) {
		t.Errorf("upload settings % x, want % x", got, want)
	}
	c.send(cdnHost, nil)
	if got, want := c.want(cdnHost, ok), append([]byte{1, 3}, text("0")...); !bytes.Equal(got, want) {
		t.Errorf("CDN % x, want % x", got, want)
	}
	c.send([2]byte{99, 99}, nil)
	c.want([2]byte{99, 99}, 404)
	if got := cloud.Clients()[0].Heartbeats; got != 1 {
		t.Errorf("%d heartbeats, want 1", got)
	}
	c.send(logout, nil)
	c.want(logout, ok)
	wantClients(t, cloud, "d1 ")
}

// Before a login everything else is refused, and a second login cuts the link.
func TestLoginComesFirstAndOnce(t *testing.T) {
	cloud := start(t, newWorld(oneDevice))
	c := dial(t, cloud, "d1")
	for _, command := range [][2]byte{logout, kickOthers, sync, uploadConfig, cdnHost} {
		c.send(command, nil)
		c.want(command, 403)
	}
	c.login("user-one", "token-one", ok)
	c.send(login, c.loginBody(appKey, "user-two", "token-two"))
	c.wantCut()
}

func TestLoginRefused(t *testing.T) {
	world := newWorld(oneDevice)
	world.AddIM(engine.IMAccount{AppKey: "app2", Accid: "elsewhere", Token: "t"})
	cloud := start(t, world)
	c := dial(t, cloud, "d1") // a refused login may be repeated on the same link
	for _, row := range []struct {
		name, appKey, accid, token string
		code                       int
	}{
		{"wrong token", appKey, "user-one", "token-two", tokenInvalid},
		{"no token", appKey, "user-one", "", tokenInvalid},
		{"unknown account", appKey, "nobody", "token-one", tokenInvalid},
		{"no account", appKey, "", "", tokenInvalid},
		{"account of another app", appKey, "elsewhere", "t", tokenInvalid},
		{"wrong AppKey", "app2", "user-one", "token-one", appKeyWrong},
		{"no AppKey", "", "user-one", "token-one", appKeyWrong},
		{"right after all", appKey, "user-one", "token-one", ok},
	} {
		t.Run(row.name, func(t *testing.T) {
			c.t = t
			c.loginTo(row.appKey, row.accid, row.token, row.code)
		})
	}
}

func TestKick(t *testing.T) {
	for _, reason := range []engine.KickReason{engine.KickedByClient, engine.KickedByServer, engine.KickedByOther, engine.KickedQuietly} {
		t.Run(fmt.Sprint("reason ", int(reason)), func(t *testing.T) {
			world := newWorld(manyDevices)
			cloud := start(t, world)
			a, b, other := dial(t, cloud, "d1"), dial(t, cloud, "d2"), dial(t, cloud, "d3")
			a.login("user-one", "token-one", ok)
			other.login("user-two", "token-two", ok)
			world.Kick("User-One", reason)
			a.wantKicked(0, uint32(reason), "")
			wantClients(t, cloud, "d1 ", " ", "d3 user-two")

			b.login("user-one", "token-one", ok)
			world.EndIM("user-one", &engine.KickError{Reason: reason, ClientType: 32, Text: "Grüße"})
			b.wantKicked(32, uint32(reason), "Grüße")
			dial(t, cloud, "d1").login("user-one", "token-one", ok)
		})
	}
}

func TestKickWithoutReason(t *testing.T) {
	world := newWorld(oneDevice)
	c := dial(t, start(t, world), "d1")
	c.login("user-one", "token-one", ok)
	world.EndIM("user-one", engine.ErrKicked)
	c.wantKicked(0, 2, "")
}

// A client that does not close its link after a kick is cut.
func TestKickedStays(t *testing.T) {
	world := newWorld(oneDevice)
	cloud := startWith(t, world, 0, 0, 0, 50*time.Millisecond)
	c := dial(t, cloud, "d1")
	c.login("user-one", "token-one", ok)
	world.Kick("user-one", engine.KickedByServer)
	c.wantKicked(0, 2, "")
	c.send(login, c.loginBody(appKey, "user-one", "token-one")) // ignored
	c.wantCut()
}

func TestEnd(t *testing.T) {
	for _, row := range []struct {
		name  string
		cause error
		code  int
	}{
		{"token rejected", engine.ErrTokenRejected, tokenInvalid},
		{"token expired", engine.ErrTokenExpired, tokenInvalid},
		{"banned", fmt.Errorf("by hand: %w", engine.ErrAccountBanned), banned},
		{"not enabled", engine.ErrNotEnabled, notEnabled},
		{"unavailable", engine.ErrUnavailable, ok},
		{"nil", nil, ok},
		{"unknown", errors.New("unknown"), ok},
	} {
		t.Run(row.name, func(t *testing.T) {
			world := newWorld(manyDevices)
			cloud := start(t, world)
			c := dial(t, cloud, "d1")
			c.login("user-one", "token-one", ok)
			world.EndIM("user-one", row.cause)
			c.wantCut()
			dial(t, cloud, "d2").login("user-one", "token-one", ok) // another device is not refused
			dial(t, cloud, "d1").login("user-one", "token-one", row.code)
			if row.code != ok {
				dial(t, cloud, "d1").login("user-one", "token-one", ok) // refused only once
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	world := newWorld(oneDevice)
	cloud := start(t, world)
	c := dial(t, cloud, "d1")
	c.login("user-one", "token-one", ok)
	world.AddIM(engine.IMAccount{Accid: "user-one", Token: "token-new"})
	c.send(heartbeat, nil)
	c.want(heartbeat, ok) // a new token does not end the login
	cloud.Drop("user-one")
	c.wantCut()
	c = dial(t, cloud, "d1")
	c.login("user-one", "token-one", tokenInvalid)
	c.login("user-one", "token-new", ok)
}

func TestOneDevice(t *testing.T) {
	cloud := start(t, newWorld(oneDevice))
	a, b := dial(t, cloud, "d1"), dial(t, cloud, "d2")
	a.login("user-one", "token-one", ok)
	b.login("user-one", "wrong", tokenInvalid) // does not kick d1
	wantClients(t, cloud, "d1 user-one", "d2 ")
	if others := b.login("User-One", "token-one", ok); !bytes.Equal(others, []byte{0}) {
		t.Errorf("others % x, want none", others)
	}
	a.wantKicked(0, 1, "")
	wantClients(t, cloud, "d1 ", "d2 user-one")
	b.send(heartbeat, nil)
	b.want(heartbeat, ok) // d1's end, which came before b's login, is not reported
}

func TestTwoDevices(t *testing.T) {
	cloud := start(t, newWorld(manyDevices))
	a, b, other := dial(t, cloud, "d1"), dial(t, cloud, "d2"), dial(t, cloud, "d3")
	a.login("user-one", "token-one", ok)
	other.login("user-two", "token-two", ok)
	if ids := readRecords(t, b.login("User-One", "token-one", ok)); !slices.Equal(ids, []string{"d1"}) {
		t.Errorf("others %v, want d1", ids)
	}
	a.wantChange(2, "d2")

	b.send(kickOthers, append([]byte{3}, slices.Concat(text("d1"), text("d2"), text("d3"))...))
	if got, want := b.want(kickOthers, ok), append([]byte{1}, text("d1")...); !bytes.Equal(got, want) {
		t.Errorf("kicked % x, want % x", got, want)
	}
	a.wantKicked(16, 3, "")
	wantClients(t, cloud, "d1 ", "d2 user-one", "d3 user-two")

	a = dial(t, cloud, "d1")
	a.login("user-one", "token-one", ok)
	b.wantChange(3, "d1")
	b.wantChange(2, "d1")
	cloud.Drop("user-one")                      // cuts both of its links
	wantClients(t, cloud, "d1 ", "d3 user-two") // the kicked d1 has not closed its link
	other.send(heartbeat, nil)
	other.want(heartbeat, ok)
}

func TestGarbage(t *testing.T) {
	cloud := start(t, newWorld(manyDevices))
	bystander := dial(t, cloud, "bystander")
	bystander.login("user-two", "token-two", ok)
	for _, row := range []struct {
		name string
		b    []byte
	}{
		{"empty", nil},
		{"half a header", []byte{0, 26, 3}},
		{"endless number", bytes.Repeat([]byte{0xff}, 30)},
		{"no body", []byte{0, 26, 3, 1, 0, 0}},
		{"more properties than there are", []byte{0, 26, 3, 1, 0, 0, 200, 1, 1, 'x'}},
		{"string beyond the end", []byte{0, 26, 3, 1, 0, 0, 1, 19, 100, 'x'}},
		{"huge string", []byte{0, 26, 3, 1, 0, 0, 1, 19, 0xff, 0xff, 0xff, 0xff, 0x7f}},
		{"too large", make([]byte, 64<<10+1)},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := dial(t, cloud, "d1")
			c.sendRaw(row.b)
			c.wantCut()
		})
	}
	t.Run("text", func(t *testing.T) {
		c := dial(t, cloud, "d1")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := c.ws.Write(ctx, websocket.MessageText, []byte("3:::{}")); err != nil {
			t.Fatal(err)
		}
		c.wantCut()
	})
	t.Run("list of devices", func(t *testing.T) {
		c := dial(t, cloud, "d1")
		c.login("user-one", "token-one", ok)
		c.send(kickOthers, []byte{9, 1})
		c.wantCut()
	})
	bystander.send(heartbeat, nil)
	bystander.want(heartbeat, ok)
}

func TestTimeouts(t *testing.T) {
	const short = 50 * time.Millisecond
	t.Run("no login", func(t *testing.T) {
		c := dial(t, startWith(t, newWorld(oneDevice), 0, short, 0, 0), "d1")
		c.send(heartbeat, nil) // does not count as a login
		c.want(heartbeat, ok)
		c.wantCut()
	})
	t.Run("idle", func(t *testing.T) {
		cloud := startWith(t, newWorld(oneDevice), 0, 0, short, 0)
		c := dial(t, cloud, "d1")
		c.login("user-one", "token-one", ok)
		c.wantCut()
	})
	t.Run("after a logout", func(t *testing.T) {
		c := dial(t, startWith(t, newWorld(oneDevice), 0, 0, 0, short), "d1")
		c.login("user-one", "token-one", ok)
		c.send(logout, nil)
		c.want(logout, ok)
		c.wantCut()
	})
}

// While the links of an account are down, its logins are not answered. Other
// accounts are not affected.
func TestLinkDown(t *testing.T) {
	world := newWorld(manyDevices)
	cloud := start(t, world)
	one, waiting, other := dial(t, cloud, "d1"), dial(t, cloud, "d2"), dial(t, cloud, "d3")
	one.login("user-one", "token-one", ok)
	other.login("user-two", "token-two", ok)
	cloud.Link("User-One", false)
	one.wantCut()
	wantClients(t, cloud, " ", "d3 user-two") // the second link has not named its account yet
	waiting.send(login, waiting.loginBody(appKey, "user-one", "token-one"))
	waiting.wantCut()
	other.send(heartbeat, nil)
	other.want(heartbeat, ok)
	cloud.Link("User-One", true)
	dial(t, cloud, "d1").login("user-one", "token-one", ok)
}
