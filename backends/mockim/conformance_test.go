package mockim_test

import (
	"testing"

	"github.com/imreuse/imreuse/backends/backendtest"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

func TestConformance(t *testing.T) {
	for name, o := range map[string]mockim.ServiceOptions{
		"one device":   {},
		"multi-device": {MultiDevice: true},
		"no anonymous": {NoAnonymous: true},
	} {
		t.Run(name, func(t *testing.T) {
			backendtest.Run(t, func(*testing.T) *backendtest.Harness {
				s := newService(o)
				d := s.Device()
				h := &backendtest.Harness{
					Backend:    d,
					AppKey:     appKey,
					IM:         alice,
					Kit:        kitAlice,
					Other:      kitBob,
					Kick:       func() { s.Kick(alice.Accid, engine.KickedByServer) },
					Link:       d.Link,
					HostLogin:  d.HostLogin,
					HostLogout: d.HostLogout,
				}
				h.Expire = func() {
					s.ExpireKit(kitAlice.UserUUID)
					h.Kit.Token += "+" // a new one
					s.Bind(h.Kit, alice.Accid)
				}
				return h
			})
		})
	}
}
