package nimhttp_test

import (
	"context"
	"testing"

	"github.com/imreuse/imreuse/backends/backendtest"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

var (
	alice    = engine.IMAccount{Accid: "Alice", Token: "im-alice"}
	bob      = engine.IMAccount{Accid: "bob", Token: "im-bob"}
	kitAlice = engine.KitAccount{UserUUID: "user1", Token: "kit-token-1"}
	kitBob   = engine.KitAccount{UserUUID: "user2", Token: "kit-token-2"}
	unbound  = engine.KitAccount{UserUUID: "user3", Token: "kit-token-3"}
)

// An office is a cloud with a kit server, and one client process, which has IM
// in memory and the kit over HTTP.
type office struct {
	cloud  *mockim.Service
	server *nimhttptest.Server
	device *mockim.Device
	kit    *nimhttp.Kit
}

func newOffice(t *testing.T, o mockim.ServiceOptions) *office {
	t.Helper()
	o.AppKey = "app1"
	cloud := mockim.NewService(o)
	cloud.AddIM(alice)
	cloud.AddIM(bob)
	cloud.Bind(kitAlice, alice.Accid)
	cloud.Bind(kitBob, bob.Accid)
	cloud.Bind(unbound, "")
	server := nimhttptest.New(t, nimhttptest.Options{World: cloud, AppKey: "app1"})
	return &office{
		cloud:  cloud,
		server: server,
		device: cloud.Device(),
		kit:    newKit(t, nimhttp.Options{KitURL: server.KitURL()}),
	}
}

// backend uses only the IM of the device, so that the device's kit is never
// called.
func (o *office) backend() engine.Backend { return engine.Join(deviceIM{o.device}, o.kit) }

type deviceIM struct{ device *mockim.Device }

func (d deviceIM) InitIM(ctx context.Context, appKey string) error {
	return d.device.InitIM(ctx, appKey)
}
func (d deviceIM) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	return d.device.LoginIM(ctx, a, n)
}
func (d deviceIM) LogoutIM(ctx context.Context) error { return d.device.LogoutIM(ctx) }
func (d deviceIM) AdoptIM(ctx context.Context, n engine.Notify) (engine.IMAccount, error) {
	return d.device.AdoptIM(ctx, n)
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]mockim.ServiceOptions{"anonymous": {}, "no anonymous": {NoAnonymous: true}} {
		t.Run(name, func(t *testing.T) {
			backendtest.Run(t, func(t *testing.T) *backendtest.Harness {
				o := newOffice(t, o)
				return &backendtest.Harness{
					Backend:    o.backend(),
					AppKey:     "app1",
					IM:         alice,
					Kit:        kitAlice,
					Other:      kitBob,
					Kick:       func() { o.cloud.Kick(alice.Accid, engine.KickedByServer) },
					Link:       o.device.Link,
					HostLogin:  o.device.HostLogin,
					HostLogout: o.device.HostLogout,
				}
			})
		})
	}
}
