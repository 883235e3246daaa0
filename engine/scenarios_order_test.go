package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

var scenariosOrder = []scenario{
	{"N1", autoLogin, func(w *world) {
		early := begin(func() error {
			for s := range w.engine.Watch(w.ctx) {
				if now := w.engine.Status(); s.State == kitLoggedIn && now != s {
					w.t.Errorf("Watch yields %+v, but Status is %+v", s, now)
				}
			}
			return nil
		})
		login := begin(func() error {
			err := w.loginKit()
			if s := w.engine.Status(); s.State != kitLoggedIn {
				w.t.Errorf("the login has returned, but the state is %v", s.State)
			}
			return err
		})
		w.fails(login.wait(), nil)
		w.called("Authenticate user1", "InitIM", "LoginIM myaccid", "LoginKit user1")
		w.yielded(viaInit, viaLogin, viaKit)
		w.stands(kitLoggedIn, uninitialized, "myaccid")
		w.must(w.engine.Close())
		w.must(early.wait())
	}},
	{"N2", reuseIM, func(w *world) {
		var lines bytes.Buffer
		logged := reuseIM
		logged.Logger = slog.New(slog.NewJSONHandler(&lines, nil))
		w = w.fresh(logged, mockim.ServiceOptions{})
		reuses(w)
		session := w.engine.Status().Session.String()
		w.cloud.Kick("myaccid", engine.KickedByServer)
		w.yielded(viaIMLost.because(engine.ErrKicked))
		w.called()
		w.stands(imInitialized, imInitialized, "")

		const nobody = "00000000-0000-0000-0000-000000000000"
		kick := (&engine.KickError{Reason: engine.KickedByServer}).Error()
		for i, want := range []map[string]any{
			{"trigger": "init_im", "from": "uninitialized", "to": "im_initialized", "seq": 1., "session": nobody, "accid": ""},
			{"trigger": "login_im", "from": "im_initialized", "to": "im_logged_in", "seq": 2., "session": session, "accid": "myaccid"},
			{"trigger": "login_kit", "from": "im_logged_in", "to": "kit_logged_in", "seq": 3., "session": session, "accid": "myaccid"},
			{"trigger": "im_lost", "from": "kit_logged_in", "to": "im_initialized", "seq": 4., "session": session, "accid": "myaccid", "cause": kick, "code": -20012.},
		} {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				w.t.Fatalf("record %d: %v", i, err)
			}
			got := map[string]any{}
			w.must(json.Unmarshal(line, &got))
			for key, value := range want {
				if got[key] != value {
					w.t.Errorf("record %d has the %s %v, want %v", i, key, got[key], value)
				}
			}
		}
		if lines.Len() > 0 {
			w.t.Errorf("one record too many: %s", lines.String())
		}
	}},
	{"N4", autoLogin, func(w *world) {
		gone := 0
		stops := begin(func() error {
			for s := range w.engine.Watch(w.ctx) {
				if gone++; s.State == imInitialized {
					break
				}
			}
			return nil
		})
		ctx, cancel := context.WithCancel(w.ctx)
		cancelled := 0
		cancels := begin(func() error {
			for s := range w.engine.Watch(ctx) {
				if cancelled++; s.State == imInitialized {
					cancel()
				}
			}
			return nil
		})
		climbsAlone(w)
		w.must(stops.wait())
		w.must(cancels.wait())
		if gone != 2 || cancelled != 2 {
			w.t.Errorf("the watchers that left got %d and %d changes, want 2 each", gone, cancelled)
		}
		if got := w.engine.Watchers(); got != 1 {
			w.t.Errorf("%d watchers, want the one of the world", got)
		}
	}},
	{"N6", reuseIM, func(w *world) {
		w.linkGoesDown()
		im, _ := w.tap.notifies()
		im.Link(false)
		w.host.Link(false)
		w.called()
		w.yielded()
		w.stands(kitLoggedIn, imLoggedIn, "myaccid")
	}},
}
