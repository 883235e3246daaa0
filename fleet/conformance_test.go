package fleet_test

import (
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/backendtest"
	"github.com/imreuse/imreuse/engine"
)

func TestConformance(t *testing.T) {
	f := newFleet(t, connect(t, newNATS(t)), "one", 30*time.Second)
	backendtest.Run(t, func(t *testing.T) *backendtest.Harness {
		cloud := newCloud()
		device := cloud.Device()
		return &backendtest.Harness{
			Backend: engine.Join(f.IM(device), device),
			AppKey:  appKey,
			IM:      alice,
			Kit:     kitAlice,
			Other:   kitBob,
			Kick:    func() { cloud.Kick(alice.Accid, engine.KickedByServer) },
			Link:    device.Link,
			Expire: func() {
				cloud.ExpireKit(kitAlice.UserUUID)
			},
			HostLogin:  device.HostLogin,
			HostLogout: device.HostLogout,
		}
	})
}
