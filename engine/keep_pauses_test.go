package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// The pauses: each of at most the limit, which doubles up to a minute, and not
// always the same.
func TestKeepKitPauses(t *testing.T) {
	const tries = 10
	var longest, shortest [tries]time.Duration
	for i := range shortest {
		shortest[i] = time.Hour
	}
	for range 40 {
		inBubble(t, func(t *testing.T, s *service) {
			s.fails("Authenticate", slices.Repeat([]error{engine.ErrUnavailable}, tries)...)
			e := open(t, s, &autoLogin)
			k := keep(t, e, kitAccount)
			for i := range tries {
				s.wantCalls(t, "Authenticate kit-s3cr3t")
				pause := s.waitForCall(t, pauseLimit(i))
				longest[i], shortest[i] = max(longest[i], pause), min(shortest[i], pause)
			}
			_ = e.LogoutKit(t.Context())
			_ = k.wait()
		})
	}
	for i := range tries { // 40 draws on one side of the half: 1 in 10^12
		if limit := pauseLimit(i); longest[i] < limit/2 || shortest[i] > limit/2 {
			t.Errorf("40 pauses, number %d each, took %v to %v, want 0 to %v", i, shortest[i], longest[i], limit)
		}
	}
}

// A login that held for as long as the limit starts again at one second.
func TestKeepKitPauseStartsOver(t *testing.T) {
	for name, test := range map[string]struct {
		held  time.Duration
		limit time.Duration
	}{
		"held":      {time.Minute, time.Second},
		"not quite": {time.Minute - time.Second, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			longest := time.Duration(0)
			for range 40 {
				inBubble(t, func(t *testing.T, s *service) {
					s.fails("Authenticate", slices.Repeat([]error{engine.ErrUnavailable}, 8)...)
					e := open(t, s, &autoLogin)
					k := keep(t, e, kitAccount)
					for e.Status().State < kitLoggedIn {
						s.waitForCall(t, time.Minute)
						s.called()
					}
					after(test.held)
					s.kitNotify().Lost(engine.ErrUnavailable)
					settled(e)
					s.called()
					longest = max(longest, s.waitForCall(t, test.limit))
					_ = e.LogoutKit(t.Context())
					_ = k.wait()
				})
			}
			if longest < test.limit/2 {
				t.Errorf("the longest pause of 40 was %v, want up to %v", longest, test.limit)
			}
		})
	}
}
