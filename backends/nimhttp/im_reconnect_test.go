package nimhttp_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// One read that is cut late in its wait is not a loss if the gateway is still
// there and has no news.
func TestIMOneCutRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, n := watchedIM(t)
		var once atomic.Bool
		s.answer(func(w http.ResponseWriter, r *http.Request) {
			if once.CompareAndSwap(false, true) {
				<-time.After(6 * time.Second)
				panic(http.ErrAbortHandler)
			}
			s.watch(w, r)
		}, "watch")
		s.change(func(*stubSnapshot) {})
		pass(time.Minute)
		n.wantNothing(t)
	})
}

// A dial that fails on this machine does not mean that the gateway is gone.
func TestIMDialFailsHere(t *testing.T) {
	for name, e := range map[string]error{
		"EMFILE":       &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)},
		"DNS":          &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "server misbehaving", Name: "gw", IsTemporary: true}},
		"EHOSTUNREACH": &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIMStub()
				var broken atomic.Bool
				im := s.client(t, func(o *nimhttp.Options) {
					o.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
						if broken.Load() {
							return nil, e
						}
						return s.dial(ctx, network, addr)
					}}}
				})
				breaks := func() { broken.Store(true); s.cut() }
				n := new(notices)
				logInAlice(t, im, n.notify())
				breaks()
				pass(time.Second)
				broken.Store(false)
				if lost, _ := n.told(); len(lost) != 0 {
					t.Errorf("lost at once: %v", lost)
				}
				breaks()
				err := im.LogoutIM(t.Context())
				broken.Store(false)
				if err == nil && s.shows().Session != 0 {
					t.Errorf("LogoutIM: got nil, and %s is logged in still", s.shows().Accid)
				}
			})
		})
	}
}

// Another version of the gateway takes over the port, without a refused
// connection in between. It gets no token.
func TestIMOtherVersionAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		im := s.client(t)
		if err := im.InitIM(t.Context(), "app1"); err != nil {
			t.Fatal(err)
		}
		s.restart()
		s.answer(stubHealth("boot-2", "9.0.0", stubSecret), "proof")
		s.sent()
		err := im.LoginIM(t.Context(), stubAlice, engine.Notify{})
		if engine.CodeOf(err) != engine.ErrUnavailable {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		if got := s.sent(); got != "" {
			t.Errorf("got requests %s, want none", got)
		}
	})
}

// If a login ended unseen before the next one is made, its loss is reported.
func TestIMUnheardEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, im, n := watchedIM(t)
		s.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "watch")
		s.change(func(*stubSnapshot) {})
		synctest.Wait()
		s.change(func(n *stubSnapshot) { n.end(&stubEnd{Session: n.Session, Kick: &stubKick{Reason: 1}}) })
		s.answer(nil, "watch")
		if err := im.LoginIM(t.Context(), stubAlice, engine.Notify{}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if lost, _ := n.told(); len(lost) != 1 {
			t.Errorf("the first login was kicked; told: %v", lost)
		}
	})
}

// After the gateway has ended, any program may listen at its address. It must
// prove itself before it gets the secret.
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
		s.answer(stubHealth("boot-2", "0.4.0", stubSecret), "proof")
		if err := im.LoginIM(t.Context(), stubAlice, engine.Notify{}); engine.CodeOf(err) != engine.ErrUnavailable {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		if got := s.sent(); got != "" {
			t.Errorf("got requests %s, want none", got)
		}
	})
}
