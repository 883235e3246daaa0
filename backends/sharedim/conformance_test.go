package sharedim_test

import (
	"context"
	"testing"

	"github.com/imreuse/imreuse/backends/backendtest"
	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

func TestConformance(t *testing.T) {
	forEachPhone(t, func(t *testing.T, w *world) {
		backendtest.Run(t, func(*testing.T) *backendtest.Harness {
			p := w.reopen()
			return &backendtest.Harness{
				Backend:    engine.Join(sharedim.New(p).Seat(), w.cloud.Device()),
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
