package hostim_test

import (
	"context"
	"testing"

	"github.com/imreuse/imreuse/backends/backendtest"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// The host's SDK beside mockim's kit, in every order of reports.
func TestConformance(t *testing.T) {
	forEachOrder(t, func(t *testing.T, s *sdk) {
		backendtest.Run(t, func(t *testing.T) *backendtest.Harness {
			cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
			kitAlice := engine.KitAccount{UserUUID: "kit-alice", Token: "kit-alice-token"}
			kitBob := engine.KitAccount{UserUUID: "kit-bob", Token: "kit-bob-token"}
			for im, kit := range map[engine.IMAccount]engine.KitAccount{alice: kitAlice, bob: kitBob} {
				cloud.AddIM(im)
				cloud.Bind(kit, im.Accid)
			}
			s := newSDK(s.report)
			s.verify = func(ctx context.Context, a engine.IMAccount) error {
				d := cloud.Device()
				if err := d.HostInit(ctx); err != nil {
					return err
				}
				defer d.HostLogout(ctx)
				return d.HostLogin(ctx, a)
			}
			return &backendtest.Harness{
				Backend: engine.Join(s.im, cloud.Device()),
				AppKey:  "app1",
				IM:      alice,
				Kit:     kitAlice,
				Other:   kitBob,
				Kick:    func() { s.end(&engine.KickError{Reason: engine.KickedByServer}) },
				Link:    s.im.Link,
				HostLogin: func(_ context.Context, a engine.IMAccount) error {
					s.hostLogin(a)
					return nil
				},
				HostLogout: func(context.Context) error {
					s.hostLogout()
					return nil
				},
			}
		})
	})
}
