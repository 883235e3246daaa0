package nimhttp_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/engine"
)

// A logout that waits for its turn when Close comes has nothing more to do.
func TestIMCloseDuringLogout(t *testing.T) {
	for range 200 { // which of two things that are ready comes first is luck
		synctest.Test(t, func(t *testing.T) {
			s := newIMStub()
			s.change(func(n *stubSnapshot) { n.AppKey, n.Login, n.Link = "app1", "logging_in", "connecting" })
			im := s.client(t)
			adopted, loggedOut := make(chan error, 1), make(chan error, 1)
			go func() {
				_, err := im.AdoptIM(t.Context(), engine.Notify{})
				adopted <- err
			}()
			synctest.Wait()
			go func() { loggedOut <- im.LogoutIM(t.Context()) }()
			synctest.Wait()
			wantWell(t, im.Close())
			if err := <-loggedOut; err != nil {
				t.Errorf("LogoutIM: got %v, want nil", err)
			}
			<-adopted
		})
	}
}

// What listens there after the gateway has ended may be anything: it is asked
// who it is before it is shown the secret.
func TestIMGreetsTheNextGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im, n := watchedIM(t)
		s.answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "watch")
		s.refuse(true)
		s.change(func(*stubSnapshot) {})
		wantLost(t, n)
		s.sent()
		s.refuse(false)
		s.restart()
		s.answer(stubHealth("boot-2", "0.3.0", stubSecret), "proof")
		if err := im.LoginIM(t.Context(), stubAlice, engine.Notify{}); engine.CodeOf(err) != engine.ErrUnavailable {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		if got := s.sent(); got != "" {
			t.Errorf("got requests %s, want none", got)
		}
	})
}
