package nimhttp_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// FuzzSnapshots lets a gateway answer with any bytes. Every call must end, with
// an error that has a Code and shows no secret. The client must work again once
// the gateway does.
func FuzzSnapshots(f *testing.F) {
	free := stubSnapshot{Boot: "boot-1", Seq: 9, AppKey: "app1", Login: "logged_out", Link: "down", Ended: &stubEnd{Session: 3}}
	held := free
	held.hold(7, "alice", "another")
	inFlight := free
	inFlight.Login = "logging_in"
	kicked := free
	kicked.Ended = &stubEnd{Session: 7, Kick: &stubKick{Reason: 1, ReasonDesc: "kicked", ClientType: 1}}
	failed := free
	failed.Ended = &stubEnd{Session: 7, Error: &stubError{302, "no"}}
	for _, n := range []stubSnapshot{free, held, inFlight, kicked, failed} {
		f.Add(uint8(0), uint16(200), n.json())
		f.Add(uint8(1), uint16(409), `{"type":"urn:imreuse:gateway:other-account","title":"","status":409,"detail":"","snapshot":`+n.json()+`}`)
	}
	for kind, status := range map[string]uint16{
		"bad-request": 400, "unauthorized": 401, "no-such-path": 404, "no-such-slot": 404, "method-not-allowed": 405, "not-initialised": 409,
		"other-account": 409, "other-configuration": 409, "too-large": 413, "login-failed": 422, "internal": 500, "closing": 503, "": 500,
	} {
		f.Add(uint8(1), status, `{"type":"urn:imreuse:gateway:`+kind+`","title":"","status":400,"detail":"no","code":417}`)
	}
	f.Add(uint8(2), uint16(200), `{"boot":"boot-2","version":"0.3.0"}`)
	f.Add(uint8(2), uint16(200), `{"boot":"boot-2","version":"0.3.0","proof":"0123"}`)
	f.Add(uint8(3), uint16(302), ``)
	f.Add(uint8(0), uint16(200), `{"seq":18446744073709551615,"session":-1}`)
	f.Fuzz(func(t *testing.T, which uint8, status uint16, body string) {
		if strings.Contains(body, stubSecret) || strings.Contains(body, stubToken) {
			t.Skip("it has what we look for")
		}
		synctest.Test(t, func(t *testing.T) { playReply(t, which, 200+int(status+200)%400, body) })
	})
}

// playReply runs a client against a gateway that sends the reply to some or all
// kinds of requests.
func playReply(t *testing.T, which uint8, status int, body string) {
	kinds := [][]string{everyCall, {"login", "logout", "watch"}, {"proof"}, {"proof", "health", "watch", "init", "read", "login", "logout", "release"}, {"watch", "health", "proof"}, {"read"}}
	names := kinds[int(which)%len(kinds)]
	var log safeBuffer
	s := newIMStub()
	im := s.client(t, logTo(&log))
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		stubReply(status, body)(w, r)
	}, names...)
	var n notices
	calls := []func(context.Context) error{
		func(ctx context.Context) error { return im.InitIM(ctx, "app1") },
		func(ctx context.Context) error { _, err := im.AdoptIM(ctx, n.notify()); return err },
		func(ctx context.Context) error { return im.LoginIM(ctx, stubAlice, n.notify()) },
		func(context.Context) error { pass(20 * time.Second); return nil }, // time for a loss
		im.LogoutIM,
	}
	for i, call := range calls {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		wantKind(t, i, call(ctx))
		cancel()
	}
	lost, _ := n.told()
	for _, cause := range lost {
		wantKind(t, len(calls), cause)
	}
	if len(lost) > 2 {
		t.Errorf("two logins were lost %d times: %v", len(lost), lost)
	}
	s.answer(nil, names...)
	s.restart()
	if other := s.client(t); other.InitIM(t.Context(), "app1") != nil {
		t.Error("another client cannot use the gateway that is well again")
	}
	if err := im.InitIM(t.Context(), "app1"); err == nil {
		wantWell(t, im.LoginIM(t.Context(), stubAlice, engine.Notify{}))
	} else if !errors.Is(err, engine.ErrAppKeyMismatch) { // that of an adopted login
		t.Errorf("when the gateway is well again: got %v", err)
	}
	wantWell(t, im.Close())
	noSecrets(t, "the log", log.String())
}

// wantKind checks that an error has one of the expected Codes.
func wantKind(t *testing.T, call int, err error) {
	t.Helper()
	if err == nil {
		return
	}
	known := []error{
		engine.ErrUnavailable, engine.ErrIMInUse, engine.ErrArgument, engine.ErrAppKeyMismatch, engine.ErrState, engine.ErrTokenRejected,
		engine.ErrAccountBanned, engine.ErrIMLoggedOut, engine.ErrKicked, context.DeadlineExceeded,
	}
	var told *nimhttp.ServerError
	if !errors.As(err, &told) && !slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) {
		t.Errorf("call %d: got %v, of no kind", call, err)
	}
	noSecrets(t, "the error", err.Error())
	if len(err.Error()) > 2000 {
		t.Errorf("call %d: an error of %d bytes", call, len(err.Error()))
	}
}
