package nimcloud_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// startWebSDK runs a script of the folder websdk, with the SDKs that are
// installed there.
func startWebSDK(t *testing.T, c *nimcloud.Cloud, script string) *sdk {
	t.Helper()
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20, and npm ci in internal/nimcloud/websdk and internal/browsertest")
	}
	return startScript(t, c, "websdk/"+script)
}

func (s *sdk) loginV1(name, accid, token string) {
	s.t.Helper()
	s.early = nil
	s.call(name, "login", accid, token)
	s.want(said{Name: name, Event: "connect"})
	s.want(said{Name: name, Event: "sync"})
}

func (s *sdk) loginV1Fails(name, accid, token string, code int) {
	s.t.Helper()
	s.early = nil
	s.call(name, "login", accid, token)
	s.want(said{Name: name, Event: "disconnect", Number: code})
}

func (s *sdk) wantV1Kicked(name, why string) {
	s.t.Helper()
	s.want(said{Name: name, Event: "disconnect", Text: "kicked " + why})
}

// All of this is one run of the 9.x SDK, because starting it takes long.
func TestV1SDK(t *testing.T) {
	world := newWorld(mockim.ServiceOptions{AppKey: appKey, MultiDevice: true})
	cloud := start(t, world)
	s := startWebSDK(t, cloud, "node.mjs")

	s.loginV1Fails("a", "user-one", "wrong", 302)
	for number, code := range map[int]int{102404: 404, 417: 417, 102422: 422, 101301: 403} {
		cloud.Refuse(number, 1)
		s.loginV1Fails("a", "user-one", "token-one", code)
	}

	s.loginV1("a", "User-One", "token-one")
	if got := cloud.Clients(); len(got) != 1 || got[0].Account != "User-One" || got[0].Accid != "user-one" || got[0].Type != 16 || !got[0].Settled {
		t.Errorf("clients %+v, want user-one with client type 16, settled", got)
	}
	s.call("a", "logout")
	s.want(said{Name: "a", Event: "disconnect", Text: "logout"})
	s.want(said{Name: "a", Event: "done", Text: "logout"})

	for reason, word := range map[engine.KickReason]string{
		engine.KickedByClient: "samePlatformKick", engine.KickedByServer: "serverKick",
		engine.KickedByOther: "otherPlatformKick", engine.KickedQuietly: "silentlyKick",
	} {
		s.loginV1("a", "user-one", "token-one")
		world.EndIM("user-one", &engine.KickError{Reason: reason, Text: "says-who"})
		s.wantV1Kicked("a", word+" says-who")
	}

	s.loginV1("a", "user-one", "token-one")
	other := startWebSDK(t, cloud, "node.mjs")
	other.loginV1("b", "user-one", "token-one")
	other.want(said{Name: "b", Event: "ports", Text: "Web true"})
	s.want(said{Name: "a", Event: "ports", Text: "Web true"})
	other.call("b", "kick", []string{cloud.Clients()[0].DeviceID})
	s.wantV1Kicked("a", "otherPlatformKick")
	other.want(said{Name: "b", Event: "done", Text: "kick", Number: 1})
	other.want(said{Name: "b", Event: "ports", Text: "Web false"})
	other.call("b", "logout")
	other.want(said{Name: "b", Event: "done", Text: "logout"})

	cloud.FailLBS(503) // the SDK then uses defaultLink
	s.loginV1("a", "user-one", "token-one")
	cloud.FailLBS(0)
	cloud.Drop("user-one")
	s.want(said{Name: "a", Event: "willreconnect"})
	s.want(said{Name: "a", Event: "connect"})
	if got := cloud.Clients(); len(got) != 1 || !got[0].Automatic {
		t.Errorf("clients %+v, want one that came back by itself", got)
	}
	cloud.Link("user-one", false)
	s.want(said{Name: "a", Event: "willreconnect"})
	cloud.Link("user-one", true)
	s.want(said{Name: "a", Event: "connect"})

	world.EndIM("user-one", engine.ErrAccountBanned)
	s.want(said{Name: "a", Event: "disconnect", Number: 422})
	for _, line := range s.early {
		if line.Event == "error" {
			t.Errorf("the SDK reported an error, %+v", line)
		}
	}
}

// The 9.x SDK and the gateway's SDK log in to one account.
func TestV1SDKBesideV2(t *testing.T) {
	cloud := start(t, newWorld(mockim.ServiceOptions{AppKey: appKey, MultiDevice: true}))
	old, gateway := startWebSDK(t, cloud, "node.mjs"), startSDK(t, cloud)
	old.loginV1("old", "user-one", "token-one")
	gateway.login("gateway", "user-one", "token-one")
	gateway.want(said{Name: "gateway", Event: "clients", Number: 1, Text: "16"})
	old.want(said{Name: "old", Event: "ports", Text: "Web true"})
	gateway.call("gateway", "kickOffline")
	old.wantV1Kicked("old", "otherPlatformKick")
	gateway.want(said{Name: "gateway", Event: "clients", Number: 3, Text: "16"})
}

// The browser builds, in a page of another origin.
func TestSDKsInPage(t *testing.T) {
	world := newWorld(mockim.ServiceOptions{AppKey: appKey, MultiDevice: true})
	for i := range 4 {
		world.AddIM(engine.IMAccount{Accid: fmt.Sprint("page-", i), Token: "token"})
	}
	cloud := start(t, world)
	s := startWebSDK(t, cloud, "page.mjs")
	overText := map[string]any{"binaryWebsocket": false}

	s.call("v1", "loginV1", "page-0", "token", map[string]any{})
	s.call("v1 over text", "loginV1", "page-1", "token", overText)
	s.call("v2", "loginV2", "page-2", "token", map[string]any{})
	s.call("v2 over text", "loginV2", "page-3", "token", overText)
	for i, name := range []string{"v1", "v1 over text"} {
		s.want(said{Name: name, Event: "connect"})
		s.want(said{Name: name, Event: "sync"})
		world.Kick(fmt.Sprint("page-", i), engine.KickedByServer)
		s.wantV1Kicked(name, "serverKick")
	}
	for i, name := range []string{"v2", "v2 over text"} {
		s.want(said{Name: name, Event: "done", Text: "login"})
		s.want(said{Name: name, Event: "sync", Number: 3})
		world.Kick(fmt.Sprint("page-", i+2), engine.KickedByServer)
		s.want(said{Name: name, Event: "kicked", Number: 2})
	}
	s.call("wrong", "loginV2", "page-3", "wrong", overText)
	s.want(said{Name: "wrong", Event: "rejected", Text: "login", Number: 102302})
	for _, line := range s.early {
		if line.Event == "outside" || line.Event == "error" {
			t.Errorf("want no request to other servers and no error, got %+v", line)
		}
	}
}
