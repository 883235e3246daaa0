package sharedim_test

import (
	"context"
	"testing"

	"github.com/imreuse/imreuse/backends/backendtest"
	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

func TestConformance(t *testing.T) {
	for name, open := range phones {
		t.Run(name, func(t *testing.T) {
			backendtest.Run(t, func(*testing.T) *backendtest.Harness {
				cloud := newCloud()
				p := open(cloud)
				return &backendtest.Harness{
					Backend:    engine.Join(sharedim.New(p).Seat(), cloud.Device()),
					AppKey:     appKey,
					IM:         alice,
					Kit:        meetingAlice,
					Other:      roomBob,
					Kick:       func() { p.end(&engine.KickError{Reason: engine.KickedByServer}) },
					Link:       p.link,
					HostLogin:  func(_ context.Context, a engine.IMAccount) error { return p.hostLogin(a) },
					HostLogout: func(context.Context) error { p.hostLogout(); return nil },
				}
			})
		})
	}
}
